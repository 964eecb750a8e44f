"""A real Home Assistant for the tests of `hearthflux follow`, in an environment of its own: `.tools/home-assistant`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tools.find import TOOLS

FOLDER = TOOLS / "home-assistant"
# Its Python runs it, not the script `hass`, which names the place where it was installed.
COMMAND = (str(FOLDER / "bin" / "python"), "-m", "homeassistant")
LOCK = Path(__file__).parent / "requirements.lock"
MARK = FOLDER / "installed.lock"
OLDEST, LIMIT = (3, 11), (3, 13)


def _python() -> str | None:
    """A Python that this Home Assistant runs on: the present one, or one on PATH."""
    if OLDEST <= sys.version_info[:2] < LIMIT:
        return sys.executable
    return shutil.which("python3.12") or shutil.which("python3.11")


def ensure(say: Callable[[str], None]) -> str | None:
    """None when Home Assistant is there as the lock says, else the sentence that says what is missing."""
    if MARK.is_file() and MARK.read_text() == LOCK.read_text():
        return None
    python = _python()
    if python is None:
        return "Home Assistant, for the tests, needs Python 3.11 or 3.12: put python3.12 on PATH."
    say("installing Home Assistant for the tests (about 2 minutes and 700 MB, once)")
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run([python, "-m", "venv", FOLDER], check=True, stdin=subprocess.DEVNULL)
    command = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--require-hashes", "-r", str(LOCK)], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        return f"Home Assistant could not be installed: {done.stderr.strip()[-600:]}"
    MARK.write_text(LOCK.read_text())
    return None
