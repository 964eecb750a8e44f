"""A file of `influx_inspect export` as a source.

The file holds one line for every value: `series field=value time`. All values of one field of one series follow each
other, shard by shard, and what the write-ahead log held comes last; a later line replaces an earlier one of the same
series, field and time. So there are two passes:

    stage    each line goes to the part file of its span of six hours; only fields that are wanted
    slices   each part file is put together: points from their fields, readings from the points
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from operator import lt
from pathlib import Path
from typing import Any, Self

from operations.imports.folder_lock import ImportLock
from operations.imports.influxdb1_lines import BREAK
from operations.imports.influxdb1_parts import PART, FieldRun, read_part, times_of
from operations.imports.influxdb1_server import series_text
from operations.imports.influxdb1_staging import Staged, Staging
from operations.imports.layout import NO_STATE, NOT_KEPT, Layout, SeriesPlan
from operations.imports.line_protocol import Prefix, read_prefix, read_value
from operations.imports.reading import Slice, SourceError, Window

READ_ALREADY = "This export is read by another process already: wait for it, or stop it first."
NOT_A_VALUE = "a line that is no line protocol"
OTHER_DATABASE = "another database or retention policy than the one asked for"
FINGERPRINTED = 4096
"""Bytes of the file's beginning that tell it from another file of the same name."""
REMEMBERED_VALUES = 50_000


class Values(dict[bytes, Any]):
    """Values by their bytes, remembered: a home says the same again and again."""

    def __missing__(self, text: bytes) -> Any:
        if len(self) >= REMEMBERED_VALUES:
            self.clear()
        value = self[text] = read_value(text.replace(BREAK, b"\n"))
        return value


class InfluxDB1Export:
    """The source of `hearthflux import influxdb1 --file`. Use as an async context manager.

    `folder` holds the part files, which serve a dry run and the import after it. `progress(done, total)` counts bytes
    of the file while it is staged; `say` is told in a sentence why it is staged again.
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
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._path = path
        self._layout = layout
        self._folder = folder
        self._database = database
        self._policy = retention_policy
        self._progress = progress or (lambda _done, _total: None)
        self._say = say or (lambda _sentence: None)
        self._lock = ImportLock(folder, READ_ALREADY)
        self._staged = Staged()
        self._prefixes: list[Prefix] = []
        self._by_series: dict[bytes, Prefix] = {}
        self._plans: dict[bytes, SeriesPlan | str] = {}
        self._values = Values()

    @property
    def name(self) -> str:
        return f"the export {self._path}"

    @property
    def identity(self) -> str:
        try:
            with self._path.open("rb") as file:
                # The beginning, without its tail: a file that was cut off and copied again is the same one.
                beginning = file.read(FINGERPRINTED)
        except OSError as error:
            raise SourceError(f"The export {self._path} cannot be read: {error.strerror}.") from None
        return f"influxdb1-export {hashlib.sha256(beginning).hexdigest()} {self._database} {self._policy}"

    async def __aenter__(self) -> Self:
        staging = Staging(
            self._path,
            self._layout,
            self._folder,
            database=self._database,
            policy=self._policy,
            progress=self._progress,
            say=self._say,
        )
        self._lock.take()
        try:
            self._staged = staging.run()
            self._learn(staging)
        except BaseException:
            self._lock.release()
            raise
        return self

    def _learn(self, staging: Staging) -> None:
        self._database, self._policy = staging.database, staging.policy
        self._layout.defaults.update(self._staged.defaults)
        self._prefixes = [read_prefix(text.encode("utf-8", "surrogateescape")) for text in self._staged.prefixes]
        self._by_series = {one.series: one for one in self._prefixes}
        self._check_layout()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()

    def _check_layout(self) -> None:
        if not self._prefixes:
            there = ", ".join(self._staged.databases) or "none"
            raise SourceError(
                f"The export {self._path} holds nothing of database {self._database or '(any)'} "
                f"that could be a state; databases and policies in it: {there}."
            )
        if self._layout.mapping.rules:
            return
        if not any({"domain", "entity_id"} <= one.tags.keys() for one in self._prefixes):
            raise SourceError(
                f"The export {self._path} is not Home Assistant's: none of its {len(self._prefixes)} series has the "
                "tags domain and entity_id. Describe it in a file for --mapping."
            )

    def left_out(self) -> dict[str, str]:
        staged = self._staged
        fields: dict[str, set[str]] = {}
        for one in self._prefixes:
            if one.measurement in self._layout.used and one.field not in self._layout.used[one.measurement]:
                fields.setdefault(one.measurement, set()).add(one.field)
        found = self._layout.left_out()
        found |= {f"{measurement}: {', '.join(sorted(names))}": NOT_KEPT for measurement, names in fields.items()}
        for name, count in staged.left_out.items():
            found[f"field {name} ({count:,} values)"] = NOT_KEPT
        if staged.other_lines:
            found[f"{staged.other_lines:,} values"] = f"{OTHER_DATABASE}; in the file: {', '.join(staged.databases)}"
        if staged.odd_lines:
            found[f"{staged.odd_lines:,} lines"] = NOT_A_VALUE
        return found

    async def span(self) -> tuple[int, int] | None:
        first, last = self._staged.first_ns, self._staged.last_ns
        return None if first is None or last is None else (first, last)

    # put together ---------------------------------------------------------------------------------------

    async def slices(self, start_ns: int, stop_ns: int) -> AsyncGenerator[Slice, None]:
        begin = start_ns
        for part in sorted(map(int, self._staged.sizes)):
            if (part + 1) * PART <= start_ns or part * PART >= stop_ns:
                continue
            end = min((part + 1) * PART, stop_ns)
            found = await asyncio.to_thread(self._part, part)
            for one in found.slices(begin, end):
                yield one
            begin = end
        if begin < stop_ns:
            yield Slice(begin, stop_ns)

    def _part(self, part: int) -> Window:
        by_series: dict[bytes, dict[str, list[FieldRun]]] = {}
        for run in read_part(self._folder / f"{part}.part"):
            prefix = self._prefixes[run.number]
            by_series.setdefault(prefix.series, {}).setdefault(prefix.field, []).append(run)
        found = Window()
        for series, fields in by_series.items():
            self._take(self._by_series[series], fields, found)
        return found

    def _take(self, prefix: Prefix, fields: dict[str, list[FieldRun]], found: Window) -> None:
        """The readings of one series in a part."""
        plan = self._plans.get(prefix.series)
        if plan is None:
            plan = self._plans[prefix.series] = self._layout.plan(prefix.measurement, prefix.tags)
        times, columns = self._points(fields)
        what = series_text(prefix.measurement, prefix.tags)
        if isinstance(plan, str):
            found.skip(what, plan, times)
            return
        run, stateless = plan.run(times, columns)
        found.add(run)
        found.skip(what, NO_STATE, stateless)

    def _points(self, fields: dict[str, list[FieldRun]]) -> tuple[list[int], dict[str, Sequence[Any]]]:
        """The times of all points of a series, and each field's values at these times: a later value in place of an
        earlier one, None where a point has none."""
        packed = {name: b"".join([run.times for run in runs]) for name, runs in fields.items()}
        columns = {name: [value for run in runs for value in self._column(run)] for name, runs in fields.items()}
        first = next(iter(packed.values()))
        if all(one == first for one in packed.values()):
            times = times_of(first)
            if all(map(lt, times, times[1:])):
                return times, columns  # type: ignore[return-value]
        by_time = {name: dict(zip(times_of(packed[name]), columns[name], strict=True)) for name in fields}
        times = sorted({at for values in by_time.values() for at in values})
        return times, {name: [values.get(at) for at in times] for name, values in by_time.items()}

    def _column(self, run: FieldRun) -> list[Any]:
        if len(run.values) < run.count:
            return [self._values[run.values[0]]] * run.count
        return list(map(self._values.__getitem__, run.values))
