"""A file of `influx_inspect export` as a source.

The file holds one line for every value: `series field=value time`. All values of one field of one series follow each
other, shard by shard, and what the write-ahead log held comes last; a later line replaces an earlier one of the same
series, field and time. Readings in order of time come from two passes:

    stage    each line goes to the part file of its span of six hours, in a folder of the import; only fields that
             are wanted. A mark of how far it came is kept, so that it goes on after an interruption
    slices   each part file is put together and sorted; it holds few enough readings for memory
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from operations.imports.influxdb1_parts import BLOCK, BREAK, PART, Parts, is_whole, prefix_of, skip
from operations.imports.influxdb1_server import count_skipped, series_text
from operations.imports.layout import NO_STATE, NOT_KEPT, Layout, SeriesPlan
from operations.imports.line_protocol import Prefix, read_prefix, read_value
from operations.imports.reading import Slice, SourceError
from operations.imports.units import UNITS

BUFFERED_BYTES = 32 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"
# Instead of the number of a `series field=`: a line that is none, one of another database, a field nobody wants.
ODD, OTHER, UNWANTED = -1, -2, -3
NOT_A_VALUE = "a line that is no line protocol"
OTHER_DATABASE = "another database or retention policy than the one asked for"
FINGERPRINTED = 4 * 1024 * 1024
"""Bytes of the file's beginning that tell it from another file of the same name."""

_CONTEXT = re.compile(rb"# CONTEXT-(DATABASE|RETENTION-POLICY):\s*(.*)\Z")


@dataclass(slots=True)
class Staged:
    """How far staging came, and what it found. Kept as JSON beside the part files."""

    offset: int = 0
    done: bool = False
    size: int = 0
    database: str = ""
    policy: str = ""
    databases: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    defaults: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    odd_lines: int = 0
    other_lines: int = 0
    first_ns: int = 0
    last_ns: int = 0


class InfluxDB1Export:
    """The source of `hearthflux import influxdb1 --file`. Use as an async context manager.

    `folder` holds the part files. `progress(done, total)` counts bytes of the file while it is staged.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        folder: Path,
        *,
        database: str = "",
        retention_policy: str = "",
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._path = path
        self._layout = layout
        self._folder = folder
        self._database = database
        self._policy = retention_policy
        self._progress = progress or (lambda _done, _total: None)
        self._staged = Staged()
        self._prefixes: dict[bytes, int] = {}
        # Of the line before: its `series field=` and the number of that, and a text that goes on in the next line.
        self._prefix = b""
        self._number = ODD
        self._pending = b""
        self._parsed: list[Prefix] = []
        self._by_series: dict[bytes, Prefix] = {}
        self._plans: dict[bytes, SeriesPlan | str] = {}

    @property
    def name(self) -> str:
        return f"the export {self._path}"

    @property
    def identity(self) -> str:
        try:
            with self._path.open("rb") as file:
                # The beginning, without its tail: a file that was cut off and copied again is the same one.
                beginning = file.read(FINGERPRINTED)[:4096]
        except OSError as error:
            raise SourceError(f"The export {self._path} cannot be read: {error.strerror}.") from None
        return f"influxdb1-export {hashlib.sha256(beginning).hexdigest()} {self._database} {self._policy}"

    async def __aenter__(self) -> Self:
        self._stage()
        self._layout.defaults.update(self._staged.defaults)
        self._parsed = [read_prefix(text.encode("utf-8", "surrogateescape")) for text in self._staged.prefixes]
        self._by_series = {one.series: one for one in self._parsed}
        self._check_layout()
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    # stage ----------------------------------------------------------------------------------------------

    def _stage(self) -> None:
        mark = self._folder / "staged.json"
        self._folder.mkdir(parents=True, exist_ok=True)
        if mark.exists():
            self._staged = Staged(**json.loads(mark.read_text()))
        if self._staged.done:
            if self._staged.size == self._path.stat().st_size:
                return
            self._staged = Staged()  # exported again: it may hold more now
        for path in self._folder.glob("*.part"):
            size = self._staged.sizes.get(path.stem, 0)
            if size:
                with path.open("r+b") as file:
                    file.truncate(size)
            else:
                path.unlink()
        for both in self._staged.databases:
            self._choose(both)
        for number, text in enumerate(self._staged.prefixes):
            self._prefixes[text.encode("utf-8", "surrogateescape")] = number
        try:
            self._read_lines(mark)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise SourceError(
                    f"The disk of {self._folder} is full at {self._staged.offset:,} bytes of {self._path}: make room "
                    "(about as much as the export takes unpacked) and run the same command again, it goes on there."
                ) from None
            raise SourceError(f"The export {self._path} cannot be staged: {error.strerror or error}.") from None

    def _read_lines(self, mark: Path) -> None:
        total = self._path.stat().st_size
        parts = Parts()
        with self._path.open("rb") as raw:
            try:
                for block in self._blocks(raw):
                    self._sort(block, parts)
                    if parts.size > BUFFERED_BYTES:
                        self._flush(parts, mark)
                    self._progress(raw.tell(), total)
            except SourceError:
                self._flush(parts, mark)
                raise
        if self._pending:
            raise self._cut_off(f"its last line is not whole: {self._pending[-60:].decode(errors='replace')!r}")
        self._staged.done, self._staged.size = True, total
        self._flush(parts, mark)

    def _blocks(self, raw: IO[bytes]) -> Iterator[list[bytes]]:
        """Lines from the kept mark on, block by block. Raises SourceError where the file is cut off."""
        compressed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        reader: IO[bytes] = gzip.GzipFile(fileobj=raw) if compressed else raw  # type: ignore[assignment]
        rest = b""
        position = self._staged.offset
        try:
            if compressed:
                skip(reader, position)
            else:
                raw.seek(position)
            while block := reader.read(BLOCK):
                *lines, rest = (rest + block).split(b"\n")
                yield lines
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._cut_off(f"its compressed data end early ({error})") from None
        if rest:
            raise self._cut_off(f"its last line is not whole: {rest[-60:].decode(errors='replace')!r}")

    def _cut_off(self, why: str) -> SourceError:
        return SourceError(
            f"The export {self._path} is cut off: {why}. Copy or export it again and run the same command: "
            f"it goes on after {self._staged.offset:,} bytes."
        )

    def _flush(self, parts: Parts, mark: Path) -> None:
        staged = self._staged
        for part, runs in parts.take():
            text = b"".join(runs)
            with (self._folder / f"{part}.part").open("ab") as file:
                file.write(text)
            staged.sizes[str(part)] = staged.sizes.get(str(part), 0) + len(text)
        partial = mark.with_suffix(".partial")
        partial.write_text(json.dumps({name: getattr(staged, name) for name in Staged.__dataclass_fields__}))
        partial.replace(mark)

    def _sort(self, lines: list[bytes], parts: Parts) -> None:
        """Add lines to their parts. Most have the series and field of the line before: only the rest is looked at."""
        staged, prefix, length, number = self._staged, self._prefix, len(self._prefix), self._number
        pending = self._pending
        for line in lines:
            if pending:
                line, pending = pending + b"\n" + line, b""
            if not (length and line.startswith(prefix)):
                if not line or line.startswith((b"#", b"CREATE ", b"create ")):
                    self._read_context(line)
                    self._prefix, length = b"", 0
                    staged.offset += len(line) + 1
                    continue
                prefix = self._prefix = prefix_of(line)
                length = len(prefix)
                number = self._number = self._number_of(prefix)
            at = line.rfind(b" ")
            # A text that goes on behind a line break ends in a later line.
            if line[length : length + 1] == b'"' and not is_whole(line, length, at):
                pending = line
                continue
            staged.offset += len(line) + 1
            time_text = line[at + 1 :]
            value = line[length:at]
            if number < 0 or not time_text.lstrip(b"-").isdigit() or not value or BREAK in value:
                self._count_left_out(number, prefix)
                continue
            parts.add(number, value, time_text)
        self._pending = pending
        if parts.first_ns:
            staged.first_ns = min(staged.first_ns or parts.first_ns, parts.first_ns)
            staged.last_ns = max(staged.last_ns, parts.last_ns)

    def _number_of(self, prefix: bytes) -> int:
        """The number of a `series field=`, or why it has none."""
        if not self._right_context():
            return OTHER
        if not prefix:
            return ODD
        number = self._prefixes.get(prefix)
        if number is None:
            number = self._prefixes[prefix] = self._new_prefix(prefix)
        return number

    def _count_left_out(self, number: int, prefix: bytes) -> None:
        staged = self._staged
        if number == OTHER:
            staged.other_lines += 1
        elif number == UNWANTED:
            name = prefix.decode(errors="replace").rpartition(" ")[2].removesuffix("=")
            staged.left_out[name] = staged.left_out.get(name, 0) + 1
        else:
            staged.odd_lines += 1

    def _new_prefix(self, prefix: bytes) -> int:
        """The number of a new `series field=`."""
        found = read_prefix(prefix)
        if not self._layout.wants_field(found.measurement, found.field):
            return UNWANTED
        if found.field == "state" and found.measurement not in UNITS and found.measurement not in self._staged.defaults:
            self._staged.defaults.append(found.measurement)
        self._staged.prefixes.append(prefix.decode("utf-8", "surrogateescape"))
        return len(self._staged.prefixes) - 1

    def _read_context(self, line: bytes) -> None:
        found = _CONTEXT.match(line.strip())
        if found is None:
            return
        name = found[2].decode(errors="replace").strip()
        if found[1] == b"DATABASE":
            self._staged.database, self._staged.policy = name, ""
        else:
            self._staged.policy = name
            both = f"{self._staged.database}.{name}"
            if both not in self._staged.databases:
                self._staged.databases.append(both)
                self._choose(both)

    def _choose(self, found: str) -> None:
        """The first database and policy of the file is the one, unless another is asked for."""
        database, _, policy = found.partition(".")
        if (self._database or database) != database or (self._policy or policy) != policy:
            return
        self._database, self._policy = database, policy

    def _right_context(self) -> bool:
        staged = self._staged
        if not staged.database:  # `-lponly` writes no context
            return not self._database
        return (staged.database, staged.policy) == (self._database, self._policy)

    def _check_layout(self) -> None:
        staged = self._staged
        if not self._parsed:
            there = ", ".join(staged.databases) or "none"
            raise SourceError(
                f"The export {self._path} holds nothing of database {self._database or '(any)'} "
                f"that could be a state; databases and policies in it: {there}."
            )
        if self._layout.mapping.rules:
            return
        if not any({"domain", "entity_id"} <= one.tags.keys() for one in self._parsed):
            raise SourceError(
                f"The export {self._path} is not Home Assistant's: none of its {len(self._parsed)} series has the "
                "tags domain and entity_id. Describe it in a file for --mapping."
            )

    def left_out(self) -> dict[str, str]:
        staged = self._staged
        fields: dict[str, set[str]] = {}
        for one in self._parsed:
            if one.measurement in self._layout.used and one.field not in self._layout.used[one.measurement]:
                fields.setdefault(one.measurement, set()).add(one.field)
        found = {f"{measurement}: {', '.join(sorted(names))}": NOT_KEPT for measurement, names in fields.items()}
        for name, count in staged.left_out.items():
            found[f"field {name} ({count:,} values)"] = NOT_KEPT
        if staged.other_lines:
            found[f"{staged.other_lines:,} values"] = f"{OTHER_DATABASE}; in the file: {', '.join(staged.databases)}"
        if staged.odd_lines:
            found[f"{staged.odd_lines:,} lines"] = NOT_A_VALUE
        return found

    # read -----------------------------------------------------------------------------------------------

    async def span(self) -> tuple[int, int] | None:
        staged = self._staged
        return (staged.first_ns, staged.last_ns) if staged.sizes else None

    async def slices(self, start_ns: int, stop_ns: int) -> AsyncIterator[Slice]:
        parts = sorted(int(part) for part in self._staged.sizes)
        begin = start_ns
        for part in parts:
            if (part + 1) * PART <= start_ns or part * PART >= stop_ns:
                continue
            end = min((part + 1) * PART, stop_ns)
            found = self._put_together(part, begin, end)
            yield found
            begin = end
        if begin < stop_ns:
            yield Slice(begin, stop_ns, [])

    def _put_together(self, part: int, start_ns: int, stop_ns: int) -> Slice:
        """The points of a part: values of one series and time together, later ones in place of earlier ones."""
        columns: dict[bytes, dict[str, dict[int, Any]]] = {}
        with (self._folder / f"{part}.part").open("rb") as file:
            for line in file:
                number, times, text = line[:-1].split(b" ", 2)
                prefix = self._parsed[int(number)]
                value = read_value(text.replace(BREAK, b"\n"))
                column = columns.setdefault(prefix.series, {}).setdefault(prefix.field, {})
                if b"," in times:
                    column.update(dict.fromkeys(map(int, times.split(b",")), value))
                else:
                    column[int(times)] = value
        found = Slice(start_ns, stop_ns, [])
        for series, fields in columns.items():
            self._take(self._by_series[series], fields, found)
        found.readings.sort(key=lambda reading: reading.time_ns)
        return found

    def _take(self, prefix: Prefix, fields: dict[str, dict[int, Any]], found: Slice) -> None:
        """The readings of one series, from the values of each of its fields by time."""
        plan = self._plans.get(prefix.series)
        if plan is None:
            plan = self._plans[prefix.series] = self._layout.plan(prefix.measurement, prefix.tags)
        times = sorted({at for values in fields.values() for at in values if found.start_ns <= at < found.stop_ns})
        if isinstance(plan, str):
            count_skipped(found.skipped, series_text(prefix.measurement, prefix.tags), plan, iter(times))
            return
        read = plan.columns(list(fields)).reading
        getters = [values.get for values in fields.values()]
        for at in times:
            reading = read(at, [get(at) for get in getters])
            if reading is None:
                found.skipped.add(series_text(prefix.measurement, prefix.tags), NO_STATE, at)
            else:
                found.readings.append(reading)
