"""What a protected bucket holds, said where the engine refuses to delete it.

The engine refuses by itself, at preview, and does not ask the provider; so what would be lost is asked here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from provider.api import Api, ProviderError
from provider.kinds.bucket import stored_values

_REFUSED = re.compile(r"\"?(urn:pulumi:\S+?influxdb:index:Bucket::[^\s\"]+)\"?[^\n]*?cannot be deleted")


def refused_buckets(message: str) -> list[str]:
    """The URNs of the buckets that pulumi's error says it will not delete, each once."""
    return list(dict.fromkeys(_REFUSED.findall(message)))


async def _values(url: str, token: str, buckets: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    api = Api(url, token)
    try:
        return {name: await stored_values(api, org_id, identifier) for name, (org_id, identifier) in buckets.items()}
    finally:
        await api.close()


def costs(message: str, state: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """A sentence for each bucket that was refused, with how many values it holds; "" where there is none or the
    server is not known or does not answer. `state` is as of `Stack.state`."""
    refused = set(refused_buckets(message))
    url, token = environment.get("INFLUXDB_URL", ""), environment.get("INFLUXDB_TOKEN", "")
    if not refused or not url or not token:
        return ""
    buckets = {
        str(one["outputs"]["name"]): (str(one["outputs"]["orgId"]), str(one["id"]))
        for one in state.get("resources") or []
        if one["urn"] in refused
    }
    try:
        held = asyncio.run(_values(url, token, buckets))
    except ProviderError:
        return ""
    return "\n".join(
        f"Bucket {name!r} holds {count:,} stored values, which deleting it would cost; to do that all the same, "
        "name it in hearthflux:allowDataLoss, run up, and take it out then."
        for name, count in held.items()
    )
