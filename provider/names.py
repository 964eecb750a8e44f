"""Names on the wire are camelCase, in Python snake_case; the keys of a user's own map are left alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_UPPER = re.compile(r"[A-Z]")


class WireName(str):
    """A name that is on the wire as it stands."""

    __slots__ = ()


def camel(name: str) -> WireName:
    """org_id -> orgId; a WireName stays."""
    if isinstance(name, WireName):
        return name
    head, *rest = name.split("_")
    return WireName(head + "".join(part.capitalize() for part in rest))


def snake(name: str) -> str:
    """orgId -> org_id"""
    return _UPPER.sub(lambda letter: "_" + letter[0].lower(), name)


def renamed(value: Any, rename: Callable[[str], str], own: frozenset[str], lift: Callable[..., Any]) -> Any:
    """`value` with the keys of every mapping in it renamed, but for what stands below a name in `own` (camelCase).

    `lift(value, function)` is asked first about each value: it answers None, or what an output becomes.
    """
    lifted = lift(value, lambda inner: renamed(inner, rename, own, lift))
    if lifted is not None:
        return lifted
    if isinstance(value, Mapping):
        return {
            rename(key): verbatim(value[key]) if camel(key) in own else renamed(value[key], rename, own, lift)
            for key in value
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [renamed(item, rename, own, lift) for item in value]
    return value


def verbatim(value: Any) -> Any:
    """`value` with every key marked as a name that stays."""
    if isinstance(value, Mapping):
        return {WireName(key): verbatim(value[key]) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [verbatim(item) for item in value]
    return value
