"""A real TLS endpoint: verified with an authority of one's own, refused without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from operations.influxd import LocalInfluxd
from tests.tls import own_certificate, with_tls
from tests.writer.conftest import Home, until
from writer import BatchWriter, Event

MakeEvents = Callable[..., list[Event]]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return own_certificate(tmp_path)


@pytest.fixture
def tls_home(make_influxd: Callable[..., LocalInfluxd], certificate: tuple[Path, Path], tmp_path: Path) -> Home:
    """Set up without TLS, then started with it."""
    server = make_influxd().start()
    home = Home(server, "events", tmp_path)
    home.make_bucket()
    with_tls(server, *certificate)
    return home


async def test_an_own_authority_is_trusted_and_nothing_else(
    tls_home: Home, certificate: tuple[Path, Path], make_events: MakeEvents
) -> None:
    settings = tls_home.settings(url=tls_home.server.url.replace("http:", "https:"))
    async with BatchWriter(settings) as writer:
        await writer.write_many(make_events(10))
        await until(lambda: "CERTIFICATE_VERIFY_FAILED" in writer.health().reason.upper())
        assert writer.stats.delivered == 0
    async with BatchWriter(replace(settings, ca_file=certificate[0])) as writer:
        report = await writer.flush()
        assert (report.delivered, report.pending) == (10, 0)
        assert writer.health() == "healthy"
    tls_home.server.stop()
    tls_home.server.options.clear()
    tls_home.server.start()
    assert len(tls_home.values()) == 10


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), ("no certificate", "no certificates in PEM")])
async def test_a_ca_file_that_is_none_is_told(
    home: Home, make_events: MakeEvents, tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    async with BatchWriter(home.settings(url="https://127.0.0.1:9", ca_file=file)) as writer:
        await writer.write_many(make_events(1))
        await until(lambda: said in writer.health().reason)
        assert "INFLUXDB_CA_FILE" in writer.health().reason
