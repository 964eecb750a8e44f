"""What the typed classes share: how their properties reach the engine and come back. What they do is the plugin's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pulumi

from provider.names import WireName, camel, renamed, snake


def _lift(value: Any, function: Callable[[Any], Any]) -> pulumi.Output[Any] | None:
    # Each output by itself: what stands beside an unknown one is still known at preview.
    return value.apply(function) if isinstance(value, pulumi.Output) else None


def to_wire(values: Mapping[str, Any], own: frozenset[str]) -> dict[str, Any]:
    """Arguments as the plugin takes them."""
    return dict(renamed(values, camel, own, _lift))


def to_python(value: Any, own: frozenset[str]) -> Any:
    """What the plugin gives, with Python's names. `own`: properties whose keys are the user's."""
    return renamed(value, snake, own, lambda *_: None)


class Resource(pulumi.CustomResource):
    """A resource of the plugin `influxdb`."""

    # Properties whose keys are the user's own, and those that are secrets (names on the wire).
    _own: ClassVar[frozenset[str]] = frozenset()
    _secret: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, token: str, resource_name: str, values: Mapping[str, Any], opts: pulumi.ResourceOptions | None
    ) -> None:
        if self._secret:
            secret = pulumi.ResourceOptions(additional_secret_outputs=[WireName(name) for name in self._secret])
            opts = pulumi.ResourceOptions.merge(opts, secret)
        super().__init__(token, resource_name, to_wire(values, self._own), opts)

    def translate_input_property(self, prop: str) -> str:
        return camel(prop)

    def _output(self, name: str) -> pulumi.Output[Any]:
        value: pulumi.Output[Any] = self.__dict__[name]
        return value if name in self._own else value.apply(lambda inner: to_python(inner, self._own))


def invoke(
    token: str, values: Mapping[str, Any], own: frozenset[str], opts: pulumi.InvokeOptions | None
) -> dict[str, Any]:
    """The answer of a lookup, now."""
    given = {name: value for name, value in to_wire(values, frozenset()).items() if value is not None}
    return dict(to_python(pulumi.runtime.invoke(token, given, opts).value, own))


def invoke_output(
    token: str, values: Mapping[str, Any], own: frozenset[str], opts: pulumi.InvokeOptions | None
) -> pulumi.Output[dict[str, Any]]:
    """The answer of a lookup whose arguments may be outputs."""
    given = {name: value for name, value in to_wire(values, frozenset()).items() if value is not None}
    # The answer is not typed: pulumi.runtime has no type for what `token` answers.
    answer: pulumi.Output[Any] = pulumi.runtime.invoke_output(token, given, opts)
    return answer.apply(lambda found: dict(to_python(found, own)))


def fields_of(result: type[Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The values for a result's fields; what the server has not set is None."""
    return {one.name: found.get(one.name) for one in dataclasses.fields(result)}
