"""The pulumi that the Automation API runs: of this checkout, and interrupted all at once and once only."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import Any

from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from tools import find
from tools.versions import PULUMI

INTERRUPT_WAIT_SECONDS = 60.0


class Stopped(Exception):
    """The user wants to end; no further pulumi is started."""


class Commands(PulumiCommand):
    """Runs pulumi in sessions of their own: Ctrl-C reaches us only, and we pass it on."""

    def __init__(self) -> None:
        # Not the base's: it would look for pulumi on PATH only. Raises ToolMissing.
        self.command = str(find.pulumi())
        found = find.look(PULUMI)
        self.version = VersionInfo(*found.version) if found else None
        self.stopped = False
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> CommandResult:
        """Raises Stopped, and CommandError where pulumi ends with an error."""
        with self._lock:
            if self.stopped:
                raise Stopped
            process = subprocess.Popen(
                [self.command, "--non-interactive", *args],
                cwd=cwd,
                env={**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._running.add(process)
        try:
            output, errors = process.communicate()
        finally:
            with self._lock:
                self._running.discard(process)
        result = CommandResult(stdout=output.rstrip(), stderr=errors.rstrip(), code=process.returncode)
        if process.returncode != 0:
            raise create_command_error(result)
        return result

    def stop(self) -> None:
        """Start nothing more; ask what runs to end in good order, once: a second time it would leave its lock."""
        with self._lock:
            self.stopped = True
            running = list(self._running)
        for process in running:
            process.send_signal(signal.SIGINT)
        for process in running:
            try:
                process.wait(timeout=INTERRUPT_WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
