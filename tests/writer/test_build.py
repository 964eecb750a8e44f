"""The package is built with its extension where a compiler is there, and without it where none is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("compiler", ["the machine's", "none"])
def test_a_wheel_is_built_with_and_without_a_compiler(tmp_path: Path, compiler: str) -> None:
    environment = dict(os.environ) if compiler != "none" else {**os.environ, "CC": "false"}
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    extensions = [name for name in names if name.endswith((".so", ".pyd"))]
    compiled = all(any(name.startswith(f"writer/{one}") for name in extensions) for one in ("_pack", "_quick"))
    assert wheel.name.endswith("-py3-none-any.whl") is not compiled
    assert "writer/batch_writer.py" in names
    if compiler == "none":
        assert not extensions
        assert "the writer works without it" in built.stderr
    else:
        assert compiled or "the writer works without it" in built.stderr
