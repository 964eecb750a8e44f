"""Secret: written by `python -m provider.codegen` from provider/kinds/secret.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from provider import resource


class Secret(resource.Resource):
    """A secret of an organization, for `secrets.get(key: ...)` in Flux. The server never tells its value: it is
    kept in the state, and a change behind Pulumi's back is not seen. Creating it sets the key, whether or
    not it is there. To import one: `<organization id>/<key>`; the first `pulumi up` after that sets the
    value.

    `org_id`: id of its organization.
    `key`: its key.
    `value`: the value itself.
    """

    _secret = ("value",)

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        key: pulumi.Input[str],
        value: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "org_id": org_id,
            "key": key,
            "value": value,
        }
        super().__init__("influxdb:index:Secret", resource_name, given, opts)

    @property
    def org_id(self) -> pulumi.Output[str]:
        """id of its organization"""
        return self._output("orgId")

    @property
    def key(self) -> pulumi.Output[str]:
        """its key"""
        return self._output("key")

    @property
    def value(self) -> pulumi.Output[str]:
        """the value itself"""
        return self._output("value")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSecretResult:
    """What `get_secret` found; its properties are those of `Secret`, without secrets."""

    id: str
    org_id: str
    key: str


def get_secret(
    *,
    org_id: str | None = None,
    key: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetSecretResult:
    """Looks up one secret on the server: by `org_id` and `key`. An error where there is none, or more than one."""
    found = resource.invoke("influxdb:index:getSecret", {"org_id": org_id, "key": key}, _FOUND_OWN, opts)
    return GetSecretResult(**resource.fields_of(GetSecretResult, found))


def get_secret_output(
    *,
    org_id: pulumi.Input[str] | None = None,
    key: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[GetSecretResult]:
    """`get_secret` for arguments that are outputs."""
    found = resource.invoke_output("influxdb:index:getSecret", {"org_id": org_id, "key": key}, _FOUND_OWN, opts)
    return found.apply(lambda one: GetSecretResult(**resource.fields_of(GetSecretResult, one)))


_FOUND_OWN: frozenset[str] = frozenset([])
