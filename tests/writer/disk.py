"""A disk that forgets: what the spool does to its files goes to real ones, and beside them it is kept what of that a
disk would still hold if the power failed now; and any call can be made to fail."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from writer import segments

SECTOR = 512
# Only these are the queue's; SQLite looks after its own.
CALLS = ("open", "close", "pwritev", "pwrite", "posix_fallocate", "truncate", "fsync", "rename", "unlink", "mkdir")


class PowerCut(BaseException):
    """No handler of errors runs."""


@dataclass
class Inode:
    """What is surely there, and what was written since: where, and what."""

    synced: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, bytes]] = field(default_factory=list)
    size: int = 0

    def write(self, offset: int, data: bytes) -> None:
        self.since.append((offset, data))
        self.size = max(self.size, offset + len(data))

    def sync(self) -> None:
        self.synced = self.at(lambda _: True, self.size)
        self.since = []

    def at(self, arrived: Callable[[int], bool], size: int) -> bytearray:
        """With the sectors of each write of which that says so."""
        content = bytearray(self.synced)
        content.extend(bytes(max(0, self.size - len(content))))
        for offset, data in self.since:
            place = offset
            while place < offset + len(data):
                end = min(offset + len(data), (place // SECTOR + 1) * SECTOR)
                if arrived(place):
                    content[place:end] = data[place - offset : end - offset]
                place = end
        return content[:size]


class Disk:
    """Below `folder`. `fault` is asked before each call by its name: an exception it raises is the call's."""

    def __init__(self, folder: Path, fault: Callable[[str], int | None] = lambda _: None) -> None:
        self.folder, self.fault = folder, fault
        self.is_off = False
        self._real: dict[str, Any] = {name: getattr(os, name) for name in CALLS}
        self._inodes: dict[int, Inode] = {}
        self._opened: dict[int, str] = {}
        # Names as they are, and as they surely are after a power cut.
        self.names: dict[str, Inode | None] = {}
        self.synced_names: dict[str, Inode | None] = {}
        for path in sorted(folder.rglob("*")):
            if ".queue" in str(path):
                content = None if path.is_dir() else bytearray(path.read_bytes())
                self.names[str(path)] = None if content is None else Inode(content, [], len(content))
        self.synced_names = dict(self.names)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for name in CALLS:
                stack.enter_context(mock.patch(f"os.{name}", getattr(self, f"_{name}")))
            stack.enter_context(mock.patch.object(segments, "_sync", self._fsync))
            yield

    def close(self) -> None:
        for file in list(self._opened):
            self._real["close"](file)
        self._opened.clear()

    def _is_ours(self, path: Any) -> bool:
        return str(path).startswith(str(self.folder)) and ".queue" in str(path)

    def _before(self, call: str) -> int | None:
        """Asks for a fault; how many bytes of it a write may do, None for all."""
        if self.is_off:
            raise PowerCut
        try:
            return self.fault(call)
        except PowerCut:
            self.is_off = True
            raise

    # calls --------------------------------------------------------------------------------------------

    def _open(self, path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        ours = isinstance(path, str | Path) and str(path).startswith(str(self.folder))
        if not ours or (not self._is_ours(path) and not Path(path).is_dir()):
            return int(self._real["open"](path, flags, mode, **more))
        self._before("create" if flags & os.O_CREAT else "open")
        file = int(self._real["open"](path, flags, mode))
        if flags & os.O_CREAT and str(path) not in self.names:
            self.names[str(path)] = Inode()
        self._opened[file] = str(path)
        inode = self.names.get(str(path))
        if inode is not None:
            self._inodes[file] = inode
        return file

    def _close(self, file: int) -> None:
        self._opened.pop(file, None)
        self._inodes.pop(file, None)
        self._real["close"](file)

    def _pwritev(self, file: int, pieces: list[bytes], offset: int) -> int:
        return self._put("pwritev", file, b"".join(pieces), offset)

    def _pwrite(self, file: int, data: bytes, offset: int) -> int:
        return self._put("pwrite", file, data, offset)

    def _put(self, call: str, file: int, data: bytes, offset: int) -> int:
        most = self._before(call)
        data = data if most is None else data[: max(1, most)]
        self._inodes[file].write(offset, data)
        return int(self._real["pwrite"](file, data, offset))

    def _posix_fallocate(self, file: int, offset: int, size: int) -> None:
        self._before("posix_fallocate")
        self._real["posix_fallocate"](file, offset, size)
        self._inodes[file].size = max(self._inodes[file].size, size)

    def _truncate(self, file: int, size: int) -> None:
        self._before("truncate")
        self._real["truncate"](file, size)
        self._inodes[file].size = size

    def _fsync(self, file: int) -> None:
        if file not in self._opened:
            self._real["fsync"](file)
            return
        path = self._opened[file]
        self._before("sync_folder" if Path(path).is_dir() else "sync")
        if file in self._inodes:
            self._inodes[file].sync()
            return
        for name in {*self.names, *self.synced_names}:
            if str(Path(name).parent) == path:
                self._sync_name(name)

    def _sync_name(self, name: str) -> None:
        if name in self.names:
            self.synced_names[name] = self.names[name]
        else:
            self.synced_names.pop(name, None)

    def _rename(self, source: Any, target: Any, **more: Any) -> None:
        if self._is_ours(source):
            self._before("rename")
        self._real["rename"](source, target, **more)
        if self._is_ours(source):
            self.names[str(target)] = self.names.pop(str(source))

    def _unlink(self, path: Any, **more: Any) -> None:
        if self._is_ours(path):
            self._before("unlink")
        self._real["unlink"](path, **more)
        if self._is_ours(path):
            self.names.pop(str(path), None)

    def _mkdir(self, path: Any, mode: int = 0o777, **more: Any) -> None:
        if self._is_ours(path):
            self._before("mkdir")
        self._real["mkdir"](path, mode, **more)
        if self._is_ours(path):
            self.names[str(path)] = None

    # the power fails ------------------------------------------------------------------------------------

    def after_a_power_cut(self, dice: random.Random, folder: Path) -> Path:
        """A folder with what a disk may hold: all that was synced, and any part of the rest."""
        folder.mkdir()
        for path in self.folder.iterdir():
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
        luck = dice.choice([0.0, 0.5, 0.5, 0.9, 1.0])
        for name, inode in self._names_left(dice).items():
            path = folder / Path(name).relative_to(self.folder)
            if inode is None:
                path.mkdir(exist_ok=True)
            elif path.parent.is_dir():
                size = dice.choice([len(inode.synced), inode.size])
                path.write_bytes(inode.at(lambda _: dice.random() < luck, size))
        return folder

    def _names_left(self, dice: random.Random) -> dict[str, Inode | None]:
        left: dict[str, Inode | None] = {}
        for name in sorted({*self.names, *self.synced_names}):
            candidates = [names[name] for names in (self.names, self.synced_names) if name in names]
            is_sure = len(candidates) == 2 and candidates[0] is candidates[1]
            if is_sure or dice.random() < 0.5:
                left[name] = dice.choice(candidates)
        # A rename has happened or not.
        for name, inode in self.synced_names.items():
            moved = inode is not None and any(inode is other for other in self.names.values())
            if moved and not any(inode is other for other in left.values()):
                left[name] = inode
        copies = [
            name
            for name, inode in left.items()
            if inode and name in self.synced_names and inode is not self.names.get(name)
        ]
        for name in copies:
            if any(left[name] is other for key, other in left.items() if key != name):
                del left[name]
        return left
