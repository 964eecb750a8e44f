"""What stands between a user and the server, as sentences: settings, tokens, certificates, silence."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from influxdb_connection import Connection, ConnectionSettings, ServerProblem, WrongConnection
from operations.influxd import LocalInfluxd
from tests.tls import Encrypted

ENVIRONMENT = {"INFLUXDB_URL": "http://127.0.0.1:8086/", "INFLUXDB_TOKEN": "a-secret", "INFLUXDB_ORG": "home"}
QUESTION = "buckets() |> limit(n: 1)"


async def asked(settings: ConnectionSettings) -> list[dict[str, Any]]:
    async with Connection(settings) as one:
        return await one.rows(QUESTION)


def test_the_environment_gives_everything(tmp_path: Path) -> None:
    found = ConnectionSettings.from_env({**ENVIRONMENT, "INFLUXDB_CA_FILE": "ca.pem"})
    assert (found.url, found.org, found.ca_file) == ("http://127.0.0.1:8086", "home", "ca.pem")
    assert "a-secret" not in repr(found)
    kept = tmp_path / "token"
    kept.write_text("from-a-file\n")
    by_file = {**ENVIRONMENT, "INFLUXDB_TOKEN": "", "INFLUXDB_TOKEN_FILE": str(kept)}
    assert ConnectionSettings.from_env(by_file).current_token() == "from-a-file"


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(WrongConnection, match=f"^{name} not set"):
        ConnectionSettings.from_env({**ENVIRONMENT, name: " "})


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"url": "127.0.0.1:8086"}, "such as http://localhost:8086"),
        ({"url": "http://host:port"}, "such as http://localhost:8086"),
        ({"url": "http://me:a-secret@host"}, "give a token in INFLUXDB_TOKEN"),
        ({"token": ""}, "INFLUXDB_TOKEN"),
        ({"org": ""}, "INFLUXDB_ORG"),
        ({"timeout": 0.0}, "more than 0 seconds"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_shown(changed: dict[str, Any], sentence: str) -> None:
    given = {"url": "http://127.0.0.1:1", "token": "a-secret", "org": "home", **changed}
    with pytest.raises(WrongConnection, match=sentence) as caught:
        ConnectionSettings(**given)
    assert "a-secret" not in str(caught.value)


async def test_what_the_server_refuses(influxd: LocalInfluxd, tmp_path: Path) -> None:
    cases = (
        ({"token": "not-a-token"}, "does not know this token"),
        ({"org": "nobody"}, "shows no organization 'nobody'"),
        ({"token_file": tmp_path / "missing"}, "INFLUXDB_TOKEN_FILE .*No such file"),
        ({"url": "http://127.0.0.1:9"}, "No answer from InfluxDB at http://127.0.0.1:9"),
    )
    for changed, sentence in cases:
        given: dict[str, Any] = {"url": influxd.url, "token": influxd.token, "org": influxd.org, **changed}
        with pytest.raises(ServerProblem, match=sentence) as caught:
            await asked(ConnectionSettings(**given))
        assert influxd.token not in str(caught.value)
        assert "not-a-token" not in str(caught.value)


async def test_a_token_may_be_a_function_or_a_file(influxd: LocalInfluxd, tmp_path: Path) -> None:
    kept = tmp_path / "token"
    kept.write_text(f"{influxd.token}\n")
    for token in ({"token": lambda: influxd.token}, {"token_file": kept}):
        assert await asked(ConnectionSettings(url=influxd.url, org=influxd.org, **token))


async def test_silence_has_an_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerProblem, match=r"gave no answer in 0\.2 s"):
            await asked(ConnectionSettings(url=url, token="t", org="o", timeout=0.2))


async def test_an_authority_of_ones_own(encrypted: Encrypted, tmp_path: Path) -> None:
    def settings(ca_file: Path | None, token: str = encrypted.token) -> ConnectionSettings:
        return ConnectionSettings(url=encrypted.url, token=token, org=encrypted.org, ca_file=ca_file)

    assert await asked(settings(encrypted.certificate))
    # TLS is spoken: the server looks at the token, and does not know it.
    with pytest.raises(ServerProblem, match="does not know this token"):
        await asked(settings(encrypted.certificate, "t"))
    with pytest.raises(ServerProblem, match=r"not trusted .*INFLUXDB_CA_FILE"):
        await asked(settings(None))
    with pytest.raises(WrongConnection, match=r"INFLUXDB_CA_FILE .*missing"):
        await asked(settings(tmp_path / "missing"))
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate\n")
    with pytest.raises(WrongConnection, match="a PEM file is needed"):
        await asked(settings(wrong))


def test_no_tls_loads_no_certificates() -> None:
    assert ConnectionSettings(url="http://host", token="t", org="o").tls().get_ca_certs() == []
    assert isinstance(ConnectionSettings(url="https://host", token="t", org="o").tls(), ssl.SSLContext)


def test_an_import_loads_no_client() -> None:
    code = (
        "import sys, influxdb_connection, reader; "
        "print([name for name in ('aiohttp', 'influxdb_client', 'pandas', 'pulumi', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_token_of_one_home_finds_its_bucket_among_many(influxd: LocalInfluxd, unique: str) -> None:
    org_id = influxd.api("POST", "/api/v2/orgs", {"name": f"many-{unique}"})["id"]
    rule = {"type": "expire", "everySeconds": 90 * 86_400}
    made = [
        influxd.api("POST", "/api/v2/buckets", {"orgID": org_id, "name": f"home{n}", "retentionRules": [rule]})
        for n in range(25)
    ]
    may_read = {"action": "read", "resource": {"type": "buckets", "id": made[-1]["id"], "orgID": org_id}}
    token = influxd.api("POST", "/api/v2/authorizations", {"orgID": org_id, "permissions": [may_read]})["token"]
    async with Connection(ConnectionSettings(url=influxd.url, token=token, org=f"many-{unique}")) as one:
        assert await one.retention("home24") == timedelta(days=90)
        assert await one.retentions(["home0", "home24", "nowhere"]) == {"home24": timedelta(days=90)}
        with pytest.raises(ServerProblem, match="no bucket 'home0' in organization"):
            await one.retention("home0")
