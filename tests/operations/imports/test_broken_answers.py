"""Answers of the old server that break off are asked for again, whatever they look like where they end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgpack
import pytest
from aiohttp import web

from operations.imports import influxdb1_server
from operations.imports.influxdb1_server import InfluxDB1Server, Server1x
from operations.imports.layout import Layout
from operations.imports.mapping import Mapping1x
from operations.imports.reading import Pace, SourceError
from operations.imports.report import Report
from tests.operations.imports.conftest import NewHome
from tests.operations.imports.homes import DAY, HOUR, a_home, lines
from tests.operations.imports.influxdb1 import InfluxDB1
from tests.operations.imports.test_influxdb1 import database, expected
from tests.proxy import Proxy

__all__ = ["database"]
NOW = time.time_ns() // 10**9 * 10**9


class BreakingProxy(Proxy):
    """Lets every third answer with readings break off; `lasting`: all from the third on."""

    def __init__(self, target: str, how: str, *, lasting: bool = False) -> None:
        super().__init__(target)
        self._how, self._lasting = how, lasting
        self.asked = self.broken = 0

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        query = await request.read()
        headers = {name: request.headers[name] for name in ("Accept", "Accept-Encoding", "Content-Type")}
        async with self._session.post(self._target + str(request.rel_url), data=query, headers=headers) as answer:
            whole, kind = await answer.read(), answer.headers["Content-Type"]
        self.asked += b"GROUP+BY" in query
        breaks = b"GROUP+BY" in query and (self.asked >= 3 if self._lasting else self.asked % 3 == 0)
        if not breaks:
            return web.Response(body=whole, headers={"Content-Type": kind})
        self.broken += 1
        response = web.StreamResponse(headers={"Content-Type": kind})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(self._beginning(whole))
        if self._how == "torn" and request.transport is not None:
            await asyncio.sleep(0.02)
            request.transport.abort()
        return response

    def _beginning(self, whole: bytes) -> bytes:
        if self._how != "between documents":
            return whole[: len(whole) // 2]
        unpacker = msgpack.Unpacker(strict_map_key=False)
        unpacker.feed(whole)
        documents = [unpacker.tell() for _ in unpacker]
        assert len(documents) > 1
        return whole[: documents[-2]]


def bring(home: NewHome, old: InfluxDB1, database: str, how: str, **options: Any) -> tuple[BreakingProxy, Report]:
    async def go() -> tuple[BreakingProxy, Report]:
        async with BreakingProxy(old.url, how, **options) as proxy:
            source = InfluxDB1Server(
                Server1x(url=proxy.url, database=database), Layout(Mapping1x()), pace=Pace(wanted=100)
            )
            async with source:
                return proxy, await home.importer(source, summaries=False).run()

    return asyncio.run(go())


@pytest.mark.parametrize("how", ["torn", "within a document", "between documents"])
def test_an_answer_that_breaks_off_is_asked_for_again(
    new_home: NewHome, influxdb1: InfluxDB1, database: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influxdb1_server, "RETRY_SECONDS", (0.01, 0.01))
    new_home.make_buckets(None, None, None)
    states = a_home(NOW - 5 * DAY, NOW, step=HOUR)
    influxdb1.write(database, lines(states))
    proxy, report = bring(new_home, influxdb1, database, how)
    assert proxy.broken > 1
    assert (report.finished, report.written, report.already_there) == (True, len(states), 0)
    assert new_home.stored().keys() == expected(states).keys()


def test_one_that_breaks_off_for_good_ends_the_import_and_the_next_run_goes_on(
    new_home: NewHome, influxdb1: InfluxDB1, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influxdb1_server, "RETRY_SECONDS", (0.01, 0.01))
    new_home.make_buckets(None, None, None)
    states = a_home(NOW - 5 * DAY, NOW, step=HOUR)
    influxdb1.write(database, lines(states))
    with pytest.raises(SourceError, match=r"broke off its answer|sent an answer that is cut off"):
        bring(new_home, influxdb1, database, "torn", lasting=True)
    stored = len(new_home.stored())
    assert 0 < stored < len(states)
    _, report = bring(new_home, influxdb1, database, "within a document")
    assert (report.finished, report.written, report.already_there) == (True, len(states), 0)
    assert new_home.stored().keys() == expected(states).keys()
