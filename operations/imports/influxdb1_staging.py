"""The first pass over an export: each line goes to the part file of its time, in a folder of the import.

Lines come in long runs of one field of one series, which are cut into columns. What is not plain (a text with line
breaks, a time of another length, times out of order) is looked at line by line. A mark of how far it came is kept, so
that it goes on after an interruption, and is not done again for the same file. One that was cut off and copied again is
known by the bytes before the mark.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from operations import paths
from operations.imports.influxdb1_lines import BREAK, cut
from operations.imports.influxdb1_parts import Parts, Times
from operations.imports.layout import Layout, holds_no_unit
from operations.imports.line_protocol import LATEST_NS, is_whole, plain_name, prefix_of, read_prefix
from operations.imports.reading import SourceError

BLOCK = 1024 * 1024
BUFFERED_BYTES = 32 * 1024 * 1024
REMEMBERED_TIMES = 4 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"
FORMAT = 3
# Bytes before the mark that are compared.
COMPARED = 4096
# Instead of the number of a `series field=`: a line that is none, one of another database, a field nobody wants.
ODD, OTHER, UNWANTED = -1, -2, -3

# How lines begin that hold no value.
NO_VALUES = (b"#", b"\n", b"CREATE ", b"create ")

_NAME = rb"""("(?:[^"\\]|\\.)*"|[^ "]+)"""
_ANNOUNCED = re.compile(rb"CREATE DATABASE " + _NAME + rb" WITH NAME " + _NAME + rb"\Z")
_CONTEXT = re.compile(rb"# CONTEXT-(DATABASE|RETENTION-POLICY):\s*(.*)\Z")


@dataclass(slots=True)
class Staged:
    """How far staging came, and what it found. Kept as JSON beside the part files."""

    format: int = FORMAT
    offset: int = 0
    done: bool = False
    # Of the file: size, time of its last change, inode. Of the bytes before the mark: a hash.
    file: list[int] = field(default_factory=list)
    before: str = ""
    announced: list[str] = field(default_factory=list)
    database: str = ""
    policy: str = ""
    databases: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    defaults: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    odd_lines: int = 0
    other_lines: int = 0
    first_ns: int | None = None
    last_ns: int | None = None

    @classmethod
    def kept(cls, mark: Path) -> Staged:
        """What was kept; a new one where there is nothing, or something of another version."""
        try:
            content = json.loads(mark.read_text())
        except FileNotFoundError:
            return cls()
        return cls(**content) if content.get("format") == FORMAT else cls()


class Staging:
    """Stages `path` into `folder`. `database` and `policy` "" are the first ones of the file.

    `progress(done, total)` counts bytes of the file; `say` is told in a sentence why it is staged again.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        folder: Path,
        *,
        database: str,
        policy: str,
        progress: Callable[[int, int], None],
        say: Callable[[str], None],
    ) -> None:
        self._path = path
        self._layout = layout
        self._folder = folder
        self.database = database
        self.policy = policy
        self._progress = progress
        self._say = say
        self.staged = Staged()
        self._parts = Parts()
        self._numbers: dict[bytes, int] = {}
        # Of the line before: its `series field=` and the number of that, and a text that goes on in the next line.
        self._prefix = b""
        self._number = ODD
        self._pending = b""
        # By the packed ones: the fields of a series mostly have the same.
        self._times: dict[bytes, Times] = {}
        self._remembered = 0
        # What was read last, and where it ends.
        self._tail, self._seen = b"", 0

    @property
    def _mark(self) -> Path:
        return self._folder / "staged.json"

    def run(self) -> Staged:
        """Stage all of it, or what is left to do. Raises SourceError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.staged = Staged.kept(self._mark)
            if self.staged.offset and (why := self._unusable()):
                self._say(f"The export {self._path} is sorted again from its beginning: {why}.")
                self.staged = Staged()
            for both in self.staged.databases:
                self._choose(both)
            if not self.staged.done:
                self._take_up()
                self._read()
        except OSError as error:
            if error.errno in paths.NO_ROOM:
                raise SourceError(
                    f"The disk of {self._folder} is full at {self.staged.offset:,} bytes of {self._path}: make room "
                    "(about as much as the export takes unpacked) and run the same command again, it goes on there."
                ) from None
            raise SourceError(f"The export {self._path} cannot be staged: {error.strerror or error}.") from None
        return self.staged

    def _unusable(self) -> str:
        """Why what was staged is not what the file begins with; "" where it is."""
        staged = self.staged
        for name, size in staged.sizes.items():
            part = self._folder / f"{name}.part"
            if not part.exists() or part.stat().st_size < size:
                return f"of the sorted parts {part} is not whole"
        if staged.file == self._identity():
            return ""
        if staged.done:
            return "it has changed since, and may hold more now"
        with self._path.open("rb") as raw, contextlib.suppress(EOFError, zlib.error, gzip.BadGzipFile):
            reader = opened(raw)
            skip(reader, staged.offset - COMPARED)
            if fingerprint(reader.read(min(staged.offset, COMPARED))) == staged.before:
                return ""
        return "it is not the file that was begun with"

    def _identity(self) -> list[int]:
        found = self._path.stat()
        return [found.st_size, found.st_mtime_ns, found.st_ino]

    def _take_up(self) -> None:
        """The part files as they were at the mark."""
        for path in self._folder.glob("*.part"):
            size = self.staged.sizes.get(path.stem, 0)
            if size:
                with path.open("r+b") as file:
                    file.truncate(size)
            else:
                path.unlink()
        for number, text in enumerate(self.staged.prefixes):
            self._numbers[text.encode("utf-8", "surrogateescape")] = number
        self._parts.first_ns, self._parts.last_ns = self.staged.first_ns, self.staged.last_ns

    # the file -------------------------------------------------------------------------------------------

    def _read(self) -> None:
        staged = self.staged
        staged.file = self._identity()
        total = staged.file[0]
        with self._path.open("rb") as raw:
            try:
                for block in self._blocks(raw):
                    self._sort(block)
                    if self._parts.size > BUFFERED_BYTES:
                        self._flush()
                    self._progress(raw.tell(), total)
            except SourceError:
                self._flush()
                raise
        if self._pending:
            raise self._cut_off(f"its last line is not whole: {self._pending[-60:].decode(errors='replace')!r}")
        if missing := sorted(set(staged.announced) - set(staged.databases)):
            raise self._cut_off(f"it begins with a list of what it holds, and {', '.join(missing)} is not in it")
        staged.done = True
        self._flush()

    def _blocks(self, raw: IO[bytes]) -> Iterator[bytes]:
        """Whole lines from the kept mark on, block by block, the next one read (and unpacked) meanwhile. Raises
        SourceError where the file is cut off."""
        rest = b""
        with ThreadPoolExecutor(1) as thread:
            try:
                reader, offset = opened(raw), self.staged.offset
                skip(reader, offset - COMPARED)
                self._seen, self._tail = offset, reader.read(min(offset, COMPARED))
                coming = thread.submit(reader.read, BLOCK)
                while block := coming.result():
                    coming = thread.submit(reader.read, BLOCK)
                    end = block.rfind(b"\n") + 1
                    if end:
                        lines = rest + block[:end]
                        self._seen, self._tail = self._seen + len(lines), self._tail[-COMPARED:] + lines
                        yield lines
                        rest = b""
                    rest += block[end:]
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise self._cut_off(f"its compressed data end early ({error})") from None
        if rest:
            raise self._cut_off(f"its last line is not whole: {rest[-60:].decode(errors='replace')!r}")

    def _cut_off(self, why: str) -> SourceError:
        return SourceError(
            f"The export {self._path} is cut off: {why}. Copy or export it again and run the same command: "
            f"it goes on after {self.staged.offset:,} bytes."
        )

    def _flush(self) -> None:
        staged, parts = self.staged, self._parts
        for part, runs in parts.take():
            text = b"".join(runs)
            with (self._folder / f"{part}.part").open("ab") as file:
                file.write(text)
            staged.sizes[str(part)] = staged.sizes.get(str(part), 0) + len(text)
        staged.first_ns, staged.last_ns = parts.first_ns, parts.last_ns
        # Lines of a text that goes on lie behind the mark.
        staged.before = fingerprint(self._tail[: len(self._tail) - (self._seen - staged.offset)][-COMPARED:])
        content = {name: getattr(staged, name) for name in Staged.__dataclass_fields__}
        paths.write_at_once(self._mark, json.dumps(content).encode())

    # lines ----------------------------------------------------------------------------------------------

    def _sort(self, block: bytes) -> None:
        """Add whole lines to their parts: as whole runs where that goes."""
        at = 0
        while at < len(block):
            end = at if self._pending else self._take_run(block, at)
            if end == at:
                end = block.index(b"\n", at) + 1
                self._take_line(block[at : end - 1])
            at = end

    def _take_run(self, block: bytes, at: int) -> int:
        """Take the plain lines at `at` that are of one field of one series. Where they end."""
        if not (self._prefix and block.startswith(self._prefix, at)):
            if block.startswith(NO_VALUES, at):
                return at
            self._learn_prefix(block[at : block.index(b"\n", at)])
        if not self._prefix:
            return at
        end, packed, values = cut(block, self._prefix, at)
        if end > at:
            self.staged.offset += end - at
            if self._number < 0:
                self._count_left_out(self._number, len(packed) // 8)
            else:
                self._parts.add(self._number, self._times_of(packed), values)
        return end

    def _times_of(self, packed: bytes) -> Times:
        times = self._times.get(packed)
        if times is None:
            self._remembered += len(packed)
            if self._remembered > REMEMBERED_TIMES:
                self._times.clear()
                self._remembered = len(packed)
            times = self._times[packed] = Times(packed)
        return times

    def _learn_prefix(self, line: bytes) -> None:
        self._prefix = prefix_of(line)
        self._number = self._number_of(self._prefix)

    def _take_line(self, line: bytes) -> None:
        if self._pending:
            line, self._pending = self._pending + b"\n" + line, b""
        if not (self._prefix and line.startswith(self._prefix)):
            if not line or line.startswith(NO_VALUES):
                self._read_context(line)
                self._prefix = b""
                self.staged.offset += len(line) + 1
                return
            self._learn_prefix(line)
        length, at = len(self._prefix), line.rfind(b" ")
        # A text that goes on behind a line break ends in a later line.
        if line[length : length + 1] == b'"' and not is_whole(line, length, at):
            self._pending = line
            return
        self.staged.offset += len(line) + 1
        value, time_text = line[length:at], line[at + 1 :]
        number = self._number
        if number < 0 or not value or BREAK in value or not time_text.lstrip(b"-").isdigit():
            self._count_left_out(number, 1)
        elif abs(time_ns := int(time_text)) > LATEST_NS:
            self._count_left_out(ODD, 1)
        else:
            self._parts.add(number, Times.of(time_ns), [value.replace(b"\n", BREAK)])

    def _count_left_out(self, number: int, count: int) -> None:
        staged = self.staged
        if number == OTHER:
            staged.other_lines += count
        elif number == UNWANTED:
            name = self._prefix.decode(errors="replace").rpartition(" ")[2].removesuffix("=")
            staged.left_out[name] = staged.left_out.get(name, 0) + count
        else:
            staged.odd_lines += count

    # what a line belongs to -----------------------------------------------------------------------------

    def _number_of(self, prefix: bytes) -> int:
        """The number of a `series field=`, or why it has none."""
        if not self._right_context():
            return OTHER
        if not prefix:
            return ODD
        number = self._numbers.get(prefix)
        if number is None:
            number = self._numbers[prefix] = self._new_prefix(prefix)
        return number

    def _new_prefix(self, prefix: bytes) -> int:
        """The number of a new `series field=`."""
        found = read_prefix(prefix)
        if not self._layout.wants_field(found.measurement, found.field):
            return UNWANTED
        if holds_no_unit(found.measurement, found.field) and found.measurement not in self.staged.defaults:
            self.staged.defaults.append(found.measurement)
        self.staged.prefixes.append(prefix.decode("utf-8", "surrogateescape"))
        return len(self.staged.prefixes) - 1

    def _read_context(self, line: bytes) -> None:
        if announced := _ANNOUNCED.match(line.strip()):
            self.staged.announced.append(f"{plain_name(announced[1])}.{plain_name(announced[2])}")
        found = _CONTEXT.match(line.strip())
        if found is None:
            return
        name = found[2].decode(errors="replace").strip()
        if found[1] == b"DATABASE":
            self.staged.database, self.staged.policy = name, ""
        else:
            self.staged.policy = name
            both = f"{self.staged.database}.{name}"
            if both not in self.staged.databases:
                self.staged.databases.append(both)
                self._choose(both)

    def _choose(self, found: str) -> None:
        """The first database and policy of the file is the one, unless another is asked for."""
        database, _, policy = found.partition(".")
        if (self.database or database) != database or (self.policy or policy) != policy:
            return
        self.database, self.policy = database, policy

    def _right_context(self) -> bool:
        staged = self.staged
        if not staged.database:  # `-lponly` writes no context
            return not self.database
        return (staged.database, staged.policy) == (self.database, self.policy)


def opened(raw: IO[bytes]) -> IO[bytes]:
    """The file's content, unpacked where it is gzip."""
    compressed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw) if compressed else raw  # type: ignore[return-value]


def fingerprint(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def skip(reader: IO[bytes], count: int) -> None:
    """Read so many bytes and forget them."""
    if not isinstance(reader, gzip.GzipFile):
        reader.seek(max(count, 0))
        return
    while count > 0:
        block = reader.read(min(count, BLOCK))
        if not block:
            return
        count -= len(block)
