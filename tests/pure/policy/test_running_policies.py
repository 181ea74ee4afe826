"""ScalingPolicy, AlertPolicy, RolloutPolicy, ReportPolicy: what they take, and what they say to what they do not."""

from __future__ import annotations

import pytest

from policy.errors import PolicyError
from policy.reading import read_documents
from policy.running_policies import RUNNING_KINDS
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Service


def text(kind: str, spec: str) -> bytes:
    return f"apiVersion: apg.mesh/v1\nkind: {kind}\nmetadata: {{name: test}}\nspec: {{{spec}}}\n".encode()


PAYMENT = "targetRefs: [{kind: Service, name: payment}]"


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("ScalingPolicy", f"{PAYMENT}, replicas: 0"),
        ("ScalingPolicy", "metrics: [{resource: cpu, utilization: 80.5}], maxReplicas: 10"),
        ("AlertPolicy", "rules: [{metric: errorRate, percent: 0.5, side: Below, for: 5m}]"),
        ("AlertPolicy", f"{PAYMENT}, rules: [{{metric: latency, latency: 500ms, quantile: 0.99}}]"),
        ("RolloutPolicy", f"{PAYMENT}, canary: v2, rollBackAbove: 5"),
        ("ReportPolicy", "every: Daily"),
        ("ReportPolicy", 'metricsInterval: 10s, kpis: ["conversion rate"]'),
    ],
)
def test_a_document_is_kept_as_it_was_written(kind: str, spec: str) -> None:
    [document] = read_documents(text(kind, spec), source="test")
    stored = document.to_document()
    [again] = read_documents(stored.body.encode(), source="stored")
    assert again == document
    mesh = Mesh().after([Change(None, Service("default", "payment")), Change(None, stored)])
    assert validate(mesh).problems == ()


def test_whole_percentages_are_written_without_a_fraction() -> None:
    [document] = read_documents(text("AlertPolicy", "rules: [{metric: errorRate, percent: 5}]"), source="test")
    assert '"percent":5}' in document.to_document().body


@pytest.mark.parametrize(
    ("kind", "spec", "words"),
    [
        ("ScalingPolicy", "minReplicas: 2", "want either replicas, a fixed number, or metrics to scale by"),
        ("ScalingPolicy", "replicas: 3, maxReplicas: 5", "want minReplicas and maxReplicas only beside metrics"),
        ("ScalingPolicy", "replicas: 5000", "spec.replicas: got 5000, want 0 to 1000"),
        ("ScalingPolicy", "replica: 3", "got a field that does not exist, want one of"),
        ("ScalingPolicy", "metrics: [{resource: disk, utilization: 5}]", "spec.metrics[0].resource"),
        (
            "ScalingPolicy",
            "metrics: [{resource: cpu, utilization: 5}], minReplicas: 5, maxReplicas: 2",
            "want a minReplicas that is not above maxReplicas",
        ),
        (
            "ScalingPolicy",
            "metrics: [{resource: cpu, utilization: 5}, {resource: cpu, utilization: 6}]",
            "want one metric for each resource",
        ),
        ("AlertPolicy", "rules: []", "want at least 1"),
        ("AlertPolicy", "rules: [{metric: latency, percent: 5}]", "want latency as the bound of the metric latency"),
        ("AlertPolicy", "rules: [{metric: latency, latency: 500}]", 'want a duration with its unit, such as "10s"'),
        ("AlertPolicy", "rules: [{metric: errorRate, percent: 500}]", "spec.rules[0].percent: got 500"),
        (
            "AlertPolicy",
            "rules: [{metric: cpu, percent: 5, quantile: 0.9}]",
            "want a quantile only for the metric latency",
        ),
        ("RolloutPolicy", f"{PAYMENT}, canary: v2", "want a bound at least"),
        ("RolloutPolicy", f"{PAYMENT}, canary: v2, advanceBelow: 5, rollBackAbove: 1", "not above rollBackAbove"),
        ("RolloutPolicy", f"{PAYMENT}, rollBackAbove: 1", "spec.canary: got nothing, want a value"),
        ("ReportPolicy", "{}", ""),
        ("ReportPolicy", "every: Fortnightly", "want Hourly, Daily, Weekly, or Monthly"),
        ("ReportPolicy", "metricsInterval: 10ms", "want a metricsInterval of 1s to 1h"),
    ],
)
def test_a_bad_document_is_refused_with_what_would_be_right(kind: str, spec: str, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_documents(text(kind, spec.strip("{}") if spec == "{}" else spec), source="test")
    assert words in str(caught.value)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.KIND) for kind in RUNNING_KINDS])
def test_it_attaches_to_services_that_exist_and_to_nothing_else(kind: type) -> None:
    specs = {
        "AlertPolicy": "rules: [{metric: cpu, percent: 5}]",
        "ReportPolicy": "every: Daily",
        "RolloutPolicy": "canary: v2, rollBackAbove: 5",
        "ScalingPolicy": "replicas: 1",
    }
    name = kind.KIND  # type: ignore[attr-defined]
    for target, words in (
        ("{kind: Service, name: ghost}", "does not exist"),
        ("{kind: Gateway, name: edge}", "does not fit"),
    ):
        [document] = read_documents(text(name, f"targetRefs: [{target}], {specs[name]}"), source="test")
        mesh = Mesh().after([Change(None, Service("default", "payment")), Change(None, document.to_document())])
        assert any(words in str(problem) for problem in validate(mesh).problems)


def test_a_rollout_is_of_one_service() -> None:
    [document] = read_documents(text("RolloutPolicy", "canary: v2, rollBackAbove: 5"), source="test")
    mesh = Mesh().after([Change(None, document.to_document())])
    assert "want one Service, whose traffic it is" in str(validate(mesh).problems[0])
