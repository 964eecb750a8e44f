"""A project folder for one run of pulumi: the program and the provider of this checkout, one stack's configuration.

Pulumi writes into the configuration that it is given (an encryption salt, its own spelling of values). That file is
committed, and a salt belongs to one passphrase; so pulumi gets a copy of it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from operations.errors import UserError
from tools import find

_SALT = re.compile(r"^encryptionsalt:.*\n?", re.MULTILINE)
_SECURE = re.compile(r"^\s+(?:-\s+)?secure:", re.MULTILINE)
STACKS = find.ROOT / "stacks"


def committed(stack: str) -> Path:
    """The configuration of an environment. Raises UserError where there is none of that name."""
    path = STACKS / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        raise UserError(
            f"There is no stack {stack!r}: its configuration {path.relative_to(find.ROOT)} is not there. "
            f"There are {', '.join(declared())}."
        )
    return path


def declared() -> list[str]:
    """The environments: those that have a configuration."""
    return sorted(path.name.split(".")[1] for path in STACKS.glob("Pulumi.*.yaml"))


def has_secrets(configuration: str) -> bool:
    """Whether it holds encrypted values, which can be read with the passphrase of its own salt only."""
    return _SECURE.search(configuration) is not None


def without_foreign_salt(configuration: str) -> str:
    """Without the salt that a `pulumi` typed by hand may have left: where nothing is encrypted, nothing needs it."""
    return configuration if has_secrets(configuration) else _SALT.sub("", configuration)


def settings(configuration: str) -> dict[str, Any]:
    """The table `config` of a configuration."""
    parsed = yaml.safe_load(configuration) or {}
    found = parsed.get("config") if isinstance(parsed, dict) else None
    return found if isinstance(found, dict) else {}


def without_server(configuration: str) -> str:
    """Without the server's address and token: for a look at what an empty server would get."""
    parsed = yaml.safe_load(configuration) or {}
    parsed["config"] = {
        name: value for name, value in settings(configuration).items() if name not in ("influxdb:url", "influxdb:token")
    }
    return str(yaml.safe_dump(parsed, sort_keys=False))


def write(folder: Path, stack: str, configuration: str) -> None:
    """Make `folder` a project in which pulumi runs `stack`."""
    project: dict[str, Any] = yaml.safe_load((find.ROOT / "Pulumi.yaml").read_text())
    project["main"] = str(STACKS)
    project["plugins"]["providers"] = [{"name": "influxdb", "path": str(find.ROOT / "provider")}]
    project["runtime"] = {"name": "python"}
    if sys.prefix != sys.base_prefix:
        project["runtime"]["options"] = {"virtualenv": sys.prefix}
    del project["stackConfigDir"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project, sort_keys=False))
    (folder / f"Pulumi.{stack}.yaml").write_text(without_foreign_salt(configuration))
