"""Bodies as the spool keeps them: an LZ4 block behind its CRC-32, about a seventh of the lines' size.

What is fsynced decides how fast a durable writer is, more than CPU does, and how soon a flash card is worn. Packed by
the compiled extension only; where it was not built, bodies stay as they are, and packed ones are read all the same. A
stored body is packed if it is shorter than the lines it stands for.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

# Little is saved on less: the disk is written by whole pages.
SHORTEST = 2048
SUM_BYTES = 4
SHORTEST_MATCH = 4


def unpack_slowly(block: bytes | memoryview, size: int) -> bytes:
    """As the extension unpacks, some fifty times slower. Raises ValueError for what is no block of so many bytes."""
    body = bytearray()
    at, end = 0, len(block)

    def length_of(half: int) -> int:
        nonlocal at
        length = half
        while half == 15:
            length += block[at]
            at += 1
            if block[at - 1] != 255:
                break
        return length

    try:
        while True:
            token = block[at]
            at += 1
            literals = length_of(token >> 4)
            if literals > end - at:
                break
            body += block[at : at + literals]
            at += literals
            if at == end and len(body) == size:
                return bytes(body)
            offset = block[at] | block[at + 1] << 8
            at += 2
            length = length_of(token & 15) + SHORTEST_MATCH
            if not 0 < offset <= len(body) or length > size - len(body):
                break
            start = len(body) - offset
            if length <= offset:
                body += body[start : start + length]
            else:  # a match that runs into what it writes repeats itself
                body += (body[start:] * (length // offset + 1))[:length]
    except IndexError:
        pass
    raise ValueError(f"not an LZ4 block of {size} bytes")


_pack: Callable[[bytes], bytes | None] | None
_unpack: Callable[[bytes | memoryview, int], bytes]
try:
    import writer._pack as _extension

    _pack, _unpack = _extension.pack, _extension.unpack
except ImportError:  # not built: see hatch_build.py
    _pack, _unpack = None, unpack_slowly


def compiled() -> bool:
    return _pack is not None


def _sum(block: bytes | memoryview, size: int, lines: int) -> bytes:
    """Also of what is said of the block: one that is whole can be unpacked, and counts what it holds."""
    return zlib.crc32(block, zlib.crc32(b"%d bytes, %d lines" % (size, lines))).to_bytes(SUM_BYTES, "little")


def pack(body: bytes, lines: int) -> bytes:
    """`body`, of so many lines, as it is stored: shorter, or the same."""
    block = _pack(body) if _pack is not None and len(body) >= SHORTEST else None
    return body if block is None else _sum(block, len(body), lines) + block


def is_whole(stored: bytes, size: object, lines: object) -> bool:
    """Whether this is what was stored of `size` bytes and so many lines, as far as a checksum tells."""
    if type(size) is not int or type(lines) is not int or len(stored) > size:
        return False
    if len(stored) == size:
        return True
    return _sum(memoryview(stored)[SUM_BYTES:], size, lines) == stored[:SUM_BYTES]


def unpack(stored: bytes, size: int) -> bytes:
    """The `size` bytes that `stored`, which is whole, stands for."""
    return stored if len(stored) == size else _unpack(memoryview(stored)[SUM_BYTES:], size)
