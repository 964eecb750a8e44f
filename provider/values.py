"""Pulumi's PropertyValue to plain Python and back: the only module that knows of PropertyValue.

PropertyValue holds floats only and compares secretness too; unknown values arrive as sentinel strings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

Plain = dict[str, Any]


class Unknown:
    """A value that is known only after `pulumi up` has made something."""

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN = Unknown()
_SENTINELS = frozenset(
    value
    for name, value in vars(rpc).items()
    if name.startswith(("UNKNOWN", "_UNKNOWN")) and isinstance(value, str) and len(value) == 36
) | {
    # The engine's typed unknowns (bool, number, string, array, asset, archive, object).
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
}


def plain_value(value: PropertyValue) -> Any:
    inner = value.value
    if isinstance(inner, str):
        return UNKNOWN if inner in _SENTINELS else inner
    if isinstance(inner, bool) or inner is None:
        return inner
    if isinstance(inner, float):
        return int(inner) if inner.is_integer() else inner
    if isinstance(inner, Mapping):
        return {key: plain_value(inner[key]) for key in inner}
    if isinstance(inner, Sequence):
        return [plain_value(item) for item in inner if isinstance(item, PropertyValue)]
    return UNKNOWN


def plain(values: Mapping[str, PropertyValue]) -> Plain:
    """Properties as plain Python, without nulls and without the engine's own (`__...`)."""
    return {
        name: plain_value(value)
        for name, value in values.items()
        if not name.startswith("__") and value.value is not None
    }


def secret_names(values: Mapping[str, PropertyValue]) -> frozenset[str]:
    """The names whose values hold a secret anywhere."""
    return frozenset(name for name, value in values.items() if value.contains_secret())


def is_unknown(value: Any) -> bool:
    """True if the value is unknown or holds something unknown anywhere."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, dict):
        return any(is_unknown(item) for item in value.values())
    return isinstance(value, list) and any(is_unknown(item) for item in value)


def wire_value(value: Any) -> PropertyValue:
    if isinstance(value, Unknown):
        return PropertyValue(rpc.UNKNOWN)
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return PropertyValue(value)
    if isinstance(value, int | float):
        return PropertyValue(float(value))
    if isinstance(value, Mapping):
        return PropertyValue({key: wire_value(item) for key, item in value.items()})
    return PropertyValue([wire_value(item) for item in value])


def wire(values: Mapping[str, Any], secrets: frozenset[str] = frozenset()) -> dict[str, PropertyValue]:
    """Plain Python as properties; those named in `secrets` are marked secret."""
    return {name: wire_value(value).with_secret(name in secrets) for name, value in values.items()}
