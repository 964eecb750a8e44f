"""What stands before pip on the path of Pulumi's Python host says what pip says, and leaves the rest to it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

from operations.pulumi_runner import QUICK_PIP


def pip(*arguments: str, **variables: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-m", "pip", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **variables},
        # `-m` looks into the working directory first.
        cwd=QUICK_PIP.parent,
    )
    return answer.stdout


def packages(text: str) -> set[tuple[str, ...]]:
    """Names as PEP 503 has them: both ways of writing one are right."""
    return {(re.sub(r"[-_.]+", "-", one["name"]).lower(), one["version"], one["location"]) for one in json.loads(text)}


def test_it_says_what_pip_says() -> None:
    question = ("list", "-v", "--format", "json")
    found = pip(*question, PYTHONPATH=str(QUICK_PIP))
    assert packages(found) == packages(pip(*question))
    assert "pulumi" in {one["name"] for one in json.loads(found)}


def test_any_other_question_goes_to_the_real_pip() -> None:
    assert pip("--version", PYTHONPATH=str(QUICK_PIP)) == pip("--version")
