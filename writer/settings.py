"""What the writer needs to know; from arguments, the environment or any mapping with the environment's names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

Durability = Literal["fsync", "memory"]
WhenFull = Literal["block", "drop_oldest", "drop_newest"]
Action = Literal["reject", "repair", "warn", "off"]
Token = str | Callable[[], str]

DEFAULT_SPOOL = Path(".local") / "spool.sqlite"
DEFAULT_QUALITY: dict[str, Action] = {
    "schema": "reject",
    "range": "reject",
    "unit": "warn",
    "future": "warn",
    "retention": "warn",
    "duplicate": "off",
}


def read_switch(text: str) -> bool:
    """true/false, yes/no, on/off, 1/0 in any case."""
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if text.strip().lower() not in words:
        raise ValueError(text)
    return words[text.strip().lower()]


# environment name -> setting, and how its text is read
ENVIRONMENT: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    ("INFLUXDB_URL", "url", str),
    ("INFLUXDB_TOKEN", "token", str),
    ("INFLUXDB_TOKEN_FILE", "token_file", Path),
    ("INFLUXDB_ORG", "org", str),
    ("INFLUXDB_BUCKET", "bucket", str),
    ("INFLUXDB_CA_FILE", "ca_file", Path),
    ("INFLUXDB_BATCH_SIZE", "batch_size", int),
    ("INFLUXDB_BATCH_TIMEOUT", "batch_timeout", float),
    ("INFLUXDB_WRITE_TIMEOUT", "write_timeout", float),
    ("INFLUXDB_READ_TIMEOUT", "read_timeout", float),
    ("INFLUXDB_SPOOL_PATH", "spool_path", Path),
    ("INFLUXDB_SPOOL_LIMIT_BYTES", "spool_limit_bytes", int),
    ("INFLUXDB_WHEN_FULL", "when_full", str),
    ("INFLUXDB_DURABILITY", "durability", str),
    ("INFLUXDB_GZIP", "gzip", read_switch),
    ("INFLUXDB_LOG_INTERVAL", "log_interval", float),
    ("RAW_DATA_RETENTION_DAYS", "retention_days", float),
)

NUMBERS: tuple[tuple[str, Any], ...] = (
    ("batch_size", int),
    ("batch_timeout", (int, float)),
    ("write_timeout", (int, float)),
    ("read_timeout", (int, float)),
    ("spool_limit_bytes", int),
    ("connections", int),
    ("retry_first", (int, float)),
    ("retry_longest", (int, float)),
    ("log_interval", (int, float)),
)


class SettingsError(ValueError):
    """A setting that is missing or wrong; the message names it and what would be right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WriterSettings:
    """Where events go and how. Times in seconds, sizes in bytes. Raises SettingsError when made wrong.

    `token` is the token or a function that returns the present one; with `token_file` it is read from that file.
    Either is asked again whenever the server refuses the token. `durability` "fsync" (accepted events survive the
    process and the machine) or "memory" (they do not). `quality` says for each rule (see writer/quality.py) whether
    it rejects, repairs, warns or is off; rules that it does not name keep their default. `gzip` None packs requests
    where the server is on another machine. `ca_file` holds the
    certificates (PEM) of the authorities to trust instead of the machine's own. `log_interval` is the time between
    two lines of figures in the log.
    """

    url: str
    token: Token = field(default="", repr=False)
    org: str
    bucket: str = "events"
    spool_path: Path | str = DEFAULT_SPOOL
    token_file: Path | str | None = None
    ca_file: Path | str | None = None
    batch_size: int = 1000
    batch_timeout: float = 5.0
    write_timeout: float = 30.0
    read_timeout: float = 10.0
    durability: Durability = "fsync"
    spool_limit_bytes: int = 4 * 1024**3
    when_full: WhenFull = "block"
    gzip: bool | None = None
    connections: int = 2
    close_timeout: float = 10.0
    retry_first: float = 0.25
    retry_longest: float = 10.0
    log_interval: float = 60.0
    retention_days: float | None = None
    future_tolerance: float = 86_400.0
    quality: Mapping[str, Action] = field(default_factory=lambda: dict(DEFAULT_QUALITY))

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError("INFLUXDB_URL (url) is not an address such as http://localhost:8086")
        if not self.token and not self.token_file:
            raise SettingsError("INFLUXDB_TOKEN (token) is empty: a token that may write to the bucket is needed")
        for name in ("org", "bucket"):
            if not getattr(self, name):
                raise SettingsError(f"INFLUXDB_{name.upper()} ({name}) is empty")
        for name, kinds in NUMBERS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < float("inf"):
                raise SettingsError(f"{name} {value!r}: a {'whole ' if kinds is int else ''}number above 0")
        for name in ("close_timeout", "future_tolerance"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise SettingsError(f"{name} {value!r}: a number of seconds, 0 or more")
        days = self.retention_days
        if days is not None and (isinstance(days, bool) or not isinstance(days, int | float) or not days > 0):
            raise SettingsError(f"RAW_DATA_RETENTION_DAYS (retention_days) {days!r}: a number of days above 0, or none")
        for name, allowed in (("durability", get_args(Durability)), ("when_full", get_args(WhenFull))):
            if getattr(self, name) not in allowed:
                raise SettingsError(f"{name} {getattr(self, name)!r}: one of {', '.join(allowed)}")
        for rule, action in self.quality.items():
            if rule not in DEFAULT_QUALITY or action not in get_args(Action):
                raise SettingsError(
                    f"quality {rule!r}: {action!r}; rules {', '.join(DEFAULT_QUALITY)}, actions "
                    f"{', '.join(get_args(Action))}"
                )
        object.__setattr__(self, "quality", {**DEFAULT_QUALITY, **self.quality})

    @classmethod
    def from_env(cls, **overrides: Any) -> WriterSettings:
        """From the INFLUXDB_* variables; keyword arguments win. Raises SettingsError."""
        return cls.from_mapping(os.environ, **overrides)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, str], **overrides: Any) -> WriterSettings:
        """From any mapping with the environment's names, such as the output of `hearthflux env`."""
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(overrides) - known)
        if unknown:
            raise SettingsError(f"no setting {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        values: dict[str, Any] = {}
        for variable, name, read in ENVIRONMENT:
            text = mapping.get(variable, "")
            if text == "" or name in overrides:
                continue
            try:
                values[name] = read(text)
            except ValueError:
                wanted = "true or false" if read is read_switch else "a number"
                raise SettingsError(f"{variable} {text!r}: {wanted} is needed") from None
        values.update(overrides)
        missing = [
            variable for variable, name in (("INFLUXDB_URL", "url"), ("INFLUXDB_ORG", "org")) if name not in values
        ]
        if missing:
            raise SettingsError(f"{' and '.join(missing)} not set: 'hearthflux env' prints what a stack needs")
        return cls(**values)

    @property
    def chunk_size(self) -> int:
        """Events that are kept together from their acceptance to their delivery; a batch is made of several."""
        return max(1, self.batch_size // 4)

    @property
    def packs(self) -> bool:
        """Whether requests are packed: a tenth of the bytes for 1.5 us of CPU per event does not pay on one machine."""
        host = urlsplit(self.url).hostname or ""
        here = host == "localhost" or host.startswith("127.") or host == "::1"
        return not here if self.gzip is None else self.gzip

    def current_token(self) -> str:
        """The token as it is now. Raises SettingsError without ever showing it."""
        if self.token_file:
            try:
                return Path(self.token_file).read_text().strip()
            except OSError as error:
                raise SettingsError(f"token file {self.token_file}: {error.strerror}") from None
        return self.token() if callable(self.token) else self.token
