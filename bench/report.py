"""The table of a run: on the screen, in README.md, and as JSON to be kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from bench.rows import Result, Rounds, written

_BEGIN, _END = "<!-- bench -->", "<!-- /bench -->"


@dataclass(frozen=True, slots=True)
class Report:
    """
    One run.

    Args:
        began: local time with zone.
        is_whole: every row, in full size.
        rounds: each case with its measurements, in the order in which they were made.
    """

    began: datetime
    commit: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    cores: str
    rounds_made: int
    is_whole: bool
    results: Sequence[Result]
    rounds: Mapping[str, Rounds]

    def markdown(self) -> str:
        """What the table was measured on, and the table."""
        size = "" if self.is_whole else "; **not a whole run**"
        lines = [
            f"Measured {self.began:%Y-%m-%d}, commit {self.commit}, "
            f"rounds: {self.rounds_made}{size}.",
            f"Machine: {_listed(self.machine)}; {self.cores}.",
            f"Versions: {_listed(self.versions)}.",
            "",
            "| What | Result | Aim | Reached | Here | Compared with |",
            "|---|---:|---:|---|---|---|",
        ]
        lines += [_line(result) for result in self.results]
        lines += ["", "[How it is measured](docs/bench.md)"]
        return "\n".join(lines)

    def keep(self, folder: Path) -> Path:
        """Writes it as JSON, and gives the file's path."""
        suffix = "" if self.is_whole else "-part"
        path = folder / f"{self.began:%Y-%m-%d}-{self.commit}{suffix}.json"
        values = asdict(self) | {"began": self.began.isoformat(timespec="seconds")}
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        return path


def put_into(page: str, table: str) -> str:
    """`page` with `table` between its two markers; raises ValueError without them."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"the markers {_BEGIN} and {_END} are not there")
    return f"{before}{begin}\n{table}\n{end}{after}"


def _line(result: Result) -> str:
    value = written(result.value, result.unit)
    compared = f"{result.against}: {result.compared_with}" if result.against else ""
    cells = (result.title, value, result.aim, result.verdict, result.ours, compared)
    return f"| {' | '.join(cells)} |"


def _listed(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
