"""What a run was measured on: the machine, the versions, and the state of the code."""

import os
import platform
import sqlite3
import subprocess
from importlib.metadata import version
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
_PACKAGES = ("hyperscan", "websocket-client", "certstream", "SQLAlchemy")


def machine(folder: Path) -> dict[str, str]:
    """
    The machine in words, by what is told.

    Args:
        folder: where the databases of the run lie; its file system is told.
    """
    return {
        "CPU": _cpu_model(),
        "cores": str(os.cpu_count()),
        "memory": _memory(),
        "kernel": f"{platform.system()} {platform.release()}",
        "OS": _os_name(),
        "databases on": _file_system(folder),
    }


def versions() -> dict[str, str]:
    """What ran, by name: Python, the packages that decide the speed, SQLite."""
    return {
        "Python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
        "SQLite": sqlite3.sqlite_version,
    }


def commit() -> str:
    """The short hash of the code; `-dirty` behind it where files were changed since."""
    try:
        # Results of the bench itself are no change of the code.
        changed = _git("status", "--porcelain", "--", ":!bench/results", ":!README.md")
        return _git("rev-parse", "--short=10", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=CHECKOUT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _cpu_model() -> str:
    for line in _lines("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal:"):
            return f"{int(line.split()[1]) / 1024**2:.0f} GiB"
    return "unknown"


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform()


def _file_system(folder: Path) -> str:
    """The kind of the file system, since it decides what a commit costs."""
    best, kind = Path("/"), "unknown"
    for line in _lines("/proc/mounts"):
        _, place, name, *_ = line.split()
        mount = Path(place)
        if folder.resolve().is_relative_to(mount) and mount.is_relative_to(best):
            best, kind = mount, name
    return kind


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
