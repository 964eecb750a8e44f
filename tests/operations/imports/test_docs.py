"""The pages for those who move in, followed word for word: every block marked `bash` is run as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

from operations.imports.mapping import read_mapping
from tests.operations.imports.conftest import NewHome
from tests.operations.imports.homes import DAY, SECOND, a_home, lines
from tests.operations.imports.influxdb1 import InfluxDB1
from tests.operations.imports.test_influxdb1 import database, expected
from tests.operations.imports.test_recorder import sqlite_file
from tools.find import ROOT
from tools.influxdb1 import INSPECT

__all__ = ["database"]
NOW = time.time_ns() // SECOND * SECOND


def blocks(page: str, language: str = "bash") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)


def follow_page(page: str, home: NewHome, script: str = "", **values: str) -> str:
    """Run the page's blocks in one shell; `values` stand in for what a reader has to put in. The last line said."""
    script = script or "\n".join(blocks(page))
    for name, value in values.items():
        script, count = re.subn(rf"^((?:export )?{name})=\S*", rf"\1={value}", script, flags=re.MULTILINE)
        assert count == 1, name
    # The buckets of this test have names of their own.
    script = re.sub(r"^(hearthflux import \S+)", rf"\1 --home {home.prefix}", script, flags=re.MULTILINE)
    environment = {
        **os.environ,
        "INFLUXDB_URL": home.server.url,
        "INFLUXDB_TOKEN": home.server.token,
        "INFLUXDB_ORG": home.server.org,
        "HOME_TIME_ZONE": "Europe/Amsterdam",
        "HEARTHFLUX_LOCAL": str(home.folder / "local"),
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=home.folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1]


def test_coming_from_the_influxdb_addon(new_home: NewHome, influxdb1: InfluxDB1, database: str) -> None:
    new_home.make_buckets(None, None, None)
    states = a_home(NOW - 3 * DAY, NOW, step=2400 * SECOND)
    influxdb1.write(database, lines(states))
    said = follow_page("coming-from-the-influxdb-addon.md", new_home, OLD=influxdb1.url, DATABASE=database)
    assert json.loads(said)["events"]["written"] == len(states)
    for name, dry in (("before.json", True), ("after.json", False)):
        report = json.loads((new_home.folder / name).read_text())
        assert (report["dry_run"], report["readings"]) == (dry, len(states))
    assert new_home.stored().keys() == expected(states).keys()
    path = new_home.folder / "mapping.toml"
    path.write_text(blocks("coming-from-the-influxdb-addon.md", "toml")[0])
    assert len(read_mapping(path).rules) == 2


def test_coming_from_what_the_addon_left(new_home: NewHome, influxdb1: InfluxDB1, database: str) -> None:
    new_home.make_buckets(None, None, None)
    states = a_home(NOW - 3 * DAY, NOW, step=2400 * SECOND)
    influxdb1.write(database, lines(states))
    (script,) = blocks("coming-from-the-influxdb-addon.md", "sh")
    for said, meant in (
        ("influx_inspect", str(INSPECT)),
        ("-database homeassistant", f"-database {database}"),
        ("-datadir data", f"-datadir {influxdb1.folder / 'data'}"),
        ("-waldir wal", f"-waldir {influxdb1.folder / 'wal'}"),
    ):
        assert said in script
        script = script.replace(said, meant)
    follow_page("coming-from-the-influxdb-addon.md", new_home, script)
    assert new_home.stored().keys() == expected(states).keys()


def test_coming_from_the_recorder(new_home: NewHome) -> None:
    new_home.make_buckets(None, None, None)
    states = a_home(NOW - 3 * DAY, NOW, step=2400 * SECOND)
    path = sqlite_file(new_home.folder / "home-assistant_v2.db", 43, states)
    said = follow_page("coming-from-the-recorder.md", new_home, RECORDER=str(path))
    assert json.loads(said)["events"]["written"] == len(states)
    assert new_home.stored().keys() == expected(states).keys()
    assert Path(new_home.folder / "after.json").exists()
