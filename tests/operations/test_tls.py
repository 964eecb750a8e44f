"""A server with a certificate of one's own: every part trusts it by INFLUXDB_CA_FILE, and by nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from influxdb_connection import ConnectionSettings
from operations.influxd import SETUP_BUCKET
from operations.token_rotation import is_accepted
from provider.api import Api, ProviderError
from tests.operations.conftest import Run
from tests.tls import Encrypted


async def test_the_provider_trusts_what_it_is_told(encrypted: Encrypted, tmp_path: Path) -> None:
    url, token = encrypted.url, encrypted.token
    api = Api(url, token, str(encrypted.certificate))
    assert [one["name"] for one in (await api.call("GET", "/api/v2/orgs"))["orgs"]] == [encrypted.org]
    await api.close()
    stranger = Api(url, token)
    with pytest.raises(ProviderError, match="certificate is not trusted; influxdb:caFile or INFLUXDB_CA_FILE"):
        await stranger.call("GET", "/api/v2/orgs")
    await stranger.close()
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("nothing")
    for path in (wrong, tmp_path / "missing"):
        with pytest.raises(ProviderError, match="a PEM file is needed"):
            Api(url, token, str(path))


def test_commands_take_the_same_variable(encrypted: Encrypted, hearthflux: Run, tmp_path: Path) -> None:
    token, certificate = encrypted.token, encrypted.certificate
    named = {"INFLUXDB_URL": encrypted.url, "INFLUXDB_TOKEN": token, "INFLUXDB_ORG": encrypted.org}
    named["INFLUXDB_BUCKET"] = SETUP_BUCKET
    arguments = ("archive", "run", "--all", "--target", str(tmp_path / "archive"), "--json")
    trusting = hearthflux(*arguments, **named, INFLUXDB_CA_FILE=str(certificate))
    assert trusting.returncode == 0, trusting.stderr
    assert json.loads(trusting.stdout)["ok"]
    refusing = hearthflux(*arguments, **named)
    assert refusing.returncode == 1
    assert "is not trusted" in refusing.stderr
    assert "INFLUXDB_CA_FILE" in refusing.stderr
    assert token not in refusing.stderr
    settings = ConnectionSettings(url=encrypted.url, token=token, org=encrypted.org, ca_file=certificate)
    assert is_accepted(settings)
    assert not is_accepted(replace(settings, token="another"))
