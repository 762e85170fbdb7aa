"""What is told of a file as a whole: what is missing, unused, misspelt, or odd."""

import re
import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from ctmonitor.ini import DEFAULTS, Entry, IniFile
from ctmonitor.model.text import shortened
from ctmonitor.net.useragent import NO_CONTACT
from ctmonitor.problems import Problems
from ctmonitor.references import keys_in
from ctmonitor.settings import (
    BY_KEY,
    SECTIONS,
    SETTINGS,
    Kind,
    Required,
    Setting,
    either,
)
from ctmonitor.values import COMMENT_BEHIND, Reading

Readings = Mapping[str, Reading]  # by attribute


def check_required(
    readings: Readings, problems: Problems, *, needs_source: bool, needs_rules: bool
) -> None:
    """Notes settings that must have a value and have none."""
    needed: set[Required] = set()
    others = [readings[name] for name in ("regex_file", "brand_file", "own_domains")]
    if needs_rules and not any(other.text or other.is_refused for other in others):
        needed.add(Required.WITHOUT_OTHER_RULES)
    source = readings["source"]
    if needs_source and not source.is_refused:
        if "replay" in source.value:
            needed.add(Required.WITH_REPLAY)
        elif "certstream" in source.value or not source.value:
            needed.add(Required.WITH_CERTSTREAM)
    for reading in readings.values():
        setting = reading.setting
        if setting.required not in needed or reading.text or reading.is_refused:
            continue
        state = "is missing" if reading.entry is None else "is empty"
        condition = setting.required.removeprefix("required")
        key = setting.key
        example = f" For example: {key} = {setting.example}" if setting.example else ""
        problems.error(
            reading.line,
            f"[{setting.section}] {key} {state} and must be given{condition}; "
            f"accepted is {setting.accepted}.{example}",
        )


def check_combinations(readings: Readings, problems: Problems) -> None:
    """Notes settings that do not go together."""
    _check_feed(readings, problems)
    _check_logs(readings, problems)
    _check_scan(readings, problems)
    _check_unused(readings, problems)


def _check_feed(readings: Readings, problems: Problems) -> None:
    given = {name for name, reading in readings.items() if reading.text}
    tried = given | {name for name, reading in readings.items() if reading.is_refused}
    if "proxy_host" in tried and "proxy_port" not in tried:
        problems.error(
            readings["proxy_host"].line,
            "[SERVER] Proxy_Host is given without Proxy_Port. Add the port of the "
            "proxy, often 3128 or 8080 for http and 1080 for socks5.",
        )
    for name in ("proxy_port", "proxy_username", "proxy_password"):
        if name in given and "proxy_host" not in tried:
            key = readings[name].setting.key
            problems.warning(
                readings[name].line,
                f"[SERVER] {key} is given without Proxy_Host, so it is not used. Add "
                f"Proxy_Host, or remove {key}.",
            )


def _check_logs(readings: Readings, problems: Problems) -> None:
    source = readings["source"]
    if "replay" in source.value and len(source.value) > 1:
        problems.error(
            source.line,
            "[SOURCES] Source names replay beside others; a recording is replayed "
            "alone. Remove replay, or the others.",
        )
    if "logs" not in source.value:
        return
    if not readings["verify"].value:
        problems.warning(
            readings["verify"].line,
            "[SOURCES] Verify = no: entries of logs are taken as served, so a log, or "
            "whoever stands between, can make us report what no log has signed.",
        )
    if not readings["contact"].text:
        problems.warning(
            source.line,
            f"[SOURCES] Contact is empty: {NO_CONTACT}. Add your e-mail address or web "
            "page.",
        )


def _check_scan(readings: Readings, problems: Problems) -> None:
    """Of two limits, the one that never counts; and a guard that guards nothing."""
    for name, other, factor in (
        ("scan_connect_timeout", "scan_host_timeout", 1),
        ("scan_first_minutes", "scan_longest_hours", 60),
    ):
        shorter, longer = readings[name], readings[other]
        if shorter.text and shorter.value > longer.value * factor:
            problems.warning(
                shorter.line,
                f"[SCAN] {shorter.setting.key} is longer than {longer.setting.key}, "
                f"which counts. Shorten {shorter.setting.key}.",
            )
    private = readings["scan_allow_private"]
    if any(network.endswith("/0") for network in private.value):
        problems.warning(
            private.line,
            "[SCAN] Allow_Private holds every address, so a stranger's certificate "
            "can lead visits into your network. List the networks that are meant.",
        )


def _check_unused(readings: Readings, problems: Problems) -> None:
    given = {name for name, reading in readings.items() if reading.text}
    if {"database_url", "db_file"} <= given:
        problems.warning(
            readings["db_file"].line,
            "[DATABASE] DBFile and URL are both given; URL is used. Remove one of "
            "them.",
        )
    source = readings["source"]
    is_live = "replay" not in source.value and not source.is_refused
    if "replay_file" in given and is_live:
        problems.warning(
            readings["replay_file"].line,
            "[SOURCES] Replay_File is not used, as Source is not replay. Set Source = "
            "replay to read it.",
        )
    destination = readings["notification_destination"]
    if "fallback_destination" in given and not (
        destination.text or destination.is_refused
    ):
        problems.warning(
            readings["fallback_destination"].line,
            "[REPORTING] Fallback_Destination is given without "
            "Notification_Destination, so it is not used. Add "
            "Notification_Destination, or remove Fallback_Destination.",
        )
    _check_tags(readings["notify_tags"], destination, problems)


def _check_tags(routes: Reading, destination: Reading, problems: Problems) -> None:
    present = {tag for one in destination.value for tag in one.tags}
    wanted = {tag for _, tags in routes.value for tag in tags}
    if destination.is_refused:
        return
    for tag in sorted(wanted - present):
        problems.warning(
            routes.line,
            f"[REPORTING] Notify_Tags: no address in Notification_Destination has the "
            f"tag {tag}. Write it before one: {tag}=slack://...",
        )


def check_looks(readings: Readings, problems: Problems) -> None:
    """Notes what ConfigParser takes as part of a value and people often do not."""
    for reading in readings.values():
        setting, text, entry = reading.setting, reading.text, reading.entry
        if not text or entry is None:
            continue
        where = f"[{setting.section}] {setting.key}"
        is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
        if is_quoted and setting.kind not in (Kind.COMMAND, Kind.NAMES):
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
        if setting.kind is Kind.REGEX and _matches_empty(reading.value):
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
            if found := BY_KEY.get(key.lower()):
                problems.warning(
                    line,
                    f"is indented deeper than {shortened(entry.key)} above it, so it "
                    f"is part of that value and does not set {found[0].key}. Remove "
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
                if found := BY_KEY.get(key):
                    _warn_of_place(name, entry, found, problems)


def _check_keys(name: str, file: IniFile, problems: Problems) -> None:
    referenced = {
        key
        for user, section in file.sections.items()
        if user == name or DEFAULTS in (user, name)
        for entry in section.entries.values()
        for key in keys_in(entry.raw)
    }
    own = {s.key.lower() for s in SETTINGS if s.section == name}
    for key, entry in file.sections[name].entries.items():
        if key in own or key in referenced:
            continue
        if found := BY_KEY.get(key):
            if name != DEFAULTS:
                _warn_of_place(name, entry, found, problems)
            continue
        near = get_close_matches(key, own, 1, 0.7)
        near = near or get_close_matches(key, BY_KEY, 1, 0.7)
        advice = "docs/settings.md lists all keys."
        if near:
            meant = BY_KEY[near[0]]
            where = "" if near[0] in own else f" in {_sections(meant)}"
            advice = f"Did you mean {meant[0].key}{where}?"
        problems.warning(
            entry.line,
            f"[{name}] {shortened(entry.key)} is no key of ours and is not used. "
            + advice,
        )


def _warn_of_place(
    name: str, entry: Entry, found: Sequence[Setting], problems: Problems
) -> None:
    problems.warning(
        entry.line,
        f"[{shortened(name)}] {shortened(entry.key)} is not used here: "
        f"{found[0].key} belongs in {_sections(found)}.",
    )


def _sections(found: Sequence[Setting]) -> str:
    return either([f"[{setting.section}]" for setting in found])
