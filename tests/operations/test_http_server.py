"""The small HTTP server: statuses, content types, questions that fail, a port that is taken."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Gauge

from operations.errors import UserError
from operations.http_server import registry_text, serving


async def fetch(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def healthy() -> dict[str, Any]:
    return {"status": "healthy", "reasons": []}


async def gauge() -> str:
    registry = CollectorRegistry()
    Gauge("hearthflux_probe", "a value", registry=registry).set(3)
    return registry_text(registry)


async def test_health_and_metrics() -> None:
    async with serving(healthy, gauge, port=0) as url:
        assert url.startswith("http://127.0.0.1:")
        assert await fetch(f"{url}/health") == (
            200,
            "application/json; charset=utf-8",
            '{"status": "healthy", "reasons": []}\n',
        )
        status, kind, text = await fetch(f"{url}/metrics")
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert "hearthflux_probe 3.0" in text
        status, _, text = await fetch(f"{url}/nothing")
        assert status == 404
        assert "/health and /metrics" in text


async def test_unhealthy_is_503_and_a_question_that_fails_is_a_sentence() -> None:
    async def unhealthy() -> dict[str, Any]:
        return {"status": "unhealthy", "reasons": ["no events for an hour"]}

    async def broken() -> Any:
        raise RuntimeError("the disk is gone")

    async with serving(unhealthy, broken, port=0) as url:
        status, _, text = await fetch(f"{url}/health")
        assert (status, "no events for an hour" in text) == (503, True)
        status, _, text = await fetch(f"{url}/metrics")
        assert (status, text) == (500, "the metrics could not be collected: the disk is gone\n")
    async with serving(broken, gauge, port=0) as url:
        status, _, text = await fetch(f"{url}/health")
        assert status == 503
        assert "the disk is gone" in text


async def test_many_scrapers_are_one_question() -> None:
    asked = 0

    async def slow() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.05)
        return {"status": "healthy"}

    async with serving(slow, gauge, port=0) as url:
        answers = await asyncio.gather(*(fetch(f"{url}/health") for _ in range(10)))
    assert {status for status, _, _ in answers} == {200}
    assert asked == 1


async def test_a_taken_port_is_named() -> None:
    async with serving(healthy, gauge, port=0) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(UserError, match=f"Cannot listen on 127.0.0.1:{port}"):
            async with serving(healthy, gauge, port=port):
                pass
