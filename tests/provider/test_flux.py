"""Scripts are judged by the real server, at preview, without a side effect."""

from __future__ import annotations

import pytest

from operations.influxd import LocalInfluxd
from provider import flux
from provider.api import Api

OPTION = 'option task = {name: "t", every: 1h}\n'


@pytest.mark.parametrize(
    "script",
    [
        OPTION + 'from(bucket: "not made yet") |> range(start: -1h) // the end',
        'import "strings"\n' + OPTION + 'x = strings.title(v: "a")',
        # What runs when it is evaluated is compiled, not run: neither bucket nor secret exists.
        OPTION + 'x = from(bucket: "none") |> range(start: -1h) |> findRecord(fn: (key) => true, idx: 0)',
        'import "influxdata/influxdb/secrets"\n' + OPTION + 'x = secrets.get(key: "none")',
    ],
)
async def test_a_right_script_is_accepted(api: Api, script: str) -> None:
    assert await flux.problem(api, script, None) is None


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            OPTION + 'from(bucket: "b")\n|> rang(start: -1h)',
            "line 3, column 4 of the script: undefined identifier rang",
        ),
        (OPTION.replace("\n", "\r\n") + "rang()", "line 2, column 1 of the script: undefined identifier rang"),
        (OPTION + "from(bucket: 1)", "expected string but found int (argument bucket); the line is: from(bucket: 1)"),
        (OPTION + "from()", "line 2, column 1 of the script: must specify bucket or bucketID"),
        (OPTION + 'from(bucket: "b") |>', 'the last line is: from(bucket: "b") |>'),
        ('import "stringz"\n' + OPTION, "line 1, column 1 of the script: invalid import path stringz"),
        (
            'import "http"\n' + OPTION + "x = http.pots()",
            "line 3, column 5 of the script: record is missing label pots",
        ),
    ],
)
async def test_a_wrong_script_is_explained(api: Api, script: str, expected: str) -> None:
    reason = await flux.problem(api, script, "hourly.flux.j2")
    assert reason is not None
    assert reason.startswith("hourly.flux.j2: ")
    assert expected in reason
    assert "hearthflux_check" not in reason


async def test_judging_a_script_writes_nothing(api: Api, influxd: LocalInfluxd, unique: str) -> None:
    """`findRecord` runs what stands before it, `to()` too: the script must stop before that."""
    body = {"orgID": influxd.org_id, "name": f"b-{unique}", "retentionRules": []}
    bucket = influxd.api("POST", "/api/v2/buckets", body)["id"]
    rows = 'array.from(rows: [{_time: now(), _measurement: "m", _field: "f", _value: 1.0}])'
    acting = f'{rows} |> to(bucketID: "{bucket}") |> findRecord(fn: (key) => true, idx: 0)'
    script = f'import "array" // rows by hand\nx = {acting}\n{OPTION}'
    assert await flux.problem(api, script, None) is None
    count = f'from(bucketID: "{bucket}") |> range(start: -1h) |> count()'
    assert (await api.query(influxd.org_id, count)).strip() == ""
    # The same script, run in earnest, does write: the check above can fail.
    await api.query(influxd.org_id, script + "array.from(rows: [x])")
    assert (await api.query(influxd.org_id, count)).strip() != ""
