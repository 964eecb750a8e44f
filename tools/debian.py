"""Programs of Debian's packages for the tests, unpacked beside the other tools: nothing of the machine changes, and no
root is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu")


def library_path(folder: Path) -> str:
    """LD_LIBRARY_PATH for a program in an unpacked folder."""
    return ":".join(str(folder / name) for name in LIBRARIES)


def unpack(packages: Sequence[str], folder: Path, say: Callable[[str], None]) -> str | None:
    """Put the packages' files below `folder`, whole or not at all. None, or the sentence that says why not."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return f"the Debian packages {', '.join(packages)} are needed for the tests, and this is no Debian"
    say(f"unpacking Debian's {', '.join(packages)} for the tests")
    work = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    problem = _download(packages, work)
    if problem is not None:
        return problem
    for package in sorted(work.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(package), str(work / "root")], check=True)
    shutil.rmtree(folder, ignore_errors=True)
    (work / "root").rename(folder)
    shutil.rmtree(work)
    return None


def _download(packages: Sequence[str], work: Path) -> str | None:
    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    got = run("apt-get", "download", *packages)
    if got.returncode and os.geteuid() == 0:
        run("apt-get", "update")
        got = run("apt-get", "download", *packages)
    if got.returncode:
        said = got.stderr.strip()[-200:]
        return f"Debian's {', '.join(packages)} cannot be downloaded ({said}): run 'apt-get update' once"
    return None
