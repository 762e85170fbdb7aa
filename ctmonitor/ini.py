"""
An INI file as sections of keys and values, each with its line.

It is read as Python's ConfigParser reads it, on which the files of CertStreamMonitor
rely, with one difference: ConfigParser stops at the first problem, here each is told
with its line. A test holds the two readers together.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from ctmonitor.model.text import shortened
from ctmonitor.problems import Problems

DEFAULTS = "DEFAULT"  # keys of this section count in every section

# 2,000 keywords are 30 kB; what is larger than this is a database or a device.
_MAX_FILE_BYTES = 4 * 1024 * 1024
_MAX_LINE_PROBLEMS = 10  # of lines that are not INI at all; a wrong file has thousands

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_HEADER = re.compile(r"\[(.+)\]")
_DELIMITER = re.compile(r"[=:]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A key as spelled, and the lines of its value by number."""

    key: str
    lines: dict[int, str]

    @property
    def line(self) -> int:
        """The line that it begins in."""
        return next(iter(self.lines))

    @property
    def raw(self) -> str:
        """The value as it stands in the file, with `\\n` between its lines."""
        return "\n".join(self.lines.values()).rstrip()

    def indented_keys(self) -> list[tuple[int, str]]:
        """Lines that look like a key of their own, and are part of this value."""
        found = []
        for line, text in self.lines.items():
            key, *value = _DELIMITER.split(text, maxsplit=1)
            if value and line != self.line:
                found.append((line, key.rstrip()))
        return found


@dataclass(frozen=True, slots=True)
class Section:
    """A section, the line it begins in, and its entries by key in lower case."""

    line: int
    entries: dict[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IniFile:
    """
    What stands in a file.

    Args:
        sections: by name; of what stands twice, the first.
        entries: all of them, also those that stand twice.
    """

    sections: dict[str, Section]
    entries: list[Entry]

    def entry(self, section: str, key: str) -> Entry | None:
        """What is written for `key`, in any case, in its section or in [DEFAULT]."""
        for name in (section, DEFAULTS):
            if name in self.sections:
                entry = self.sections[name].entries.get(key.lower())
                if entry is not None:
                    return entry
        return None


def read(path: Path, problems: Problems) -> IniFile:
    """
    The file at `path`; what is wrong with its lines is added to `problems`.

    Raises:
        ConfigError: there is no such file, or it is no text.
    """
    return parse(_decoded(_content(path, problems), problems), problems)


def _content(path: Path, problems: Problems) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise problems.ending_with(
            None,
            "there is no such file. Name your settings with -c, or begin with a copy "
            "of conf/example.conf.",
        ) from None
    except IsADirectoryError:
        raise problems.ending_with(
            None, "is a directory. Name the file of settings in it with -c."
        ) from None
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise problems.ending_with(
            None,
            f"cannot be read: {reason}. Give this user the right to read it, or name "
            "another file with -c.",
        ) from exc
    if len(content) > _MAX_FILE_BYTES:
        raise problems.ending_with(
            None,
            f"is larger than {_MAX_FILE_BYTES // 1024**2} MB, so it is no file of "
            "settings. Name another file with -c.",
        )
    return content


def _decoded(content: bytes, problems: Problems) -> str:
    """The text with `\\n` between lines."""
    is_utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError as exc:
        if is_utf_16:
            raise problems.ending_with(
                None, "begins like UTF-16 and is cut or damaged. Save it as UTF-8."
            ) from exc
        text = content.decode("latin-1")
        problems.warning(
            content.count(b"\n", 0, exc.start) + 1,
            "not UTF-8, so the file is read as Latin-1. Save it as UTF-8.",
        )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if control := _CONTROL.search(text):
        raise problems.ending_with(
            text.count("\n", 0, control.start()) + 1,
            f"holds a control character (0x{ord(control[0]):02x}), so this is no text. "
            "Name a text file with -c, saved as UTF-8.",
        )
    return text


def parse(text: str, problems: Problems) -> IniFile:
    """The sections of a text whose lines end in `\\n`."""
    sections: dict[str, Section] = {}
    section: Section | None = None
    entries: list[Entry] = []
    entry: Entry | None = None
    name = ""
    indent = 0
    headless: list[int] = []  # lines before any section
    strange: list[int] = []  # lines that are nothing
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith(("#", ";")):
            continue
        line_indent = len(line) - len(line.lstrip())
        if not stripped or (entry and line_indent > indent):
            if entry:
                entry.lines[number] = stripped
            continue
        indent = line_indent
        key, *value = _DELIMITER.split(stripped, maxsplit=1)
        if header := _HEADER.match(stripped):
            name, entry = header[1], None
            if name in sections:
                problems.error(
                    number,
                    f"section [{shortened(name)}] stands twice, in lines "
                    f"{sections[name].line} and {number}. Put its keys together.",
                )
            section = sections.setdefault(name, Section(number))
        elif section is None:
            headless.append(number)
        elif not key or not value:
            strange.append(number)
        else:
            entry = Entry(key.rstrip(), {number: value[0].strip()})
            entries.append(entry)
            first = section.entries.setdefault(entry.key.lower(), entry)
            if first is not entry:
                problems.error(
                    number,
                    f"[{shortened(name)}] {shortened(entry.key)} stands twice, in "
                    f"lines {first.line} and {number}. Remove one of them.",
                )
    for number in headless[:1]:
        problems.error(
            number,
            "stands before any section. Begin the file with a line such as [SEARCH]; "
            "conf/example.conf shows all sections.",
        )
    for number in strange[:_MAX_LINE_PROBLEMS]:
        # The line itself may be half a password, so it is not shown.
        problems.error(
            number,
            "is no [SECTION], no Key = value and no comment. Correct it, or put a # "
            "before it.",
        )
    if more := strange[_MAX_LINE_PROBLEMS:]:
        problems.error(
            None, f"{len(more)} further lines are no settings. Is it the right file?"
        )
    return IniFile(sections, entries)
