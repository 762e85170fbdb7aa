"""
A program of the operator's that is started with each alert.

It gets the alert as JSON on standard input, and nothing of it on the command line or in
the environment, where a stranger's text could become a command.
"""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ctmonitor.alerts.base import Outcome
from ctmonitor.alerts.program import Programs
from ctmonitor.model.text import shortened

log = logging.getLogger(__name__)

_AT_ONCE = 4
_MAX_OUTPUT = 4096
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ")


class Hook:
    """
    Args:
        command: the program and its arguments; no shell reads them.
        timeout_s: then it is killed with all that it started.
    """

    def __init__(self, command: Sequence[str], *, timeout_s: float = 30.0) -> None:
        self._command = tuple(command)
        self._timeout_s = timeout_s
        self._programs = Programs(_AT_ONCE, timeout_s=timeout_s, max_output=_MAX_OUTPUT)

    async def run(self, alert: Mapping[str, Any]) -> Outcome:
        """What came of it: exit code 0 is success; its output goes to the log."""
        environment = {n: os.environ[n] for n in _PASSED_ON if n in os.environ}
        given = json.dumps(alert, allow_nan=False).encode() + b"\n"
        try:
            ended = await self._programs.run(
                self._command, given, environment, with_errors=True
            )
        except (OSError, ValueError) as exc:  # ValueError: NUL in its name
            why = exc.strerror if isinstance(exc, OSError) else str(exc)
            return Outcome(
                False,
                f"the hook {self._command[0]!r} cannot be started: {why}; check "
                "[REPORTING] Hook",
            )
        said = shortened(ended.output.decode("utf-8", "replace").strip(), 1000)
        if said:
            log.info("hook for %s: %s", shortened(str(alert["hostname"])), said)
        if ended.code is None:
            return Outcome(
                False, f"the hook was killed after {self._timeout_s:g} s: {said}"
            )
        if ended.code:
            return Outcome(False, f"the hook ended with exit code {ended.code}: {said}")
        return Outcome(True, "exit code 0")
