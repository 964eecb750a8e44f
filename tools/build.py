"""Builds what is missing into `.tools/bin`, as Go modules at pinned versions.

Each program is built beside its final name and renamed when it is whole, so an interrupted build leaves
nothing half done; Go's and Cargo's own caches make the next try go on from there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.find import BIN, ROOT, TOOLS
from tools.versions import INFLUXD, PULUMI

HERE = Path(__file__).resolve().parent
LOGS = TOOLS / "log"
TELL_EVERY_SECONDS = 15


class BuildFailed(Exception):
    """A build ended with an error; the message holds the end of its log and where the rest is."""


def duration_text(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def run_with_progress(
    what: str,
    command: list[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    usual: str,
    say: Callable[[str], None],
) -> None:
    """Run a long command with its output in a log file and a sign of life every few seconds."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{what}.log"
    started = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        try:
            while True:
                try:
                    code = process.wait(timeout=TELL_EVERY_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    say(f"  {what}: {duration_text(time.monotonic() - started)} so far ({usual})")
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
        raise BuildFailed(f"{what} failed with exit code {code}; the end of {log}:\n{tail}")


def go_build(
    module: str,
    package: str,
    program: str,
    *,
    usual: str,
    say: Callable[[str], None],
    flags: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
) -> Path:
    """Build one package of the module in tools/<module> into `.tools/bin/<program>`."""
    BIN.mkdir(parents=True, exist_ok=True)
    partial = BIN / f".{program}.partial"
    partial.unlink(missing_ok=True)
    say(f"building {program} from source ({usual})")
    started = time.monotonic()
    run_with_progress(
        program,
        ["go", "build", "-mod=readonly", "-trimpath", *flags, "-o", str(partial), package],
        folder=HERE / module,
        environment=environment or {},
        usual=usual,
        say=say,
    )
    final = BIN / program
    partial.rename(final)
    say(f"  {program}: done in {duration_text(time.monotonic() - started)}")
    return final


def rust_toolchain() -> dict[str, str]:
    """libflux's rust-toolchain file names a toolchain that may be absent: use the one that is active."""
    if os.environ.get("RUSTUP_TOOLCHAIN") or shutil.which("rustup") is None:
        return {}
    listed = subprocess.run(["rustup", "toolchain", "list"], capture_output=True, text=True, cwd=ROOT)
    names = [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]
    active = [line.split()[0] for line in listed.stdout.splitlines() if "(active" in line or "(default" in line]
    chosen = (active or names)[:1]
    return {"RUSTUP_TOOLCHAIN": chosen[0]} if chosen else {}


def build_influxd(say: Callable[[str], None]) -> None:
    pkg_config = go_build(
        "influxd",
        "github.com/influxdata/pkg-config",
        "influxdata-pkg-config",
        usual="a few seconds",
        say=say,
    )
    # A newer rustc turns libflux's lints into errors; RUSTFLAGS does not reach its host build, a wrapper does.
    wrapper = BIN / "rustc-cap-lints"
    wrapper.write_text('#!/bin/sh\nexec "$@" --cap-lints allow\n')
    wrapper.chmod(0o755)
    version = f"v{INFLUXD.pinned_text}"
    go_build(
        "influxd",
        "github.com/influxdata/influxdb/v2/cmd/influxd",
        "influxd",
        usual="about 6 minutes on 2 cores from empty caches",
        say=say,
        flags=(
            "-tags",
            "sqlite_foreign_keys,sqlite_json",
            "-ldflags",
            f"-s -w -X main.version={version} -X main.commit=source -X main.date=1970-01-01T00:00:00Z",
        ),
        environment={
            "PKG_CONFIG": str(pkg_config),
            "RUSTC_WRAPPER": str(wrapper),
            "CGO_ENABLED": "1",
            **rust_toolchain(),
        },
    )


def build_pulumi(say: Callable[[str], None]) -> None:
    go_build(
        "pulumi",
        "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        "pulumi",
        usual="about 4 minutes on 2 cores from empty caches",
        say=say,
        flags=(
            "-ldflags",
            f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI.pinned_text}",
        ),
    )


def build_language_host(say: Callable[[str], None]) -> None:
    go_build(
        "pulumi-language-python",
        "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
        "pulumi-language-python",
        usual="under a minute",
        say=say,
        flags=("-ldflags", "-s -w"),
    )
    # The script that the host starts comes with the SDK's Go module, beside the host's own sources.
    where = subprocess.run(
        ["go", "list", "-mod=readonly", "-m", "-json", "github.com/pulumi/pulumi/sdk/v3"],
        cwd=HERE / "pulumi",
        capture_output=True,
        text=True,
    )
    folder = json.loads(where.stdout or "{}").get("Dir")
    if not folder:
        raise BuildFailed(f"go list did not find the Pulumi SDK's sources: {where.stderr.strip()}")
    script = Path(folder) / "python" / "cmd" / "pulumi-language-python-exec"
    target = BIN / "pulumi-language-python-exec"
    partial = BIN / ".pulumi-language-python-exec.partial"
    shutil.copyfile(script, partial)
    partial.chmod(0o755)
    partial.rename(target)
