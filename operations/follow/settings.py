"""What `hearthflux follow` needs to know: the environment for addresses and tokens, a TOML file for everything else.

weather = "weather.home"            # whose state every event carries
keep_default_attributes = true      # the schema's list, beside those below

[include]
domains = ["sensor", "binary_sensor", "light", "climate"]
areas = ["Kitchen"]

[exclude]
entities = ["sensor.uptime"]
globs = ["sensor.*_signal_strength"]

[attributes]                        # by domain or entity
climate = ["current_temperature", "hvac_action"]
"sensor.washer" = ["program"]
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from event_schema import DEFAULT_ATTRIBUTES, home_zone
from operations.errors import UserError
from operations.follow.filters import KINDS, EntityFilter, names_of

KNOWN = ("attributes", "exclude", "include", "keep_default_attributes", "weather")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is followed, and what of it is kept."""

    entities: EntityFilter = field(default_factory=EntityFilter)
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(DEFAULT_ATTRIBUTES))
    weather: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowSettings:
    """Where Home Assistant is and what of it is followed. Raises UserError when made wrong.

    `settle`: seconds that Home Assistant's recorder may take until its history has what has just happened.
    """

    url: str
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    choice: Choice = field(default_factory=Choice)
    zone: tzinfo
    position: Path
    settle: float = 30.0
    longest_wait: float = 30.0
    silence: float = 30.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise UserError("HOME_ASSISTANT_URL has to be an address such as http://homeassistant.local:8123")
        if not self.token and self.token_file is None:
            raise UserError(
                "HOME_ASSISTANT_TOKEN (or HOME_ASSISTANT_TOKEN_FILE) is not set: a long-lived access token, "
                "which Home Assistant makes in your profile under Security"
            )

    @property
    def websocket(self) -> str:
        scheme, _, rest = self.url.rstrip("/").partition("://")
        return f"{'wss' if scheme in ('https', 'wss') else 'ws'}://{rest}/api/websocket"

    def current_token(self) -> str:
        """The token as it is now. Raises UserError."""
        if self.token_file is None:
            return self.token
        try:
            token = self.token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not a text"
            raise UserError(f"HOME_ASSISTANT_TOKEN_FILE {self.token_file} cannot be read: {why}") from None
        if not token:
            raise UserError(f"HOME_ASSISTANT_TOKEN_FILE {self.token_file} is empty: it has to hold the token")
        return token

    @classmethod
    def from_env(
        cls, config: Path | None, position: Path, environment: Mapping[str, str] = os.environ, **changes: Any
    ) -> FollowSettings:
        """From HOME_ASSISTANT_URL, HOME_ASSISTANT_TOKEN (or _FILE), HOME_TIME_ZONE and the file. Raises UserError."""
        url = environment.get("HOME_ASSISTANT_URL", "").strip()
        if not url:
            raise UserError("HOME_ASSISTANT_URL is not set: where Home Assistant is, http://homeassistant.local:8123")
        token_file = environment.get("HOME_ASSISTANT_TOKEN_FILE", "").strip()
        try:
            zone = home_zone()
        except ValueError as error:
            raise UserError(f"HOME_TIME_ZONE: {error}") from None
        return cls(
            url=url,
            token=environment.get("HOME_ASSISTANT_TOKEN", "").strip(),
            token_file=Path(token_file) if token_file else None,
            choice=read_choice(config),
            zone=zone,
            position=position,
            **changes,
        )


def _texts(where: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise UserError(f'{where}: a list of texts, such as ["sensor"]')
    return value


def _side(path: Path, name: str, table: Any) -> dict[str, list[str]]:
    if not isinstance(table, dict) or (set(table) - set(KINDS)):
        raise UserError(f"{path}: [{name}] has {', '.join(KINDS)}, each a list")
    return {kind: _texts(f"{path}: {name}.{kind}", value) for kind, value in table.items()}


def read_choice(path: Path | None) -> Choice:
    """What a file chooses; everything without a file. Raises UserError naming file, place and what is right."""
    if path is None:
        return Choice()
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise UserError(f"The file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"The file {path} is not TOML: {error}.") from None
    if unknown := sorted(set(content) - set(KNOWN)):
        raise UserError(f"{path}: {', '.join(unknown)} is not known; there are {', '.join(KNOWN)}")
    table = content.get("attributes", {})
    if not isinstance(table, dict):
        raise UserError(f'{path}: [attributes] has lines such as climate = ["hvac_action"]')
    attributes = dict(DEFAULT_ATTRIBUTES) if content.get("keep_default_attributes", True) else {}
    attributes |= {name: tuple(_texts(f"{path}: attributes.{name}", value)) for name, value in table.items()}
    weather = content.get("weather")
    if weather is not None and (not isinstance(weather, str) or not weather.startswith("weather.")):
        raise UserError(f"{path}: weather {weather!r}: a weather entity, such as weather.home")
    return Choice(
        entities=EntityFilter(
            include=names_of(_side(path, "include", content.get("include", {}))),
            exclude=names_of(_side(path, "exclude", content.get("exclude", {}))),
        ),
        attributes=attributes,
        weather=weather,
    )
