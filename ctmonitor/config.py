"""
The settings in force: an INI file, checked against the table in `ctmonitor.settings`.

The file is read as Python's ConfigParser reads it, on which the files of
CertStreamMonitor rely, with one difference: ConfigParser stops at the first problem,
here each is told with its line. A test holds the two readers together.
"""

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import IPv6Address
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]
from typing import Any
from urllib.parse import SplitResult, urlsplit

import regex

from ctmonitor.errors import ConfigError
from ctmonitor.model.text import printable, shortened
from ctmonitor.settings import LOG_LEVELS, SECTIONS, SETTINGS, Kind, Required, Setting

MASK = "********"

# 2,000 keywords are 30 kB; what is larger than this is a database or a device.
_MAX_FILE_BYTES = 4 * 1024 * 1024
_MAX_VALUE_CHARACTERS = 1024 * 1024
_MAX_REFERENCES = 10  # one within another, as ConfigParser has it
_MAX_LINE_PROBLEMS = 10  # of lines that are not INI at all; a wrong file has thousands
_DEFAULTS = "DEFAULT"  # keys of this section count in every section

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_SECTION = re.compile(r"\[(.+)\]")
_DELIMITER = re.compile(r"[=:]")
_REFERENCE = re.compile(r"%%|%\(([^)]+)\)s")
_VARIABLE = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")
_COMMENT_BEHIND = re.compile(r"\s[#;]")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{0,18})?", re.ASCII)
_TABLE_NAME = re.compile(r"(?!ctm_|sqlite_)[a-z_][a-z0-9_]{0,62}", re.I | re.ASCII)
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.+)", re.DOTALL)
_BETWEEN = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True)
class Config:
    """
    Settings in force, one field for each row of the table, in its order.

    Texts, paths and addresses that are absent are empty; `proxy_port` is None. Paths
    stand as in the file, relative to the working directory. Fields that may hold a
    secret are left out of repr(); for a person, use `describe`.

    Args:
        path: the file.
        warnings: what is odd about the file and does not stop anything.
        from_environment: fields of which the value holds environment variables.
        from_secret: fields into which `%(Key)s` brought the value of a secret setting.
    """

    path: Path
    search_keywords: str
    blacklist_keywords: str
    detection_threshold: int
    source: str
    replay_file: str
    stall_seconds: float
    stale_minutes: float
    queue_messages: int
    max_message_mb: int
    retry_first_seconds: float
    max_retry_seconds: float
    act_servers: tuple[str, ...] = field(repr=False)
    proxy_host: str
    proxy_port: int | None
    proxy_username: str
    proxy_password: str = field(repr=False)
    proxy_type: str
    ca_file: str
    db_file: str
    table_name: str
    database_url: str = field(repr=False)
    log_file: str
    log_level: int
    log_type: str
    alerts_dir: str
    alert_monitor_timelapse: int
    notification_destination: str = field(repr=False)
    connect_proxy: str = field(repr=False)
    http_ua: str
    ua_file: str
    safe_browsing_api_key: str = field(repr=False)
    warnings: tuple[str, ...] = ()
    from_environment: frozenset[str] = frozenset()
    from_secret: frozenset[str] = frozenset()


def load(path: str | Path, environ: Mapping[str, str]) -> Config:
    """
    The settings in the file at `path`.

    Args:
        environ: what `${NAME}` in a value is replaced from.

    Raises:
        ConfigError: with all problems of the file, in the order of its lines, warnings
            among them; values of secret settings and of variables are never shown.
    """
    path = Path(path)
    problems = _Problems(path)
    sections = _sections(_decoded(_content(path), problems), problems)
    reader = _Reader(sections, environ, problems)
    values = {setting.attribute: reader.value(setting) for setting in SETTINGS}
    reader.check_required(values)
    reader.check_combinations()
    reader.check_unknown()
    if problems.has_errors:
        raise ConfigError(problems.all())
    return Config(
        path=path,
        warnings=problems.all(),
        from_environment=frozenset(reader.from_environment),
        from_secret=frozenset(reader.from_secret),
        **values,
    )


def describe(config: Config) -> list[str]:
    """
    What is in force as `[SECTION]` and `Key = value` lines, secrets masked.
    """
    lines: list[str] = []
    for section in SECTIONS:
        lines.append(f"[{section}]")
        for setting in SETTINGS:
            if setting.section == section:
                shown = printable(_shown(setting, config))
                lines.append(f"{setting.key} = {shown}".rstrip())
    return lines


def masked_url(url: str, *, path: bool = True) -> str:
    """
    `url` without what may be a secret in it: user name, password and query.

    Args:
        path: whether its path is shown.

    All before the last `@` counts as user and password: one that holds a `/` or a `#`
    is not written as it should be, but it must not be seen.
    """
    address = _ADDRESS.fullmatch(url)
    scheme, rest = (address[1] + "://", address[2]) if address else ("", url)
    credentials, at, rest = rest.rpartition("@")
    rest, question, _ = rest.partition("?")
    rest, sharp, _ = rest.partition("#")
    host, slash, tail = rest.partition("/")
    if tail and not path:
        tail = MASK
    # `user:password` without a host: what stands for the port is none.
    host = re.sub(r"(?<!:):(?![0-9]*\Z)[^:\]]*\Z", f":{MASK}", host)
    shown = f"{scheme}{MASK if credentials else ''}{at}{host}{slash}{tail}"
    return shown + (f"?{MASK}" if question else "") + (f"#{MASK}" if sharp else "")


def _shown(setting: Setting, config: Config) -> str:
    value = getattr(config, setting.attribute)
    if value is None or value == "" or value == ():
        return ""
    if setting.kind is Kind.APPRISE:
        return " ".join(f"{scheme}://{MASK}" for scheme in _apprise_schemes(value))
    if setting.secret or setting.attribute in config.from_secret:
        return MASK
    if setting.kind in _WITH_PASSWORD:
        # A variable in an address is there for its secret, wherever that stands.
        path = setting.attribute not in config.from_environment
        addresses = value if isinstance(value, tuple) else (value,)
        return " ".join(masked_url(address, path=path) for address in addresses)
    if setting.kind is Kind.LOG_LEVEL:
        name = logging.getLevelName(value)
        return name if name in LOG_LEVELS else str(value)
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def _apprise_schemes(value: str) -> list[str]:
    return re.findall(r"(?:^|[\s,])([A-Za-z][A-Za-z0-9+.-]*)://", value)


class _Problems:
    """What is wrong with one file, sorted by line when it is told."""

    def __init__(self, path: Path) -> None:
        self._path = printable(str(path))
        self._told: list[tuple[float, str]] = []
        self.has_errors = False

    def error(self, line: int | None, text: str) -> None:
        self.has_errors = True
        self.warning(line, text)

    def warning(self, line: int | None, text: str) -> None:
        """Without a line a problem stands behind those that have one."""
        where = self._path if line is None else f"{self._path}, line {line}"
        told = (float("inf") if line is None else line, f"{where}: {text}")
        if told not in self._told:
            self._told.append(told)

    def all(self) -> tuple[str, ...]:
        return tuple(text for _, text in sorted(self._told, key=lambda told: told[0]))


# --- From bytes to sections -----------------------------------------------------------


def _content(path: Path) -> bytes:
    shown = printable(str(path))
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"{shown}: there is no such file. Name your settings with -c, "
            "or begin with a copy of conf/example.conf."
        ) from None
    except IsADirectoryError:
        raise ConfigError(
            f"{shown}: is a directory. Name the file of settings in it with -c."
        ) from None
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise ConfigError(
            f"{shown}: cannot be read: {reason}. Give this user the right to read it, "
            "or name another file with -c."
        ) from exc
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigError(
            f"{shown}: is larger than {_MAX_FILE_BYTES // 1024**2} MB, so it is no "
            "file of settings. Name another file with -c."
        )
    return content


def _decoded(content: bytes, problems: _Problems) -> str:
    """The text with `\\n` between lines; raises ConfigError when it is none."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as exc:
        if encoding == "utf-16":
            problems.error(
                None, "begins like UTF-16 and is cut or damaged. Save it as UTF-8."
            )
            raise ConfigError(problems.all()) from exc
        text = content.decode("latin-1")
        problems.warning(
            content.count(b"\n", 0, exc.start) + 1,
            "not UTF-8, so the file is read as Latin-1. Save it as UTF-8.",
        )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if control := _CONTROL.search(text):
        problems.error(
            text.count("\n", 0, control.start()) + 1,
            f"holds a control character (0x{ord(control[0]):02x}), so this is no text. "
            "Name a text file with -c, saved as UTF-8.",
        )
        raise ConfigError(problems.all())
    return text


@dataclass(slots=True)
class _Entry:
    """A key as spelled, the line it stands in, and the lines of its value."""

    key: str
    line: int
    parts: list[str]

    @property
    def raw(self) -> str:
        return "\n".join(self.parts).rstrip()


@dataclass(frozen=True, slots=True)
class _Section:
    """A section, the line it begins in, and its entries by key in lower case."""

    line: int
    entries: dict[str, _Entry] = field(default_factory=dict)


def _sections(text: str, problems: _Problems) -> dict[str, _Section]:
    """What stands in the file; of a key that stands twice, the first."""
    sections: dict[str, _Section] = {}
    section: _Section | None = None
    entry: _Entry | None = None
    name = ""
    indent = 0
    headless = False
    strange = 0
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith(("#", ";")):
            continue
        if not stripped:
            if entry:
                entry.parts.append("")
            continue
        line_indent = len(line) - len(line.lstrip())
        if entry and line_indent > indent:
            _warn_of_swallowed_key(stripped, number, entry, problems)
            entry.parts.append(stripped)
            continue
        indent = line_indent
        if header := _SECTION.match(stripped):
            name, entry = header[1], None
            if name in sections:
                problems.error(
                    number,
                    f"section [{shortened(name)}] stands twice, in lines "
                    f"{sections[name].line} and {number}. Put its keys together.",
                )
            section = sections.setdefault(name, _Section(number))
            continue
        if section is None:
            if not headless:
                problems.error(
                    number,
                    "stands before any section. Begin the file with a line such as "
                    "[SEARCH]; conf/example.conf shows all sections.",
                )
            headless = True
            continue
        delimiter = _DELIMITER.search(stripped)
        key = stripped[: delimiter.start()].rstrip() if delimiter else ""
        if delimiter is None or not key:
            strange += 1
            if strange <= _MAX_LINE_PROBLEMS:
                # The line itself may be half a password, so it is not shown.
                problems.error(
                    number,
                    "is no [SECTION], no Key = value and no comment. Correct it, or "
                    "put a # before it.",
                )
            continue
        entry = _Entry(key, number, [stripped[delimiter.end() :].strip()])
        first = section.entries.setdefault(key.lower(), entry)
        if first is not entry:
            problems.error(
                number,
                f"[{shortened(name)}] {shortened(key)} stands twice, in lines "
                f"{first.line} and {number}. Remove one of them.",
            )
    if strange > _MAX_LINE_PROBLEMS:
        problems.error(
            None,
            f"{strange - _MAX_LINE_PROBLEMS} further lines are no settings. "
            "Is it the right file?",
        )
    return sections


def _warn_of_swallowed_key(
    stripped: str, number: int, entry: _Entry, problems: _Problems
) -> None:
    word = _DELIMITER.split(stripped, maxsplit=1)[0].strip()
    if word != stripped and (setting := _BY_KEY.get(word.lower())):
        problems.warning(
            number,
            f"is indented deeper than {shortened(entry.key)} above it, so it is part "
            f"of that value and does not set {setting.key}. Remove the indentation.",
        )


# --- From sections to values ----------------------------------------------------------

_BY_KEY = {setting.key.lower(): setting for setting in SETTINGS}
_WITH_PASSWORD = (Kind.FEEDS, Kind.PROXY, Kind.DATABASE)  # addresses


def _is_secret(key: str) -> bool:
    """Whether what stands behind a key, given in lower case, must not be shown."""
    setting = _BY_KEY.get(key)
    return setting is not None and (setting.secret or setting.kind in _WITH_PASSWORD)


class _Refused(Exception):
    """A value cannot be used; str() is a hint for the next step, or empty."""


@dataclass(frozen=True, slots=True)
class _Value:
    """
    A value with all references replaced.

    Args:
        given: the text behind the key, as it stands in the file.
        from_secret: the text is, or holds, the value of a secret setting.
        from_environment: it holds what an environment variable does.
    """

    text: str
    line: int
    given: str
    from_secret: bool
    from_environment: bool

    @property
    def masked(self) -> bool:
        """Whether no message may show the text."""
        return self.from_secret or self.from_environment


class _Reader:
    """Turns the entries of a file into values of settings, and notes what is wrong."""

    def __init__(
        self,
        sections: dict[str, _Section],
        environ: Mapping[str, str],
        problems: _Problems,
    ) -> None:
        self._sections = sections
        self._environ = environ
        self._problems = problems
        self._present: dict[str, _Value] = {}  # by key, with a value
        self._empty: dict[str, int] = {}  # by key, with the line
        self._refused: set[str] = set()  # keys
        self._referenced: set[tuple[str, str]] = set()  # section and key of %(key)s
        self.from_environment: set[str] = set()  # attributes
        self.from_secret: set[str] = set()  # attributes

    def value(self, setting: Setting) -> Any:
        """The value in force; after a problem the default, so that reading goes on."""
        default = _PARSERS[setting.kind](setting, setting.default)
        entry = self._entry(setting.section, setting.key)
        if entry is None:
            return default
        try:
            value = self._resolved(setting, entry)
            if value.text == "":
                self._empty[setting.key] = entry.line
                return default
            parsed = _PARSERS[setting.kind](setting, value.text)
        except _BadPattern as exc:
            self._refuse(setting, entry, exc.told(hidden=value.masked))
        except _BadAddress as exc:
            self._refuse(setting, entry, exc.told(setting, hidden=value.masked))
        except _Unresolvable as exc:
            for reason in exc.reasons:
                self._refuse(setting, entry, reason)
        except _Refused as exc:
            self._refuse(setting, entry, _not_accepted(setting, value, str(exc)))
        else:
            self._present[setting.key] = value
            if value.from_environment:
                self.from_environment.add(setting.attribute)
            if value.from_secret:
                self.from_secret.add(setting.attribute)
            self._warn_of_looks(setting, value)
            return parsed
        return default

    def check_required(self, values: Mapping[str, Any]) -> None:
        """Notes settings that must have a value and have none."""
        needed = {Required.ALWAYS}
        if "Source" not in self._refused:
            replay = values["source"] == "replay"
            needed.add(Required.WITH_REPLAY if replay else Required.WITH_CERTSTREAM)
        for setting in SETTINGS:
            if setting.required not in needed or setting.key in self._refused:
                continue
            if setting.key not in self._present:
                line = self._empty.get(setting.key)
                state = "is missing" if line is None else "is empty"
                condition = setting.required.removeprefix("required").strip()
                self._problems.error(
                    line,
                    f"[{setting.section}] {setting.key} {state} and must be given"
                    f"{' ' + condition if condition else ''}; accepted is "
                    f"{setting.accepted}.{_example(setting)}",
                )

    def check_combinations(self) -> None:
        """Notes settings that do not go together."""
        has_host = "Proxy_Host" in self._present or "Proxy_Host" in self._refused
        has_port = "Proxy_Port" in self._present or "Proxy_Port" in self._refused
        if has_host and not has_port:
            self._problems.error(
                self._line("Proxy_Host"),
                "[SERVER] Proxy_Host is given without Proxy_Port. Add the port of the "
                "proxy, often 3128 or 8080 for http and 1080 for socks5.",
            )
        for key in ("Proxy_Port", "Proxy_Username", "Proxy_Password"):
            if key in self._present and not has_host:
                self._problems.warning(
                    self._line(key),
                    f"[SERVER] {key} is given without Proxy_Host, so it is not used. "
                    f"Add Proxy_Host, or remove {key}.",
                )
        if "URL" in self._present and "DBFile" in self._present:
            self._problems.warning(
                self._line("DBFile"),
                "[DATABASE] DBFile and URL are both given; URL is used. Remove one of "
                "them.",
            )
        source = self._present.get("Source")
        if "Replay_File" in self._present and (
            source is None or source.text.lower() == "certstream"
        ):
            self._problems.warning(
                self._line("Replay_File"),
                "[SOURCES] Replay_File is not used, as Source is certstream. Set "
                "Source = replay to read it.",
            )

    def check_unknown(self) -> None:
        """Notes sections and keys that nothing reads, with the nearest known one."""
        for name, section in self._sections.items():
            if name in (*SECTIONS, _DEFAULTS):
                self._check_unknown_keys(name, section)
                continue
            near = get_close_matches(name.upper(), SECTIONS, 1, 0.7)
            advice = f"Did you mean [{near[0]}]?" if near else "Is it a mistake?"
            self._problems.warning(
                section.line,
                f"[{shortened(name)}] is no section of ours, so nothing in it is used. "
                + advice,
            )
            if not near:
                for lowered, entry in section.entries.items():
                    if setting := _BY_KEY.get(lowered):
                        self._warn_of_place(name, entry, setting)

    def _check_unknown_keys(self, name: str, section: _Section) -> None:
        own = {s.key.lower(): s for s in SETTINGS if s.section == name}
        for lowered, entry in section.entries.items():
            if lowered in own or (name, lowered) in self._referenced:
                continue
            if setting := _BY_KEY.get(lowered):
                if name != _DEFAULTS:
                    self._warn_of_place(name, entry, setting)
                continue
            near = get_close_matches(lowered, own, 1, 0.7) or get_close_matches(
                lowered, _BY_KEY, 1, 0.7
            )
            advice = "docs/settings.md lists all keys."
            if near:
                setting = _BY_KEY[near[0]]
                where = "" if setting.section == name else f" in [{setting.section}]"
                advice = f"Did you mean {setting.key}{where}?"
            self._problems.warning(
                entry.line,
                f"[{name}] {shortened(entry.key)} is no key of ours and is not used. "
                + advice,
            )

    def _warn_of_place(self, name: str, entry: _Entry, setting: Setting) -> None:
        self._problems.warning(
            entry.line,
            f"[{shortened(name)}] {shortened(entry.key)} is not used here: "
            f"{setting.key} belongs in [{setting.section}].",
        )

    def _warn_of_looks(self, setting: Setting, value: _Value) -> None:
        """Notes what ConfigParser takes as part of a value and people often do not."""
        text = value.text
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            self._problems.warning(
                value.line,
                f"[{setting.section}] {setting.key}: the quotes are part of the value. "
                "Remove them, unless that is meant.",
            )
        if _COMMENT_BEHIND.search(value.given):
            self._problems.warning(
                value.line,
                f"[{setting.section}] {setting.key}: what follows # or ; is part of "
                "the value. A comment needs a line of its own.",
            )
        if setting.kind is Kind.REGEX and _matches_empty(text):
            effect = (
                "blocks every name"
                if setting.attribute == "blacklist_keywords"
                else "is not counted"
            )
            self._problems.warning(
                value.line,
                f"[{setting.section}] {setting.key} also matches the empty text, which "
                f"{effect}. Is there a | too many?",
            )

    def _refuse(self, setting: Setting, entry: _Entry, reason: str) -> None:
        self._refused.add(setting.key)
        self._problems.error(entry.line, f"[{setting.section}] {setting.key}: {reason}")

    def _line(self, key: str) -> int | None:
        setting = _BY_KEY[key.lower()]
        entry = self._entry(setting.section, key)
        return entry.line if entry else None

    def _entry(self, section: str, key: str) -> _Entry | None:
        for name in (section, _DEFAULTS):
            if name in self._sections:
                entry = self._sections[name].entries.get(key.lower())
                if entry is not None:
                    return entry
        return None

    def _resolved(self, setting: Setting, entry: _Entry) -> _Value:
        used: set[str] = set()
        text = self._interpolated(
            setting.section, entry.raw, (entry.key.lower(),), used
        )
        missing: list[str] = []
        found = False

        def replaced(match: re.Match[str]) -> str:
            nonlocal found
            if match[1]:
                return match[0][1:]
            found = True
            if match[2] not in self._environ:
                missing.append(match[2])
            return self._environ.get(match[2], "")

        text = _VARIABLE.sub(replaced, text)
        if missing:
            raise _Unresolvable(
                f"the environment has no variable {name}. Set it, or write "
                f"$${{{name}}} if the text ${{{name}}} itself is meant."
                for name in dict.fromkeys(missing)
            )
        secret = setting.secret or any(_is_secret(key) for key in used)
        return _Value(
            text=text.strip() if found else text,
            line=entry.line,
            given=entry.raw,
            from_secret=secret,
            from_environment=found,
        )

    def _interpolated(
        self, section: str, raw: str, chain: tuple[str, ...], used: set[str]
    ) -> str:
        """
        `raw` with `%%` and `%(key)s` replaced.

        Args:
            chain: keys, in lower case, in whose values this one stands.
            used: grows by the keys that were needed.
        """
        pieces: list[str] = []
        length = end = 0
        for match in _REFERENCE.finditer(raw):
            pieces.append(raw[end : match.start()])
            end = match.end()
            piece = "%"
            if match[1]:
                key = match[1].lower()
                other = self._entry(section, key)
                if other is None:
                    raise _Unresolvable(
                        [
                            f"%({shortened(match[1])})s stands for the value of a "
                            f"key that [{section}] does not have. Add it, or write "
                            "%% for a plain %."
                        ]
                    )
                if key in chain or len(chain) > _MAX_REFERENCES:
                    raise _Unresolvable(
                        [
                            f"%({shortened(match[1])})s leads back to itself or "
                            f"through more than {_MAX_REFERENCES} keys. Write the "
                            "value out."
                        ]
                    )
                used.add(key)
                for name in (section, _DEFAULTS):
                    self._referenced.add((name, key))
                piece = self._interpolated(section, other.raw, (*chain, key), used)
            pieces.append(piece)
            length += len(piece)
            if length > _MAX_VALUE_CHARACTERS:
                raise _Unresolvable(
                    [
                        f"is longer than {_MAX_VALUE_CHARACTERS:,} characters when all "
                        "%(keys)s in it are replaced. Write the value out."
                    ]
                )
        return "".join((*pieces, raw[end:]))


class _Unresolvable(_Refused):
    """A reference to another key, or to the environment, leads nowhere."""

    def __init__(self, reasons: list[str] | Iterator[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(*self.reasons)


def _not_accepted(setting: Setting, value: _Value, hint: str) -> str:
    found = "the value" if value.masked else f"'{shortened(value.text)}'"
    if value.from_environment and not setting.secret:
        names = (f"${{{match[2]}}}" for match in _VARIABLE.finditer(value.given))
        found = f"the value with {', '.join(dict.fromkeys(names))}"
    if not hint and not value.masked and _COMMENT_BEHIND.search(value.text):
        hint = "A comment needs a line of its own."
    elif not hint and value.text[0] in "\"'":
        hint = "Remove the quotes."
    end = f" {hint}" if hint else ""
    return f"{found} is not accepted; accepted is {setting.accepted}.{end}"


def _example(setting: Setting) -> str:
    if not setting.example:
        return ""
    return f" For example: {setting.key} = {setting.example}"


# --- One function for each kind of value ----------------------------------------------


class _BadPattern(_Refused):
    """A regular expression cannot be used, for `reason`, at `position` if known."""

    def __init__(self, pattern: str, reason: str, position: int | None) -> None:
        self._pattern = pattern
        self._reason = reason
        self._position = position
        super().__init__(reason)

    def told(self, *, hidden: bool) -> str:
        """A sentence, and below it the place in the pattern unless it is hidden."""
        pattern, position = self._pattern, self._position
        where = "" if position is None else f" at position {position}"
        if hidden:
            return f"{self._reason}{where}. Correct the regular expression."
        told = (
            f"{self._reason}{where} of '{shortened(pattern)}'. Correct the regular "
            "expression; a character that is meant as it stands takes a \\ before it."
        )
        if position is None:
            return told
        start = max(position - 40, 0)
        before = printable(pattern[start:position])
        after = printable(pattern[position : position + 30])
        return f"{told}\n    {before}{after}\n    {' ' * len(before)}^"


class _BadAddress(_Refused):
    """An address cannot be used; str() is the next step."""

    def __init__(self, address: str, value: str, hint: str) -> None:
        self._address = address
        # With an @ somewhere a comma or a space may have cut a password in two.
        self._readable = "@" not in value
        super().__init__(hint)

    def told(self, setting: Setting, *, hidden: bool) -> str:
        """What was found, as far as it is no secret, what is accepted, what to do."""
        if hidden:
            found = "the address"
        elif self._readable:
            found = f"'{shortened(masked_url(self._address))}'"
        else:
            scheme = _ADDRESS.fullmatch(self._address)
            found = f"'{scheme[1]}://{MASK}'" if scheme else f"'{MASK}'"
        return f"{found} is not accepted; accepted is {setting.accepted}. {self}"


def _text(setting: Setting, text: str) -> str:
    # ConfigParser keeps the line breaks of a continued value. No text of ours may hold
    # one: in http_UA it would begin a header of its own.
    joined = " ".join(line for line in text.split("\n") if line)
    if _CONTROL.search(joined) or "\r" in joined:
        raise _Refused("Remove the control characters.")
    return joined


def _path(setting: Setting, text: str) -> str:
    if "\n" in text or "\r" in text or _CONTROL.search(text):
        raise _Refused("Write the path on one line.")
    return text


def _regex(setting: Setting, text: str) -> str:
    pattern = text.replace("\n", "")
    if pattern == "":
        return pattern
    try:
        with warnings.catch_warnings():
            # "Possible nested set" and the like: they are read as they always were.
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(pattern)
            # Names are judged by the regex package, which has a time limit.
            regex.compile(pattern, regex.VERSION0 | regex.IGNORECASE)
            _, longest = _parser.parse(pattern).getwidth()
    except re.error as exc:
        raise _BadPattern(pattern, exc.msg, exc.pos) from None
    except regex.error as exc:
        # Its types do not tell, but it carries what that of `re` does.
        reason = getattr(exc, "msg", str(exc))
        raise _BadPattern(pattern, reason, getattr(exc, "pos", None)) from None
    except (RecursionError, OverflowError, MemoryError):
        reason = "is too large, or nested too deep"
        raise _BadPattern(pattern, reason, None) from None
    if longest == 0 and setting.required is Required.ALWAYS:
        reason = "matches nothing but the empty text"
        raise _BadPattern(pattern, reason, None)
    return pattern


def _matches_empty(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.fullmatch(text.replace("\n", ""), "") is not None


def _integer(setting: Setting, text: str) -> int | None:
    if text == "":
        return None
    if not _WHOLE_NUMBER.fullmatch(text):
        raise _Refused
    return int(_in_range(setting, int(text)))


def _number(setting: Setting, text: str) -> float | None:
    if text == "":
        return None
    if not _NUMBER.fullmatch(text):
        raise _Refused
    return float(_in_range(setting, float(text)))


def _in_range(setting: Setting, number: float) -> float:
    low, high = setting.minimum, setting.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        raise _Refused
    return number


def _choice(setting: Setting, text: str) -> str:
    word = text.lower()
    if word not in setting.choices:
        near = get_close_matches(word, setting.choices, 1, 0.6)
        raise _Refused(f"Did you mean {near[0]}?" if near else "")
    return word


def _log_level(setting: Setting, text: str) -> int:
    level = LOG_LEVELS.get(text.upper())
    if level is None and _WHOLE_NUMBER.fullmatch(text):
        level = int(text)
    if level is None or not 0 <= level <= 50:
        near = get_close_matches(text.upper(), LOG_LEVELS, 1, 0.6)
        raise _Refused(f"Did you mean {near[0]}?" if near else "")
    return level


def _table_name(setting: Setting, text: str) -> str:
    if not _TABLE_NAME.fullmatch(text):
        raise _Refused
    return text


def _host(setting: Setting, text: str) -> str:
    if text == "":
        return text
    if re.search(r"[\s/@?#\\]", text):
        raise _BadAddress(text, text, "Write the host alone.")
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in text or bare != text:
        try:
            IPv6Address(bare)
        except ValueError:
            hint = "The port belongs in Proxy_Port."
            raise _BadAddress(text, text, hint) from None
    return bare


def _feeds(setting: Setting, text: str) -> tuple[str, ...]:
    addresses = tuple(part for part in _BETWEEN.split(text) if part)
    for address in addresses:
        parts = _split(address, text)
        scheme = parts.scheme
        if scheme in ("http", "https"):
            needed = "wss" if scheme == "https" else "ws"
            hint = f"The feed is a websocket: write {needed}:// for {scheme}://."
            raise _BadAddress(address, text, hint)
        if scheme not in ("ws", "wss"):
            raise _BadAddress(address, text, "Begin it with ws:// or wss://.")
        if not parts.hostname:
            raise _BadAddress(address, text, "Add the host.")
        if parts.fragment:
            raise _BadAddress(address, text, "Remove the # and what follows it.")
    if text and not addresses:
        raise _Refused
    return addresses


def _proxy(setting: Setting, text: str) -> str:
    if text == "":
        return text
    if "://" not in text:
        # The old scanner's library took `host:port` as an HTTP proxy.
        text = f"http://{text}"
    parts = _split(text, text)
    if parts.scheme not in ("http", "socks5", "socks5h"):
        hint = "Begin it with http://, socks5:// or socks5h://."
        raise _BadAddress(text, text, hint)
    if not parts.hostname or parts.port is None:
        raise _BadAddress(text, text, "Give host and port.")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _BadAddress(text, text, "Remove what follows the port.")
    return text


def _database(setting: Setting, text: str) -> str:
    if text == "":
        return text
    if text.lower().startswith("sqlite:"):
        # What follows is a path, which may hold a space.
        path = text[len("sqlite:") :]
        if not path.startswith("///") or path.strip("/") == "" or "\n" in path:
            hint = "Write sqlite:/// and the path; with four slashes it is absolute."
            raise _BadAddress(text, text, hint)
        return text
    parts = _split(text, text)
    if parts.scheme == "postgres":
        raise _BadAddress(text, text, "Write postgresql:// for postgres://.")
    if parts.scheme != "postgresql":
        raise _BadAddress(text, text, "Begin it with postgresql:// or sqlite:///.")
    if parts.path in ("", "/"):
        raise _BadAddress(text, text, "Name the database behind the host.")
    return text


def _apprise(setting: Setting, text: str) -> str:
    if text and not _ADDRESS.fullmatch(text):
        raise _Refused("Begin it with the scheme of a service, such as mailto://.")
    return text


def _split(address: str, value: str) -> SplitResult:
    """The parts of one address of a value, if its host and port are possible."""
    if re.search(r"[\s\\]|[\x00-\x1f\x7f]", address):
        raise _BadAddress(address, value, "Remove white space and backslashes.")
    if not _ADDRESS.fullmatch(address):
        raise _BadAddress(address, value, "Begin it with its scheme and ://.")
    try:
        parts = urlsplit(address)
    except ValueError:
        raise _BadAddress(address, value, "Correct the host.") from None
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or parts.netloc.endswith(":") or parts.netloc.count("@") > 1:
        hint = (
            "The port is a number from 1 to 65535; in a password / is written %2F, "
            "# is %23, ? is %3F and @ is %40."
        )
        raise _BadAddress(address, value, hint)
    return parts


_PARSERS: dict[Kind, Callable[[Setting, str], Any]] = {
    Kind.TEXT: _text,
    Kind.PATH: _path,
    Kind.REGEX: _regex,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.CHOICE: _choice,
    Kind.LOG_LEVEL: _log_level,
    Kind.TABLE_NAME: _table_name,
    Kind.HOST: _host,
    Kind.FEEDS: _feeds,
    Kind.PROXY: _proxy,
    Kind.DATABASE: _database,
    Kind.APPRISE: _apprise,
}
