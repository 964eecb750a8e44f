"""A certificate that only its own file vouches for, and a server that speaks TLS with it."""

from __future__ import annotations

import ssl
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from operations.influxd import LocalInfluxd


@dataclass(frozen=True)
class Encrypted:
    """How such a server is reached."""

    url: str
    token: str
    org: str
    certificate: Path


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """(certificate, key) for localhost and 127.0.0.1, signed by itself."""
    made, key = folder / "ca.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    more = ["-addext", names, "-keyout", str(key), "-out", str(made)]
    subprocess.run([*command.split(), *more], check=True, capture_output=True)
    return made, key


def with_tls(server: LocalInfluxd, certificate: Path, key: Path) -> str:
    """Start it again with TLS, after it was set up without; its address from now on."""
    server.stop()
    server.options.update({"tls-cert": str(certificate), "tls-key": str(key)})
    server.launch()
    url = server.url.replace("http:", "https:")
    trusted = ssl.create_default_context(cafile=certificate)
    until = time.monotonic() + 300
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=30, context=trusted):
                return url
        except OSError:
            assert time.monotonic() < until, server.log_tail()
            time.sleep(0.05)
