"""A request's body that aiohttp sends in slices: a large one neither keeps the event loop nor is copied whole."""

from __future__ import annotations

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Order, Payload, payload_type

SLICE_BYTES = 256 * 1024


class Body(bytes):
    """Line protocol for influxdb-client, which takes nothing but bytes: what they stand for, without a copy of it."""

    content: bytes

    @classmethod
    def of(cls, content: bytes) -> Body:
        made = cls(b"lines" if content else b"")
        made.content = content
        return made


@payload_type(Body, order=Order.try_first)
class BodyPayload(Payload):
    """aiohttp's own for bytes writes everything at once, and warns of that from 1 MiB on."""

    _value: Body

    def __init__(self, value: Body, **more: object) -> None:
        super().__init__(value, content_type="text/plain; charset=utf-8")
        self._size = len(value.content)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.content.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        view = memoryview(self._value.content)
        for start in range(0, len(view), SLICE_BYTES):
            await writer.write(view[start : start + SLICE_BYTES])
