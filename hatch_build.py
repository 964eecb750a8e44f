"""Builds what is also there in C, where a C compiler is there; else nothing is lost but speed, Python functions do the
same work. `python hatch_build.py` builds the extensions beside their sources."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
SOURCES = ("event_schema/_variants.c", "operations/imports/_lines.c", "writer/_pack.c", "writer/_quick.c")


def build(source: str, target: Path) -> Path | None:
    """The extension's file in `target`, or None where it cannot be compiled: then says why."""
    from setuptools import Distribution, Extension

    folder, name = Path(source).parent, Path(source).stem
    with tempfile.TemporaryDirectory() as work:
        distribution = Distribution({"ext_modules": [Extension(name, [str(ROOT / source)])]})
        command: Any = distribution.get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(target / folder), work
        try:
            command.ensure_finalized()
            command.run()
        except Exception as error:  # no compiler, no headers, whatever: it must never keep the package from being made
            print(f"{folder}.{name} is not compiled, the {folder} works without it: {error}", file=sys.stderr)
            return None
        return Path(command.get_ext_fullpath(name))


class CustomBuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        editable = version == "editable"
        self._work = tempfile.TemporaryDirectory()
        for source in SOURCES:
            made = build(source, ROOT if editable else Path(self._work.name))
            if made is not None and not editable:
                build_data["pure_python"] = False
                build_data["infer_tag"] = True
                build_data["force_include"][str(made)] = str(Path(source).parent / made.name)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_work"):
            self._work.cleanup()


if __name__ == "__main__":
    sys.exit(1 if None in [build(source, ROOT) for source in SOURCES] else 0)
