"""
The demo: a recorded feed through the real daemon, then the scanner on what it found.

    python -m scripts.demo replay    the daemon reads the recording itself
    python -m scripts.demo feed      it is served over a websocket on loopback
    python -m scripts.demo logs      two signed logs hold it, and one of them lies

The sites that the scanner visits are our own, on loopback; so are the services that it
asks and tells. What happens is printed as the commands that a person would type.
"""

import configparser
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ctmonitor.model.reasons import brand_of, resemblances
from ctmonitor.model.verdict import Reason
from scripts.demo_logs import DemoLogs
from scripts.demo_sites import Neighbourhood
from scripts.shown import command_line, forget_proxies, headline, run
from tests.fakes.feed import FeedServer, Peer

_ROOT = Path(__file__).resolve().parent.parent
_OUTPUT = Path("demo")
_SETTINGS = Path("conf/demo.conf")
_FEED_SETTINGS = _OUTPUT / "feed.conf"
_SCAN_SETTINGS = _OUTPUT / "demo.conf"
_LOG_SETTINGS = _OUTPUT / "logs.conf"
_EVIDENCE = _OUTPUT / "evidence"
_ALERTS = _OUTPUT / "alerts"
# Some ten times what all public logs together issue, so that it is worth watching
# and soon over.
_MESSAGES_A_SECOND = 1000
_MOST_S = 120.0
_LONGEST_LINE = 150
_KEYWORDS = 2  # DetectionThreshold
_EXPLAINED = 6
# Of an alert, what a person looks at first; the file has all.
_TOLD_KEYS = (
    "hostname",
    "http_code",
    "webpage_title",
    "ip_addr",
    "safe_browsing_status",
    "event",
    "first_seen",
    "visited_at",
    "redirects",
    "enrichment",
)


def main(arguments: Sequence[str]) -> int:
    """0 when all went well, else the first exit code that is not 0."""
    steps = {"replay": _replay, "feed": _feed, "logs": _logs}
    if len(arguments) != 1 or arguments[0] not in steps:
        print("usage: python -m scripts.demo replay|feed|logs", file=sys.stderr)
        return 2
    os.chdir(_ROOT)
    forget_proxies()
    shutil.rmtree(_OUTPUT, ignore_errors=True)
    _OUTPUT.mkdir()
    try:
        return steps[arguments[0]]()
    except KeyboardInterrupt:
        return 130


def _replay() -> int:
    headline(
        "A recorded feed is replayed through the daemon. Each line is a finding: a new",
        "host name with two of the keywords, or one that looks like a brand, with the",
        "names beside it and its issuer.",
    )
    code = run("certstreammonitor.py", "-c", str(_SETTINGS))
    return code or _look_at(_SETTINGS)


def _feed() -> int:
    messages = _messages()
    all_came = threading.Event()

    def script(peer: Peer) -> None:
        peer.handshake()
        began_s = time.monotonic()
        for number, message in enumerate(messages):
            peer.wait(
                max(0.0, began_s + number / _MESSAGES_A_SECOND - time.monotonic())
            )
            peer.send_text(message)
        # The answer comes when everything before it has been read.
        peer.ping(b"all sent")
        while not peer.pongs and peer.receive() is not None:
            pass
        all_came.set()
        peer.wait_closed()

    with FeedServer(script) as server:
        # The messages are as old as the recording, which is no cause for alarm here.
        source = {"Source": "certstream", "Stale_Minutes": "0"}
        _write_settings(
            _FEED_SETTINGS, {"SOURCES": source, "SERVER": {"ACTServer": server.url}}
        )
        headline(
            f"{len(messages)} recorded messages are served on {server.url} to the "
            "daemon, which is",
            "stopped (SIGTERM) when all have come. Each line is a finding.",
        )
        with subprocess.Popen(
            command_line("certstreammonitor.py", *_feed_options())
        ) as it:
            deadline_s = time.monotonic() + _MOST_S
            while it.poll() is None and not all_came.wait(0.1):
                if time.monotonic() > deadline_s:
                    print(f"The messages did not come within {_MOST_S:.0f} s.")
                    break
            it.send_signal(signal.SIGTERM)
            code = it.wait(timeout=30)
    if code == 0 and not all_came.is_set():
        code = 1
    return code or _look_at(_FEED_SETTINGS)


def _logs() -> int:
    with DemoLogs(_OUTPUT) as logs:
        log_list = str(logs.log_list)
        source = {
            "Source": "logs",
            "Replay_File": "",
            "Contact": "demo@ctmonitor.example",
            "Log_List": log_list,
            "Start": "beginning",
            "Cache_dir": "",
            "Evidence_dir": str(_EVIDENCE),
        }
        _write_settings(_LOG_SETTINGS, {"SOURCES": source})
        named = ("-c", str(_LOG_SETTINGS))
        headline(
            "Two signed logs are served on loopback. The daemon reads them to their",
            "heads (--once); each entry is proven to lie under a signed head before it",
            "is judged. Each line is a finding.",
        )
        code = run("certstreammonitor.py", *named, "--once")
        headline("The logs, and how far they were read.")
        code = code or run("certstreammonitor.py", *named, "--list-logs")
        headline(
            "Why one was found. A precertificate and its certificate, in however many",
            "logs, are one issuance.",
        )
        code = code or _explain_first(named)
        headline("Every certificate of a log, for other programs.")
        code = code or run(
            *("ctstream.py", "--log-list", log_list, "--log", "tiled"),
            *("--from", "0", "--to", "5"),
        )
        logs.lie()
        headline(
            "Now one log lies: it puts a certificate where another one was, and signs",
            "that. The daemon believes nothing of it, keeps the evidence, says so and",
            "ends with 1; findings of the other log would still be stored.",
        )
        lied = run("certstreammonitor.py", *named, "--once")
    headline("The evidence.")
    for about in sorted(_EVIDENCE.rglob("about.json"))[:1]:
        print(about)
        print(about.read_text("utf-8"), flush=True)
    headline(
        "Done. Database, log, settings and evidence are in demo/. What next:",
        "",
        "  cp conf/example.conf my.conf, then edit my.conf: keywords, Source = logs",
        "  make run CONF=my.conf       the daemon on the public logs, until Ctrl-C",
        "",
        "docs/verification.md tells what is proven.",
    )
    if code == 0 and (lied != 1 or not any(_EVIDENCE.rglob("about.json"))):
        print("The lie was not told.", file=sys.stderr)
        return 1
    return code


def _feed_options() -> tuple[str, str]:
    return ("-c", str(_FEED_SETTINGS))


def _messages() -> list[bytes]:
    settings = _settings()
    recording = Path(settings["SOURCES"]["Replay_File"])
    return gzip.decompress(recording.read_bytes()).splitlines()


def _settings() -> configparser.ConfigParser:
    settings = configparser.ConfigParser(interpolation=None)
    settings.optionxform = str  # type: ignore[assignment, method-assign]
    settings.read_string(_SETTINGS.read_text("utf-8"))
    return settings


def _write_settings(file: Path, changes: Mapping[str, Mapping[str, str]]) -> None:
    """The demo's settings with other values."""
    settings = _settings()
    for section, values in changes.items():
        if not settings.has_section(section):
            settings.add_section(section)
        settings[section].update(values)
    with file.open("w", encoding="utf-8") as opened:
        settings.write(opened)


def _look_at(settings: Path) -> int:
    named = ("-c", str(settings))
    headline("Why one of them was found, and in which logs it was seen.")
    code = _explain_first(named)
    code = code or _show_reasons(named)
    headline("The rules tried on names, and on a URL as somebody pasted it.")
    names = ("www.login-apple.com", "apple.com", "hxxps://Login[.]PayPal.com/x")
    tried = [option for name in names for option in ("-d", name)]
    code = code or run("check_rules.py", *named, *tried)
    headline("Every part of the score of a name that somebody may register tomorrow.")
    code = code or run("check_rules.py", *named, "--explain", "-d", "paypa1-secure.com")
    code = code or _scan()
    headline("What is stored, as an analyst asks for it: since when each host is up.")
    code = code or run("gethost.py", *named)
    headline(
        "Done. Database, log, settings and alerts are in demo/. What next:",
        "",
        "  make demo-feed              the same over a real websocket"
        if settings == _SETTINGS
        else "  make demo                   the same from a file",
        "  make demo-logs              the same names from two signed logs",
        "  make test                   all tests",
        "  cp conf/example.conf my.conf, then edit my.conf: keywords, Source = logs",
        "  make run CONF=my.conf       the daemon on the public logs, until Ctrl-C",
        "  .venv/bin/python scanhost.py -c my.conf",
        "                              visits what it found; from cron or a timer",
        "",
        "README.md tells the rest, and how to read a feed of your own.",
    )
    return code


def _scan() -> int:
    """The scanner on the findings, and what it left behind."""
    certificates = _OUTPUT / "certificates"
    certificates.mkdir()
    with Neighbourhood(certificates) as around:
        _write_settings(_SCAN_SETTINGS, around.settings())
        headline(
            "The hosts are visited: https, then http. The names lead to sites of the",
            "demo on this machine: good ones, dead ones, one that redirects to",
            "169.254.169.254, a gzip bomb, a page without an end. Most do not exist.",
            "For each that is up an alert is written (here its line is cut short).",
        )
        code = _run_shortened("scanhost.py", "-c", str(_SCAN_SETTINGS))
        told = around.received()
    _show_alert()
    _show_notifications(told)
    return code or int(not told)  # a demo of nothing has failed


def _show_notifications(told: Sequence[Mapping[str, Any]]) -> None:
    headline(
        f"{len(told)} notifications came to a local endpoint, sent by Apprise "
        "(json://).",
        "The one that has most to tell, and the subjects of the others:",
    )
    longest = max(told, key=lambda one: len(one["message"]), default=None)
    if longest is not None:
        print(_as_quotation(longest), end="\n\n")
    others = [one["title"] for one in told if one is not longest]
    print("\n".join(f"  | {title}" for title in others), flush=True)


def _show_alert() -> None:
    """The parts that matter most of the alert on a host that redirects inside."""
    files = sorted(_ALERTS.rglob("*.json"))
    alerts = {file: json.loads(file.read_text("utf-8")) for file in files}
    refused = [
        file
        for file, alert in alerts.items()
        if any(not hop["is_followed"] for hop in alert["redirects"])
    ]
    headline(
        f"{len(files)} alerts lie below {_ALERTS}. A part of the one on the site that "
        "wanted",
        "to lead us into the private network: the redirect was recorded, not followed.",
    )
    for file in refused[:1]:
        print(file)
        parts = {key: alerts[file][key] for key in _TOLD_KEYS}
        print(json.dumps(parts, indent=2, ensure_ascii=False), flush=True)


def _as_quotation(notification: Mapping[str, Any]) -> str:
    lines = [notification["title"], "", *notification["message"].splitlines()]
    return "\n".join(f"  | {line}".rstrip() for line in lines)


def _run_shortened(program: str, *arguments: str) -> int:
    """As `run`, with long lines cut."""
    command = command_line(program, *arguments)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        for line in running.stdout or ():
            text = line.rstrip("\n")
            cut = f"{text[:_LONGEST_LINE]} ..." if len(text) > _LONGEST_LINE else text
            print(cut, flush=True)
    return running.returncode


def _show_reasons(named: Sequence[str]) -> int:
    """By what rules the hosts were found, and why some of them."""
    command = [sys.executable, "gethost.py", *named, "--explain", "--format", "json"]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    hosts: dict[str, list[Reason]] = {}
    for line in done.stdout.splitlines():
        host = json.loads(line)
        hosts[host["domain"]] = [Reason(**reason) for reason in host["reasons"]]
    by_keywords = [
        host
        for host, reasons in hosts.items()
        if sum(reason.kind == "keyword" for reason in reasons) >= _KEYWORDS
    ]
    alone = [host for host in hosts if host not in by_keywords]
    alike = [host for host in by_keywords if brand_of(hosts[host])]
    headline(
        f"{len(by_keywords)} of them were found by two keywords ({len(alike)} of these "
        f"resemble a brand, too), {len(alone)} by",
        "what they resemble alone. Some, with each part of their score, of which "
        "AlertScore",
        "(100) makes a finding. conf/brands.json names the brands.",
    )
    for host in (*alone, *alike)[:_EXPLAINED]:
        print(host)
        for said in resemblances(hosts[host])[:1]:
            print(textwrap.indent(textwrap.fill(said, 88), "    "), flush=True)
    return done.returncode


def _explain_first(named: Sequence[str]) -> int:
    """All of `gethost.py --explain` on one host; the others are much the same."""
    command = command_line("gethost.py", *named, "--explain")
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    header, lines = done.stdout.splitlines()[:2], done.stdout.splitlines()[2:]
    hosts: list[list[str]] = []
    for line in lines:
        if not line.startswith(" "):
            hosts.append([])
        hosts[-1].append(line)
    told = next((one for one in hosts if "(keyword), " in "\n".join(one)), [])
    print("\n".join([*header, *told]))
    if len(hosts) > 1:
        print(f"... and as much on {len(hosts) - 1} other hosts", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
