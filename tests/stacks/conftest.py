"""The program of stacks/, run by the real pulumi with a configuration and a state of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.provider.conftest import Program, program

__all__ = ["program"]

Configured = Callable[..., Program]


@pytest.fixture
def configured(program: Program) -> Configured:
    """The program with these `hearthflux:` settings, by the names after the colon."""

    def configure(**settings: Any) -> Program:
        program.write("import stacks.__main__\n")
        file = program.folder / "Pulumi.test.yaml"
        kept = [line for line in file.read_text().splitlines() if line.startswith("encryptionsalt")]
        # JSON is YAML too.
        lines = [f"  hearthflux:{name}: {json.dumps(value)}" for name, value in settings.items()]
        file.write_text("\n".join([*kept, "config:", *lines, ""]))
        return program

    return configure
