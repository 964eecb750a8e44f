"""Is a Flux script right? The server itself is asked, and nothing is written.

`/query/analyze` looks at syntax only. A script with `die()` added is compiled with all its names and types, and
then stops at once with our own message before anything is read or written; the buckets need not exist.
"""

from __future__ import annotations

import re
import secrets

from provider.api import Api, ApiError

_POSITION = re.compile(r"(?:loc |error[^@\n]*@)?(\d+):(\d+)-\d+:\d+: ?([^\n]*)")


async def problem(api: Api, flux: str, source: str | None) -> str | None:
    """None if the script is right, else a sentence with source, line, the reason and the line itself."""
    sentinel = f"hearthflux-check-{secrets.token_hex(8)}"
    organizations = await api.call("GET", "/api/v2/orgs", query={"limit": "1"})
    if not organizations["orgs"]:
        return None
    try:
        await api.query(organizations["orgs"][0]["id"], f'{flux}\nhearthflux_check = die(msg: "{sentinel}")\n')
    except ApiError as error:
        if sentinel in error.server_message:
            return None
        if error.code not in ("invalid", "internal error", "unprocessable entity"):
            raise
        return explain(error.server_message, flux, source)
    return None


def explain(message: str, flux: str, source: str | None) -> str:
    """The server's message as a sentence: where in the script, why, and what stands there."""
    where = f"{source}: " if source else ""
    found = _POSITION.search(message)
    if found is None:
        return f"{where}the script is not valid Flux: {message}"
    line, column, reason = int(found[1]), int(found[2]), found[3].strip() or message
    lines = flux.splitlines()
    shown = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return f"{where}line {line}, column {column} of the script: {reason}; the line is: {shown}"
