"""What an interrupted run leaves on the server is found by the next one: nothing is doubled, nothing is orphaned."""

from __future__ import annotations

import asyncio
import random
import subprocess
import time
from typing import Any

import psutil
import pytest

from operations.influxd import LocalInfluxd
from operations.pulumi_runner import runner_environment
from provider.api import Api, ProviderError
from provider.ownership import mark_of, unmarked
from provider.table import check
from tests.provider.conftest import Program
from tests.provider.cutting_proxy import CuttingProxy
from tests.provider.lives import Life, lives
from tests.provider.test_life_cycle import RANK, declared, write
from tools import find


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
    # And somebody else's stack does not take over what is ours.
    label = all_lives["label"]
    inputs, _ = check(label.on_server.table, label.inputs(label.start, ids))
    with pytest.raises(ProviderError, match="exists already"):
        await label.on_server.create(api, inputs, mark_of("another stack", "label", 0))


def plugins(program: Program) -> list[int]:
    """The provider's processes of this program."""
    url = program.environment["PULUMI_BACKEND_URL"]
    found = []
    for process in psutil.process_iter():
        try:
            if "pulumi-resource-influxdb" in " ".join(process.cmdline()):
                found += [process.pid] if process.environ().get("PULUMI_BACKEND_URL") == url else []
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found


async def killed(program: Program, after: float) -> bool:
    """Start `pulumi up` and kill it some seconds after it began to change things; False if it was done before."""
    process = await asyncio.create_subprocess_exec(
        *(find.pulumi(), "up", "--yes", "--skip-preview", "--stack", "test", "--non-interactive", "--color", "never"),
        cwd=program.folder,
        env=runner_environment(program.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    said = b""
    async for line in process.stdout:
        said += line
        if b"influxdb:index" in line and (b"creating" in line or b"replacing" in line):
            break
    try:
        rest, _ = await asyncio.wait_for(process.communicate(), after)
    except TimeoutError:
        process.kill()
        # Its plugins hold its output open for a moment more: they are not waited for.
        await process.wait()
        return True
    assert process.returncode == 0, (said + rest).decode()
    return False


@pytest.mark.timeout(600)
async def test_pulumi_killed_at_ten_moments_converges(
    program: Program, influxd: LocalInfluxd, api: Api, unique: str
) -> None:
    moments = random.Random(unique)
    all_lives = lives(unique)
    kills, longest = 0, 0.8
    async with CuttingProxy(influxd.url, delay=0.05) as slow:
        program.environment = {**program.environment, "INFLUXDB_URL": slow.url}
        while kills < 10:
            # Each round replaces nearly everything: by one in the other organization, and then back again.
            given = declared(all_lives)
            if kills % 2:
                given = {name: one | dict(all_lives[name].replaced) for name, one in given.items()}
            write(program, all_lives, given)
            if await killed(program, moments.uniform(0.0, longest)):
                kills += 1
            else:
                longest *= 0.7
            # What a killed pulumi leaves is its lock.
            answer = await asyncio.to_thread(program.run, "cancel", "--yes")
            assert answer.returncode == 0, answer.stderr
        await asyncio.to_thread(program.up)
        assert await asyncio.to_thread(program.steps) == {}
    ids = program.outputs()
    for name, life in all_lives.items():
        there = await in_organization(api, life, ids["org"])
        if life.kind == "Organization":
            there = [one for one in there if unique in one["name"]]
        else:
            there += await in_organization(api, life, ids["other_org"])
        expected = {ids[other] for other, one in all_lives.items() if one.kind == life.kind}
        if there:
            descriptions = [unmarked(one.get("description")) for one in there]
            assert {one["id"] for one in there} == expected, (name, descriptions)
        else:
            assert life.kind in ("LabelMapping", "Secret"), name
    deadline = time.monotonic() + 10
    while plugins(program) and time.monotonic() < deadline:  # noqa: ASYNC110 - a process tells nobody
        await asyncio.sleep(0.2)
    assert plugins(program) == [], "a plugin outlived its engine"
