"""Tokens: least rights, new ones by one command while the writer goes on, and secrets that only their owner reads."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from operations import paths
from operations.errors import UserError
from operations.influxd import LocalInfluxd
from operations.pulumi_runner import Stack, passphrase_file
from operations.token_commands import parse_files, secrets_of
from tests.operations.archive.conftest import ArchivedHome
from tests.operations.conftest import Run
from writer import BatchWriter, Event, WriterSettings


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(folder: Path, start: str) -> dict[str, int]:
    return {path.name: mode(path) for path in folder.iterdir() if path.name.startswith(start)}


async def test_rotation_while_the_writer_writes(
    make_influxd: Callable[..., LocalInfluxd], tmp_path: Path, hearthflux: Run
) -> None:
    server = make_influxd().start()
    variables = {
        "INFLUXDB_URL": server.url,
        "INFLUXDB_TOKEN": server.token,
        "PULUMI_BACKEND_URL": (tmp_path / "pulumi").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "for tests only",
    }
    (tmp_path / "pulumi").mkdir()

    async def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        answer = await asyncio.to_thread(lambda: hearthflux(*arguments, **variables))
        assert answer.returncode == 0, answer.stderr
        return answer

    up = await run("stack", "up")
    assert "not recorded" not in up.stderr
    listed = json.loads((await run("tokens", "list", "--json")).stdout)
    assert set(listed) == {"writer", "reader", "operations", "monitor"}
    (only,) = listed["writer"]["permissions"]
    assert only.startswith("write bucket ")
    assert all(one.startswith("read bucket ") for one in listed["reader"]["permissions"])

    outputs = Stack("dev", {**os.environ, **variables}).outputs()
    token_file = tmp_path / "secrets" / "writer.token"
    token_file.parent.mkdir()
    token_file.write_text(outputs["writer_token"])
    settings = WriterSettings(
        url=server.url,
        token_file=token_file,
        org=outputs["org"],
        bucket="events",
        spool_path=tmp_path / "spool.sqlite",
        batch_timeout=0.1,
        retry_first=0.05,
        retry_longest=0.2,
    )
    written = 0
    async with BatchWriter(settings) as writer:
        rotation = asyncio.create_task(run("tokens", "rotate", "--file", f"writer={token_file}", "--json"))
        now = 1_790_000_000_000_000_000
        while not rotation.done() or written < 50:
            await writer.write(Event(time_ns=now + written, entity_id="sensor.a", state_value="x"))
            written += 1
            await asyncio.sleep(0.05)
        told = json.loads((await rotation).stdout)
        report = await writer.flush(30)
    assert told["tokens"] == {name: {"new_accepted": True, "old_refused": True} for name in listed}
    assert told["changes"]["replace"] == 4
    assert (report.delivered, report.pending, report.dead_lettered) == (written, 0, 0)
    stack = Stack("dev", {**os.environ, **variables})
    renewed = await asyncio.to_thread(stack.outputs)
    # Nothing has to be kept for it: the next run finds all as declared.
    assert (await asyncio.to_thread(stack.preview)).changed == 0
    assert token_file.read_text().strip() == renewed["writer_token"] != outputs["writer_token"]
    assert mode(token_file) == 0o600

    env_file = tmp_path / "hearthflux.env"
    await run("env", "--operations", "--file", str(env_file))
    assert mode(env_file) == 0o600
    assert f"INFLUXDB_TOKEN={renewed['operations_token']}\n" in env_file.read_text()
    check = await asyncio.to_thread(
        lambda: subprocess.run(
            ["bash", "-c", f"set -a; . {env_file}; python -m operations.cli schema check --json"],
            capture_output=True,
            text=True,
            env={**os.environ, "HEARTHFLUX_LOCAL": str(tmp_path / "local")},
        )
    )
    assert json.loads(check.stdout)["ok"], check.stderr
    assert all(
        "version" not in {one["subject"] for one in found}
        for bucket, found in json.loads(check.stdout)["differences"].items()
        if bucket == "events"
    )
    for secret in (*outputs.values(), *renewed.values()):
        if isinstance(secret, str) and len(secret) > 60:
            assert secret not in json.dumps(told) + up.stdout + up.stderr


async def test_files_with_secrets_are_their_owners_only(
    influxd: LocalInfluxd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the user's umask would let everybody read."""
    monkeypatch.setattr(paths, "LOCAL", tmp_path / "local")
    before = os.umask(0)
    try:
        passphrase = passphrase_file()
        spool = tmp_path / "spool.sqlite"
        settings = WriterSettings(
            url=influxd.url, token=influxd.token, org=influxd.org, spool_path=spool, close_timeout=0.1
        )
        async with BatchWriter(settings) as writer:
            await writer.write(Event(time_ns=1, entity_id="sensor.a", state_value="x"))
            found = modes(tmp_path, "spool")
    finally:
        os.umask(before)
    assert mode(passphrase) == mode(influxd.token_path) == 0o600
    assert mode(paths.LOCAL) == mode(influxd.folder) == 0o700
    assert {"spool.sqlite", "spool.sqlite-wal", "spool.sqlite.lock"} <= set(found)
    assert set(found.values()) == {0o600}


def test_what_a_leaked_writer_token_can_do(influxd: LocalInfluxd, tmp_path: Path, unique: str) -> None:
    """docs/security.md says what: it writes and, since InfluxDB knows no right to write without it, deletes."""
    home = ArchivedHome(influxd, f"leaked-{unique}", tmp_path, influxd.org)
    home.make_bucket()
    home.write(["m f=1 1790000000000000000"])
    token = home.token("write")

    def call(method: str, path: str, body: bytes | None = None) -> tuple[int, str]:
        request = urllib.request.Request(
            influxd.url + path,
            method=method,
            data=body,
            headers={"Authorization": f"Token {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    named = f"org={influxd.org}&bucket={home.bucket}"
    assert call("POST", f"/api/v2/write?{named}", b"m f=2 1790000000000000001")[0] == 204
    query = {"query": f'from(bucket: "{home.bucket}") |> range(start: 0)', "type": "flux"}
    assert call("POST", f"/api/v2/query?org={influxd.org}", json.dumps(query).encode())[0] == 404
    assert '"series"' not in call("GET", f"/query?db={home.bucket}&q=SHOW+MEASUREMENTS")[1]
    for what in ("buckets", "tasks", "authorizations", "orgs", "users"):
        assert json.loads(call("GET", f"/api/v2/{what}")[1])[what] == []
    assert len(home.rows()) == 2
    span = {"start": "2020-01-01T00:00:00Z", "stop": "2030-01-01T00:00:00Z", "predicate": '_measurement="m"'}
    assert call("POST", f"/api/v2/delete?{named}", json.dumps(span).encode())[0] == 204
    assert home.rows() == []


@pytest.mark.parametrize("text", ["writer", "=x", "writer="])
def test_a_wrong_file_option_is_a_sentence(text: str) -> None:
    with pytest.raises(UserError, match="a token's name, = and a path"):
        parse_files([text])


def test_tokens_of_several_homes_have_their_prefix() -> None:
    outputs = {"homes": {"a": {"org": "o", "bucket_prefix": "a_", "writer_token": "1", "reader_token": "2"}}}
    assert secrets_of(outputs) == {"a_writer": ("1", "o"), "a_reader": ("2", "o")}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("tokens", "rotate", "--stack", "nowhere"), 1, "nowhere"),
        (("tokens", "list"), 1, "hearthflux server start"),
        (("tokens", "rotate", "--file", "x"), 2, "a token's name, = and a path"),
    ],
)
def test_mistakes_get_a_sentence(hearthflux: Run, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    answer = hearthflux(*arguments)
    assert (answer.returncode, "Traceback" in answer.stderr) == (code, False)
    assert sentence in answer.stderr
