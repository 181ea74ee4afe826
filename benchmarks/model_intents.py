"""A model's score beside the embedded parser's, on sentences that it was not trained on, by the product's own path.

`python -m benchmarks intents --set model=FOLDER`: the folder that `python -m intelligence.training` wrote, or any other
with a Modelfile. A real Ollama serves it. "Alone" is what the model's first answer says, believed as it is; the other
figures are what the product makes of it: only what the sentence says, one turn of repair, refusals.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.intent_sentences import ASK, REFUSE, Sentence, mesh_of_sentences, sentences
from benchmarks.intents import Result, measure, result_of
from benchmarks.ollama_server import serving
from benchmarks.report import Report, Row, percentile, quartiles
from intelligence.intents.errors import IntentError, ParserUnavailableError
from intelligence.intents.forms import FormError, intent_of
from intelligence.intents.grammar import merged, prepare
from intelligence.intents.intents import code
from intelligence.intents.llm import OllamaParser
from intelligence.intents.names import Vocabulary

_PARTS = ("frozen", "probe", "adversarial")
_QUICK = 25  # sentences of each part
_NAME = "scored"
_TIMEOUT = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Answered:
    """What the product came to with the model, and the model alone. calls: 2 where repair was asked for.
    formless: no answer kept to its form."""

    result: Result
    alone: Result
    calls: int
    formless: bool


class _Watched(OllamaParser):
    """The product's parser; remembers the model's answers to the last sentence."""

    def __init__(self, *, host: str) -> None:
        super().__init__(host=host, model=_NAME, timeout=_TIMEOUT)
        self.answers: list[str] = []

    async def _ask(self, model: str, messages: Sequence[Mapping[str, str]], form: Mapping[str, Any]) -> str:
        answer = await super()._ask(model, messages, form)
        self.answers.append(answer)
        return answer


async def run(folder: Path, *, console: Console, quick: bool) -> Report:
    """Exact, wrong, refused and repaired of each held-out part, and the time for a sentence.

    Raises:
        SystemExit: no `ollama`, or no Modelfile in the folder.
    """
    binary = os.environ.get("APG_OLLAMA") or shutil.which("ollama")
    if binary is None:
        raise SystemExit("ollama: not found; want it on PATH, or named by $APG_OLLAMA")
    if not (folder / "Modelfile").is_file():
        raise SystemExit(f"{folder}: no Modelfile; want a folder that `python -m intelligence.training` wrote")
    prepare()
    vocabulary = Vocabulary.of(mesh_of_sentences())
    report = Report("intents")
    with serving({_NAME: folder}, binary=binary) as host:
        parser = _Watched(host=host)
        for part in _PARTS:
            said = list(sentences(part))[: _QUICK if quick else None]
            found = [await _answered(parser, item, vocabulary) for item in said]
            _add(report, part, found, [measure(item, vocabulary) for item in said])
            for item in found:
                if item.result.wrong:
                    console.print(f"wrong: {item.result.sentence.text!r}: {item.result.got}", markup=False)
    return report


async def _answered(parser: _Watched, sentence: Sentence, vocabulary: Vocabulary) -> Answered:
    parser.answers.clear()
    start, busy, formless = time.perf_counter(), time.thread_time(), False
    try:
        got = result_of(await parser.parse(sentence.text, vocabulary))
    except ParserUnavailableError:
        got, formless = REFUSE, True
    except IntentError:
        got = REFUSE
    taken = (time.perf_counter() - start) * 1_000, (time.thread_time() - busy) * 1_000
    alone = _believed(parser.answers[0]) if parser.answers else REFUSE
    return Answered(Result(sentence, got, *taken), Result(sentence, alone, *taken), len(parser.answers), formless)


def _believed(answer: str) -> str:
    """What an answer says, whether or not the sentence says it too."""
    try:
        intents = merged([intent_of(form) for form in json.loads(answer)["intents"]])
    except (FormError, IntentError, ValueError, LookupError):
        return REFUSE
    return "; ".join(code(intent) for intent in intents) or REFUSE


def _add(report: Report, part: str, found: Sequence[Answered], embedded: Sequence[Result]) -> None:
    results, alone = [item.result for item in found], [item.alone for item in found]
    plans = sum(result.sentence.is_plan for result in results)
    count = f"{len(found)} sentences, {plans} of them plans"
    rows = (
        ("exact", "%", _share(_fits(results), found), _share(_fits(embedded), embedded), count),
        ("plans exact", "", _exact(results), _exact(embedded), ""),
        ("wrong plans", "", _wrong(results), _wrong(embedded), ""),
        ("refused", "", _said(results, REFUSE), _said(embedded, REFUSE), ""),
        ("asked back", "", _said(results, ASK), _said(embedded, ASK), ""),
        ("plans exact by the model alone", "", _exact(alone), None, "before the product's checks"),
        ("wrong plans by the model alone", "", _wrong(alone), None, "before the product's checks"),
        ("repair asked for", "", sum(item.calls > 1 for item in found), None, ""),
        ("repaired", "", sum(item.calls > 1 and item.result.got != REFUSE for item in found), None, ""),
        ("no answer in form", "", sum(item.formless for item in found), None, ""),
    )
    for figure, unit, value, peer, note in rows:
        by = "embedded parser" if peer is not None else None
        report.add(Row(f"{part}: {figure}", unit, value, (value, value), peer=by, peer_value=peer, note=note))
    times, theirs = [result.milliseconds for result in results], [result.milliseconds for result in embedded]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        row = Row(
            f"{part}: time for a sentence, {name}",
            "ms",
            percentile(times, share),
            quartiles(times),
            peer="embedded parser",
            peer_value=percentile(theirs, share),
        )
        report.add(row)


def _fits(results: Iterable[Result]) -> int:
    return sum(result.exact or result.held_back for result in results)


def _exact(results: Iterable[Result]) -> int:
    return sum(result.exact for result in results if result.sentence.is_plan)


def _wrong(results: Iterable[Result]) -> int:
    return sum(result.wrong for result in results)


def _said(results: Iterable[Result], what: str) -> int:
    return sum(result.got == what for result in results)


def _share(count: int, of: Sequence[object]) -> float:
    return 100 * count / len(of)
