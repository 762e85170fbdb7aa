"""A file with one rule a line, and what is wrong with its lines."""

import re
from collections.abc import Iterator, Sequence

from ctmonitor.errors import ConfigError
from ctmonitor.model.text import printable

# Longer than any rule for host names, which have 253 characters.
MAX_LINE_CHARACTERS = 4096
# A wrong file has thousands; a person wants the first ones.
_MAX_TOLD = 20

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Problems:
    """
    Sentences about one file, each with its line.

    Errors make the file useless, warnings do not.
    """

    def __init__(self, path: str) -> None:
        self._path = printable(path)
        self._errors: list[tuple[int, str]] = []
        self._warnings: list[tuple[int, str]] = []

    def error(self, line: int, text: str) -> None:
        """Notes what stops everything; `line` is 0 for the file as a whole."""
        self._errors.append((line, text))

    def warning(self, line: int, text: str) -> None:
        """Notes what is odd; see `error`."""
        self._warnings.append((line, text))

    def raise_errors(self) -> None:
        """Raises ConfigError with the first errors, if there is one."""
        if self._errors:
            raise ConfigError(self._told(self._errors, "errors"))

    def warnings(self) -> tuple[str, ...]:
        """The first warnings."""
        return tuple(self._told(self._warnings, "warnings"))

    def _told(self, noted: Sequence[tuple[int, str]], what: str) -> list[str]:
        told = []
        for line, text in sorted(noted)[:_MAX_TOLD]:
            where = f"{self._path}, line {line}" if line else self._path
            told.append(f"{where}: {text}")
        if more := len(noted) - len(told):
            told.append(f"{self._path}: {more} further {what}. Is it the right file?")
        return told


def rule_lines(text: str, problems: Problems) -> Iterator[tuple[int, str]]:
    """
    The lines of a text that are rules, without what is blank at their end, by number.

    Blank lines, and those that begin with `#`, are none. Lines that are too long are
    noted in `problems` and left out.

    Raises:
        ConfigError: it is no text.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if control := _CONTROL.search(text):
        problems.error(
            text.count("\n", 0, control.start()) + 1,
            f"holds a control character (0x{ord(control[0]):02x}), so this is no text. "
            "Name a text file, saved as UTF-8.",
        )
        problems.raise_errors()
    return _rules(text.split("\n"), problems)


def _rules(lines: Sequence[str], problems: Problems) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        rule = line.rstrip()
        if not rule or ("#" in rule and rule.lstrip()[0] == "#"):
            continue
        if len(rule) > MAX_LINE_CHARACTERS:
            problems.error(
                number,
                f"has {len(rule)} characters, and a rule at most "
                f"{MAX_LINE_CHARACTERS}. Write one rule a line.",
            )
            continue
        yield number, rule
