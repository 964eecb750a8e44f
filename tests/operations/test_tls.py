"""A server with a certificate of one's own: every part trusts it by INFLUXDB_CA_FILE, and by nothing else."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from influxdb_connection import ConnectionSettings
from operations.influxd import LocalInfluxd
from operations.token_rotation import is_accepted
from provider.api import Api, ProviderError
from tests.operations.conftest import Run

TOKEN = "operator-token-of-this-test"


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a server that speaks TLS only, and the certificate of its authority."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "ca.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(certificate)),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    server = LocalInfluxd(folder / "influxd", options={"tls-cert": str(certificate), "tls-key": str(key)})
    server.launch()
    url = f"https://127.0.0.1:{server.port}"
    trusted = ssl.create_default_context(cafile=certificate)
    body = {"username": "u", "password": "password", "org": "o", "bucket": "events", "token": TOKEN}
    try:
        end = time.monotonic() + 300
        while True:
            request = urllib.request.Request(f"{url}/api/v2/setup", data=json.dumps(body).encode())
            try:
                with urllib.request.urlopen(request, timeout=5, context=trusted):
                    break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        yield url, certificate
    finally:
        server.kill()


async def test_the_provider_trusts_what_it_is_told(encrypted: tuple[str, Path], tmp_path: Path) -> None:
    url, certificate = encrypted
    api = Api(url, TOKEN, str(certificate))
    assert [one["name"] for one in (await api.call("GET", "/api/v2/orgs"))["orgs"]] == ["o"]
    await api.close()
    stranger = Api(url, TOKEN)
    with pytest.raises(ProviderError, match="certificate is not trusted; influxdb:caFile or INFLUXDB_CA_FILE"):
        await stranger.call("GET", "/api/v2/orgs")
    await stranger.close()
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("nothing")
    for path in (wrong, tmp_path / "missing"):
        with pytest.raises(ProviderError, match="a PEM file is needed"):
            Api(url, TOKEN, str(path))


def test_commands_take_the_same_variable(encrypted: tuple[str, Path], hearthflux: Run, tmp_path: Path) -> None:
    url, certificate = encrypted
    named = {"INFLUXDB_URL": url, "INFLUXDB_TOKEN": TOKEN, "INFLUXDB_ORG": "o"}
    arguments = ("archive", "run", "--all", "--target", str(tmp_path / "archive"), "--json")
    trusting = hearthflux(*arguments, **named, INFLUXDB_CA_FILE=str(certificate))
    assert trusting.returncode == 0, trusting.stderr
    assert json.loads(trusting.stdout)["ok"]
    refusing = hearthflux(*arguments, **named)
    assert refusing.returncode == 1
    assert "is not trusted" in refusing.stderr
    assert "INFLUXDB_CA_FILE" in refusing.stderr
    assert TOKEN not in refusing.stderr
    settings = ConnectionSettings(url=url, token=TOKEN, org="o", ca_file=certificate)
    assert is_accepted(settings)
    assert not is_accepted(ConnectionSettings(url=url, token="another", org="o", ca_file=certificate))
