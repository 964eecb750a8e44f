"""Where an archive is kept: a folder, or anything that fsspec reaches. A file comes under its name whole or not at all.

A local file is written beside its place, synced and renamed. An object store shows an object only when its upload is
complete, so there the upload itself is the atomic step. Every other file system gets a partial name and a move.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from operations.archive.manifest import ArchiveProblem

# Their uploads are atomic: an object is there when it is whole.
OBJECT_STORES = frozenset(
    {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "obs", "tos", "memory"}
)
PARTIAL = ".partial"
LOCK = ".lock"
DRAFTS = ".draft-"


class Target:
    """A place for files. `address` is a path or a URL such as s3://bucket/folder; no address is ever shown with the
    password that it may hold."""

    def __init__(self, address: str | os.PathLike[str]) -> None:
        self.address = str(address)
        try:
            self.fs, self.root = fsspec.core.url_to_fs(self.address)
        except ImportError as error:
            raise ArchiveProblem(f"The target {self} needs another package: {error}") from None
        except ValueError as error:
            raise ArchiveProblem(f"The target {self} is not a folder or a URL that fsspec knows: {error}") from None
        except Exception as error:
            raise ArchiveProblem(f"The target {self} can't be opened: {error}") from None
        self.root = str(self.root).rstrip("/")
        self.local = isinstance(self.fs, LocalFileSystem)
        protocol = self.fs.protocol
        self.protocols = frozenset([protocol] if isinstance(protocol, str) else protocol)

    def __str__(self) -> str:
        scheme, found, rest = self.address.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}" if found else self.address

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except ArchiveProblem:
            raise
        except FileNotFoundError:
            raise ArchiveProblem(f"{what} in {self}: it is not there.") from None
        except PermissionError as error:
            raise ArchiveProblem(f"{what} in {self}: no permission ({error.filename or error}).") from None
        except Exception as error:
            # Every driver of fsspec has errors of its own.
            why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise ArchiveProblem(f"{what} in {self}: {why or type(error).__name__}.") from None

    # read -----------------------------------------------------------------------------------------------

    def exists(self, name: str = "") -> bool:
        with self._explained(f"Can't look for {name or 'the archive'}"):
            return bool(self.fs.exists(self.path(name) if name else self.root))

    def names(self, folder: str, ending: str) -> list[str]:
        """The files below a folder by their names from the root, sorted; none where there is no such folder."""
        with self._explained(f"Can't list {folder}"):
            self.fs.invalidate_cache()
            try:
                found = self.fs.find(self.path(folder))
            except FileNotFoundError:
                return []
            start = len(str(self.fs._strip_protocol(self.root)).rstrip("/")) + 1
            return sorted(str(path)[start:] for path in found if str(path).endswith(ending))

    def read(self, name: str) -> bytes:
        with self._explained(f"Can't read {name}"):
            return bytes(self.fs.cat_file(self.path(name)))

    def read_all(self, names: list[str]) -> dict[str, bytes]:
        """Several small files; an object store fetches them at the same time."""
        if not names:
            return {}
        with self._explained(f"Can't read {names[0]} and {len(names) - 1} more"):
            found: dict[str, bytes] = self.fs.cat([self.path(name) for name in names])
            if not isinstance(found, dict):
                return {names[0]: bytes(found)}
            return dict(zip(sorted(names), (bytes(found[path]) for path in sorted(found)), strict=True))

    @contextlib.contextmanager
    def fetched(self, name: str, workspace: Path) -> Iterator[Path]:
        """The file on this machine's disk: itself where it is local, else a copy that is removed afterwards."""
        if self.local:
            if not Path(self.path(name)).exists():
                raise ArchiveProblem(f"Can't read {name} in {self}: it is not there.")
            yield Path(self.path(name))
            return
        copy = workspace / name.rpartition("/")[2]
        try:
            with self._explained(f"Can't read {name}"):
                self.fs.get_file(self.path(name), str(copy))
            yield copy
        finally:
            copy.unlink(missing_ok=True)

    # write ----------------------------------------------------------------------------------------------

    def put(self, source: Path, name: str) -> None:
        """Bring a local file under its name, whole or not at all; `source` is used up."""
        with self._explained(f"Can't write {name}"):
            if self.local:
                self._put_locally(source, Path(self.path(name)))
            elif self.protocols & OBJECT_STORES:
                self.fs.put_file(str(source), self.path(name))
                source.unlink()
            else:
                folder, _, last = self.path(name).rpartition("/")
                self.fs.makedirs(folder, exist_ok=True)
                partial = f"{folder}/.{last}{PARTIAL}"
                self.fs.put_file(str(source), partial)
                if self.fs.exists(self.path(name)):
                    self.fs.rm_file(self.path(name))
                self.fs.mv(partial, self.path(name))
                source.unlink()

    @staticmethod
    def _put_locally(source: Path, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{place.name}{PARTIAL}")
        if source.stat().st_dev == place.parent.stat().st_dev:
            source.rename(partial)
        else:
            shutil.copyfile(source, partial)
            source.unlink()
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.rename(place)
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def put_bytes(self, content: bytes, name: str, workspace: Path) -> None:
        source = workspace / name.rpartition("/")[2]
        source.write_bytes(content)
        self.put(source, name)

    def remove(self, name: str) -> None:
        with self._explained(f"Can't remove {name}"), contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(self.path(name))

    # one at a time --------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folder of a local archive. Its parent has to be there: a disk that is not mounted is not there."""
        if not self.local or Path(self.root).is_dir():
            return
        parent = Path(self.root).parent
        if not parent.is_dir():
            raise ArchiveProblem(f"There is no folder {parent} for the archive: make it, or mount its disk.")
        with self._explained("Can't make the archive's folder"):
            Path(self.root).mkdir(mode=0o700)

    @contextlib.contextmanager
    def locked(self, folder: str) -> Iterator[None]:
        """One run at a time in a local folder; an object store has no lock, and needs none: two runs write the same."""
        if not self.local:
            yield
            return
        self.prepare()
        with self._explained(f"Can't lock {folder}"):
            path = Path(self.path(folder))
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (path / LOCK).open("a+")
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ArchiveProblem(
                    f"Another process is writing to the archive {self}/{folder}: wait for it."
                ) from None
            for leftover in path.rglob(f".*{PARTIAL}"):
                leftover.unlink(missing_ok=True)
            for folder_of_drafts in path.glob(f"{DRAFTS}*"):
                shutil.rmtree(folder_of_drafts, ignore_errors=True)
            yield
        finally:
            lock.close()
