"""Whatever a document says: it compiles to what a real Envoy takes, or it is refused in words. Never anything else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from controlplane.admission.admission import Admission
from policy.compiler.compiler import Compiler
from policy.errors import NotAdmittedError, PolicyError
from policy.plan import plan
from policy.reading import read_documents
from policy.schema import kind_names
from registry.model import Change
from tests.envoys import envoy_binary
from tests.examples import mesh_of_examples
from tests.generated import made, mutated, text_of

DOCUMENTS = st.one_of(mutated(), st.sampled_from(kind_names()).flatmap(made))
_BOUNDED = settings(
    deadline=None,
    derandomize=True,  # a longer hunt is for who looks for faults; here, the same as yesterday has to pass
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@pytest.fixture(scope="module")
def admission() -> Admission:
    return Admission(envoy_binary())


def test_any_document_compiles_to_what_envoy_takes_or_is_refused_in_words(admission: Admission) -> None:
    mesh, compiler = mesh_of_examples(), Compiler()
    outcomes = {"refused": 0, "taken": 0}

    @settings(_BOUNDED, max_examples=150)
    @given(body=DOCUMENTS)
    def judge(body: Any) -> None:
        note(str(body))
        try:
            documents = [item.to_document() for item in read_documents(text_of(body), source="generated")]
            changes = [Change(mesh.documents.get(item.key), item) for item in documents]
            planned = plan(mesh, [change for change in changes if change.before != change.after], compiler=compiler)
        except PolicyError as error:
            assert all(problem.got and problem.want for problem in error.problems)
            outcomes["refused"] += 1
            return
        try:
            asyncio.run(admission.check(planned))
        except NotAdmittedError as error:
            if "Maxmind database" in str(error):
                return  # a file of the machine that a proxy runs on
            raise AssertionError(f"validation took what Envoy refuses: {error}") from error
        outcomes["taken"] += 1

    judge()
    assert min(outcomes.values()) > 10, outcomes
