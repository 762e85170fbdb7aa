"""What the demos show: headlines, and commands as a person would type them."""

import os
import shlex
import subprocess
import sys

_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


def headline(*lines: str) -> None:
    """What comes next."""
    print("\n== " + "\n   ".join(lines) + "\n", flush=True)


def command_line(program: str, *arguments: str) -> list[str]:
    """The command line of one of our programs, which is also printed."""
    shown = shlex.join((program, *arguments))
    print(f"$ .venv/bin/python {shown}", flush=True)
    return [sys.executable, program, *arguments]


def run(program: str, *arguments: str) -> int:
    """The exit code of one of our programs; what it prints is shown."""
    return subprocess.run(command_line(program, *arguments), check=False).returncode


def forget_proxies() -> None:
    """Takes them out of the environment: none can reach servers of this machine."""
    for name in [name for name in os.environ if name.lower() in _PROXIES]:
        del os.environ[name]
