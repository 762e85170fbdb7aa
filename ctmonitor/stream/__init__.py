"""All certificates of all logs: for programs, and for a pipe of them."""

from ctmonitor.stream.entry import Entry
from ctmonitor.stream.monitor import LogMonitor
from ctmonitor.stream.stats import LogStats, Stats

__all__ = ["Entry", "LogMonitor", "LogStats", "Stats"]
