"""Health warns of days that expire soon and are not in the archive that HEARTHFLUX_ARCHIVE names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from event_schema import HOME_ASSISTANT_EVENTS
from influxdb_connection import ConnectionSettings
from operations.archive import Archive, HomeServer, export
from operations.archive.target import Target
from operations.health.checks import Finding
from operations.health.look import Look
from operations.influxd import LocalInfluxd
from tests.operations.homes import make_home


async def test_a_day_that_expires_soon_and_is_not_archived(influxd: LocalInfluxd, unique: str, tmp_path: Path) -> None:
    home = make_home(influxd, f"archived-{unique}")
    age = timedelta(days=362)
    home.event("sensor.kitchen", age)
    day = (datetime.now(UTC) - age).date()
    token = home.monitor_token()

    async def finding(place: str) -> Finding | None:
        async with home.server(token) as server:
            look = Look(server, home.settings, environment={"HEARTHFLUX_ARCHIVE": place} if place else {})
            return next((one for one in (await look.health()).findings if one.check == "archive"), None)

    assert await finding("") is None
    lacking = await finding(str(tmp_path))
    assert lacking is not None
    assert lacking.reasons == (
        f"not archived at {tmp_path} and expiring soon: the day {day}; 'hearthflux archive run'",
    )
    settings = ConnectionSettings(url=influxd.url, token=token, org=home.org)
    archive = Archive(Target(tmp_path), home.settings.tiers.raw.bucket, HOME_ASSISTANT_EVENTS, home.org)
    async with HomeServer(settings) as server:
        assert (await export(server, archive, [day])).exported == 1
    done = await finding(str(tmp_path))
    assert done is not None
    assert done.reasons == ()
    broken = await finding("nope://x")
    assert broken is not None
    assert "is not a folder or a URL that fsspec knows" in broken.reasons[0]
