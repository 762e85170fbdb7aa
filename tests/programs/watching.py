"""watchdomains.py as a person starts it, and what its tests ask for."""

import csv
import io
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.programs.program import Result, environment, run, settings

PROGRAM = "watchdomains.py"
BAD_CA = (185_756, "C=GB, O=Sectigo Limited, CN=Sectigo Public Server CA DV R36")


def own_settings(folder: Path, *, domains: str = "example.com", **more: str) -> Path:
    """
    Settings of a watch that asks nobody on its own: no pause, one attempt, no contact
    to a real source unless a test names it.

    Args:
        more: keys of [OWN], or `SECTION__Key` of another section.
    """
    own = {
        "Domains": domains,
        "Crtsh_URL": "http://127.0.0.1:1",
        "Crtsh_Pause": "0",
        "Certspotter_URL": "http://127.0.0.1:1",
        "Retry_Seconds": "0",
        "Tries": "2",
    }
    others = {key: value for key, value in more.items() if "__" in key}
    own |= {key: value for key, value in more.items() if "__" not in key}
    keys = {f"OWN__{key}": value for key, value in own.items()}
    return settings(
        folder,
        name="own.conf",
        **{"SOURCES__Contact": "ops@example.com", **keys, **others},  # type: ignore[arg-type]
    )


def watch(
    folder: Path,
    *arguments: str,
    dns: bool = False,
    env: Mapping[str, str] | None = None,
) -> Result:
    """One run with the settings of `own_settings`; without DNS unless asked for."""
    config = folder / "own.conf"
    given = ["-c", config.name] if config.exists() else []
    resolves = [] if dns or _ends(arguments) else ["--no-resolve-dns"]
    return run(
        PROGRAM,
        *(*given, *arguments, *resolves),
        cwd=folder,
        env=environment(**env or {}),
    )


def _ends(arguments: tuple[str, ...]) -> bool:
    return bool({"--list", "--ack", "--add-ca"} & {*arguments})


def told(result: Result) -> dict[str, Any]:
    """What `--format json` printed."""
    found: dict[str, Any] = json.loads(result.out)
    return found


def types(record: dict[str, Any], *, new: bool = True) -> list[str]:
    """The types of the alerts of a run, or of a report, sorted."""
    return sorted(
        alert["type"] for alert in record["alerts"] if alert["is_new"] or not new
    )


def table(text: str) -> list[dict[str, str]]:
    """The rows of a CSV with a head."""
    return list(csv.DictReader(io.StringIO(text)))


def day(days: float) -> datetime:
    """So many days from now, to the second."""
    return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)


def when(days: float) -> str:
    """The same as crt.sh writes it."""
    return day(days).replace(tzinfo=None).isoformat()


def until(happened: Callable[[], object]) -> None:
    """Returns once that has happened; fails when it does not."""
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
