"""Where the server is and with which token, from arguments or the environment."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from influxdb_connection.errors import WrongConnection

Token = str | Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """One organization of one InfluxDB. `timeout` is in seconds, for a whole request.

    `token` is the token or a function that returns the present one; with `token_file` it is read from that file.
    `ca_file` holds the certificates (PEM) that are trusted for https, instead of the machine's own.
    Raises WrongConnection when made wrong.
    """

    url: str
    token: Token = field(default="", repr=False)
    org: str
    timeout: float = 10.0
    token_file: Path | str | None = None
    ca_file: Path | str | None = None

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            port_is_right = parts.port is None or parts.port > 0
        except ValueError:
            port_is_right = False
        if not port_is_right or parts.scheme not in ("http", "https") or not parts.hostname:
            # Not shown: some put a password into an address.
            raise WrongConnection("INFLUXDB_URL (url) has to be an address such as http://localhost:8086")
        if parts.username or parts.password:
            raise WrongConnection("INFLUXDB_URL (url) holds a user or a password: give a token in INFLUXDB_TOKEN")
        if not self.token and not self.token_file:
            raise WrongConnection("INFLUXDB_TOKEN (token) is empty: a token of the organization is needed")
        if not self.org:
            raise WrongConnection("INFLUXDB_ORG (org) is empty: the name of the organization is needed")
        if isinstance(self.timeout, bool) or not self.timeout > 0:
            raise WrongConnection(f"the timeout {self.timeout!r} has to be more than 0 seconds")

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ, *, timeout: float = 10.0) -> ConnectionSettings:
        """From INFLUXDB_URL, INFLUXDB_TOKEN (or INFLUXDB_TOKEN_FILE), INFLUXDB_ORG and INFLUXDB_CA_FILE.

        Raises WrongConnection naming every variable that is missing.
        """

        def given(name: str) -> str:
            return environment.get(name, "").strip()

        missing = [name for name in ("INFLUXDB_URL", "INFLUXDB_TOKEN", "INFLUXDB_ORG") if not given(name)]
        if given("INFLUXDB_TOKEN_FILE") and "INFLUXDB_TOKEN" in missing:
            missing.remove("INFLUXDB_TOKEN")
        if missing:
            raise WrongConnection(
                f"{', '.join(missing)} not set: the server's address, a token and the organization are needed; "
                "'hearthflux env' prints them for a stack"
            )
        return cls(
            url=given("INFLUXDB_URL").rstrip("/"),
            token=given("INFLUXDB_TOKEN"),
            org=given("INFLUXDB_ORG"),
            timeout=timeout,
            token_file=given("INFLUXDB_TOKEN_FILE") or None,
            ca_file=given("INFLUXDB_CA_FILE") or None,
        )

    def current_token(self) -> str:
        """The token as it is now. Raises WrongConnection."""
        if self.token_file:
            try:
                return Path(self.token_file).read_text().strip()
            except OSError as error:
                raise WrongConnection(f"INFLUXDB_TOKEN_FILE {self.token_file}: {error.strerror}") from None
        return self.token() if callable(self.token) else self.token

    def tls(self) -> ssl.SSLContext:
        """What is trusted. The machine's certificates take 40 ms to load: not where no TLS is spoken."""
        if not self.url.startswith("https:"):
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise WrongConnection(
                f"INFLUXDB_CA_FILE {self.ca_file} can't be used: {error.strerror or error}; a PEM file is needed"
            ) from None
