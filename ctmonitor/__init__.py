"""Certificate Transparency monitoring: from the bytes of a log to a person."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# What programs import from here: see docs/library.md.
_LIBRARY = ("Entry", "LogMonitor", "LogStats", "Stats")


def __getattr__(name: str) -> Any:
    """The library, which the commands that do not need it do not load."""
    if name in _LIBRARY:
        return getattr(import_module("ctmonitor.stream"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
