"""`hearthflux query` as a user types it: the forms of its answers, and a sentence for each mistake."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from operations.cli import main
from operations.influxd import LocalInfluxd
from operations.query.kinds import KINDS, when
from tests.operations.conftest import Run
from tests.reader.conftest import Home, MakeHome, make_home
from tests.reader.reference import Said

__all__ = ["make_home"]
NOW = datetime.now(UTC)
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
KITCHEN, OVEN = "sensor.kitchen_temperature", "sensor.oven"


@dataclass
class Answer:
    code: int
    out: str
    err: str


Query = Callable[..., Answer]


@pytest.fixture(scope="module")
def stored(make_home: MakeHome) -> Home:
    """A kitchen and an oven, every two hours of the last 40 days; a lamp that has been silent for a year."""
    made = make_home()
    moments = [TODAY - timedelta(days=40) + timedelta(minutes=5) + n * timedelta(hours=2) for n in range(480)]
    kitchen = [Said(at, str(15 + at.hour / 2 + at.day / 10), "temperature", area="kitchen") for at in moments]
    oven = [Said(at, str(n), "energy", energy=0.25, area="kitchen") for n, at in enumerate(moments)]
    lamp = [Said(TODAY - timedelta(days=400, hours=n), "on", "light") for n in range(10)]
    for entity_id, said in ((KITCHEN, kitchen), (OVEN, oven), ("light.lamp", lamp)):
        made.live(entity_id, said, days_until=TODAY, hours_until=TODAY, hour_days=20)
    made.write()
    return made


@pytest.fixture
def query(
    stored: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], influxd: LocalInfluxd
) -> Query:
    prefix = stored.tiers.raw.bucket.removesuffix("events")

    def run(*arguments: str, **variables: str) -> Answer:
        given = {
            "INFLUXDB_URL": stored.server.url,
            "INFLUXDB_TOKEN": stored.server.token,
            "INFLUXDB_ORG": stored.server.org,
            "HOME_BUCKET_PREFIX": prefix,
            "HOME_TIME_ZONE": "UTC",
            **variables,
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        code = 0
        try:
            main(["query", *arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return run


def test_a_table_of_days(query: Query) -> None:
    answer = query("daily", KITCHEN, "30d")
    assert answer.code == 0
    assert answer.err == ""
    lines = [line for line in answer.out.splitlines() if line.strip()[:4] == str(NOW.year) or line.strip()[:2] == "20"]
    assert len(lines) == 30
    assert lines[-1].split()[:2] == [f"{TODAY - timedelta(days=1):%Y-%m-%d}", f"{TODAY - timedelta(days=1):%a}"]
    assert "mean over time" in answer.out
    assert "kWh" not in answer.out


def test_json_is_one_array_and_csv_a_line_per_row(query: Query) -> None:
    found = query("daily", KITCHEN, "7d", "--json")
    rows = json.loads(found.out)
    assert found.out.count("\n") == 1
    assert [row["time"] for row in rows] == [(TODAY - timedelta(days=n)).isoformat() for n in range(7, 0, -1)]
    assert all(row["entity_id"] == KITCHEN and row["event_count"] == 12 for row in rows)
    written = list(csv.DictReader(io.StringIO(query("daily", KITCHEN, "7d", "--csv").out)))
    assert [row["avg_value"] for row in written] == [str(row["avg_value"]) for row in rows]
    assert written[0]["total_energy"] == ""
    local = json.loads(query("hourly", KITCHEN, "2d", "--json", HOME_TIME_ZONE="Asia/Kolkata").out)
    assert local[0]["time"].endswith(":30:00+05:30")


def test_every_kind_answers_in_every_form(query: Query) -> None:
    drawn: set[type] = set()
    for name, kind in KINDS.items():
        entity = KITCHEN if name == "heating-degree-days" else OVEN
        words = [name, *([entity] if kind.entity else []), *([] if name == "entities" else [kind.default])]
        found = query(*words, "--json")
        rows = json.loads(found.out)
        assert (found.code, isinstance(rows, list)) == (0, True), name
        if kind.row in drawn or not rows:
            continue
        drawn.add(kind.row)
        assert query(*words).out.count("\n") >= len(rows), name
        assert len(query(*words, "--csv").out.splitlines()) == len(rows) + 1, name
        plot = query(*words, "--plot")
        if kind.row is str:
            assert (plot.code, "nothing to draw" in plot.err) == (2, True)
        else:
            assert (plot.code, plot.out != "") == (0, True) or "hold no numbers" in plot.err, name
    assert len(drawn) == 8


def test_every_command_of_the_page_is_one_that_works(query: Query) -> None:
    page = (Path(__file__).parents[2] / "docs" / "queries.md").read_text()
    commands = [line.split()[2:] for line in page.splitlines() if line.startswith("hearthflux query ")]
    assert {words[0] for words in commands} == set(KINDS)
    for words in commands:
        given = [OVEN if word == "sensor.appliances_energy" else word for word in words]
        answer = query(*[KITCHEN if word == "sensor.outdoor_temperature" else word for word in given])
        assert answer.code == 0, (words, answer.err)


def test_a_home_in_another_zone_than_its_days_is_told(query: Query) -> None:
    assert "HOME_TIME_ZONE" in query("daily", KITCHEN, "7d", HOME_TIME_ZONE="Asia/Kolkata").err


def test_with_running_today_is_there_so_far(query: Query) -> None:
    whole = json.loads(query("daily", OVEN, "3d", "--json").out)
    so_far = json.loads(query("daily", OVEN, "3d", "--json", "--running").out)
    assert so_far[: len(whole)] == whole
    if len(so_far) > len(whole):  # in the first minutes of a day nothing has been said yet
        assert not so_far[-1]["complete"]
        assert "not whole" in query("daily", OVEN, "3d", "--running").out


def test_a_span_of_its_own(query: Query) -> None:
    first, last = TODAY - timedelta(days=10), TODAY - timedelta(days=8)
    rows = json.loads(query("daily", OVEN, "--from", f"{first:%Y-%m-%d}", "--to", f"{last:%Y-%m-%d}", "--json").out)
    assert [row["time"] for row in rows] == [first.isoformat(), (first + timedelta(days=1)).isoformat()]
    energy = query("energy-by-area", "--from", f"{first:%Y-%m-%d}", "--to", f"{last:%Y-%m-%d}", "--json")
    kitchen = {"name": "kitchen", "energy": 6.0, "share": 1.0, "entities": 1, "source": "events"}
    assert json.loads(energy.out) == [kitchen]


def test_plots_as_files(query: Query, tmp_path: Path) -> None:
    svg, page = tmp_path / "days.svg", tmp_path / "hours.html"
    assert query("daily", KITCHEN, "30d", "--plot-to", str(svg)).code == 0
    assert xml.etree.ElementTree.parse(svg).getroot().tag.endswith("svg")
    assert query("hour-profile", OVEN, "10d", "--plot-to", str(page)).code == 0
    # Looked at without a network.
    assert 'src="http' not in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("dayly", KITCHEN), 2, "There is no query 'dayly': did you mean daily"),
        (("xyz", KITCHEN), 2, "there are hourly, daily,"),
        (("daily",), 2, "query daily needs an entity: hearthflux query daily sensor.name 30d"),
        (("daily", KITCHEN, "3 days"), 2, "duration '3 days': a number and h, d, w, mo or y"),
        (("daily", KITCHEN, "99999y"), 2, "before the year 1"),
        (("daily", "sensor.kitchen_temp"), 1, f"did you mean {KITCHEN}"),
        (("hourly", "oven"), 1, f"There is no entity 'oven': did you mean {OVEN}"),
        (("daily", KITCHEN, "3d", "--from", "2026-01-01"), 2, "leave out one"),
        (("daily", KITCHEN, "--from", "yesterday"), 2, "--from 'yesterday' is not a time: a day such as"),
        (("daily", KITCHEN, "--from", "2999-01-01"), 2, "the span begins 2999-01-01 00:00: that is not before now"),
        (("daily", KITCHEN, "--from", "2026-02-01", "--to", "2026-01-01"), 2, "ends 2026-01-01 00:00: it is empty"),
        (("heating-degree-days", OVEN, "3d"), 2, "degree days are made of a temperature"),
        (("daily", KITCHEN, "--to", "2026-01-01"), 2, "a stop needs a start"),
        (("daily", KITCHEN, "--base", "3"), 2, "--base does not go with daily, but with heating-degree-days"),
        (("daily", KITCHEN, "--json", "--csv"), 2, "choose one"),
        (("daily", KITCHEN, "--plot-to", "plot.gif"), 2, "has to end in .html, .svg, .png, .json"),
        (("daily", KITCHEN, "--plot-to", "/no/such/folder/plot.svg"), 2, "there is no folder"),
        (("daily", KITCHEN, "--home", "beach"), 2, "INFLUXDB_* are set"),
        (("energy-by-area", KITCHEN, "3d"), 2, "about the whole home"),
        (("year-over-year", KITCHEN, "--by", "week"), 2, "month, season or year"),
        (("anomaly-bands", KITCHEN, "--weeks", "1"), 2, "from 4 to 520"),
        (("daily", KITCHEN, "--nothing"), 2, "No such option"),
    ],
)
def test_mistakes_get_a_sentence(query: Query, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    answer = query(*arguments)
    assert (answer.code, sentence in answer.err) == (code, True), answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""


def test_a_table_says_its_unit_and_a_meter_has_no_mean(query: Query, stored: Home) -> None:
    """The unit is that of the newest event; kWh and the like say their own."""
    for entity_id, unit in ((KITCHEN, "°C"), (KITCHEN, "°F"), (OVEN, "kWh")):
        at = int(NOW.timestamp()) - (60 if unit == "°C" else 30)
        event = f"home_assistant_events,entity_id={entity_id},domain=sensor,device_class="
        event += "energy" if entity_id == OVEN else "temperature"
        stored.lines.setdefault("raw", []).append(f'{event} unit_of_measurement="{unit}" {at}000000000')
    stored.write()
    assert f"{KITCHEN} daily 3d (°F, UTC)" in query("daily", KITCHEN, "3d").out
    assert f"{KITCHEN} daily 3d (°F): mean over time" in query("daily", KITCHEN, "3d", "--plot").out
    assert "mean" not in query("daily", OVEN, "3d").out
    assert "(UTC)" in query("anomaly-bands", OVEN, "3d").out
    # Degree days reckon with the base that is usual in that unit.
    assert "degree days below 65 in 3 days" in query("heating-degree-days", KITCHEN, "3d").out
    assert "degree days below 15.5 in 3 days" in query("heating-degree-days", KITCHEN, "3d", "--base", "15.5").out


def test_an_hour_that_comes_twice_says_which() -> None:
    amsterdam = ZoneInfo("Europe/Amsterdam")
    hours = [datetime(2026, 10, 24, 23, tzinfo=UTC) + n * timedelta(hours=1) for n in range(4)]
    assert [when(hour.astimezone(amsterdam), "hour")[11:] for hour in hours] == [
        "01:00",
        "02:00 CEST",
        "02:00 CET",
        "03:00",
    ]


def test_no_rows_are_explained_on_stderr(query: Query) -> None:
    silent = query("daily", "light.lamp", "30d", "--json")
    assert (silent.code, json.loads(silent.out)) == (0, [])
    spoke = f"{TODAY - timedelta(days=401):%Y-%m-%d} to {TODAY - timedelta(days=400):%Y-%m-%d}"
    assert f"light.lamp has no such rows in this span: it spoke from {spoke}." in silent.err
    assert (
        "The year that is running is left out: --running shows it so far." in query("yearly", KITCHEN, "1y").err
        or (TODAY - timedelta(days=40)).year != NOW.year
    )
    assert "No entity has values both in this span" in query("top-changers", "1y").err
    assert "Nothing was stored" in query("energy-by-area", "--from", "2001-01-01", "--to", "2001-01-02").err


def test_what_the_server_refuses_is_a_sentence_without_the_token(query: Query) -> None:
    for variables, sentence in (
        ({"INFLUXDB_TOKEN": "not-a-token"}, "does not know this token"),
        ({"INFLUXDB_URL": "http://127.0.0.1:9"}, "No answer from InfluxDB at http://127.0.0.1:9"),
        ({"INFLUXDB_ORG": "nobody"}, "shows no organization 'nobody'"),
        ({"INFLUXDB_ORG": " "}, "INFLUXDB_ORG not set"),
        ({"HOME_BUCKET_PREFIX": "absent_"}, "There is no bucket 'absent_events"),
        ({"HOME_TIME_ZONE": "Mars/Base"}, "not an IANA name"),
        ({"INFLUXDB_READ_TIMEOUT": "soon"}, "a number of seconds"),
    ):
        answer = query("daily", KITCHEN, **variables)
        assert (answer.code, sentence in answer.err) == (1, True), answer.err
        assert "not-a-token" not in answer.err


def test_without_a_home_it_says_how_to_get_one(hearthflux: Run) -> None:
    answer = hearthflux("query", "daily", KITCHEN)
    assert answer.returncode == 1
    assert "There is no home to ask: set INFLUXDB_URL" in answer.stderr
