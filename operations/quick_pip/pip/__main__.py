"""`python -m pip list -v --format json`, which Pulumi's Python host runs before each preview and update.

It looks for packages that bring a plugin, and pip takes half a second of it. The names of the installed packages'
folders say the same at once. Every other command goes to the real pip.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterable
from pathlib import Path

OURS = Path(__file__).resolve().parent.parent
QUESTION = ["list", "-v", "--format", "json"]


def packages(folders: Iterable[str]) -> list[dict[str, str]]:
    """Name, version and folder of each package: the first on the path counts, as for an import."""
    found: dict[str, dict[str, str]] = {}
    for folder in folders:
        for info in sorted(Path(folder).glob("*.dist-info")):
            # Folders' names have `_` where packages' names have `-`.
            name, _, version = info.stem.partition("-")
            name = name.replace("_", "-").lower()
            found.setdefault(name, {"name": name, "version": version, "location": folder})
    return list(found.values())


def main() -> None:
    if sys.argv[1:] == QUESTION:
        print(json.dumps(packages(path for path in sys.path if path)))
        return
    sys.path[:] = [path for path in sys.path if Path(path).resolve() != OURS]
    del sys.modules["pip"]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
