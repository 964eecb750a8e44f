"""`python -m tools.workflows`: actionlint over .github/workflows, found on PATH or built."""

from __future__ import annotations

import shutil
import subprocess
import sys

from tools import build, find

WORKFLOWS = find.ROOT / ".github" / "workflows"


def main() -> int:
    built = find.BIN / "actionlint"
    program = shutil.which("actionlint") or (str(built) if built.is_file() else None)
    if program is None:
        if shutil.which("go") is None:
            print("the workflows are not checked: neither actionlint nor Go to build it is here")
            return 0
        try:
            program = str(
                build.go_build(
                    "actionlint",
                    "github.com/rhysd/actionlint/cmd/actionlint",
                    "actionlint",
                    usual="a few seconds",
                    say=print,
                )
            )
        except build.BuildFailed as failure:
            print(failure, file=sys.stderr)
            return 1
    return subprocess.run([program, *map(str, sorted(WORKFLOWS.glob("*.yml")))], cwd=find.ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
