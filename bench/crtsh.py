"""
A crt.sh on loopback: the same certificates for each domain that it is asked for.

    python -m bench.crtsh

Its address takes the number of certificates as a path, as `http://127.0.0.1:PORT/2000`:
names of 40 hosts, renewed every 60 days for years, one in 100 by another CA. Answers
are made once and only get the domain's name, so that little of a core is used.

Prints one JSON line with its port, and serves until it is ended.
"""

import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

CA = "Let's Encrypt"
_CAS = ((295_819, f"C=US, O={CA}, CN=E7"), (1, "C=XX, O=Bench CA, CN=Bench CA 1"))
_OTHER_EVERY = 100
_HOSTS = 40
_RENEWED = timedelta(days=60)
_LIFETIME = timedelta(days=90, seconds=-1)
_DOMAIN = "bench-000.com"
_STARTED = datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def domain(number: int) -> str:
    """A domain to be asked for; all are of the same length."""
    return f"bench-{number:03}.com"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        pattern = dict(parse_qsl(url.query))["q"]
        asked = pattern.removeprefix("%.")
        body = _answer(int(url.path.strip("/")), pattern != asked)
        body = body.replace(_DOMAIN.encode(), asked.encode())
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@cache
def _answer(certificates: int, is_below: bool) -> bytes:
    """The rows of names below the domain, or of the domain itself; newest first."""
    rows = []
    for number in range(certificates):
        names = [
            name
            for name in _names(number % _HOSTS)
            if (name != _DOMAIN if is_below else name == _DOMAIN)
        ]
        if names:
            rows.append(_row(number, certificates, names))
    return json.dumps(rows, separators=(",", ":")).encode()


def _names(host: int) -> list[str]:
    name = f"host{host}.{_DOMAIN}" if host else _DOMAIN
    names = [name]
    if host % 3 == 0:
        names.append(f"www.{name}")
    if host % 10 == 9:
        names.append(f"*.{name}")
    return names


def _row(number: int, certificates: int, names: list[str]) -> dict[str, object]:
    age, host = divmod(number, _HOSTS)
    begin = _STARTED - age * _RENEWED - timedelta(days=host % 55, seconds=number)
    ca_id, issuer = _CAS[number % _OTHER_EVERY == 0]
    digits = hashlib.sha256(str(number).encode()).hexdigest()
    return {
        "issuer_ca_id": ca_id,
        "issuer_name": issuer,
        "common_name": _names(host)[0],
        "name_value": "\n".join(names),
        "id": 27_925_000_000 + certificates - number,
        "entry_timestamp": f"{begin.isoformat()}.875",
        "not_before": begin.isoformat(),
        "not_after": (begin + _LIFETIME).isoformat(),
        "serial_number": f"05{digits[:34]}",
        "result_count": 2,
    }


def main() -> int:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        print(json.dumps({"port": server.server_port}), flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
