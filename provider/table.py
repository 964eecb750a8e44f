"""What a resource is: one table of properties per kind, from which check, defaults, diff and schema follow."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from provider.values import Plain, Unknown, is_unknown

Kind = Literal["string", "integer", "number", "boolean", "array", "object", "map", "any"]
_PYTHON: Mapping[Kind, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "map": (dict,),
    "any": (object,),
}
ID_RULE = "it has to be an id of 16 hexadecimal digits, not a name"
_ID = re.compile(r"[0-9a-f]{16}")
_ARTICLE = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "map": "a map of names to values",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property as it stands on the wire (camelCase).

    `computed`: the server decides it, it can't be given. `replaces`: a change makes a new resource.
    `choices`: the values there are. `is_id`: an id as the server gives them. `default`: what leaving it out means.
    `fields`: what an object, or each object of an array, consists of; `type_name` names that type in the schema.
    `transient`: serves the check only; it is not stored, and a change of it is none.
    `left_to_server`: leaving it out is no wish: the server decides, and what it decides is no change.
    `same(before, after)`: whether a new value is no change.
    `items`: the kind of an array's or a map's members where they are not objects. A map's keys are the user's own.
    """

    name: str
    kind: Kind
    description: str
    required: bool = False
    computed: bool = False
    secret: bool = False
    replaces: bool = False
    is_id: bool = False
    transient: bool = False
    left_to_server: bool = False
    choices: tuple[str, ...] = ()
    default: str | int | bool | None = None
    fields: tuple[Property, ...] = ()
    type_name: str = ""
    items: Kind = "any"
    same: Callable[[Any, Any], bool] = operator.eq

    @property
    def always(self) -> bool:
        """True if the state always has it."""
        return self.required or self.computed or self.default is not None


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


def stored(table: Table) -> Table:
    return tuple(one for one in table if not one.transient)


def check(table: Table, given: Plain, where: str = "") -> tuple[Plain, list[Failure]]:
    """The inputs with defaults filled in, and what is wrong with them; `where` is the path of what holds them."""
    known = {one.name: one for one in inputs_of(table)}
    failures = [
        Failure(where + name, f"there is no such property; the properties are {', '.join(known)}")
        for name in given
        if name not in known
    ]
    filled: Plain = {}
    for name, one in known.items():
        value = given.get(name)
        if value is None:
            if one.required:
                failures.append(Failure(where + name, f"is required: {one.description}"))
            elif one.default is not None:
                filled[name] = one.default
            continue
        filled[name], wrong = check_value(one, value, where + name)
        failures += wrong
    return filled, failures


def check_value(one: Property, value: Any, where: str) -> tuple[Any, list[Failure]]:
    """A value with the defaults of what it holds, and what is wrong with it."""
    if isinstance(value, Unknown):
        return value, []
    shown = "a secret" if one.secret else repr(value)
    # A boolean is an int to Python, not to a reader.
    wrong_type = not isinstance(value, _PYTHON[one.kind]) or (
        one.kind in ("integer", "number") and isinstance(value, bool)
    )
    if wrong_type:
        return value, [Failure(where, f"is {shown}; it has to be {_ARTICLE[one.kind]}")]
    if one.kind == "object":
        return check(one.fields, value, f"{where}.")
    if one.kind in ("array", "map"):
        member = replace(one, kind="object" if one.fields else one.items, items="any", required=False, choices=())
        places = range(len(value)) if one.kind == "array" else list(value)
        checked = [(place, check_value(member, value[place], f"{where}[{place}]")) for place in places]
        failures = [failure for _, (_, wrong) in checked for failure in wrong]
        if one.kind == "array":
            return [member_value for _, (member_value, _) in checked], failures
        return {place: member_value for place, (member_value, _) in checked}, failures
    if one.choices and value not in one.choices:
        return value, [Failure(where, f"is {shown}; it has to be one of {', '.join(one.choices)}")]
    if one.required and value == "":
        return value, [Failure(where, f"is empty: {one.description}")]
    if one.is_id and not is_id(value):
        return value, [Failure(where, f"is {shown}; {ID_RULE}")]
    return value, []


def diff(table: Table, old: Plain, new: Plain, ignored: frozenset[str]) -> dict[str, Change]:
    """What differs between the stored state and the new inputs; an unknown value counts as a difference."""
    changes: dict[str, Change] = {}
    for one in stored(inputs_of(table)):
        before, after = old.get(one.name), new.get(one.name)
        if one.kind in ("string", "array", "map"):  # the server shows an empty one as absent
            before, after = before or None, after or None
        if after is None and one.left_to_server:
            continue
        if one.name in ignored or (not is_unknown(after) and one.same(before, after)):
            continue
        kind: Literal["add", "delete", "update"] = "add" if before is None else "delete" if after is None else "update"
        changes[one.name] = Change(kind, one.replaces)
    return changes


def present(values: Mapping[str, Any]) -> Plain:
    """Without what is None or empty text: the server leaves out what is not set."""
    return {name: value for name, value in values.items() if value is not None and value != ""}
