"""
A crt.sh on loopback: lists the rows that it is given, and fails as the real one does.

    with FakeCrtSh({"example.com": [row("www.example.com", "2026-11-01")]}) as crtsh:
        crtsh.failures.append(FAULTS["502"])  # the next question
        ...
    assert crtsh.questions[0]["q"] == "%.example.com"

Rows are as crt.sh sends them, in whichever shape: recorded files serve as they are.
"""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.api import ApiServer, Reply, Request

MOST_ROWS = 10_000
LETS_ENCRYPT = (295_819, "C=US, O=Let's Encrypt, CN=E7")

_ids = itertools.count(27_925_000_000)

_PAGE = b"<html>\r\n<head><title>%b</title></head>\r\n<body>nginx</body>\r\n</html>\r\n"

FAULTS: Mapping[str, Reply] = {
    "html with 200": Reply(body=_PAGE % b"crt.sh | Certificate Search"),
    "an object": Reply(body=b"{}"),
    "an error": Reply(body=b'{"error": "canceling statement"}'),
    "empty body": Reply(),
    "rows of another kind": Reply(body=b'[1, "a", null]'),
    "cut off": Reply(body=b'[{"id": 1, "name_value": "a.exa', missing=1000),
    "cut list": Reply(body=b'[{"id": 1, "name_value": "a.example.com"}, {"id"'),
    "not UTF-8": Reply(body=b'[{"id": 1, "name_value": "\xff"}]'),
    "deeply nested": Reply(body=b"[" * 100_000),
    "404": Reply(404, _PAGE % b"404 Not Found"),
    "429": Reply(429, _PAGE % b"429 Too Many Requests"),
    "429 for a minute": Reply(429, b"", {"Retry-After": "60"}),
    "429 for hours": Reply(429, b"", {"Retry-After": "14400"}),
    "500": Reply(500, b"ERROR"),
    "502": Reply(502, _PAGE % b"502 Bad Gateway"),
    "503": Reply(503, b"ERROR"),
    "hang": Reply(is_silent=True),
    "200 MB": Reply(body=b"[", missing=200_000_000),
    "endless": Reply(body=b'[{"id": 1}, ' + b" " * 65536, is_endless=True),
    "elsewhere": Reply(302, headers={"Location": "http://198.51.100.1/?q=a"}),
}


def row(
    names: str | Sequence[str],
    not_before: str,
    *,
    days: float = 90,
    id: int | None = None,
    issuer: tuple[int, str] = LETS_ENCRYPT,
    serial: str | None = None,
    logged: str | None = None,
) -> dict[str, Any]:
    """
    A row as crt.sh sends it in 2026.

    Args:
        names: the common name first.
        not_before: `2026-11-01` or with a time; issued then, for `days`.
        id: else a new one; serial: else drawn from the id.
        issuer: CA id and distinguished name.
        logged: else at `not_before`.
    """
    names = [names] if isinstance(names, str) else list(names)
    begin = datetime.fromisoformat(not_before)
    number = next(_ids) if id is None else id
    drawn = hashlib.sha256(str(number).encode()).hexdigest()[:34]
    return {
        "issuer_ca_id": issuer[0],
        "issuer_name": issuer[1],
        "common_name": names[0],
        "name_value": "\n".join(names),
        "id": number,
        "entry_timestamp": f"{logged or begin.isoformat()}.875",
        "not_before": begin.isoformat(),
        "not_after": (begin + timedelta(days=days, seconds=-1)).isoformat(),
        "serial_number": f"05{drawn}" if serial is None else serial,
        "result_count": 2,
    }


class FakeCrtSh(ApiServer):
    """
    Gives of each row the names that match, and no row of which none does.

    Args:
        rows: by domain; a question for a name below one searches its rows.
        now: `exclude=expired` leaves out what ended before; empty: our clock.

    Attributes:
        failures: each is sent instead of one answer, the first first.
        failure: sent instead of all answers while it is not None.
        wide_failure: the same for questions without `exclude=expired`;
            narrow_failure: for those with it.
        questions: what was asked, in order.
    """

    def __init__(
        self, rows: Mapping[str, Sequence[Mapping[str, Any]]], *, now: str = ""
    ) -> None:
        super().__init__(self._reply)
        self.rows = {domain: list(given) for domain, given in rows.items()}
        self.now = now
        self.failures: list[Reply] = []
        self.failure: Reply | None = None
        self.wide_failure: Reply | None = None
        self.narrow_failure: Reply | None = None

    @property
    def questions(self) -> list[dict[str, str]]:
        return [_question(request) for request in self.requests]

    def _reply(self, request: Request) -> Reply:
        question = _question(request)
        if self.failures:
            return self.failures.pop(0)
        if self.failure is not None:
            return self.failure
        is_narrow = question.get("exclude") == "expired"
        failure = self.narrow_failure if is_narrow else self.wide_failure
        if failure is not None:
            return failure
        if urlsplit(request.path).path != "/":
            return FAULTS["404"]
        pattern = question.get("q", "")
        if question.get("output") != "json" or pattern in {"", "%"}:
            return FAULTS["html with 200"]  # the form, the page for people
        return Reply.of(self._found(pattern, is_narrow))

    def _found(self, pattern: str, is_narrow: bool) -> list[dict[str, Any]]:
        now = self.now or datetime.now().astimezone().isoformat()
        found = []
        for given in self._rows_of(pattern.removeprefix("%.")):
            names = str(given["name_value"]).split("\n")
            if pattern.startswith("%"):
                names = [name for name in names if name.endswith(pattern[1:])]
            else:
                names = [name for name in names if name == pattern]
            if names and not (is_narrow and given["not_after"] < now):
                found.append({**given, "name_value": "\n".join(names)})
        return found[:MOST_ROWS]

    def _rows_of(self, domain: str) -> Sequence[Mapping[str, Any]]:
        while domain and domain not in self.rows:
            domain = domain.partition(".")[2]
        return self.rows.get(domain, [])


def _question(request: Request) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.path).query))
