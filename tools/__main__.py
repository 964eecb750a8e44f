"""`python -m tools`: make sure that influxd and pulumi are there. `--check` only says what is there."""

from __future__ import annotations

import argparse
import fcntl
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools import build, find
from tools.versions import INFLUXD, PULUMI, Requirement

NO_WAY_SERVER = (
    "No way to an InfluxDB server was found: install Go and Rust (then run 'make tools' again), start Docker, "
    "or install InfluxDB 2.7 and put influxd on PATH."
)
NO_WAY_PULUMI = (
    "No way to the pulumi command was found: install Go (then run 'make tools' again), allow downloads from "
    "Pulumi's site, or install Pulumi 3.200 or later and put it on PATH."
)


def say(text: str) -> None:
    print(text, flush=True)


def report(requirement: Requirement, found: find.Found) -> None:
    version = ".".join(map(str, found.version))
    say(f"{requirement.program} {version}: {found.path} ({'found on PATH' if found.where == 'PATH' else 'built'})")


def have(*programs: str) -> bool:
    return all(shutil.which(program) for program in programs)


def pull_docker_image() -> bool:
    if not have("docker"):
        return False
    if subprocess.run(["docker", "info"], capture_output=True, stdin=subprocess.DEVNULL).returncode != 0:
        return False
    say(f"no Go or Rust here: taking Docker's image {find.DOCKER_IMAGE} for the server")
    if subprocess.run(["docker", "pull", find.DOCKER_IMAGE], stdin=subprocess.DEVNULL).returncode != 0:
        return False
    find.TOOLS.mkdir(parents=True, exist_ok=True)
    find.DOCKER_MARKER.write_text(find.DOCKER_IMAGE + "\n")
    return True


def install_pulumi_by_sdk() -> bool:
    """The SDK's own installer: it downloads the official release with its language hosts."""
    python = find.ROOT / ".venv" / "bin" / "python"
    if not python.exists():
        return False
    say(f"no Go here: installing pulumi {PULUMI.pinned_text} with the Pulumi SDK's own installer")
    script = (
        "import sys\n"
        "from pulumi.automation import PulumiCommand\n"
        "from semver import VersionInfo\n"
        "try:\n"
        f"    PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse('{PULUMI.pinned_text}'))\n"
        "except Exception as error:\n"
        "    sys.exit(f'  {error}'[:400])\n"
    )
    return subprocess.run([python, "-c", script, str(find.TOOLS)], stdin=subprocess.DEVNULL).returncode == 0


def ensure_influxd() -> str | None:
    """None when the server can be run, else the sentence with the ways to go on."""
    found = find.look(INFLUXD)
    if found is not None:
        report(INFLUXD, found)
        return None
    if (reason := find.rejected_on_path(INFLUXD)) is not None:
        say(reason)
    if find.DOCKER_MARKER.is_file() and not have("go", "cargo"):
        say(f"influxd: Docker's image {find.DOCKER_IMAGE}")
        return None
    if have("go", "cargo"):
        build.build_influxd(say)
        found = find.look(INFLUXD)
        if found is None:
            return f"influxd was built but does not start: run {find.BIN / 'influxd'} version to see why."
        report(INFLUXD, found)
        return None
    return None if pull_docker_image() else NO_WAY_SERVER


def language_host_beside(pulumi: Path) -> bool:
    """The official installation keeps its language hosts beside the command."""
    return all(
        (pulumi.resolve().parent / name).is_file() or shutil.which(name)
        for name in ("pulumi-language-python", "pulumi-language-python-exec")
    )


def ensure_pulumi() -> str | None:
    found = find.look(PULUMI)
    if found is None:
        if (reason := find.rejected_on_path(PULUMI)) is not None:
            say(reason)
        if have("go"):
            build.build_pulumi(say)
        elif not install_pulumi_by_sdk():
            return NO_WAY_PULUMI
        found = find.look(PULUMI)
        if found is None:
            return f"pulumi was built but does not start: run {find.BIN / 'pulumi'} version to see why."
    report(PULUMI, found)
    hosts = (find.BIN / "pulumi-language-python", find.BIN / "pulumi-language-python-exec")
    if language_host_beside(found.path) or all(path.is_file() for path in hosts):
        return None
    if not have("go"):
        return (
            f"pulumi at {found.path} has no Python language host beside it: install Pulumi from its official "
            "archive, which brings it, or install Go and run 'make tools' again."
        )
    build.build_language_host(say)
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools", description=__doc__)
    parser.add_argument("--check", action="store_true", help="say what is there; build nothing")
    if parser.parse_args().check:
        missing = 0
        for requirement in (INFLUXD, PULUMI):
            found = find.look(requirement)
            if found is None:
                missing += 1
                say(f"{requirement.program}: not there (wanted: {requirement.wanted_text})")
            else:
                report(requirement, found)
        return 1 if missing else 0

    find.TOOLS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with (find.TOOLS / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another 'make tools' is at work in this folder: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            problems = [problem for problem in (ensure_influxd(), ensure_pulumi()) if problem]
        except build.BuildFailed as failure:
            problems = [str(failure)]
        except KeyboardInterrupt:
            say("\ninterrupted: nothing is half done, 'make tools' goes on from here")
            return 130
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        say(f"tools are ready ({build.duration_text(time.monotonic() - started)})")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
