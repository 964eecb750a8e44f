"""A proxy in front of the real server: it passes everything on, and its answers come late or not at all."""

from __future__ import annotations

import asyncio

from aiohttp import web

from tests.proxy import Proxy


class CuttingProxy(Proxy):
    """A POST that makes something (not a query) is answered `delay` seconds late; with None never."""

    def __init__(self, target: str, delay: float | None = None) -> None:
        super().__init__(target)
        self._delay = delay
        self.cuts = 0

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
