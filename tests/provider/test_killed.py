"""`pulumi up` killed at any moment and run again: it converges, nothing is doubled, nothing is orphaned."""

from __future__ import annotations

import asyncio
import random
import subprocess
import time

import psutil

from operations.influxd import LocalInfluxd
from operations.pulumi_lock import drop_empty_attributes
from operations.pulumi_runner import runner_environment
from provider.api import Api
from provider.ownership import unmarked
from tests.provider.conftest import Program
from tests.provider.cutting_proxy import CuttingProxy
from tests.provider.lives import lives
from tests.provider.test_interrupted import in_organization
from tests.provider.test_life_cycle import declared, write
from tools import find

ONE_OF_EACH = (
    *("org", "other_org", "bucket", "other_bucket", "task", "token", "label", "other_label", "mapping", "dbrp"),
    *("threshold", "slack", "rule", "constant", "board", "secret"),
)


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


async def test_pulumi_killed_at_ten_moments_converges(
    program: Program, influxd: LocalInfluxd, api: Api, unique: str
) -> None:
    moments = random.Random(unique)
    all_lives = {name: life for name, life in lives(unique).items() if name in ONE_OF_EACH}
    kills, longest, flips = 0, 0.8, 0
    async with CuttingProxy(influxd.url, delay=0.05) as slow:
        program.environment = {**program.environment, "INFLUXDB_URL": slow.url}
        while kills < 10:
            # Each time nearly everything is replaced: by one in the other organization, and then back again.
            given = declared(all_lives)
            if flips % 2:
                given = {name: one | dict(all_lives[name].replaced) for name, one in given.items()}
            flips += 1
            write(program, all_lives, given)
            # The same program until it is done, killed again and again.
            while await killed(program, moments.uniform(0.0, longest)):
                kills += 1
                drop_empty_attributes(program.environment["PULUMI_BACKEND_URL"])
                # What a killed pulumi leaves is its lock.
                answer = await asyncio.to_thread(program.run, "cancel", "--yes")
                assert answer.returncode == 0, answer.stderr
                if kills == 10:
                    break
            else:
                longest *= 0.8
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
    deadline = time.monotonic() + 120
    while plugins(program) and time.monotonic() < deadline:  # noqa: ASYNC110 - a process tells nobody
        await asyncio.sleep(0.2)
    assert plugins(program) == [], "a plugin outlived its engine"
