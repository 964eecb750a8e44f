"""`python -m tools.audit`: known vulnerabilities of what requirements.lock pins, by pip-audit.

pip-audit asks PyPI's advisory service about the names and versions in the lock; nothing is installed. What it could not
ask about it skips, and ends well: so its answer is counted. Exit code 0 only if every package was looked at and none
has a known vulnerability.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools.find import ROOT

PIP_AUDIT = "pip-audit==2.10.1"
UNREACHABLE = "The advisory service is out of reach from here: nothing was audited."


def command(lock: Path) -> list[str]:
    uv = Path(sys.executable).with_name("uv")
    arguments = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    return [str(uv), "tool", "run", "--quiet", PIP_AUDIT, *arguments, "--requirement", str(lock)]


def verdict(answer: str) -> tuple[bool, str]:
    """(whether all is well, what to say) of pip-audit's JSON. Pure."""
    try:
        packages: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return False, UNREACHABLE
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    if len(skipped) == len(packages):
        return False, UNREACHABLE
    found = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in packages
        for flaw in one.get("vulns", [])
    ]
    if skipped:
        found.append(f"not looked at: {', '.join(skipped)}")
    return not found, "\n".join(found) or f"No known vulnerability in {len(packages)} packages of requirements.lock."


def main() -> int:
    try:
        done = subprocess.run(command(ROOT / "requirements.lock"), capture_output=True, text=True)
    except OSError as error:
        print(f"uv can't be run ({error.strerror}): 'make env' installs it.", file=sys.stderr)
        return 1
    well, told = verdict(done.stdout)
    print(told, file=sys.stdout if well else sys.stderr)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
