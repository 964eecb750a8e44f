"""The SDK for TypeScript, generated from the schema, is what the schema says and passes the compiler."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import provider
from operations import paths

HERE = Path(__file__).parent / "typescript"
SDK = Path(provider.__file__).parent / "sdk" / "nodejs"
SCHEMA = Path(provider.__file__).parent / "schema.json"


def test_the_committed_sdk_is_of_this_schema() -> None:
    """To write it anew: make sdk"""
    assert (SDK / "SCHEMA_SHA256").read_text().strip() == hashlib.sha256(SCHEMA.read_bytes()).hexdigest()


def installed() -> Path:
    """A folder with the compiler and Pulumi's own package, from the lock file; made once per lock file."""
    npm = shutil.which("npm")
    assert npm is not None, "Node.js with npm is needed for this test: see the README's prerequisites"
    folder = paths.local("typescript")
    folder.mkdir(exist_ok=True)
    lock = (HERE / "package-lock.json").read_text()
    done = folder / "installed"
    if not done.is_file() or done.read_text() != lock:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        done.write_text(lock)
    return folder


def test_a_typescript_program_passes_the_compiler(tmp_path: Path) -> None:
    packages = installed()
    shutil.copytree(SDK, tmp_path / "sdk")
    for name in ("program.ts", "tsconfig.json"):
        shutil.copy(HERE / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    compiler = packages / "node_modules" / ".bin" / "tsc"
    answer = subprocess.run([compiler, "-p", tmp_path], cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout


def test_the_lock_file_names_no_address() -> None:
    assert "://" not in (HERE / "package-lock.json").read_text()
