"""Telegraf for `make bench-survival`, with the few plugins that it needs: built into `.tools/bin`.

Nothing else of the project uses it, so `make tools` does not build it.
"""

from __future__ import annotations

import shutil

from tools.build import go_build
from tools.find import BIN

PROGRAM = BIN / "telegraf"
VERSION = "1.37.2"
PLUGINS = ("inputs.influxdb_v2_listener", "outputs.influxdb_v2", "parsers.influx", "serializers.influx")


def ensure() -> str | None:
    """None when `PROGRAM` is there, else the sentence that says how to get it. Raises BuildFailed."""
    if PROGRAM.is_file():
        return None
    if shutil.which("go") is None:
        return f"Go is needed to build Telegraf; or put Telegraf {VERSION} at {PROGRAM}"
    go_build(
        "telegraf",
        "github.com/influxdata/telegraf/cmd/telegraf",
        "telegraf",
        usual="about 3 minutes on 2 cores from empty caches",
        say=lambda text: print(text, flush=True),
        flags=(
            *("-tags", ",".join(("custom", *PLUGINS))),
            *("-ldflags", f"-s -w -X github.com/influxdata/telegraf/internal.Version={VERSION}"),
        ),
    )
    return None
