"""What a file says of one setting: text that becomes a value of the setting's kind."""

import base64
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from ctmonitor import addresses
from ctmonitor.errors import ConfigError, FormatError
from ctmonitor.ini import Entry, IniFile
from ctmonitor.model.domain import watched_domain
from ctmonitor.model.text import printable, shortened
from ctmonitor.references import resolved
from ctmonitor.rules.literals import required_literals
from ctmonitor.rules.pattern import check
from ctmonitor.settings import BY_KEY, LOG_LEVELS, Kind, Required, Setting
from ctmonitor.sources.start import Start

COMMENT_BEHIND = re.compile(r"\s[#;]")

# Tabs and, between its lines, line breaks are for the kinds to judge.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{0,18})?")
_TABLE_NAME = re.compile(r"(?!ctm_|sqlite_)[a-z_][a-z0-9_]{0,62}", re.I | re.ASCII)
_POSITION = re.compile(r" at position ([0-9]+)\Z")
# It stands in a header of HTTP, in brackets.
_CONTACT = re.compile(r"(?=[^@]+@[^@]+\Z|https?://.)[!-'*-~]+", re.I)
_TRUTH = {
    **dict.fromkeys(("yes", "true", "on", "1"), True),
    **dict.fromkeys(("no", "false", "off", "0"), False),
}
_NAMES = re.compile(r'(?:[^,;\n"]|"[^"\n]*")+')
_SHA256 = re.compile(r"[0-9a-f]{64}")
_S3 = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[\w!.*'()/-]{0,500})?")
_MAILBOX = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,253}")
_NO_VALUE: dict[Kind, Any] = {
    Kind.INTEGER: None,
    Kind.NUMBER: None,
    Kind.FEEDS: (),
    Kind.SERVICES: (),
    Kind.ROUTES: (),
    Kind.PORTS: (),
    Kind.NETWORKS: (),
    Kind.RESOLVERS: (),
    Kind.COMMAND: (),
    Kind.WORDS: frozenset(),
    Kind.LOGS: (),
    Kind.START: Start(),
    Kind.DOMAINS: (),
    Kind.NAMES: (),
    Kind.KEYS: (),
    Kind.DAYS: (),
    Kind.MAILBOXES: (),
}


_Found = TypeVar("_Found", str, tuple[Any, ...])


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What the file says of one setting.

    Args:
        value: in force; the default when the file gives none that can be used.
        entry: where the file speaks of it, None when it does not.
        text: the value as text, references replaced; empty when none is given.
        is_refused: the file gives a value that cannot be used.
        is_secret: the text is, or holds, the value of a secret setting.
        is_from_environment: the text holds what an environment variable does.
    """

    setting: Setting
    value: Any
    entry: Entry | None = None
    text: str = ""
    is_refused: bool = False
    is_secret: bool = False
    is_from_environment: bool = False

    @property
    def line(self) -> int | None:
        return None if self.entry is None else self.entry.line


def reading(setting: Setting, file: IniFile, environ: Mapping[str, str]) -> Reading:
    """
    The value of one setting in a file.

    Raises:
        ConfigError: with sentences that want `[SECTION] Key: ` before them.
    """
    default = parse(setting, setting.default)
    entry = file.entry(setting.section, setting.key)
    if entry is None:
        return Reading(setting, default)
    found = resolved(file, setting.section, entry, environ)
    if not found.text:
        return Reading(setting, default, entry)
    is_secret = setting.secret or any(
        other.holds_secret for key in found.keys for other in BY_KEY.get(key, ())
    )
    is_hidden = is_secret or setting.secret_path or found.variables
    hidden = "the value" if is_hidden else ""
    if found.variables:
        hidden += " with " + ", ".join(f"${{{name}}}" for name in found.variables)
    return Reading(
        setting,
        parse(setting, found.text, hidden),
        entry,
        found.text,
        is_secret=is_secret,
        is_from_environment=bool(found.variables),
    )


def parse(setting: Setting, text: str, hidden: str = "") -> Any:
    """
    The value that `text` stands for.

    Args:
        hidden: words for the text where it must not be shown.

    Raises:
        ConfigError: with what was found, what is accepted, and the next step.
    """
    if text == "":
        return _NO_VALUE.get(setting.kind, "")
    try:
        return _value(setting, text)
    except FormatError as exc:
        raise ConfigError(_bad_pattern(_joined(text), str(exc), hidden)) from exc
    except addresses.BadPart as exc:
        shown, hint = exc.shown, str(exc)
    except ValueError as exc:
        shown, hint = shortened(text), str(exc)
        if not hint and COMMENT_BEHIND.search(text):
            hint = "A comment needs a line of its own."
        elif not hint and text[0] in "\"'":
            hint = "Remove the quotes."
    found = hidden or f"'{shown}'"
    raise ConfigError(
        f"{found} is not accepted; accepted is {setting.accepted}. {hint}".rstrip()
    )


def _value(setting: Setting, text: str) -> Any:
    """Raises ValueError with a hint, or FormatError for a regular expression."""
    match setting.kind:
        case Kind.TEXT:
            return _text(text)
        case Kind.PATH:
            return _path(text)
        case Kind.REGEX:
            return _regex(text, may_be_empty=setting.required is Required.NEVER)
        case Kind.INTEGER | Kind.NUMBER:
            return _number(setting, text)
        case Kind.BOOLEAN:
            return _TRUTH[_choice(text.lower(), _TRUTH)]
        case Kind.WORDS:
            words = _some(addresses.parts(text.lower()))
            return frozenset(_choice(word, setting.choices) for word in words)
        case Kind.CHOICE:
            return _choice(text.lower(), setting.choices)
        case Kind.LOG_LEVEL:
            if _WHOLE_NUMBER.fullmatch(text) and 0 <= int(text) <= 50:
                return int(text)
            return LOG_LEVELS[_choice(text.upper(), LOG_LEVELS)]
        case Kind.TABLE_NAME:
            return _matching(_TABLE_NAME, text)
        case Kind.CONTACT:
            return _matching(_CONTACT, text)
        case Kind.HOST:
            return addresses.host(text)
        case Kind.FEEDS:
            return _some(addresses.feeds(text))
        case Kind.PROXY:
            return addresses.proxy(text)
        case Kind.DATABASE:
            return addresses.database(text)
        case Kind.SERVICE:
            return _some(addresses.service(text))
        case Kind.SERVICES:
            return _some(addresses.services(text))
        case Kind.ROUTES:
            routes = addresses.routes(text)
            for kind, _ in routes:
                _choice(kind, setting.choices)
            return routes
        case Kind.URL:
            return addresses.web(text)
        case Kind.PATH_OR_URL:
            return addresses.web(text) if "://" in text else _path(text)
        case Kind.PORTS:
            return _some(_ports(text))
        case Kind.NETWORKS:
            return _some(addresses.networks(text))
        case Kind.RESOLVERS:
            return _some(addresses.resolvers(text))
        case Kind.COMMAND:
            return _command(text)
        case Kind.LOGS:
            return _some(_logs(text))
        case Kind.START:
            return Start.parse(text)
        case Kind.DOMAINS:
            return _some(_domains(text))
        case Kind.NAMES:
            return _some(names(text))
        case Kind.KEYS:
            return _some(_keys(text))
        case Kind.DAYS:
            return _some(_days(text))
        case Kind.STATE:
            return _state(text)
        case Kind.MAILBOXES:
            return _some(_mailboxes(text))


def _some(found: _Found) -> _Found:
    if not found:
        raise ValueError
    return found


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError
    return text


def _text(text: str) -> str:
    # ConfigParser keeps the line breaks of a continued value. No text of ours may hold
    # one: in http_UA it would begin a header of its own.
    joined = " ".join(line for line in text.split("\n") if line)
    if _CONTROL.search(joined):
        raise ValueError("Remove the control characters.")
    return joined


def _path(text: str) -> str:
    if "\n" in text or _CONTROL.search(text):
        raise ValueError("Write the path on one line.")
    return text


def _number(setting: Setting, text: str) -> float:
    is_whole = setting.kind is Kind.INTEGER
    if not (_WHOLE_NUMBER if is_whole else _NUMBER).fullmatch(text):
        raise ValueError
    number = int(text) if is_whole else float(text)
    low, high = setting.minimum, setting.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError
    return number


def _choice(word: str, choices: Iterable[str]) -> str:
    if word not in choices:
        near = get_close_matches(word, list(choices), 1, 0.6)
        raise ValueError(f"Did you mean {near[0]}?" if near else "")
    return word


def _ports(text: str) -> tuple[int, ...]:
    found = addresses.parts(text)
    if not all(_WHOLE_NUMBER.fullmatch(port) for port in found):
        raise ValueError
    ports = dict.fromkeys(map(int, found))  # a set that keeps the order
    if not all(1 <= port <= 65_535 for port in ports):
        raise ValueError
    return tuple(ports)


def _logs(text: str) -> tuple[str, ...]:
    # Names of logs hold spaces: "Google 'Argon2026h1' log".
    parts = (" ".join(part.split()) for part in re.split(r"[,\n]", text))
    return tuple(part for part in parts if part)


def _domains(text: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    problems = []
    for written in addresses.parts(text):
        try:
            found[watched_domain(written)] = None
        except FormatError as exc:
            problems.append(exc.detail)
    if problems:
        raise ValueError("; ".join(problems) + ".")
    return tuple(found)


def names(text: str) -> tuple[str, ...]:
    """Names between commas, semicolons and line breaks; quotes keep one together."""
    found = _NAMES.findall(text)
    if '"' in _NAMES.sub("", text):
        raise ValueError("Close the quotes.")
    named = (" ".join(name.replace('"', "").split()) for name in found)
    return tuple(dict.fromkeys(name for name in named if name))


def _keys(text: str) -> tuple[str, ...]:
    found = []
    for written in addresses.parts(text):
        key = written.replace(":", "").lower()
        if not _SHA256.fullmatch(key):
            key = base64.b64decode(written, validate=True).hex()
            if not _SHA256.fullmatch(key):
                raise ValueError
        found.append(key)
    return tuple(dict.fromkeys(found))


def _days(text: str) -> tuple[int, ...]:
    found = addresses.parts(text)
    if not all(_WHOLE_NUMBER.fullmatch(day) and 1 <= int(day) <= 365 for day in found):
        raise ValueError
    return tuple(sorted(set(map(int, found)), reverse=True))


def _state(text: str) -> str:
    if "://" not in text:
        return _path(text)
    return _matching(_S3, text)


def _mailboxes(text: str) -> tuple[str, ...]:
    found = addresses.parts(text)
    return tuple(_matching(_MAILBOX, each) for each in found)


def _command(text: str) -> tuple[str, ...]:
    try:
        words = shlex.split(text)
    except ValueError:
        raise ValueError("Close the quotes, or put a \\ before the one.") from None
    if not words or not all(words):
        raise ValueError("Remove the empty word.")
    return tuple(words)


def _joined(text: str) -> str:
    return text.replace("\n", "")


def _regex(text: str, *, may_be_empty: bool) -> str:
    pattern = _joined(text)
    check(pattern)
    if not may_be_empty and required_literals(pattern) == frozenset():
        raise FormatError("matches nothing but the empty text")
    return pattern


def _bad_pattern(pattern: str, reason: str, hidden: str) -> str:
    """A sentence, and below it the place in the pattern unless it is hidden."""
    found = _POSITION.search(reason)
    if hidden:
        return f"{reason}. Correct the regular expression."
    if not found:
        return f"'{shortened(pattern)}': {reason}. Correct the regular expression."
    told = (
        f"{reason} of '{shortened(pattern)}'. Correct the regular expression; a "
        "character that is meant as it stands takes a \\ before it."
    )
    position = int(found[1])
    before = printable(pattern[max(position - 40, 0) : position])
    after = printable(pattern[position : position + 30])
    return f"{told}\n    {before}{after}\n    {' ' * len(before)}^"
