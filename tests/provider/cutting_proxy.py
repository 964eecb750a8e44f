"""A proxy in front of the real server: it passes everything on, and its answers come late or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType

from aiohttp import ClientSession, web


class CuttingProxy:
    """A POST that makes something (not a query) is answered `delay` seconds late; with None never."""

    def __init__(self, target: str, delay: float | None = None) -> None:
        self._target = target
        self._delay = delay
        self.cuts = 0
        self.url = ""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        async with self._session.request(
            request.method, self._target + str(request.rel_url), data=body, headers=headers
        ) as answer:
            text = await answer.read()
        if request.method == "POST" and "/query" not in request.path and request.transport is not None:
            if self._delay is None:
                self.cuts += 1
                request.transport.abort()
            else:
                await asyncio.sleep(self._delay)
        return web.Response(status=answer.status, body=text, content_type="application/json")

    async def __aenter__(self) -> CuttingProxy:
        self._session = ClientSession()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        with contextlib.suppress(Exception):
            await self._session.close()
        await self._runner.cleanup()
