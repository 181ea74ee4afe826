"""Does the embedded parser understand people?

Each sentence of tests/data/intents is parsed; what it came to is compared with what is expected. A *wrong plan* is any
plan that is not the expected one: the worst that can happen. A refusal or a question where a plan was expected is a
miss; a refusal where a question was expected, or the other way round, is counted as held back: nothing was planned.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.intent_sentences import ASK, REFUSE, Sentence, mesh_of_sentences, sentences
from benchmarks.report import Report, Row, percentile, quartiles
from intelligence.intents.errors import IntentError
from intelligence.intents.grammar import prepare, understand
from intelligence.intents.intents import code
from intelligence.intents.names import Vocabulary
from intelligence.intents.understanding import Understanding

_PARTS = (
    "development",
    "development_2",
    "probe",
    "adversarial",
    "strangers",
    "strangers_2",
    "strangers_3",
    "strangers_4",
    "strangers_5",
    "wordings",
    "frozen",
    "languages",
)
_FROZEN = ("frozen", "strangers_4", "strangers_5")  # written after the parser was frozen, and not learned from since
_ROUNDS, _QUICK_ROUNDS = 10, 2
_BAR_EXACT, _BAR_P99_MS = 90.0, 5.0


@dataclass(frozen=True, slots=True)
class Result:
    """What one sentence came to, and how long that took, in milliseconds: by the clock, and of the processor's time."""

    sentence: Sentence
    got: str
    milliseconds: float
    busy: float

    @property
    def exact(self) -> bool:
        return self.got == self.sentence.expected

    @property
    def wrong(self) -> bool:
        return not self.exact and self.got not in (ASK, REFUSE)

    @property
    def held_back(self) -> bool:
        """Nothing was to be planned, and nothing was."""
        return not self.sentence.is_plan and self.got in (ASK, REFUSE)


def measure(sentence: Sentence, vocabulary: Vocabulary) -> Result:
    start, busy = time.perf_counter(), time.thread_time()
    try:
        got = result_of(understand(sentence.text, vocabulary))
    except IntentError:
        got = REFUSE
    return Result(sentence, got, (time.perf_counter() - start) * 1_000, (time.thread_time() - busy) * 1_000)


def result_of(understanding: Understanding) -> str:
    """As the sentences' files write it."""
    return ASK if understanding.needs else "; ".join(code(intent) for intent in understanding.intents)


async def run(*, console: Console, quick: bool, model: str = "") -> Report:
    """Exact, wrong, refused and asked back by part, language and intent; p50 and p99 of the time to parse.

    model: a folder with a Modelfile; then that model is scored instead, beside the embedded parser (`model_intents`).
    """
    if model:
        from benchmarks import model_intents

        return await model_intents.run(Path(model), console=console, quick=quick)
    prepare()
    gc.freeze()  # as a process that has run for a while: what was made at start is not looked at again
    vocabulary = Vocabulary.of(mesh_of_sentences())
    results = {part: [measure(item, vocabulary) for item in sentences(part)] for part in _PARTS}
    report = Report("intents")
    for part, found in results.items():
        _add_part(report, part, found, bars=part in _FROZEN)
    everything = [result for found in results.values() for result in found]
    for what, groups in (("language", _by_language(everything)), ("intent", _by_intent(everything))):
        for name, found in sorted(groups.items()):
            exact = _share(sum(r.exact for r in found), len(found))
            note = f"{len(found)} sentences, {sum(r.wrong for r in found)} wrong"
            report.add(Row(f"{what} {name}: exact", "%", exact, (exact, exact), note=note))
    again = [measure(r.sentence, vocabulary) for _ in range(_QUICK_ROUNDS if quick else _ROUNDS) for r in everything]
    _add_times(report, [r.busy for r in again], "processor time", bar=_BAR_P99_MS)
    _add_times(report, [r.milliseconds for r in again], "by the clock", bar=None)
    for result in everything:
        if result.wrong or (not result.exact and not result.held_back):
            kind = "wrong" if result.wrong else "missed"
            console.print(f"{kind}: {result.sentence.text!r}: {result.got}", markup=False)
    return report


def _add_times(report: Report, times: Sequence[float], what: str, *, bar: float | None) -> None:
    """The bar is for the processor's time: by the clock, a busy machine is measured, too."""
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        value, asked = percentile(times, share), bar if name == "p99" else None
        report.add(
            Row(
                f"parse {name}, {what}",
                "ms",
                value,
                quartiles(times),
                bar=None if asked is None else f"at most {asked:g} ms",
                holds=None if asked is None else value <= asked,
            )
        )


def _add_part(report: Report, part: str, found: Sequence[Result], *, bars: bool) -> None:
    counts = Counter(result.got if result.got in (ASK, REFUSE) else "plan" for result in found)
    exact = _share(sum(result.exact or result.held_back for result in found), len(found))
    strictly = _share(sum(result.exact for result in found), len(found))
    wrong = sum(result.wrong for result in found)
    note = f"{len(found)} sentences: {counts['plan']} planned, {counts[REFUSE]} refused, {counts[ASK]} asked back"
    report.add(
        Row(
            f"{part}: exact",
            "%",
            exact,
            (strictly, exact),
            bar=f"at least {_BAR_EXACT:g}%" if bars else None,
            holds=exact >= _BAR_EXACT if bars else None,
            note=f"{note}; {strictly:.1f}% with questions and refusals told apart",
        )
    )
    plans = [result for result in found if result.sentence.is_plan]
    share = _share(sum(result.exact for result in plans), len(plans))
    report.add(Row(f"{part}: exact among plans", "%", share, (share, share), note=f"{len(plans)} sentences"))
    report.add(
        Row(
            f"{part}: wrong plans",
            "",
            wrong,
            (wrong, wrong),
            bar="0" if bars else None,
            holds=wrong == 0 if bars else None,
        )
    )


def _by_language(found: Iterable[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in found:
        groups.setdefault(result.sentence.language, []).append(result)
    return groups


def _by_intent(found: Iterable[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in found:
        if result.sentence.language == "en":
            expected = result.sentence.expected
            kinds = [part.split(" ")[0] for part in expected.split("; ")] if result.sentence.is_plan else [expected]
            for kind in dict.fromkeys(kinds):
                groups.setdefault(kind, []).append(result)
    return groups


def _share(count: int, of: int) -> float:
    return 100.0 * count / of if of else 0.0
