"""Messages made without ceremony: where thousands are made from values that are known to be right.

A class of envoy-data-plane checks each value that it is made from, some 20 µs a message; the encoder refuses what does
not fit a field anyway (`xds.encoder`). What does the checking is itself made with the first message of a class: up to
75 ms and some MB for a large one. Type checkers see the class's own signature.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from betterproto2 import Message

P = ParamSpec("P")
MessageT = TypeVar("MessageT", bound=Message)


def unchecked(cls: Callable[P, MessageT]) -> Callable[P, MessageT]:
    """Makes messages of the class `cls`, by keyword arguments, as the class does, but believes its caller. They are for
    the encoder: the class's own `bytes` and `to_dict` may want the checks that were never made.

    The maker raises TypeError for a field that the class does not have.
    """
    made_by_class: Any = cls
    values = {field.name: _default(field) for field in dataclasses.fields(made_by_class)} | {"_unknown_fields": b""}
    shared = {name: value for name, value in values.items() if not isinstance(value, list | dict)}
    own = [(name, type(value)) for name, value in values.items() if isinstance(value, list | dict)]
    size, new = len(values), object.__new__

    def make(*_: P.args, **fields: P.kwargs) -> MessageT:
        message: MessageT = new(made_by_class)
        state = message.__dict__
        state.update(shared)
        for name, kind in own:
            state[name] = kind()
        state.update(fields)
        if len(state) != size:
            unknown = ", ".join(sorted(fields.keys() - values.keys()))
            raise TypeError(f"{made_by_class.__name__} has no field {unknown}")
        return message

    return make


def _default(field: dataclasses.Field[Any]) -> object:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
