"""What can go wrong between us and the server, as sentences that never hold the token.

ServerProblem
└── WrongConnection (also a ValueError)
"""

from __future__ import annotations

from typing import Any

LONGEST_REASON = 400


class ServerProblem(Exception):
    """The server can't be reached, refuses, or can't answer; the message is for a person."""


class WrongConnection(ServerProblem, ValueError):
    """A setting of the connection that is missing or wrong; names it and what would be right."""


def answered(url: str, org: str, status: int, reason: str) -> ServerProblem:
    """The problem behind an HTTP status of the server."""
    if status == 401:
        return ServerProblem(f"InfluxDB at {url} does not know this token: INFLUXDB_TOKEN is wrong or revoked")
    if status == 403:
        return ServerProblem(f"InfluxDB at {url} does not let this token do that: {reason[:LONGEST_REASON]}")
    if status in (400, 404) and "organization name" in reason:
        return ServerProblem(
            f"InfluxDB at {url} shows no organization {org!r} to this token: INFLUXDB_ORG or INFLUXDB_TOKEN is wrong"
        )
    return ServerProblem(f"InfluxDB at {url} answered {status}: {reason[:LONGEST_REASON]}")


def unreachable(url: str, error: BaseException, timeout: float) -> ServerProblem:
    """The problem behind a network's error."""
    if isinstance(error, TimeoutError):
        return ServerProblem(f"InfluxDB at {url} gave no answer in {timeout:g} s")
    certificate: Any = getattr(error, "certificate_error", None)
    if certificate is not None:
        reason = getattr(certificate, "verify_message", "") or certificate
        return ServerProblem(
            f"The certificate of {url} is not trusted ({reason}): INFLUXDB_CA_FILE can name the authority that made it"
        )
    return ServerProblem(f"No answer from InfluxDB at {url}: {str(error) or type(error).__name__}")
