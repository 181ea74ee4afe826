"""Sentences that are understood: for tests, for the model's few shots, and as hints when one was not."""

from __future__ import annotations

from dataclasses import dataclass

from intelligence.intents.names import Vocabulary


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence with slots: {service}, and {old} and {new}, two of its versions. `code` is its intent as a line."""

    sentence: str
    code: str


EXAMPLES: tuple[Example, ...] = (
    Example("route 20% of {service} traffic to {new}", "traffic_split {service} shares={new}:20"),
    Example("send all {service} traffic to {new}", "traffic_split {service} shares={new}:100"),
    Example(
        "split {service} traffic 80/20 between {old} and {new}", "traffic_split {service} shares={old}:80,{new}:20"
    ),
    Example("split {service} evenly between {old} and {new}", "traffic_split {service} shares={old}:50,{new}:50"),
    Example("give {new} a quarter of {service} traffic", "traffic_split {service} shares={new}:25"),
    Example(
        "send {service} requests with header x-group: beta to {new}",
        "match_route {service} version={new} header=x-group value=beta",
    ),
    Example("mirror 10% of {service} traffic to {new}", "mirror {service} version={new} percent=10"),
    Example("drain {old} of {service}", "drain {service} version={old}"),
    Example("retry failed {service} requests 3 times", "retries {service} attempts=3"),
    Example("set a timeout of 2s on {service}", "timeout {service} after=2s"),
    Example(
        "add a circuit breaker to {service} with at most 100 connections", "circuit_breaker {service} connections=100"
    ),
    Example("delay 5% of {service} by 200 ms for ten minutes", "fault {service} percent=5 lasts=10m delay=200ms"),
    Example("limit {service} to 100 requests per minute per user", "rate_limit {service} requests=100 per=1m key=user"),
    Example("require mutual TLS between all services", "mutual_tls * mode=strict"),
    Example("allow only authenticated users to access {service}", "require_login {service}"),
    Example("block all requests from IP addresses in China and Russia", "access_rule action=deny * countries=CN,RU"),
    Example("block requests containing SQL injection patterns", "threat_filter * patterns=sql_injection"),
    Example("scale {service} to 10 instances", "scale_to {service} replicas=10"),
    Example("enable automatic scaling when CPU usage exceeds 75%", "autoscale * metric=cpu percent=75"),
    Example("send alerts when error rate goes above 5% for any service", "alert * metric=error_rate percent=5"),
    Example("create a new service called user-api with 3 replicas", "create_service name=user-api replicas=3"),
    Example("undo the last change", "undo"),
    Example("show me the health status of all services", "question about=health *"),
)


def filled(example: Example, vocabulary: Vocabulary) -> str | None:
    """The example with names of this mesh: of the service with most versions. None if it has not as many as needed."""
    names = names_for(vocabulary)
    if names is None or ("{old}" in example.sentence and names["old"] == names["new"]):
        return None
    return example.sentence.format(**names)


def names_for(vocabulary: Vocabulary) -> dict[str, str] | None:
    by_count = sorted(vocabulary.versions.items(), key=lambda item: (-min(len(item[1]), 2), item[0]))
    if not by_count or not by_count[0][1]:
        return None
    key, versions = by_count[0]
    return {"service": key.name, "old": versions[0], "new": versions[-1]}


def nearest(sentence: str, vocabulary: Vocabulary, *, count: int = 3) -> tuple[str, ...]:
    """The examples most like `sentence`, with names of this mesh; with placeholders, if it has none to offer."""
    sentences = [said for example in EXAMPLES if (said := filled(example, vocabulary)) is not None] or [
        example.sentence.format(service="SERVICE", old="v1", new="v2") for example in EXAMPLES
    ]
    words = frozenset(sentence[:200].lower().split())

    def likeness(candidate: str) -> float:
        others = frozenset(candidate.lower().split())
        return len(words & others) / (len(words | others) or 1)

    return tuple(sorted(sentences, key=likeness, reverse=True)[:count])
