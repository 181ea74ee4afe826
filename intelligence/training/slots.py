"""What stands in the slots of a template, and other names and numbers for those in a sentence."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from intelligence.intents.names import Vocabulary
from registry.mesh import Mesh
from registry.model import Change, Endpoint, Item, Service, labels

_OTHERS = (
    *("billing", "catalog", "basket", "ledger", "mailer", "profile", "reviews", "ratings", "gateway-api", "auth"),
    *("session", "stock", "pricing", "quotes", "refunds", "returns", "delivery", "tracking", "media", "images"),
    *("video", "chat", "feed", "news", "booking", "flights", "hotels", "events", "tickets", "loyalty", "coupons"),
)
_AS_THEY_ARE: Mapping[str, tuple[str, ...]] = {
    "payment-service": ("v1", "v2"),
    "user-service": ("v1", "v2", "v3"),
    "checkout": ("stable", "canary"),
    "cart": (),
    "orders": ("v1", "v2"),
    "inventory": ("v1", "v2"),
    "search": ("v1",),
    "secure-cluster": ("v1",),
    "shipping": ("blue", "green"),
}
"""The mesh that known sentences speak of."""
_SAID: Mapping[str, str] = {
    "payment-service": r"payment[- ]service|payments?\b(?! tokens)",
    "user-service": r"users?[- ]service",
    "checkout": r"checkout",
    "cart": r"cart",
    "orders": r"orders",
    "inventory": r"inventory",
    "search": r"search",
    "shipping": r"shipping",
}
_ALIKE = (("payment-service", "orders", "inventory"), ("cart", "search"))
_OTHER_NAMES = 0.3  # of the meshes
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twenty")
_PERCENT = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?= ?(?:%|percent|per cent))")
_SHARES = re.compile(r"(?<![\w./])(\d+)([/:])(\d+)(?![\w./])")
_NUMBER = re.compile(r"(?<![\w.:/-])\d+(?=(?: ?(?:ms|s|m|h)\b)|[ .,!?]|$)(?! ?(?:%|percent|per cent))")
_WORDED = re.compile(rf"\b(?:{'|'.join(_WORDS[1:])})\b")
_SLOT = re.compile(r"\{(\w+)\}")
_COUNTRIES = ("China", "Russia", "Germany", "France", "Italy", "Iran", "North Korea", "Belarus", "Nigeria", "Brazil")
_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")
_PATHS = ("/admin", "/api", "/pay", "/cart", "/internal", "/v2", "/find", "/stock", "/login", "/debug")
_HEADERS = ("x-group", "x-beta", "x-user-group", "x-tenant", "x-region", "x-canary", "x-version", "x-debug")
_VALUES = ("beta", "true", "1", "eu", "internal", "yes", "acme", "on", "test", "gold")


@dataclass(frozen=True, slots=True)
class Names:
    """A mesh to speak of: `services` by name with their versions; `now`, the names of those of the known sentences."""

    services: Mapping[str, tuple[str, ...]]
    now: Mapping[str, str]
    vocabulary: Vocabulary

    @classmethod
    def drawn(cls, chance: random.Random) -> Names:
        """The mesh of the known sentences, or one of the same shape under other names."""
        if chance.random() >= _OTHER_NAMES:
            return _KNOWN_NAMES
        return chance.choice(_OTHER_MESHES)

    def of_example(self, chance: random.Random) -> dict[str, str]:
        name = chance.choice([name for name, versions in self.services.items() if len(versions) > 1])
        versions = chance.sample(self.services[name], 2)
        return {"service": self.spoken(chance, name), "old": versions[0], "new": versions[1]}

    def spoken(self, chance: random.Random, name: str) -> str:
        """A name as people say it."""
        stem = name.removesuffix("-service")
        forms = [name, stem, stem]
        if stem != name:
            forms += [f"{stem}s", f"the {stem} service", f"{stem} service"]
        elif "-" not in name:
            forms += [f"the {name} service"]
        return chance.choice(forms)


def _named(now: Mapping[str, str]) -> Names:
    services = {now[name]: versions for name, versions in _AS_THEY_ARE.items()}
    items: list[Item] = []
    for name, versions in services.items():
        items.append(Service("default", name))
        items += [
            Endpoint("default", name, f"10.0.{len(items)}.{number}", 80, labels({"version": version}))
            for number, version in enumerate(versions, start=1)
        ]
    return Names(services, now, Vocabulary.of(Mesh().after(Change(None, item) for item in items)))


def _other_meshes(count: int) -> tuple[Names, ...]:
    chance = random.Random(1)  # noqa: S311  # names are no secrets
    made = []
    for _ in range(count):
        stems = chance.sample(_OTHERS, len(_AS_THEY_ARE))
        ends = ["-service" if name.endswith("-service") else "" for name in _AS_THEY_ARE]
        made.append(_named({name: stem + end for name, stem, end in zip(_AS_THEY_ARE, stems, ends, strict=True)}))
    return tuple(made)


_KNOWN_NAMES = _named({name: name for name in _AS_THEY_ARE})
_OTHER_MESHES = _other_meshes(40)


def filled(chance: random.Random, template: str, names: Names) -> str:
    """The template with its slots filled: {s} a service, {v} and {w} two of its versions, {d} another service, {p} a
    percentage, {q} what is left of it, {n} a number, {t} a duration, {word} a number in words, and so on."""
    versioned = [name for name, versions in names.services.items() if len(versions) > 1]
    name = chance.choice(versioned if "{v}" in template else list(names.services))
    versions = chance.sample(names.services[name], 2) if "{v}" in template else ["", ""]
    percent = chance.choice((*range(1, 100), *range(5, 100, 5)))
    values = {
        "s": names.spoken(chance, name),
        "v": chance.choice([versions[0]] * 5 + [f"version {versions[0].removeprefix('v')}"]),
        "w": versions[1],
        "d": names.spoken(chance, chance.choice([other for other in names.services if other != name])),
        "p": str(percent),
        "q": str(100 - percent),
        "f": chance.choice((str(chance.randint(1, 9)), f"0.{chance.randint(1, 9)}", str(chance.randint(10, 60)))),
        "n": str(chance.choice((chance.randint(1, 9), chance.randint(1, 30), chance.randint(1, 2000)))),
        "few": chance.choice((str(chance.randint(1, 10)), *_WORDS[:6])),
        "many": str(chance.choice((10, 20, 50, 64, 100, 200, 500, 1000, chance.randint(11, 999)))),
        "word": chance.choice(_WORDS),
        "t": _duration(chance),
        "u": _duration(chance),
        "country": chance.choice(_COUNTRIES),
        "land": chance.choice(_COUNTRIES),
        "method": chance.choice(_METHODS),
        "path": chance.choice(_PATHS),
        "host": f"{chance.choice(_OTHERS)}.example.{chance.choice(('com', 'org', 'net'))}",
        "header": chance.choice(_HEADERS),
        "value": chance.choice(_VALUES),
        "new": chance.choice(("", "my-", "new-")) + chance.choice(_OTHERS) + chance.choice(("", "-api", "-service")),
        "ip": ".".join(str(chance.randint(1, 254)) for _ in range(4)),
        "pn": chance.choice(("p50", "p90", "p95", "p99")),
        "clock": f"{chance.randint(0, 23):02}:{chance.choice(('00', '15', '30', '45'))}",
        "stranger": chance.choice(("foo", "paymint", "kafka", "warehouse", "legacy", "bar-service", "mainframe")),
    }
    return _SLOT.sub(lambda slot: values[slot[1]], template)


def _duration(chance: random.Random) -> str:
    count = chance.choice((1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90))
    unit, long = chance.choice(
        (("s", "second"), ("s", "second"), ("m", "minute"), ("h", "hour"), ("ms", "millisecond"))
    )
    count = count * 10 if unit == "ms" else count
    worded = f"{count} {long}{'s' if count > 1 else ''}"
    return chance.choice((f"{count}{unit}", f"{count}{unit}", worded, f"{count} {unit}" if unit != "m" else worded))


def renamed(chance: random.Random, sentence: str, names: Names) -> str:
    """The sentence about other services: changed round among those with the same versions, then by their names in
    this mesh."""
    swapped = {name: name for name in _AS_THEY_ARE}
    for alike in _ALIKE:
        swapped |= dict(zip(alike, chance.sample(alike, len(alike)), strict=True))

    def other(found: re.Match[str]) -> str:
        name = next(name for name in _SAID if found[name.replace("-", "_")] is not None)
        new = names.now[swapped[name]]
        if new == name:
            return found[0]
        said = names.spoken(chance, new) if not found[0].endswith("service") else new
        return said.removeprefix("the ")

    return _ANY_SAID.sub(other, sentence)


_ANY_SAID = re.compile(
    r"\b(?:" + "|".join(f"(?P<{name.replace('-', '_')}>{said})" for name, said in _SAID.items()) + r")\b(?!-v)"
)


def renumbered(chance: random.Random, sentence: str) -> str:
    """The sentence with other numbers; two shares keep their sum."""
    found = _PERCENT.findall(sentence)
    first = chance.choice((chance.randint(1, 99), chance.choice(range(5, 100, 5))))
    if len(found) == 2 and sum(map(float, found)) == 100:
        shares = iter((str(first), str(100 - first)))
        sentence = _PERCENT.sub(lambda _: next(shares), sentence)
    elif len(found) == 1:
        sentence = _PERCENT.sub(str(first), sentence)
    sentence = _SHARES.sub(lambda m: f"{first}{m[2]}{100 - first}" if int(m[1]) + int(m[3]) == 100 else m[0], sentence)
    sentence = _NUMBER.sub(lambda m: _like(chance, m[0]), sentence)
    return _WORDED.sub(lambda _: chance.choice(_WORDS[1:]), sentence)


def _like(chance: random.Random, number: str) -> str:
    """A number of about the same size."""
    value = int(number)
    if value in (503, 500, 429, 404) or value < 1:
        return number
    if value <= 10:
        return str(chance.randint(1, 10))
    return str(chance.choice((value, chance.randint(value // 2, value * 2), round(value * 1.5 / 10) * 10 or value)))
