"""The archive of one bucket in a target: its manifests, and its day files written and read."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from event_schema import SCHEMA_VERSION, Measurement
from operations.archive.manifest import (
    ArchiveProblem,
    Manifest,
    file_name,
    folder_of,
    manifest_of,
)
from operations.archive.tables import Columns, value_counts
from operations.archive.target import DRAFTS, Target

COMPRESSION = "zstd"
READ_BYTES = 1024 * 1024


@dataclass(slots=True)
class Archive:
    """The days of a bucket's measurement under one schema version. `bucket` and `org` are what its manifests say."""

    target: Target
    bucket: str
    measurement: Measurement
    org: str
    version: int = SCHEMA_VERSION
    _known: dict[date, Manifest] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.target}/{self.folder}"

    @property
    def folder(self) -> str:
        return folder_of(self.bucket, self.version, self.measurement.name)

    # manifests ------------------------------------------------------------------------------------------

    def manifests(self) -> dict[date, Manifest]:
        """Every archived day, in order. Raises ArchiveProblem for a damaged manifest, or one of another bucket."""
        if self._known is None:
            texts = self.target.read_all(self.target.names(self.folder, ".json"))
            found = [self._checked(manifest_of(text, name), name) for name, text in texts.items()]
            self._known = {one.day: one for one in sorted(found, key=lambda one: one.day)}
        return self._known

    def _checked(self, found: Manifest, name: str) -> Manifest:
        for what, wanted in (
            ("bucket", self.bucket),
            ("measurement", self.measurement.name),
            ("schema_version", self.version),
            ("org", self.org),
        ):
            if getattr(found, what) != wanted:
                raise ArchiveProblem(
                    f"The manifest {name} in {self.target} is of {what} {getattr(found, what)!r}, not {wanted!r}: "
                    "this is the archive of something else."
                )
        if name != found.name:
            raise ArchiveProblem(f"The manifest {name} in {self.target} is that of {found.day}: it was moved.")
        return found

    # a day in -------------------------------------------------------------------------------------------

    def write_day(self, day: date, columns: Columns, tables: Iterator[pa.Table], workspace: Path) -> Manifest:
        """Write a day's file and then its manifest, each whole under its name; an older revision goes afterwards."""
        before = self.manifests().get(day)
        revision = before.revision + 1 if before is not None else 1
        about = {
            "org": self.org,
            "bucket": self.bucket,
            "measurement": self.measurement.name,
            "schema_version": str(self.version),
            "day": day.isoformat(),
        }
        draft = workspace / f"{day.isoformat()}.draft"
        rows, values = 0, dict[str, int]()
        with pq.ParquetWriter(draft, columns.schema(about), compression=COMPRESSION) as output:
            for table in tables:
                output.write_table(table.replace_schema_metadata(output.schema.metadata))
                rows += table.num_rows
                for key, count in value_counts(table, columns).items():
                    values[key] = values.get(key, 0) + count
        size, checksum = draft.stat().st_size, sha256(draft)
        name = file_name(self.folder, day, revision)
        self.target.put(draft, name)
        manifest = Manifest(
            org=self.org,
            bucket=self.bucket,
            measurement=self.measurement.name,
            schema_version=self.version,
            day=day,
            revision=revision,
            file=name.rpartition("/")[2],
            bytes=size,
            sha256=checksum,
            rows=rows,
            values=dict(sorted(values.items())),
            columns=columns.all,
            written=datetime.now(UTC).isoformat(timespec="microseconds"),
        )
        self.target.put_bytes(manifest.as_json().encode(), manifest.name, workspace)
        self.manifests()[day] = manifest
        if before is not None:
            self.target.remove(self.file(before))
        return manifest

    def file(self, manifest: Manifest) -> str:
        return f"{manifest.name.rpartition('/')[0]}/{manifest.file}"

    def remove_leftovers(self) -> int:
        """Files that no manifest names: of runs that were killed between a file and its manifest."""
        named = {self.file(one) for one in self.manifests().values()}
        leftovers = [name for name in self.target.names(self.folder, ".parquet") if name not in named]
        for name in leftovers:
            self.target.remove(name)
        return len(leftovers)

    # a day out ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def opened(self, manifest: Manifest, workspace: Path) -> Iterator[pq.ParquetFile]:
        """The day's file, its checksum proven. Raises ArchiveProblem: gone, damaged, of another day."""
        name = self.file(manifest)
        with self.target.fetched(name, workspace) as path:
            size = path.stat().st_size
            if size != manifest.bytes:
                raise ArchiveProblem(
                    f"{name} in {self.target} is damaged: it has {size:,} bytes, its manifest says {manifest.bytes:,}."
                )
            if sha256(path) != manifest.sha256:
                raise ArchiveProblem(f"{name} in {self.target} is damaged: its checksum is not the manifest's.")
            try:
                with pq.ParquetFile(path) as file:
                    yield file
            except pa.ArrowException as error:
                raise ArchiveProblem(f"{name} in {self.target} can't be read as Parquet: {error}.") from None

    def columns(self, manifest: Manifest) -> Columns:
        return Columns.of(self.measurement, manifest.columns)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def workspace(target: Target, folder: str) -> Iterator[Path]:
    """A folder for drafts: on the target's own disk where that is local, so that a rename is enough."""
    place = Path(target.path(folder)) if target.local else None
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=DRAFTS, dir=place) as made:
        yield Path(made)


Progress = Callable[[int, int, date | None], None]
