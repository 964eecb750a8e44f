"""A request's body that aiohttp sends in slices: a large one neither keeps the event loop nor is copied whole."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Order, Payload, payload_type

SLICE_BYTES = 256 * 1024


class Body(bytes):
    """Line protocol for influxdb-client, which takes nothing but bytes: what they stand for, without a copy of it."""

    parts: Sequence[bytes]

    @classmethod
    def of(cls, parts: Sequence[bytes]) -> Body:
        made = cls(b"lines" if parts else b"")
        made.parts = parts
        return made


@payload_type(Body, order=Order.try_first)
class BodyPayload(Payload):
    """aiohttp's own for bytes writes everything at once, and warns of that from 1 MiB on."""

    _value: Body

    def __init__(self, value: Body, **more: object) -> None:
        super().__init__(value, content_type="text/plain; charset=utf-8")
        self._size = sum(map(len, value.parts))

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return b"".join(self._value.parts).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        for part in self._value.parts:
            view = memoryview(part)
            for start in range(0, len(view), SLICE_BYTES):
                await writer.write(view[start : start + SLICE_BYTES])
