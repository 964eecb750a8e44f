"""What an interrupted run leaves on the server is found by the next one: nothing is doubled, nothing is orphaned."""

from __future__ import annotations

from typing import Any

import pytest

from operations.influxd import LocalInfluxd
from provider.api import Api, ProviderError
from provider.ownership import Mark, mark_of
from provider.table import check
from tests.provider.cutting_proxy import CuttingProxy
from tests.provider.lives import Life, lives
from tests.provider.test_life_cycle import RANK


async def in_organization(api: Api, life: Life, org_id: str) -> list[dict[str, Any]]:
    """What of this kind is in the organization now."""
    kind = life.on_server
    if life.kind in ("LabelMapping", "Secret"):
        return []
    if life.kind == "Organization":
        return await api.everything(kind.path, kind.collection, {}, 100)
    found = await api.everything(kind.path, kind.collection, {"orgID": org_id}, kind.page_size)
    return [one for one in found if not one.get("virtual") and one.get("type") != "system"]


async def test_a_create_without_an_answer_finds_its_own_when_tried_again(
    influxd: LocalInfluxd, api: Api, unique: str
) -> None:
    all_lives = lives(unique)
    ids: dict[str, str] = {}
    order = sorted(all_lives, key=lambda name: (RANK.index(all_lives[name].kind), not name.startswith("other")))
    async with CuttingProxy(influxd.url) as proxy:
        for name in order:
            life, kind = all_lives[name], all_lives[name].on_server
            inputs, failures = check(kind.table, life.inputs(life.start, ids))
            assert not failures + await kind.check(api, {}, inputs)
            mark = mark_of("a stack", name, 0)
            # Each run has a connection of its own, and with it a new look at what is there.
            first, second = Api(proxy.url, influxd.token), Api(influxd.url, influxd.token)
            if life.kind != "Secret":
                before = proxy.cuts
                with pytest.raises(ProviderError, match="No answer from InfluxDB"):
                    await kind.create(first, inputs, mark)
                assert proxy.cuts == before + 1, name
            ids[name], _ = await kind.create(second, inputs, mark)
            await first.close()
            await second.close()

    for name in order:
        life, kind = all_lives[name], all_lives[name].on_server
        named = {kind.name_of(one): 0 for one in await in_organization(api, life, ids["org"])}
        for one in await in_organization(api, life, ids["org"]):
            named[kind.name_of(one)] += 1
        assert set(named.values()) <= {1}, named

    # The replacement of a token is another one, though it has the same name and the old one is still there.
    token = all_lives["token"]
    inputs, _ = check(token.on_server.table, token.inputs(token.start, ids))
    replacement, _ = await token.on_server.create(api, inputs, mark_of("a stack", "token", 1))
    assert replacement != ids["token"]
    # What the engine made and lost, old one and all, is found by the mark of a later replacement.
    label = all_lives["label"]
    inputs, _ = check(label.on_server.table, label.inputs(label.start, ids) | {"name": "lost"})
    made, _ = await label.on_server.create(api, inputs, Mark.of("a stack", "lost", 3))
    again = Api(influxd.url, influxd.token)
    assert (await label.on_server.create(again, inputs, Mark.of("a stack", "lost", 0)))[0] == made
    await again.close()
    # And somebody else's stack does not take over what is ours.
    label = all_lives["label"]
    inputs, _ = check(label.on_server.table, label.inputs(label.start, ids))
    with pytest.raises(ProviderError, match="exists already"):
        await label.on_server.create(api, inputs, mark_of("another stack", "label", 0))
