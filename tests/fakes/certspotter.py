"""
A Cert Spotter API on loopback that lists what a test tells it, well or badly.

    server = FakeCertSpotter({"example.com": [issuance(1, "www.example.com")]})
    with server:
        ...  # Certspotter_URL = server.url
    assert server.questions()[0]["domain"] == ["example.com"]

Recorded answers are lists of issuances too: `json.loads(file.read_text())`.

Source: sslmate.com/help/reference/ct_search_api_v1 as told in recorded answers.
"""

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from tests.fakes.api import ApiServer, Reply, Request

Issuance = dict[str, Any]

PATH = "/v1/issuances"
# Older answers have the certificate in `cert`, which came with another word.
_EXPANDED = ("dns_names", "revocation", "problem_reporting", "cert_der")


def refusal(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Reply:
    """An error in the API's words."""
    reply = Reply.of({"code": code, "message": message}, status)
    return Reply(status, reply.body, headers or {})


# The ways in which this service fails or misbehaves, for `failure` and `before`.
MISBEHAVIOURS = {
    "html with 200": Reply(body=b"<html><title>Maintenance</title></html>"),
    "object": Reply.of({"issuances": []}),
    "empty body": Reply(),
    "null": Reply(body=b"null"),
    "cut off": Reply(body=b'[{"id": "1"', missing=100),
    "rows that are none": Reply.of(["1", 2, None]),
    "not found": refusal(404, "not_found", "There is no such thing"),
    "payment": refusal(402, "payment_required", "Your plan does not have this"),
    "forbidden": refusal(403, "not_allowed", "You may not see this"),
    "too many": refusal(429, "rate_limited", "Slow down", {"Retry-After": "3600"}),
    "too many for a moment": refusal(
        429, "rate_limited", "Slow down", {"Retry-After": "1"}
    ),
    "too many, no time": refusal(429, "rate_limited", "Slow down"),
    "too slow": refusal(408, "timeout", "Try again"),
    "bad gateway": Reply(502, b"<html>502 Bad Gateway</html>"),
    "hang": Reply(is_silent=True),
    "elsewhere": Reply(302, headers={"Location": "http://198.51.100.1/v1/issuances"}),
    "200 MB": Reply(body=b"[]", missing=200_000_000),
    "endless": Reply(body=b" " * 65536, is_endless=True),
}


class FakeCertSpotter(ApiServer):
    """
    Answers as the API does: the oldest first, `page` issuances at a time.

    Args:
        issuances: by watched domain, in the order of their discovery; may be changed
            while the server runs. A question for a domain that is no key gets [].
        key: what a Bearer has to be; empty: everybody may ask.
        hourly: questions that are answered, before 429; None: any number.
        failure: sent instead of any answer while it is not None.
        before: sent first, one for each question.
        goes_round: after the last issuance come the first again.
        never_ends: after the last issuance come new ones, as long as one asks.
    """

    def __init__(
        self,
        issuances: Mapping[str, Sequence[Issuance]] | None = None,
        *,
        key: str = "",
        page: int = 100,
        hourly: int | None = None,
    ) -> None:
        super().__init__(self._reply)
        self.issuances = {name: list(rows) for name, rows in (issuances or {}).items()}
        self.key = key
        self.page = page
        self.hourly = hourly
        self.failure: Reply | None = None
        self.before: list[Reply] = []
        self.goes_round = False
        self.never_ends = False

    def questions(self) -> list[dict[str, list[str]]]:
        """The parameters of each question, in order."""
        return [parse_qs(urlsplit(one.path).query) for one in self.requests]

    def _reply(self, request: Request) -> Reply:
        if self.before:
            return self.before.pop(0)
        if self.failure is not None:
            return self.failure
        if self.hourly is not None and len(self.requests) > self.hourly:
            return MISBEHAVIOURS["too many"]
        if (request.method, urlsplit(request.path).path) != ("GET", PATH):
            return MISBEHAVIOURS["not found"]
        told = request.headers.get("authorization", "")
        if self.key and told != f"Bearer {self.key}":
            # Worse than the real one: it quotes the key.
            return refusal(401, "unauthorized", f"Nobody has the key {told}")
        asked = parse_qs(urlsplit(request.path).query)
        if "domain" not in asked:
            return refusal(400, "missing_parameter", "Which domain?")
        rows = self._rows(asked)
        shown = [_expanded(row, asked.get("expand", [])) for row in rows]
        # How long to wait until the next question: said with each answer.
        headers = {"Content-Type": "application/json", "Retry-After": "3600"}
        return Reply(body=Reply.of(shown).body, headers=headers)

    def _rows(self, asked: Mapping[str, list[str]]) -> list[Issuance]:
        domain = asked["domain"][0]
        rows = self.issuances.get(domain, [])
        if asked.get("include_subdomains") != ["true"]:
            rows = [row for row in rows if domain in row.get("dns_names", [])]
        after = asked.get("after", [""])[0]
        start = next(
            (at for at, row in enumerate(rows, 1) if str(row.get("id")) == after), 0
        )
        if after and not start:  # it has expired meanwhile
            rows = [row for row in rows if _is_later(row, after)]
        found = rows[start : start + self.page]
        if not found and rows and self.goes_round:
            return rows[: self.page]
        if not found and self.never_ends:
            first = int(after or 0) + 1
            return [
                issuance(number, f"host{number}.{domain}", has_der=False)
                for number in range(first, first + self.page)
            ]
        return found


def issuance(
    number: int,
    *names: str,
    not_before: datetime = datetime(2026, 10, 1, tzinfo=UTC),
    not_after: datetime = datetime(2026, 12, 30, tzinfo=UTC),
    organisation: str = "Let's Encrypt",
    common_name: str = "E7",
    caa_domains: Sequence[str] | None = ("letsencrypt.org",),
    serial: int | None = None,
    revoked: bool | None = False,
    has_der: bool = True,
    **changed: object,
) -> Issuance:
    """
    One issuance with everything expanded, and a real certificate in `cert_der`.

    Args:
        number: the id, and the serial number unless another one is given.
        has_der: False leaves the certificate out, and hashes made-up bytes.
        changed: keys of the issuance that are to have this value; None included.
    """
    serial = number if serial is None else serial
    subject = (organisation, common_name)
    der = b"" if not has_der else _signed(names, subject, not_before, not_after, serial)
    row: Issuance = {
        "id": str(number),
        "tbs_sha256": _tbs_sha256(der) if der else _sha256(b"tbs %d" % number),
        "cert_sha256": _sha256(der or b"cert %d" % number),
        "dns_names": list(names),
        "pubkey_sha256": _sha256(_spki()),
        "issuer": {
            "friendly_name": organisation,
            "website": "https://ca.example/",
            "caa_domains": None if caa_domains is None else list(caa_domains),
            "operator": {"name": organisation, "website": "https://ca.example/"},
            "pubkey_sha256": _sha256(common_name.encode()),
            "name": f'C=US, O="{organisation}", CN={common_name}',
        },
        "not_before": f"{not_before:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{not_after:%Y-%m-%dT%H:%M:%SZ}",
        "revoked": revoked,
        "revocation": {
            "time": "2026-11-01T00:00:00Z" if revoked else None,
            "reason": 1 if revoked else None,
            "checked_at": "2026-11-02T00:00:00Z",
        },
        "problem_reporting": "Write to problems@ca.example",
        "cert_der": base64.b64encode(der).decode() if der else None,
    }
    return {**row, **changed}


def _expanded(row: Issuance, wanted: Sequence[str]) -> Issuance:
    """The issuance with those fields that have to be asked for only if they were."""
    shown = {
        key: value
        for key, value in row.items()
        if key in wanted or key not in (*_EXPANDED, "issuer")
    }
    issuer = row.get("issuer")
    if "issuer" in wanted and isinstance(issuer, dict):
        hidden = {"caa_domains", "operator"} - {
            part.removeprefix("issuer.") for part in wanted
        }
        shown["issuer"] = {k: v for k, v in issuer.items() if k not in hidden}
    elif "issuer" in wanted and "issuer" in row:
        shown["issuer"] = issuer
    return shown


def _is_later(row: Issuance, after: str) -> bool:
    numbers = (str(row.get("id")), after)
    return all(map(str.isdecimal, numbers)) and int(numbers[0]) > int(after)


@functools.cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(7, ec.SECP256R1())


@functools.cache
def _spki() -> bytes:
    return (
        _key()
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


@functools.lru_cache(maxsize=4096)
def _signed(
    names: tuple[str, ...],
    issuer: tuple[str, str],
    not_before: datetime,
    not_after: datetime,
    serial: int,
) -> bytes:
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, issuer[0]),
        x509.NameAttribute(NameOID.COMMON_NAME, issuer[1]),
    ]
    listed = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name(parts))
        .public_key(_key().public_key())
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(listed, critical=True)
        .sign(_key(), hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


def _tbs_sha256(der: bytes) -> str:
    return _sha256(x509.load_der_x509_certificate(der).tbs_certificate_bytes)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
