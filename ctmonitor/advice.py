"""What is told of a file as a whole: what is missing, unused, misspelt, or odd."""

import re
import warnings
from collections.abc import Mapping
from difflib import get_close_matches

from ctmonitor.ini import DEFAULTS, Entry, IniFile
from ctmonitor.model.text import shortened
from ctmonitor.problems import Problems
from ctmonitor.references import keys_in
from ctmonitor.settings import BY_KEY, SECTIONS, SETTINGS, Kind, Required, Setting
from ctmonitor.values import COMMENT_BEHIND, Reading

Readings = Mapping[str, Reading]  # by key, as the table spells it


def check_required(
    readings: Readings, problems: Problems, *, needs_source: bool
) -> None:
    """Notes settings that must have a value and have none."""
    needed = {Required.ALWAYS}
    source = readings["Source"]
    if needs_source and not source.is_refused:
        is_replay = source.value == "replay"
        needed.add(Required.WITH_REPLAY if is_replay else Required.WITH_CERTSTREAM)
    for key, reading in readings.items():
        setting = reading.setting
        if setting.required not in needed or reading.text or reading.is_refused:
            continue
        state = "is missing" if reading.entry is None else "is empty"
        condition = setting.required.removeprefix("required")
        example = f" For example: {key} = {setting.example}" if setting.example else ""
        problems.error(
            reading.line,
            f"[{setting.section}] {key} {state} and must be given{condition}; "
            f"accepted is {setting.accepted}.{example}",
        )


def check_combinations(readings: Readings, problems: Problems) -> None:
    """Notes settings that do not go together."""
    given = {key for key, reading in readings.items() if reading.text}
    tried = given | {key for key, reading in readings.items() if reading.is_refused}
    if "Proxy_Host" in tried and "Proxy_Port" not in tried:
        problems.error(
            readings["Proxy_Host"].line,
            "[SERVER] Proxy_Host is given without Proxy_Port. Add the port of the "
            "proxy, often 3128 or 8080 for http and 1080 for socks5.",
        )
    for key in ("Proxy_Port", "Proxy_Username", "Proxy_Password"):
        if key in given and "Proxy_Host" not in tried:
            problems.warning(
                readings[key].line,
                f"[SERVER] {key} is given without Proxy_Host, so it is not used. Add "
                f"Proxy_Host, or remove {key}.",
            )
    if {"URL", "DBFile"} <= given:
        problems.warning(
            readings["DBFile"].line,
            "[DATABASE] DBFile and URL are both given; URL is used. Remove one of "
            "them.",
        )
    source = readings["Source"]
    is_certstream = source.value == "certstream" and not source.is_refused
    if "Replay_File" in given and is_certstream:
        problems.warning(
            readings["Replay_File"].line,
            "[SOURCES] Replay_File is not used, as Source is certstream. Set Source = "
            "replay to read it.",
        )


def check_looks(readings: Readings, problems: Problems) -> None:
    """Notes what ConfigParser takes as part of a value and people often do not."""
    for key, reading in readings.items():
        text, entry = reading.text, reading.entry
        if not text or entry is None:
            continue
        where = f"[{reading.setting.section}] {key}"
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            problems.warning(
                entry.line,
                f"{where}: the quotes are part of the value. Remove them, unless that "
                "is meant.",
            )
        if COMMENT_BEHIND.search(entry.raw):
            problems.warning(
                entry.line,
                f"{where}: what follows # or ; is part of the value. A comment needs a "
                "line of its own.",
            )
        if reading.setting.kind is Kind.REGEX and _matches_empty(reading.value):
            problems.warning(
                entry.line,
                f"{where} also matches the empty text, which is not counted. Is there "
                "a | too many?",
            )


def _matches_empty(pattern: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.fullmatch(pattern, "") is not None


def check_unknown(file: IniFile, problems: Problems) -> None:
    """Notes sections and keys that nothing reads, with the nearest known one."""
    for entry in file.entries:
        for line, key in entry.indented_keys():
            if setting := BY_KEY.get(key.lower()):
                problems.warning(
                    line,
                    f"is indented deeper than {shortened(entry.key)} above it, so it "
                    f"is part of that value and does not set {setting.key}. Remove "
                    "the indentation.",
                )
    for name, section in file.sections.items():
        if name in (*SECTIONS, DEFAULTS):
            _check_keys(name, file, problems)
            continue
        near = get_close_matches(name.upper(), SECTIONS, 1, 0.7)
        advice = f"Did you mean [{near[0]}]?" if near else "Is it a mistake?"
        problems.warning(
            section.line,
            f"[{shortened(name)}] is no section of ours, so nothing in it is used. "
            + advice,
        )
        if not near:
            for key, entry in section.entries.items():
                if setting := BY_KEY.get(key):
                    _warn_of_place(name, entry, setting, problems)


def _check_keys(name: str, file: IniFile, problems: Problems) -> None:
    referenced = {
        key
        for user, section in file.sections.items()
        if user == name or DEFAULTS in (user, name)
        for entry in section.entries.values()
        for key in keys_in(entry.raw)
    }
    own = {s.key.lower(): s for s in SETTINGS if s.section == name}
    for key, entry in file.sections[name].entries.items():
        if key in own or key in referenced:
            continue
        if setting := BY_KEY.get(key):
            if name != DEFAULTS:
                _warn_of_place(name, entry, setting, problems)
            continue
        near = get_close_matches(key, own, 1, 0.7)
        near = near or get_close_matches(key, BY_KEY, 1, 0.7)
        advice = "docs/settings.md lists all keys."
        if near:
            setting = BY_KEY[near[0]]
            where = "" if setting.section == name else f" in [{setting.section}]"
            advice = f"Did you mean {setting.key}{where}?"
        problems.warning(
            entry.line,
            f"[{name}] {shortened(entry.key)} is no key of ours and is not used. "
            + advice,
        )


def _warn_of_place(
    name: str, entry: Entry, setting: Setting, problems: Problems
) -> None:
    problems.warning(
        entry.line,
        f"[{shortened(name)}] {shortened(entry.key)} is not used here: {setting.key} "
        f"belongs in [{setting.section}].",
    )
