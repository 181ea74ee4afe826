"""Regular expressions in documents."""

from __future__ import annotations

import re
import warnings


def regex(value: str) -> str:
    """`value`, if it is a regular expression. Python's `re` stands in for Envoy's RE2, which knows no lookarounds and
    no backreferences.

    Raises:
        ValueError: it is none, in words for who wrote it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python may read differently one day, RE2 reads as it does
            re.compile(value)
    except (re.error, OverflowError) as error:
        raise ValueError(f"a regular expression (RE2): {error}") from None
    except RecursionError:
        raise ValueError("a regular expression (RE2): too deep a nesting") from None
    return value
