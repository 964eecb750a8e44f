"""What a resource is: one table of properties per kind, from which check, defaults, diff and schema follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from provider.values import Plain, is_unknown

Kind = Literal["string", "integer", "boolean", "array"]
_PYTHON: Mapping[Kind, tuple[type, ...]] = {"string": (str,), "integer": (int,), "boolean": (bool,), "array": (list,)}
ID_RULE = "it has to be an id of 16 hexadecimal digits, not a name"
_ID = re.compile(r"[0-9a-f]{16}")
_ARTICLE = {"string": "a string", "integer": "a whole number", "boolean": "true or false", "array": "a list"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property as it stands on the wire (camelCase).

    `computed`: the server decides it, it can't be given. `replaces`: a change makes a new resource.
    `choices`: the values there are. `is_id`: an id as the server gives them. `default`: what leaving it out means.
    """

    name: str
    kind: Kind
    description: str
    required: bool = False
    computed: bool = False
    secret: bool = False
    replaces: bool = False
    is_id: bool = False
    choices: tuple[str, ...] = ()
    default: str | int | bool | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a property can't be accepted, for a person."""

    property: str
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """How one property differs: `kind` is add, delete or update; `replaces` makes it a new resource."""

    kind: Literal["add", "delete", "update"]
    replaces: bool


Table = tuple[Property, ...]


def is_id(value: object) -> bool:
    """True for an id as the server gives them: 16 hexadecimal digits."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def inputs_of(table: Table) -> Table:
    return tuple(one for one in table if not one.computed)


def check(table: Table, given: Plain) -> tuple[Plain, list[Failure]]:
    """The inputs with defaults filled in, and what is wrong with them."""
    known = {one.name: one for one in inputs_of(table)}
    failures = [
        Failure(name, f"there is no such property; the properties are {', '.join(known)}")
        for name in given
        if name not in known
    ]
    filled: Plain = {}
    for name, one in known.items():
        value = given.get(name)
        if value is None:
            if one.required:
                failures.append(Failure(name, f"is required: {one.description}"))
            elif one.default is not None:
                filled[name] = one.default
            continue
        filled[name] = value
        if is_unknown(value):
            continue
        wrong_type = not isinstance(value, _PYTHON[one.kind]) or (one.kind == "integer" and isinstance(value, bool))
        if wrong_type:
            failures.append(Failure(name, f"is {value!r}; it has to be {_ARTICLE[one.kind]}"))
        elif one.choices and value not in one.choices:
            failures.append(Failure(name, f"is {value!r}; it has to be one of {', '.join(one.choices)}"))
        elif one.required and value == "":
            failures.append(Failure(name, f"is empty: {one.description}"))
        elif one.is_id and not is_id(value):
            failures.append(Failure(name, f"is {value!r}; {ID_RULE}"))
    return filled, failures


def diff(table: Table, old: Plain, new: Plain, ignored: frozenset[str]) -> dict[str, Change]:
    """What differs between the stored state and the new inputs; an unknown value counts as a difference."""
    changes: dict[str, Change] = {}
    for one in inputs_of(table):
        before, after = old.get(one.name), new.get(one.name)
        if one.kind == "string":  # the server shows an empty text as absent
            before, after = before or None, after or None
        if one.name in ignored or (before == after and not is_unknown(after)):
            continue
        kind: Literal["add", "delete", "update"] = "add" if before is None else "delete" if after is None else "update"
        changes[one.name] = Change(kind, one.replaces)
    return changes


def present(values: Mapping[str, Any]) -> Plain:
    """Without what is None or empty text: the server leaves out what is not set."""
    return {name: value for name, value in values.items() if value is not None and value != ""}
