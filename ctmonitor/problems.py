"""What is wrong with one file of settings, told in the order of its lines."""

from pathlib import Path

from ctmonitor.errors import ConfigError
from ctmonitor.model.text import printable


class Problems:
    """Sentences about one file; `has_errors` when it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = printable(str(path))
        self._line_of: dict[str, float] = {}  # by sentence: each is told once
        self.has_errors = False

    def error(self, line: int | None, text: str) -> None:
        """Notes what stops everything; see `warning`."""
        self.has_errors = True
        self.warning(line, text)

    def warning(self, line: int | None, text: str) -> None:
        """Notes what is odd; without a line it stands behind what has one."""
        where = self._path if line is None else f"{self._path}, line {line}"
        self._line_of[f"{where}: {text}"] = float("inf") if line is None else line

    def all(self) -> tuple[str, ...]:
        """Every problem, warnings among them."""
        return tuple(sorted(self._line_of, key=self._line_of.__getitem__))

    def ending_with(self, line: int | None, text: str) -> ConfigError:
        """The exception for an error after which nothing more can be read."""
        self.error(line, text)
        return ConfigError(self.all())
