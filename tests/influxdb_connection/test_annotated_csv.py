"""The answers of `/api/v2/query` as rows: against influxdb-client's own parser and by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from influxdb_connection import Connection, ConnectionSettings, QueryFailed, ServerProblem, parse
from operations.influxd import LocalInfluxd

EVERY_TYPE = """
import "array"
import "internal/debug"

array.from(rows: [
    {_time: 2026-03-29T01:00:00.123456789Z, text: "a,b \\"quoted\\"\\nsecond line", whole: -9, number: 1.5, yes: true},
    {_time: 2026-03-29T02:00:00Z, text: "x", whole: 9, number: -0.25, yes: false},
]) |> yield(name: "first")
array.from(rows: [{_value: uint(v: 7), text: "x"}]) |> map(fn: (r) => ({r with none: debug.null(type: "string")}))
"""


def connection(influxd: LocalInfluxd, **other: Any) -> Connection:
    given = {"url": influxd.url, "token": influxd.token, "org": influxd.org} | other
    return Connection(ConnectionSettings(**given))


async def test_every_type_is_read_as_influxdb_client_reads_it(influxd: LocalInfluxd) -> None:
    async with connection(influxd) as one:
        rows = await one.rows(EVERY_TYPE)
        tables = await one.client.query_api().query(EVERY_TYPE)
    # The order of two results is the server's whim.
    rows.sort(key=lambda row: str(row["result"]), reverse=True)
    theirs = [record.values for table in tables for record in table.records]
    assert rows == sorted(theirs, key=lambda row: str(row["result"]), reverse=True)
    # The server itself writes a newline within a text as two characters.
    assert rows[0]["text"] == 'a,b "quoted"\r\nsecond line'
    assert rows[0]["_time"] == datetime(2026, 3, 29, 1, 0, 0, 123456, UTC)
    assert (rows[0]["whole"], rows[0]["number"], rows[0]["yes"]) == (-9, 1.5, True)
    assert (rows[-1]["result"], rows[-1]["none"]) == ("_result", None)


def test_an_empty_answer_has_no_rows() -> None:
    assert parse("") == parse("\r\n") == []


def test_a_failure_within_the_answer_is_raised() -> None:
    begun = "#datatype,string,long,double\r\n#group,false,false,false\r\n#default,_result,,\r\n,result,table,_value\r\n"
    failed = (
        "\r\n#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,out of memory,897\r\n"
    )
    assert parse(f"{begun},,0,1.5\r\n") == [{"result": "_result", "table": 0, "_value": 1.5}]
    with pytest.raises(QueryFailed, match="out of memory"):
        parse(f"{begun},,0,1.5\r\n{failed}")


async def test_a_query_that_fails_is_the_servers_own_sentence(influxd: LocalInfluxd) -> None:
    async with connection(influxd) as one:
        with pytest.raises(ServerProblem, match="undefined identifier nothing"):
            await one.rows("nothing")
        with pytest.raises(ServerProblem, match='could not find bucket "no such bucket"'):
            await one.rows('from(bucket: "no such bucket") |> range(start: -1h)')
