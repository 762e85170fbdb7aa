"""
The demo of the watch over own domains: `make demo-own`.

    python -m scripts.demo_own

The real watchdomains.py asks a crt.sh, a Cert Spotter and a name server on loopback,
which answer with recorded certificates. Those are real ones, of 2018 to 2025; names and
dates are changed as `_CERTIFICATES` says, so that they are for example.com and of now.
"""

import base64
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509

from ctmonitor.model.own import AlertType
from scripts.shown import command_line, forget_proxies, headline, run
from tests.fakes.api import ApiServer, Reply
from tests.fakes.certspotter import FakeCertSpotter, Issuance
from tests.fakes.crtsh import FakeCrtSh
from tests.fakes.dns import DnsServer

_ROOT = Path(__file__).resolve().parent.parent
_RECORDINGS = (
    Path("conf/demo_own.json"),
    Path("tests/vectors/own/certspotter_2018_cert.json"),
)
_OUTPUT = Path("demo/own")
_SETTINGS = _OUTPUT / "own.conf"
_PAGE = _OUTPUT / "report.html"
_JSON = _OUTPUT / "report.json"
_DOMAIN = "example.com"
_PROGRAM = "watchdomains.py"
_NAMED = ("-c", str(_SETTINGS))
_VALIDITY = ("not_before", "not_after")
_PARTS = ("id", "severity", "types", "names", "issuer", "not_before", "link")

# What the name server says. The CAA record allows the CAs of the first run.
_DNS: Mapping[str, Mapping[str, Sequence[str]]] = {
    _DOMAIN: {
        "NS": [f"ns.{_DOMAIN}."],
        "A": ["192.0.2.10"],
        "CAA": [
            '0 issue "amazon.com"',
            '0 issue "digicert.com"',
            '0 issue "globalsign.com"',
        ],
    },
    f"www.{_DOMAIN}": {"A": ["192.0.2.10"], "AAAA": ["2001:db8::10"]},
    f"api.{_DOMAIN}": {"A": ["192.0.2.11"]},
    f"static.{_DOMAIN}": {"A": ["192.0.2.14"]},
    f"img.{_DOMAIN}": {"CNAME": [f"static.{_DOMAIN}."]},
    f"mail.{_DOMAIN}": {"A": ["192.0.2.12"]},
    f"dev.{_DOMAIN}": {"A": ["192.0.2.13"]},
    f"vpn.{_DOMAIN}": {"A": ["198.51.100.7"]},
    f"shop.{_DOMAIN}": {"CNAME": ["example-shop.hoster.example."]},
    "exmaple.com": {"NS": ["ns.exmaple.com."], "A": ["203.0.113.66"]},
}


@dataclass(frozen=True, slots=True)
class _Certificate:
    """
    A recorded certificate, and what stands in its place.

    Args:
        recorded: its place in the recordings.
        names: in the place of its own; none: its own, which are example.com's.
        days_ago: when it was issued; its lifetime stays.
        domain: for which a source lists it.
    """

    recorded: int
    names: tuple[str, ...]
    days_ago: float
    is_revoked: bool = False
    domain: str = _DOMAIN


_BEFORE = (
    _Certificate(8, (), 200),
    _Certificate(0, (f"static.{_DOMAIN}", f"img.{_DOMAIN}"), 120),
    _Certificate(1, (f"mail.{_DOMAIN}",), 388.5),
    _Certificate(6, (f"api.{_DOMAIN}",), 300),
)
_AFTER = (
    _Certificate(3, (f"vpn.{_DOMAIN}",), 0.1),
    _Certificate(4, (f"*.dev.{_DOMAIN}", f"dev.{_DOMAIN}"), 0.2),
    _Certificate(2, (f"shop.{_DOMAIN}",), 0.4, is_revoked=True),
    _Certificate(7, (f"api.{_DOMAIN}",), 0.3),
)
_SQUAT = _Certificate(5, ("exmaple.com", "www.exmaple.com"), 2, domain="exmaple.com")

_FIRST = {AlertType.CERTIFICATE_EXPIRING}
_SECOND = {
    AlertType.NEW_CERTIFICATE,
    AlertType.UNAUTHORIZED_CA,
    AlertType.NEW_SUBDOMAIN,
    AlertType.WILDCARD_CERTIFICATE,
    AlertType.CAA_VIOLATION,
    AlertType.REVOKED,
}


class _Demo:
    """All that is asked and told, from `running` on."""

    def __init__(self) -> None:
        self._recorded: list[Issuance] = [
            issuance
            for recording in _RECORDINGS
            for issuance in json.loads(recording.read_text("utf-8"))
        ]
        self._now = datetime.now(UTC).replace(microsecond=0)
        self._crtsh = FakeCrtSh({})
        self._spotter = FakeCertSpotter({})
        self._names = DnsServer(_DNS)
        self._webhook = ApiServer(lambda _: Reply())
        self._told = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        with self._crtsh, self._spotter, self._names, self._webhook:
            self._write_settings()
            yield

    def publish(self, *certificates: _Certificate) -> None:
        """From now on both sources list them."""
        for each in certificates:
            issuances = self._spotter.issuances.setdefault(each.domain, [])
            rows = self._crtsh.rows.setdefault(each.domain, [])
            number = each.recorded + 1
            issuance = self._issuance(each)
            issuances.append({"id": str(number), **issuance})
            rows.append({"id": number, **_row(issuance)})

    def told(self) -> list[dict[str, Any]]:
        """What came to the webhook since this was asked last."""
        requests = self._webhook.requests[self._told :]
        self._told += len(requests)
        return [request.json() for request in requests]

    def _issuance(self, certificate: _Certificate) -> Issuance:
        """As Cert Spotter lists it."""
        recorded = self._recorded[certificate.recorded]
        begin, end = (datetime.fromisoformat(recorded[key]) for key in _VALIDITY)
        issued = self._now - timedelta(days=certificate.days_ago)
        return {
            **recorded,
            "dns_names": list(certificate.names or recorded["dns_names"]),
            "not_before": f"{issued:%Y-%m-%dT%H:%M:%SZ}",
            "not_after": f"{issued + (end - begin):%Y-%m-%dT%H:%M:%SZ}",
            "revoked": certificate.is_revoked,
        }

    def _write_settings(self) -> None:
        host, port = self._names.address
        settings = configparser.ConfigParser(interpolation=None)
        settings.optionxform = str  # type: ignore[assignment, method-assign]
        settings["OWN"] = {
            "Domains": _DOMAIN,
            "Source": "crtsh certspotter",
            "Crtsh_URL": self._crtsh.url,
            "Crtsh_Pause": "0",
            "Certspotter_URL": self._spotter.url,
            "Certspotter_Hourly": "20",
            "Webhook": f"{self._webhook.url}/hook",
        }
        settings["SOURCES"] = {"Contact": "demo@ctmonitor.example"}
        settings["SCAN"] = {"Resolver": f"{host}:{port}"}
        settings["DATABASE"] = {"DBFile": str(_OUTPUT / "own.sqlite3")}
        settings["LOGGING"] = {"LogFile": str(_OUTPUT / "own.log")}
        with _SETTINGS.open("w", encoding="utf-8") as opened:
            settings.write(opened)


def _row(issuance: Issuance) -> dict[str, Any]:
    """The same as crt.sh lists it; its numbers of CAs were not recorded."""
    begin, end = (issuance[key].removesuffix("Z") for key in _VALIDITY)
    # The older form has it in another place.
    written = issuance.get("cert_der") or issuance["cert"]["data"]
    der = base64.b64decode(written)
    serial = f"{x509.load_der_x509_certificate(der).serial_number:x}"
    return {
        "issuer_ca_id": None,
        "issuer_name": issuance["issuer"]["name"],
        "common_name": issuance["dns_names"][0],
        "name_value": "\n".join(issuance["dns_names"]),
        "entry_timestamp": f"{begin}.875",
        "not_before": begin,
        "not_after": end,
        "serial_number": serial.zfill(len(serial) + len(serial) % 2),
        "result_count": 1,
    }


def main(arguments: Sequence[str]) -> int:
    """0 when all was told that has to be, and nothing twice."""
    if arguments:
        print("usage: python -m scripts.demo_own", file=sys.stderr)
        return 2
    os.chdir(_ROOT)
    forget_proxies()
    shutil.rmtree(_OUTPUT, ignore_errors=True)
    _OUTPUT.mkdir(parents=True)
    demo = _Demo()
    try:
        with demo.running():
            return _shown(demo)
    except KeyboardInterrupt:
        return 130


def _shown(demo: _Demo) -> int:
    demo.publish(*_BEFORE)
    headline(
        f"A first run for {_DOMAIN}, which is asked for at a crt.sh and a Cert Spotter",
        "of this machine. They answer with real certificates that were recorded: their",
        "names are replaced, and their dates moved to the present.",
        "",
        "Nobody is told of what was there before, only of what is wrong now: a",
        "certificate that ends in six days. The CAs of what is valid are authorised.",
    )
    codes = [run(_PROGRAM, *_NAMED, "--auto-baseline")]
    first = demo.told()
    demo.publish(*_AFTER)
    headline(
        "Overnight four certificates are issued: by a CA that is not ours, for a",
        "wildcard, one that is revoked already, and a renewal. The second run tells",
        "them, and writes a report.",
    )
    codes.append(run(_PROGRAM, *_NAMED, "--report", str(_PAGE)))
    second = demo.told()
    headline(
        f"A webhook got {len(second)} messages meanwhile, one a certificate. Of the",
        "worst the main parts, of the others what they are about:",
    )
    _show_messages(second)
    headline("A third run, with nothing new: nothing is told twice.")
    codes.append(run(_PROGRAM, *_NAMED, "--report", str(_JSON)))
    third = demo.told()
    demo.publish(_SQUAT)
    headline(
        "Certificates for misspelt forms of the name, registered forms first. Cert",
        "Spotter is asked 20 times an hour at most here; the next run goes on.",
    )
    squatting = ("--source", "certspotter", "--typosquats", "--report", str(_PAGE))
    codes.append(run(_PROGRAM, *_NAMED, *squatting))
    fourth = demo.told()
    codes.append(_acknowledged())
    headline(
        f"Done. The report is {_PAGE}: open it in a browser, or print it.",
        "Its links lead to the crt.sh of the demo, which is gone now. Beside it are",
        f"{_JSON.name}, the database and the settings. What next:",
        "",
        "  .venv/bin/python watchdomains.py --domains YOUR.DOMAIN --report own.html",
        "",
        "asks the real crt.sh. docs/own.md tells the rest: what is told and when, cron",
        "and systemd, mail and chats, S3.",
    )
    return _judged(codes, [first, second, third, fourth])


def _acknowledged() -> int:
    """Lists all alerts, acknowledges the worst, and lists them again."""
    headline("All alerts with their state. Somebody looks into the worst, and says so.")
    command = command_line(_PROGRAM, *_NAMED, "--list")
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    heads = [line for line in done.stdout.splitlines() if line[:1].isupper()]
    print("\n".join(heads), flush=True)
    found = re.search(r"\b[0-9a-f]{16}\b", done.stdout)
    if done.returncode or found is None:
        return done.returncode or 1
    print()
    code = run(_PROGRAM, *_NAMED, "--ack", found[0])
    print(flush=True)
    command = command_line(_PROGRAM, *_NAMED, "--list")
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    print(done.stdout.splitlines()[0], "...", sep="\n", flush=True)
    return code or int("acknowledged" not in done.stdout)


def _show_messages(messages: Sequence[Mapping[str, Any]]) -> None:
    ranks = ("critical", "high", "medium", "info")
    ordered = sorted(messages, key=lambda one: ranks.index(one["severity"]))
    for worst in ordered[:1]:
        parts = {key: worst[key] for key in _PARTS}
        print(json.dumps(parts, indent=2, ensure_ascii=False), end="\n\n")
    for one in ordered[1:]:
        what = ", ".join(one["types"])
        print(f"  | {one['severity']}: {', '.join(one['names'])}: {what}", flush=True)


def _judged(codes: Sequence[int], told: Sequence[Sequence[Mapping[str, Any]]]) -> int:
    """A demo of nothing, or of too much, has failed."""
    if failed := next(filter(None, codes), 0):
        return failed
    expected: tuple[set[AlertType], ...]
    expected = (_FIRST, _SECOND, set(), {AlertType.TYPOSQUAT_DETECTED})
    for number, (messages, types) in enumerate(zip(told, expected, strict=True), 1):
        found = {each for message in messages for each in message["types"]}
        if found != types:
            what = ", ".join(sorted(found)) or "nothing"
            print(f"Run {number} told {what}.", file=sys.stderr)
            return 1
    missing = [path for path in (_PAGE, _JSON) if not path.exists()]
    if missing:
        print(f"{missing[0]} was not written.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
