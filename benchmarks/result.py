"""How every benchmark ends: one line of JSON, printed last and kept at `.local/bench/<name>.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(".local") / "bench"


def publish(result: Mapping[str, Any]) -> None:
    """Keep and print `{"bench": name, "ratios": {...}, "figures": {...}}`."""
    text = json.dumps(result)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{result['bench']}.json").write_text(text + "\n")
    print(text)
