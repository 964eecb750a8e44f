"""A small HTTP server for one process: `GET /health` (JSON; 200 healthy, 503 unhealthy) and `GET /metrics`.

    async with serving(health, metrics, port=8087) as url:
        ...                       # it answers until the block is left

`health` returns a mapping with `status` ("healthy" or "unhealthy") and whatever tells why; `metrics` returns
Prometheus' text format, which `registry_text` makes of a prometheus_client registry. Both are coroutines. One that is
asked while it still works is not started twice, and an answer serves for `max_age` seconds: a scraper that asks often
costs the database nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from aiohttp import web

from operations.errors import UserError

HOST = "127.0.0.1"
PORT = 8087
METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PATHS = ("/health", "/metrics")

Health = Callable[[], Awaitable[Mapping[str, Any]]]
Metrics = Callable[[], Awaitable[str]]
Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class _Kept(Generic[Answer]):
    """The last answer of a question, asked again when it is older than `max_age` seconds."""

    def __init__(self, ask: Callable[[], Awaitable[Answer]], max_age: float) -> None:
        self._ask, self._max_age = ask, max_age
        self._answer: Answer | None = None
        self._asked = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def get(self) -> Answer:
        async with self._one_at_a_time:
            if self._answer is None or time.monotonic() - self._asked > self._max_age:
                self._answer = await self._ask()
                self._asked = time.monotonic()
            return self._answer


def registry_text(registry: Any) -> str:
    """What a prometheus_client registry holds, as Prometheus' text format."""
    from prometheus_client import generate_latest

    return generate_latest(registry).decode()


def _json(content: Mapping[str, Any], status: int) -> web.Response:
    return web.Response(text=json.dumps(content, default=str) + "\n", status=status, content_type="application/json")


def application(health: Health, metrics: Metrics, *, max_age: float = 5.0) -> web.Application:
    """The two routes. A question that fails is answered 503 (health) or 500 (metrics), with one sentence."""
    kept_health, kept_metrics = _Kept(health, max_age), _Kept(metrics, max_age)

    async def get_health(_: web.Request) -> web.Response:
        try:
            found = await kept_health.get()
        except Exception as error:
            logger.exception("the health could not be found out")
            return _json({"status": "unhealthy", "reasons": [f"the health could not be found out: {error}"]}, 503)
        return _json(found, 200 if found.get("status") == "healthy" else 503)

    async def get_metrics(_: web.Request) -> web.Response:
        try:
            text = await kept_metrics.get()
        except Exception as error:
            logger.exception("the metrics could not be collected")
            return web.Response(text=f"the metrics could not be collected: {error}\n", status=500)
        return web.Response(body=text.encode(), headers={"Content-Type": METRICS_CONTENT_TYPE})

    async def get_other(request: web.Request) -> web.Response:
        return _json({"error": f"there is no {request.path} here; there are {' and '.join(PATHS)}"}, 404)

    app = web.Application()
    app.router.add_get("/health", get_health)
    app.router.add_get("/metrics", get_metrics)
    app.router.add_get("/{other:.*}", get_other)
    return app


@asynccontextmanager
async def serving(
    health: Health, metrics: Metrics, *, host: str = HOST, port: int = PORT, max_age: float = 5.0
) -> AsyncIterator[str]:
    """Answer on `host` (the loopback address unless told) and `port` (0 takes a free one); gives the server's URL.

    Raises UserError where the port is taken or the address is not this machine's.
    """
    runner = web.AppRunner(application(health, metrics, max_age=max_age), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise UserError(
                f"Cannot listen on {host}:{port}: {error.strerror or error}. Choose another address or port."
            ) from None
        bound = runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        yield f"http://{shown}:{bound[1]}"
    finally:
        await runner.cleanup()
