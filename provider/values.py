"""Pulumi's wire format to plain Python and back: the only module that knows it.

Properties are protobuf structs. Numbers are doubles; an unknown value is one of the engine's sentinel strings; a secret
is an object with a signature. All of that is turned into plain Python here, and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value

Plain = dict[str, Any]


class Unknown:
    """A value that is known only after `pulumi up` has made something."""

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN = Unknown()
# sdk/go/common/resource/plugin/rpc.go: unknown bool, number, string, array, asset, archive, object.
_UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SENTINELS = frozenset(
    (
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        _UNKNOWN_STRING,
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    )
)
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"


def _is_secret(struct: Struct) -> bool:
    return _SIGNATURE in struct.fields and struct.fields[_SIGNATURE].string_value == _SECRET


def plain_value(value: Value) -> Any:
    """A value as plain Python; a secret is what it holds."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in _SENTINELS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [plain_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        fields = value.struct_value.fields
        if _is_secret(value.struct_value):
            return plain_value(fields["value"])
        # An asset or an archive has a signature too; no property of ours is one.
        return UNKNOWN if _SIGNATURE in fields else {key: plain_value(fields[key]) for key in fields}
    return None


def plain(values: Struct) -> Plain:
    """Properties as plain Python, without nulls and without the engine's own (`__...`)."""
    found = {name: plain_value(values.fields[name]) for name in values.fields if not name.startswith("__")}
    return {name: value for name, value in found.items() if value is not None}


def _holds_secret(value: Value) -> bool:
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        return any(_holds_secret(item) for item in value.list_value.values)
    if kind != "struct_value":
        return False
    return _is_secret(value.struct_value) or any(_holds_secret(item) for item in value.struct_value.fields.values())


def secret_names(values: Struct) -> frozenset[str]:
    """The names whose values hold a secret anywhere."""
    return frozenset(name for name, value in values.fields.items() if _holds_secret(value))


def is_unknown(value: Any) -> bool:
    """True if the value is unknown or holds something unknown anywhere."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, dict):
        return any(is_unknown(item) for item in value.values())
    return isinstance(value, list) and any(is_unknown(item) for item in value)


def _set(target: Value, value: Any) -> None:
    if isinstance(value, Unknown):
        target.string_value = _UNKNOWN_STRING
    elif isinstance(value, bool):
        target.bool_value = value
    elif value is None:
        target.null_value = 0
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, Mapping):
        target.struct_value.SetInParent()
        for key, item in value.items():
            _set(target.struct_value.fields[key], item)
    else:
        target.list_value.SetInParent()
        for item in value:
            _set(target.list_value.values.add(), item)


def wire(values: Mapping[str, Any], secrets: frozenset[str] = frozenset()) -> Struct:
    """Plain Python as properties; those named in `secrets` are marked secret."""
    struct = Struct()
    for name, value in values.items():
        target = struct.fields[name]
        if name in secrets:
            target.struct_value.fields[_SIGNATURE].string_value = _SECRET
            target = target.struct_value.fields["value"]
        _set(target, value)
    return struct
