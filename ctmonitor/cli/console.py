"""
What all commands share: options, exit codes, and a quiet end when nobody reads on.

Exit codes: 0 done; 1 failed after it had begun; 2 nothing was started because of the
command line, the settings or the state they name.
"""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ctmonitor import __version__
from ctmonitor.config import Config, load
from ctmonitor.errors import ConfigError, CTMonitorError

DONE, FAILED, NOT_STARTED = 0, 1, 2


def parser(name: str, what: str, examples: Sequence[str]) -> argparse.ArgumentParser:
    """
    A parser with the options that every command has.

    Args:
        what: one sentence; examples: complete command lines, each with its purpose.
    """
    lines = "\n".join(f"  {example}" for example in examples)
    result = argparse.ArgumentParser(
        prog=name,
        description=what,
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    result.add_argument(
        "-c", "--config", "--conf", metavar="FILE", help="configuration file (INI)"
    )
    result.add_argument("--version", action="version", version=f"{name} {__version__}")
    return result


def configuration(
    options: argparse.Namespace,
    *,
    needs_source: bool = True,
    needs_rules: bool = True,
) -> Config:
    """
    The settings of `-c`, with the oddities of the file told on standard error.

    Args:
        needs_source: False for a command that reads no feed.
        needs_rules: False for a command that looks for nothing in names.

    Raises:
        ConfigError: no file was named, or it has problems.
    """
    if not options.config:
        raise ConfigError("No configuration file was named: give one with -c FILE.")
    config = load(
        Path(options.config),
        os.environ,
        needs_source=needs_source,
        needs_rules=needs_rules,
    )
    for warning in config.warnings:
        complain(f"warning: {warning}")
    return config


def complain(text: str) -> None:
    """A line for the person at the terminal."""
    # Nobody may be there to read it, which is no reason to fail.
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def run(name: str, body: Callable[[], int]) -> int:
    """
    The exit code of a command; its errors become sentences on standard error.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding lacks is shown as an escape.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = body()
        sys.stdout.flush()
    except ConfigError as exc:
        for problem in exc.problems:
            complain(f"{name}: {problem}")
        return NOT_STARTED
    except BrokenPipeError:
        # `gethost.py | head`: who reads has enough.
        discard_output()
        return DONE
    except CTMonitorError as exc:
        complain(f"{name}: {exc}")
        return FAILED
    except KeyboardInterrupt:
        complain(f"{name}: interrupted")
        return FAILED
    return code


def discard_output() -> None:
    """Nothing more can be written; without this Python complains at its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
