"""Options of benchmarks on the command line."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import BENCHMARKS, options, parsed
from benchmarks.steady import slope


def test_options_are_those_of_the_signature_with_their_types() -> None:
    assert parsed("dataplane", ["rounds=7", "seconds=1.5", "ways=direct"]) == {
        "rounds": 7,
        "seconds": 1.5,
        "ways": "direct",
    }


@pytest.mark.parametrize(
    ("setting", "words"), [("turns=1", "has no option 'turns', want one of rounds"), ("rounds=many", "want int")]
)
def test_an_option_that_cannot_be_says_what_can(setting: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parsed("dataplane", [setting])


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_every_option_has_a_default(name: str) -> None:
    assert all(isinstance(value, int | float | str) for value in options(name).values())


def test_a_slope_is_that_of_the_line_that_fits_best() -> None:
    assert slope([0.0, 1.0, 2.0, 3.0], [5.0, 5.5, 6.0, 6.5]) == pytest.approx(0.5)
    assert slope([1.0], [5.0]) == 0.0
