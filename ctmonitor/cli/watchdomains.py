"""
watchdomains.py: certificates for your own domains, and what is wrong with any.

A first SIGTERM or SIGINT ends the run in order: what was asked for is stored and told.
A second one ends it at once.
"""

import argparse
import asyncio
import logging
import os
import secrets
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ctmonitor.cli import console, logs, memory
from ctmonitor.config import Config, load
from ctmonitor.errors import ConfigError, FormatError, SourceError
from ctmonitor.model.domain import watched_domain
from ctmonitor.model.own import Authority
from ctmonitor.model.text import shortened
from ctmonitor.settings import SETTINGS
from ctmonitor.values import parse

log = logging.getLogger(__name__)

NAME = "watchdomains.py"

_EXAMPLES = (
    "watchdomains.py --domains example.com example.org      what is there, what is new",
    "watchdomains.py -c conf/example.conf --report own.html    and a page to read",
    "watchdomains.py -c conf/example.conf --continuous         until it is stopped",
    "watchdomains.py -c conf/example.conf --list               alerts and their state",
    "watchdomains.py -c conf/example.conf --ack 5f1d0c2a9b7e4d31   this one is known",
    'watchdomains.py -c conf/example.conf --add-ca "Let\'s Encrypt" 16418',
)
_REPORTS = (".json", ".csv", ".html")
_FORMATS = ("text", "json", "csv")
_SOURCES = ("crtsh", "certspotter", "logs")
# Of the settings, what an option of the command line stands for.
_STANDS_FOR = {
    "webhook": "own_webhook",
    "smtp_host": "own_smtp_host",
    "smtp_port": "own_smtp_port",
    "smtp_user": "own_smtp_user",
    "smtp_pass": "own_smtp_pass",
    "email_from": "own_email_from",
    "email_to": "own_email_to",
    "state": "own_state",
}
# Of the environment of a function of AWS Lambda.
_OF_LAMBDA = {
    "OWN_DOMAINS": "own_domains",
    "OWN_STATE": "own_state",
    "OWN_WEBHOOK": "own_webhook",
    "OWN_WEBHOOK_FORMAT": "own_webhook_format",
    "OWN_CERTSPOTTER_URL": "own_certspotter_url",
    "OWN_SOURCE": "own_source",
    "OWN_S3_ENDPOINT": "own_state_endpoint",
}
_LAMBDA_DEFAULTS = {"own_source": "certspotter"}
_LAMBDA_TIMEOUT_S = 30.0
_LAMBDA_END_S = 45.0  # kept for the end: an answer under way, and to tell
_LAMBDA_MESSAGE = 4000  # characters of an error


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 complete, 1 complete in part, 2 nothing was asked."""
    return console.run(NAME, lambda: _main(_options(argv)))


def handler(event: object, context: object) -> dict[str, Any]:
    """
    One run, as a function of AWS Lambda.

    Settings are those of the file that CTMONITOR_CONF names; without it they come from
    OWN_DOMAINS, OWN_STATE, OWN_WEBHOOK, OWN_WEBHOOK_FORMAT, OWN_CERTSPOTTER_URL,
    OWN_CERTSPOTTER_KEY, OWN_SOURCE (certspotter) and OWN_S3_ENDPOINT. docs/lambda.md
    shows how it is set up.

    Args:
        event: whatever started it; it is not looked at.
        context: of the runtime, for the time that is left; may be None.

    Returns:
        `{"domains": {domain: {"new": n, "error": text or None}}, "alerts": n}`

    Raises:
        ConfigError: settings or state cannot be used.
        SourceError: no domain was read with success.
        StoreError: another run is at work, or the state failed.
    """
    config = _of_environment()
    logs.within_a_runtime(config)
    # Of the file, as an unknown key; the environment gives none.
    for warning in config.warnings if os.environ.get("CTMONITOR_CONF") else ():
        log.warning("%s", warning)
    try:
        return asyncio.run(_handled(config, _left_s(context)))
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"The package of this function has no {exc.name}, which its settings "
            "need. A database needs one that is not packed: keep the state in S3 "
            "([OWN] State, or OWN_STATE). For all else add it to "
            "deploy/lambda/packages.txt, and run make lambda."
        ) from exc


async def _handled(config: Config, left_s: float | None) -> dict[str, Any]:
    from ctmonitor.cli.watchrun import WatchRun

    # Not by its process: of machines that came out of one snapshot, as Lambda's, none
    # can tell which processes of another have ended.
    owner = f"lambda {secrets.token_hex(16)}"
    run = WatchRun(config, timeout_s=_LAMBDA_TIMEOUT_S, owner=owner)

    def stop() -> None:
        log.warning("the function's time is nearly over: the next run does the rest")
        run.stop()

    try:
        if left_s is None:
            ended = await run.ended_once()
        else:
            # It is ended without a word when its time is over, and its lock with it.
            end_s = left_s - min(_LAMBDA_END_S, left_s / 2)
            timer = asyncio.get_running_loop().call_later(end_s, stop)
            try:
                ended = await run.ended_once(lease_s=left_s)
            finally:
                timer.cancel()
    finally:
        run.close()
    for note in dict.fromkeys(ended.notes):
        log.info("%s", shortened(note, 2000))
    errors: dict[str, list[str]] = {}
    for problem in ended.problems:
        log.error("%s", shortened(str(problem), 2000))
        errors.setdefault(problem.domain, []).append(
            f"{problem.source}: {problem.reason}"
        )
    if ended.read.isdisjoint(config.own_domains):
        why = "; ".join(dict.fromkeys(map(str, ended.problems)))
        raise SourceError(shortened(why, _LAMBDA_MESSAGE))
    # What concerns no domain alone, as a webhook that fails, concerns each.
    general = errors.pop("", [])
    told = {
        domain: {
            "new": ended.counts[domain].new if domain in ended.counts else 0,
            "error": "; ".join(errors.get(domain, []) + general) or None,
        }
        for domain in config.own_domains
    }
    return {"domains": told, "alerts": len(ended.alerts)}


def _left_s(context: object) -> float | None:
    """Seconds that the runtime leaves to this call; None when it does not say."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return max(0.0, remaining() / 1000) if callable(remaining) else None


def _of_environment() -> Config:
    """The settings of a function; raises ConfigError."""
    if path := os.environ.get("CTMONITOR_CONF"):
        config = load(path, os.environ, needs_source=False, needs_rules=False)
        if not config.own_domains:
            raise ConfigError(
                f"{path}: [OWN] Domains is empty: name domains of yours there."
            )
    else:
        config = load(os.devnull, os.environ, needs_source=False, needs_rules=False)
        written = {
            field: text
            for variable, field in _OF_LAMBDA.items()
            if (text := os.environ.get(variable, "").strip())
        }
        names = {field: variable for variable, field in _OF_LAMBDA.items()}
        config = replace(config, **_accepted(_LAMBDA_DEFAULTS | written, names))
        if not config.own_domains:
            raise ConfigError(
                "OWN_DOMAINS is empty: name domains of yours, with commas between."
            )
        if not config.own_state:
            # Each start would be the first run, and tell nothing.
            raise ConfigError(
                "OWN_STATE is empty: name a place that lasts, as s3://bucket/prefix."
            )
    return replace(config, **_from_environment(config, {}))


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 86_400 * 365:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return number


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return number


def _report(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in _REPORTS:
        ends = ", ".join(_REPORTS)
        raise argparse.ArgumentTypeError(f"{text!r} ends in none of {ends}")
    return path


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = console.parser(
        NAME, "Watch the certificates of your own domains.", _EXAMPLES
    )
    add = parser.add_argument
    add(
        "--domains",
        action="extend",
        nargs="+",
        metavar="D",
        help="domains to watch, for [OWN] Domains",
    )
    add(
        "--source",
        action="extend",
        nargs="+",
        choices=_SOURCES,
        help="who is asked: each of them (logs: what the daemon has seen)",
    )
    add("--db", metavar="FILE", help="SQLite database, for [DATABASE] DBFile")
    add(
        "--state",
        metavar="PLACE",
        help="keep what is known in this directory, or in s3://bucket/prefix",
    )
    add("--report", type=_report, metavar="FILE", help="write a .html, .json or .csv")
    add(
        "--format",
        choices=_FORMATS,
        default="text",
        help="what is printed of alerts (text)",
    )
    add(
        "--timeout",
        type=_seconds,
        default=30.0,
        metavar="S",
        help="for a whole answer, in seconds (30)",
    )
    add("--continuous", action="store_true", help="one run after another")
    add(
        "--interval",
        type=_seconds,
        default=900.0,
        metavar="S",
        help="from the beginning of one run to the next, in seconds (900)",
    )
    add(
        "--resolve-dns",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="ask name servers for sub-domains and CAA (on)",
    )
    add(
        "--typosquats",
        action="store_true",
        help="look for certificates of misspelt domains, too",
    )
    add(
        "--auto-baseline",
        action="store_true",
        help="authorise the CAs of all certificates that are valid now",
    )
    add(
        "--add-ca",
        nargs=2,
        action="append",
        metavar=("NAME", "CA_ID"),
        help="authorise a CA: its organisation and its number at crt.sh, and end",
    )
    add("--list", action="store_true", help="print alerts with their state, and end")
    add(
        "--ack",
        action="extend",
        nargs="+",
        metavar="ID",
        help="acknowledge alerts, and end",
    )
    add("--webhook", metavar="URL", help="send each message there")
    add("--smtp-host", metavar="HOST", help="mail server")
    add("--smtp-port", type=_port, metavar="PORT", help="its port (587)")
    add("--smtp-user", metavar="NAME", help="name for its login")
    add(
        "--smtp-pass",
        metavar="WORD",
        help="password; better in the environment, as SMTP_PASS",
    )
    add("--email-from", metavar="A", help="sender of mails")
    add("--email-to", action="extend", nargs="+", metavar="A", help="who gets mails")
    add("-v", "--verbose", action="store_true", help="tell more, on standard error")
    options = parser.parse_args(argv)
    ends = [name for name in ("list", "ack", "add_ca") if getattr(options, name)]
    if len(ends) > 1:
        both = " and ".join(f"--{name}".replace("_", "-") for name in ends[:2])
        parser.error(f"{both} do not go together")
    for name in ("continuous", "report", "auto_baseline", "typosquats"):
        if ends and getattr(options, name):
            one, other = (f"--{each}".replace("_", "-") for each in (ends[0], name))
            parser.error(f"{one} and {other} do not go together")
    return options


def _main(options: argparse.Namespace) -> int:
    config = _config(options)
    logs.configure(config, verbose=options.verbose)
    if options.list or options.ack or options.add_ca:
        from ctmonitor.cli import watchstate

        if options.list:
            return watchstate.show(config, options.format)
        if options.ack:
            return watchstate.acknowledge(config, options.ack)
        return watchstate.authorise(config, _authorities(options.add_ca))
    if not config.own_domains:
        where = f"{config.path}: [OWN] Domains is empty" if options.config else ""
        raise ConfigError(
            f"{where or 'No domain was named'}: give domains of yours, as "
            "--domains example.com or in [OWN] Domains."
        )
    return asyncio.run(_until_end(config, options))


async def _until_end(config: Config, options: argparse.Namespace) -> int:
    from ctmonitor.cli.watchrun import WatchRun

    run = WatchRun(
        config,
        timeout_s=options.timeout,
        resolves=options.resolve_dns,
        typosquats=options.typosquats,
        auto_baseline=options.auto_baseline,
        report_to=options.report,
        form=options.format,
    )
    memory.settle()
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        console.complain(f"{NAME}: {number.name}, ending; once more to end at once")
        run.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, partial(stop, number))
    try:
        if options.continuous:
            return await run.until_stopped(options.interval)
        return await run.once()
    finally:
        run.close()


def _config(options: argparse.Namespace) -> Config:
    """The settings, with what the command line and the environment say instead."""
    if options.config:
        config = console.configuration(options, needs_source=False, needs_rules=False)
    else:
        config = load(os.devnull, os.environ, needs_source=False, needs_rules=False)
    if options.smtp_pass is not None:
        console.complain(
            "warning: everybody on this machine can read a password on the command "
            "line; put it into the environment, as SMTP_PASS, or into [OWN] Smtp_Pass"
        )
    changes = _given(options)
    changes |= _from_environment(config, changes)
    if options.domains:
        changes["own_domains"] = _domains(options.domains)
    if options.source:
        changes["own_source"] = frozenset(options.source)
    if options.db:
        is_address = "://" in options.db
        changes["database_url"] = options.db if is_address else ""
        changes["db_file"] = "" if is_address else options.db
    return replace(config, **changes)


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """Options that stand for a setting, by field."""
    texts, names = {}, {}
    for option, field in _STANDS_FOR.items():
        given = getattr(options, option)
        if given is not None:
            texts[field] = " ".join(given) if isinstance(given, list) else str(given)
            names[field] = f"--{option}".replace("_", "-")
    return _accepted(texts, names)


def _accepted(texts: Mapping[str, str], names: Mapping[str, str]) -> dict[str, Any]:
    """
    Values by field of `Config`, each accepted as in a file.

    Raises:
        ConfigError: with all that are not, by their names.
    """
    found = {}
    problems = []
    rows = {setting.attribute: setting for setting in SETTINGS}
    for field, text in texts.items():
        row = rows[field]
        try:
            found[field] = parse(row, text, "the value" if row.holds_secret else "")
        except ConfigError as exc:
            problems += [f"{names[field]}: {problem}" for problem in exc.problems]
    if problems:
        raise ConfigError(problems)
    return found


def _from_environment(config: Config, given: Mapping[str, Any]) -> dict[str, Any]:
    """Secrets out of the environment, where neither option nor file has them."""
    texts, names = {}, {}
    for variable, field in (
        ("SMTP_PASS", "own_smtp_pass"),
        ("OWN_CERTSPOTTER_KEY", "own_certspotter_key"),
    ):
        # Out of a file it comes with an end of line.
        text = os.environ.get(variable, "").strip("\r\n")
        if text and field not in given and not getattr(config, field):
            texts[field] = text
            names[field] = variable
    return _accepted(texts, names)


def _domains(written: Sequence[str]) -> tuple[str, ...]:
    """Each domain once; raises ConfigError with all that are none."""
    found: dict[str, None] = {}
    problems = []
    for each in (part.strip() for one in written for part in one.split(",")):
        if not each:
            continue
        try:
            found[watched_domain(each)] = None
        except FormatError as exc:
            problems.append(f"--domains: {exc.detail}.")
    if problems:
        raise ConfigError(problems)
    if not found:
        raise ConfigError("--domains: no domain was named; write example.com.")
    return tuple(found)


def _authorities(written: Sequence[Sequence[str]]) -> list[Authority]:
    found = []
    for name, number in written:
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            raise ConfigError(
                f"--add-ca: {shortened(number, 100)!r} is no number of a CA at crt.sh; "
                "it stands behind caid= in the address of the CA's page."
            )
        if not name.strip():
            raise ConfigError("--add-ca: the name of the CA's organisation is empty.")
        found.append(Authority(" ".join(name.split()), int(number)))
    return found
