"""
gethost.py: what was found, since when, why, or its names in a file; what the feeds left
out, and what of the logs could not be read.
"""

import argparse
import csv
import json
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ctmonitor.cli import console, databases, export
from ctmonitor.errors import ConfigError, StoreError
from ctmonitor.model.batch import Gap, Malformed
from ctmonitor.model.clock import now_utc, utc_text
from ctmonitor.model.finding import Host, HostDetail, Seen
from ctmonitor.model.reasons import resemblances
from ctmonitor.model.text import printable

if TYPE_CHECKING:
    from ctmonitor.store.queries import Reader

NAME = "gethost.py"

_EXAMPLES = (
    "gethost.py -c conf/example.conf                        found in the last hour",
    "gethost.py -c conf/example.conf --since 86400 --explain   why, and in which logs",
    "gethost.py -c conf/example.conf --since 86400 --format json",
    "gethost.py -c conf/example.conf --export names.txt     all names, one a line",
    "gethost.py -c conf/example.conf --gaps                 what was not seen",
)
_HOUR_S = 3600
_NEVER_S = 100 * 366 * 86400  # a longer time back than any host has been known

_HOST_COLUMNS = (
    "domain",
    "still_investig",
    "first_seen",
    "startime",
    "issuer",
    "fingerprint",
    "san",
)
_GAP_COLUMNS = (
    "feed",
    "cause",
    "start",
    "end",
    "lost",
    "log",
    "index_start",
    "index_end",
    "detail",
)
_MALFORMED_COLUMNS = ("log", "index", "kind", "detail", "recorded")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: see `console`."""
    return console.run(NAME, lambda: _main(_options(argv)))


def _seconds(text: str) -> int:
    seconds = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= seconds <= _NEVER_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, 0 or more")
    return seconds


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = console.parser(NAME, "Show the hosts that were found.", _EXAMPLES)
    parser.add_argument(
        "--since",
        type=_seconds,
        metavar="SECONDS",
        help="how far to look back (3600; with --export, --gaps and --malformed "
        "everything)",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "csv"),
        default="text",
        help="json: one object a line",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="reasons, issuer, all names, when and where seen",
    )
    listed = parser.add_mutually_exclusive_group()
    listed.add_argument(
        "--export",
        metavar="FILE",
        help="write the names to a file, sorted, one a line; - for standard output",
    )
    listed.add_argument(
        "--gaps", action="store_true", help="list what the feeds did not deliver"
    )
    listed.add_argument(
        "--malformed",
        action="store_true",
        help="list entries of logs of which something could not be read",
    )
    options = parser.parse_args(argv)
    if options.export is not None and (options.explain or options.format != "text"):
        parser.error("--export writes names alone: leave out --format and --explain")
    return options


def _main(options: argparse.Namespace) -> int:
    config = console.configuration(options, needs_source=False)
    if options.export is not None:
        export.check(options.export, "--export")
    try:
        reader = databases.reader(config)
    except StoreError as exc:
        raise ConfigError(str(exc)) from exc
    with reader:
        if options.gaps:
            _print_gaps(reader.gaps(_moment(options.since)), options.format)
        elif options.malformed:
            with closing(_malformed(reader, _moment(options.since))) as entries:
                _print_malformed(entries, options.format)
        elif options.export is not None:
            count = export.export(reader, _moment(options.since), options.export)
            if options.export != export.STANDARD_OUTPUT:
                print(f"names written to {options.export}: {count}")
        else:
            since = _HOUR_S if options.since is None else options.since
            # Whoever reads may have enough of it: then the statement ends first, and
            # the database is closed after it.
            with closing(_hosts(reader, _moment(since))) as hosts:
                _print_hosts(reader, hosts, options)
    return console.DONE


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else now_utc() - timedelta(seconds=seconds)


# Hosts


def _hosts(reader: "Reader", since: datetime | None) -> Generator[Host, None, None]:
    yield from reader.hosts(since)


def _print_hosts(
    reader: "Reader", hosts: Iterable[Host], options: argparse.Namespace
) -> None:
    if options.format == "csv":
        _write_csv(_HOST_COLUMNS, (asdict(host) for host in hosts))
    elif options.format == "json":
        if options.explain:
            _write_json(_detail_object(detail) for detail in reader.details(hosts))
        else:
            _write_json(asdict(host) for host in hosts)
    else:
        print("Display all domains in DB for Internet Presence:")
        print("*" * 48)
        if options.explain:
            for detail in reader.details(hosts):
                print("\n".join(_explained(detail)))
        else:
            for host in hosts:
                print(_line(host))


def _line(host: Host) -> str:
    return f"{printable(host.domain)} {printable(host.still_investig or 'None')}"


def _explained(detail: HostDetail) -> list[str]:
    host = detail.host
    lines = [
        _line(host),
        f"  first seen: {host.first_seen} UTC, valid from {host.startime or 'unknown'}",
        f"  issuer: {printable(host.issuer) or 'unknown'}",
    ]
    if detail.reasons:
        rules = ", ".join(f"{r.rule} ({r.kind})" for r in detail.reasons if not r.brand)
        why = [*filter(None, [rules]), *resemblances(detail.reasons)]
        lines.append(f"  reasons: {printable(why[0])}")
        lines.extend(f"           {printable(more)}" for more in why[1:])
    elif not detail.issuances and not detail.seen:
        lines.append("  reasons: not recorded (found by CertStreamMonitor)")
    for issuance in detail.issuances:
        validity = f"{issuance.not_before or '?'} to {issuance.not_after or '?'}"
        lines.append(
            f"  certificate: serial {issuance.serial or 'unknown'}, {validity}, "
            f"{printable(issuance.issuer) or 'unknown issuer'}"
        )
        lines.append(f"    names: {printable(', '.join(issuance.names))}")
        lines.extend(f"    seen: {_place(seen)}" for seen in issuance.seen)
    if not detail.issuances and host.san:
        lines.append(f"  names: {printable(host.san.replace(',', ', '))}")
    lines.extend(f"  seen: {_place(seen)}" for seen in detail.seen)
    return lines


def _place(seen: Seen) -> str:
    parts = []
    if seen.log:
        index = "" if seen.index is None else f" index {seen.index}"
        parts.append(f"{seen.log}{index}")
    if seen.entry_type:
        parts.append(seen.entry_type)
    if (moment := utc_text(seen.logged or seen.seen)) is not None:
        parts.append(f"{moment} UTC")
    parts.append(f"through {seen.feed}")
    return printable(", ".join(parts))


def _detail_object(detail: HostDetail) -> dict[str, Any]:
    result = asdict(detail)
    host: dict[str, Any] = result.pop("host")
    return {key: _texts(value) for key, value in (host | result).items()}


# Gaps


def _print_gaps(gaps: Sequence[Gap], form: str) -> None:
    objects = (_texts(asdict(gap)) for gap in gaps)
    if form == "csv":
        _write_csv(_GAP_COLUMNS, objects)
    elif form == "json":
        _write_json(objects)
    elif not gaps:
        print("No gaps are recorded.")
    else:
        for gap in gaps:
            print(_gap_line(gap))


def _gap_line(gap: Gap) -> str:
    lost = "unknown" if gap.lost is None else str(gap.lost)
    line = (
        f"{utc_text(gap.start)} to {utc_text(gap.end) or 'now'} UTC  {gap.cause.value}"
        f"  lost: {lost}  {gap.feed}"
    )
    if gap.log and gap.index_start is not None:
        line += f"  {gap.log} [{gap.index_start}, {gap.index_end})"
    return printable(f"{line}  {gap.detail}" if gap.detail else line)


# Malformed entries of logs


def _malformed(
    reader: "Reader", since: datetime | None
) -> Generator[Malformed, None, None]:
    yield from reader.malformed(since)


def _print_malformed(entries: Iterable[Malformed], form: str) -> None:
    objects = (_texts(asdict(entry)) for entry in entries)
    if form == "csv":
        _write_csv(_MALFORMED_COLUMNS, objects)
    elif form == "json":
        _write_json(objects)
    else:
        is_empty = True
        for entry in entries:
            is_empty = False
            print(_malformed_line(entry))
        if is_empty:
            print("No malformed entries are recorded.")


def _malformed_line(entry: Malformed) -> str:
    moment = utc_text(entry.recorded) or "unknown"
    return printable(
        f"{moment} UTC  {entry.log} index {entry.index}  {entry.detail or entry.kind}"
    )


# Forms for programs


def _texts(value: Any) -> Any:
    """The value with times as text, for JSON."""
    if isinstance(value, datetime):
        return f"{utc_text(value)}Z"
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(item) for item in value]
    return value


def _write_json(objects: Iterable[dict[str, Any]]) -> None:
    for item in objects:
        print(json.dumps(item, ensure_ascii=False))


def _write_csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
