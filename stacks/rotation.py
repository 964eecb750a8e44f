"""Which tokens are made anew in this run: `hearthflux tokens rotate` says it in the environment.

A token's `rotation` is ignored in every other run, so that nothing has to be kept in the configuration.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

VARIABLE = "HEARTHFLUX_ROTATE_TOKENS"


def said(names: list[str], value: str) -> str:
    """The variable's text for these tokens; `value` has to differ from that of the last rotation."""
    return f"{value} {','.join(names)}"


def rotation_of(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The new rotation of a token, None where it stays as it is."""
    value, _, names = environment.get(VARIABLE, "").partition(" ")
    return value if name in names.split(",") and value else None
