"""`hearthflux schema check` and `mend` on a bucket that others wrote to as well."""

from __future__ import annotations

import json
from datetime import date, timedelta

from operations.archive.manifest import start_ns
from tests.operations.archive.conftest import ArchivedHome, Command, lines_of


def test_a_bucket_as_the_contract_says(home: ArchivedHome, some_days: list[date], command: Command) -> None:
    home.make_bucket(f"operations-{home.bucket}")
    answer = command("schema", "check", "--tier", "raw", **home.environment)
    assert answer.returncode == 0, answer.stderr
    assert "no schema version is recorded" in answer.stdout


def test_what_others_wrote_is_explained_and_mended(home: ArchivedHome, today: date, command: Command) -> None:
    days = [today - timedelta(days=number) for number in (30, 15, 2)]
    for day in days:
        home.write(lines_of(day, 4))
    before = home.rows()
    foreign = days[1]
    home.write(
        [
            f"home_assistant_events,entity_id=a.b,floor=2 stranger=true {start_ns(foreign)}",
            f"weather temp=3 {start_ns(foreign)}",
            f'home_assistant_events,entity_id=a.b state_value="",unit_of_measurement="" {start_ns(foreign) + 1}',
            f'home_assistant_events,entity_id=a.b state_value="",normalized_value=2 {start_ns(foreign) + 2}',
            # Another writer's type, in a shard group where the contract's was not there first.
            f"home_assistant_events,entity_id=a.b weather_temp=21i {start_ns(today - timedelta(days=60))}",
        ]
    )
    answer = command("schema", "check", "--tier", "raw", "--json", **home.environment)
    assert answer.returncode == 1
    told = json.loads(answer.stdout)["differences"][home.bucket]
    assert {one["subject"]: one["severity"] for one in told} == {
        "version": "note",
        "weather": "note",
        "floor": "note",
        "stranger": "note",
        "weather_temp": "wrong",
        "state_value": "wrong",
        "unit_of_measurement": "wrong",
    }
    sentences = {one["subject"]: one["sentence"] for one in told}
    assert sentences["weather_temp"].startswith("weather_temp is stored as integer (")
    assert "state_value has 2 empty texts" in sentences["state_value"]

    unarchived = command("schema", "mend", **home.environment)
    assert unarchived.returncode == 1
    assert "a shard of" in unarchived.stderr  # a type never changes in place
    assert command("archive", "run", "--all", **home.environment).returncode == 0
    home.make_bucket(f"{home.bucket}-new")
    dry = command("schema", "mend", "--into", f"{home.bucket}-new", **home.environment)
    assert dry.returncode == 0, dry.stderr
    assert "leave out empty texts, store weather_temp as float instead of integer: 3 of 28 points change" in dry.stdout
    assert home.rows(f"{home.bucket}-new") == []
    done = command("schema", "mend", "--into", f"{home.bucket}-new", "--apply", **home.environment)
    assert done.returncode == 0, done.stderr
    after = home.rows(f"{home.bucket}-new")
    assert set(before) < set(after)
    added = {row[-4:-2] + row[-1:] for row in set(after) - set(before)}
    assert added == {
        ("stranger", "boolean", "true"),
        ("normalized_value", "double", "2"),
        ("weather_temp", "double", "21"),
    }
    again = command("schema", "check", "--tier", "raw", "--bucket", f"{home.bucket}-new", "--json", **home.environment)
    assert again.returncode == 0
    subjects = {one["subject"] for one in json.loads(again.stdout)["differences"][f"{home.bucket}-new"]}
    assert subjects == {"version", "floor", "stranger"}
