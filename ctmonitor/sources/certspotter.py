"""
Cert Spotter's API: the unexpired certificates of a domain, as they were discovered.

Ids are opaque: the last one that was given is where the next question goes on, until
nothing comes; the id is kept for the next run.

Source: sslmate.com/help/reference/ct_search_api_v1.
"""

import base64
import contextlib
import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from ctmonitor.ct.entry import LogEntry
from ctmonitor.ct.x509 import certificate_of
from ctmonitor.errors import FormatError, SourceError
from ctmonitor.model.certificate import Certificate
from ctmonitor.model.clock import from_utc_text, now_utc, utc_text
from ctmonitor.model.dn import issuer_of
from ctmonitor.model.domain import name_in
from ctmonitor.model.own import Claim, Issuer, OwnSource
from ctmonitor.model.text import shortened
from ctmonitor.net.backoff import pause_s
from ctmonitor.net.client import Answer as Reply
from ctmonitor.net.client import Client, Refused
from ctmonitor.sources.ownsource import Answer, Budget, BudgetSpent, without_login

_EXPANDED = (
    "dns_names",
    "issuer",
    "issuer.caa_domains",
    "issuer.operator",
    "revocation",
    "problem_reporting",
    "cert_der",
)
# Of one answer; what is left comes in the next run. A free account has ten questions
# an hour, so only a server that never ends gets there.
_MOST_PAGES = 200
_MOST_CLAIMS = 20_000
_LONGEST_WAIT_S = 60.0  # for a server that asks us to; else the next run comes back
_MOST_NAMES = 10_000  # of a certificate; CAs stop at 2,000
_MOST_SHOWN = 200  # of `all_names`
_MOST_CAA_DOMAINS = 50
_LONGEST_NAME = 1000
_LONGEST_CONTACT = 300  # it is kept for each certificate
_LONGEST_TOLD = 10_000
_MAIL = re.compile(r"\S@\S|\[at\]", re.IGNORECASE)
_HASH = re.compile(r"[0-9a-f]{64}")
_HOST = re.compile(r"[a-z0-9.-]{1,253}")


class _Final(SourceError):
    """The same question would get the same answer."""


class CertSpotter:
    """
    Args:
        client: asks once and repeats nothing; its limits are those of one page.
        url: the base, without /v1/issuances.
        key: sent to that host alone; empty for none.
        budget: has to allow each question.
        tries: how often a question is asked that is not answered; retry_s: the first
            pause between two, which doubles up to 16 times of it.
        certificate_url: of crt.sh, where a person sees a certificate by its hash.
        sleep, stopped: `sleep` may end early when `stopped` becomes true.
    """

    def __init__(
        self,
        client: Client,
        url: str,
        *,
        key: str = "",
        budget: Budget,
        tries: int = 5,
        retry_s: float = 5.0,
        certificate_url: str = "https://crt.sh",
        sleep: Callable[[float], object] = time.sleep,
        stopped: Callable[[], bool] = lambda: False,
        now: Callable[[], datetime] = now_utc,
    ) -> None:
        self._client = client
        self._url = url.rstrip("/") + "/v1/issuances"
        self._key = key
        self._budget = budget
        self._tries = tries
        self._retry_s = retry_s
        self._certificate_url = without_login(certificate_url)
        self._sleep = sleep
        self._stopped = stopped
        self._now = now
        self._closed_until: datetime | None = None
        self._bad_key = ""  # why no question can be answered

    def answer(self, domain: str, after: str = "", *, exact: bool = False) -> Answer:
        """
        What was discovered after the id `after`, to the end.

        What came before a failure or a limit is given, with the id to go on from.

        Args:
            exact: certificates for the domain itself, not for what lies below it.

        Raises:
            BudgetSpent: nothing was asked, or the server wants a long pause.
            SourceError: nothing was given.
        """
        reading = _Reading(domain, after, self._certificate_url)
        failure = ""
        is_complete = False
        for _ in range(_MOST_PAGES):
            try:
                rows = self._page(domain, reading.position, exact)
                if not rows:
                    is_complete = True
                    break
                reading.take(rows)
            except SourceError as exc:
                if reading.position == after:
                    raise
                ended = f"{exc}; the rest comes in a later run"
                if isinstance(exc, BudgetSpent):
                    reading.notes.append(ended)
                else:
                    failure = ended
                break
            if len(reading.claims) >= _MOST_CLAIMS:
                break
        if not (is_complete or failure or reading.notes):
            reading.notes.append(
                f"Cert Spotter has more than {len(reading.claims)} certificates for "
                f"{domain}; the rest comes in a later run"
            )
        return Answer(
            OwnSource.CERTSPOTTER,
            tuple(reading.claims),
            position=reading.position,
            is_full=False,
            is_complete=is_complete,
            notes=(*reading.notes, *reading.oddities()),
            failure=failure,
        )

    def _page(self, domain: str, after: str, exact: bool) -> list[Any]:
        """The next issuances, as they came."""
        asked = {
            "domain": domain,
            "include_subdomains": "false" if exact else "true",
            "expand": _EXPANDED,
        }
        if after:
            asked["after"] = after
        url = f"{self._url}?{urlencode(asked, doseq=True)}"
        attempt = 0
        while True:
            self._allow(domain)
            pause = pause_s(attempt, first_s=self._retry_s, most_s=16 * self._retry_s)
            attempt += 1
            try:
                return self._asked(url, domain)
            except (Refused, _Final):
                raise
            except SourceError as exc:
                wait = exc.retry_after_s
                if wait is not None and wait > _LONGEST_WAIT_S:
                    raise
                if attempt >= self._tries:
                    tried = "once" if attempt == 1 else f"{attempt} times"
                    raise type(exc)(f"{exc}; asked {tried}", wait) from exc
            self._sleep(wait or pause)

    def _allow(self, domain: str) -> None:
        """Raises SourceError when no question may be asked at this moment."""
        if self._stopped():
            raise _Final(f"Cert Spotter is not asked for {domain}: the program ends")
        if self._bad_key:
            raise _Final(self._bad_key)
        now = self._now()
        if self._closed_until is not None and now < self._closed_until:
            left_s = (self._closed_until - now).total_seconds()
            raise BudgetSpent(
                f"Cert Spotter wants no question for {left_s / 60:.0f} minutes more",
                left_s,
            )
        self._budget.take(now)

    def _asked(self, url: str, domain: str) -> list[Any]:
        headers = {"Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        reply = self._client.fetch(url, headers=headers)
        if reply.status != 200:
            raise self._refusal(self._without_key(reply), domain)
        with contextlib.suppress(FormatError):
            rows = reply.json()
            if isinstance(rows, list):
                return rows
        shown = self._without_key(reply).beginning()
        raise SourceError(
            f"{reply.url} answers for {domain} with no list in JSON: {shown}"
        )

    def _refusal(self, reply: Reply, domain: str) -> SourceError:
        """What a status means, and what to do."""
        said = f"{reply.url} answers for {domain} with status {reply.status}"
        if words := _words(reply):
            said += f" ({words})"
        match reply.status:
            case 401:
                known = "does not know this key: check" if self._key else "wants a key:"
                self._bad_key = f"{said}; it {known} [OWN] Certspotter_Key"
                return _Final(self._bad_key)
            case 402:
                return _Final(
                    f"{said}; this question has to be paid for: see the account that "
                    "[OWN] Certspotter_Key belongs to, or ask another [OWN] Source"
                )
            case 403:
                key = "this key" if self._key else "anybody without a key"
                return _Final(
                    f"{said}; it does not allow {key} to ask this: see [OWN] "
                    "Certspotter_Key, or ask another [OWN] Source"
                )
            case 429:
                wait = reply.retry_after_s
                if wait is not None and wait > _LONGEST_WAIT_S:
                    self._closed_until = self._now() + timedelta(seconds=wait)
                    said += f"; it can be asked again in {wait / 60:.0f} minutes"
                return BudgetSpent(f"{said}: too many questions", wait)
            case status if status >= 500 or status == 408:
                return SourceError(said, reply.retry_after_s)
        return _Final(said)

    def _without_key(self, reply: Reply) -> Reply:
        """The same for messages: there are servers that repeat what they were sent."""
        if not self._key:
            return reply
        return replace(reply, body=reply.body.replace(self._key.encode(), b"***"))


class _Reading:
    """What the pages of one answer give."""

    def __init__(self, domain: str, after: str, certificate_url: str) -> None:
        self.claims: list[Claim] = []
        self.notes: list[str] = []
        self.position = after
        self._domain = domain
        self._certificate_url = certificate_url
        self._seen = {after}
        self._odd: Counter[str] = Counter()

    def take(self, rows: Iterable[object]) -> None:
        """Raises SourceError when a page leads no further."""
        before = self.position
        for row in rows:
            number = _id(row)
            if not isinstance(row, dict) or not number:
                self._odd["could not be read"] += 1
            elif number in self._seen:
                self._odd["came again"] += 1
            else:
                self._seen.add(number)
                self.position = number
                self._add(row, number)
        if self.position == before:
            raise _Final(
                f"Cert Spotter does not go on for {self._domain}: of what it gives "
                f"after the id {before or 'none'!r}, nothing is new and can be read"
            )

    def oddities(self) -> list[str]:
        """What was wrong with single issuances, counted."""
        return [
            f"{count} of Cert Spotter's issuances for {self._domain} {what}"
            for what, count in self._odd.items()
        ]

    def _add(self, row: Mapping[str, Any], number: str) -> None:
        der = _der(row)
        certificate = _parsed(der)
        if der and certificate is None:
            self._odd["hold a certificate that could not be read"] += 1
        listed = row.get("dns_names")
        if not isinstance(listed, list):
            listed = list(certificate.names) if certificate else []
        texts = [text for text in listed[:_MOST_NAMES] if isinstance(text, str)]
        names = dict.fromkeys(
            name
            for text in texts
            if len(text) <= _LONGEST_NAME and (name := name_in(text, self._domain))
        )
        if not names:
            self._odd["name no host in it"] += 1
            return
        cert_sha256 = _hash(row.get("cert_sha256"))
        if certificate is not None and not cert_sha256:
            cert_sha256 = hashlib.sha256(der).hexdigest()
        link = f"{self._certificate_url}/?sha256={cert_sha256}" if cert_sha256 else ""
        known = certificate or Certificate(())
        self.claims.append(
            Claim(
                OwnSource.CERTSPOTTER,
                tuple(names),
                ids=(number,),
                all_names=tuple(shortened(text, 260) for text in texts[:_MOST_SHOWN]),
                issuer=_issuer(row, known.issuer_dn),
                serial=_serial(known.serial),
                tbs_sha256=_hash(row.get("tbs_sha256")) or known.tbs_sha256,
                cert_sha256=cert_sha256,
                key_sha256=_hash(row.get("pubkey_sha256")) or known.key_sha256,
                not_before=_time(row.get("not_before"), known.not_before),
                not_after=_time(row.get("not_after"), known.not_after),
                is_revoked=_is_revoked(row),
                link=link,
            )
        )


def _words(reply: Reply) -> str:
    """What the server says of its refusal."""
    try:
        told = reply.json()
    except FormatError:
        return ""
    if not isinstance(told, dict):
        return ""
    parts = [told.get("code"), told.get("message")]
    words = ": ".join(part for part in parts if isinstance(part, str) and part)
    return shortened(words, 200)


def _id(row: object) -> str:
    """Empty for none. An id goes into addresses and into our state, so it is short."""
    number = row.get("id") if isinstance(row, dict) else None
    if isinstance(number, int) and not isinstance(number, bool):
        number = str(number)
    if not isinstance(number, str) or len(number) > 100 or not number.isascii():
        return ""
    return number if number.isprintable() else ""


def _der(row: Mapping[str, Any]) -> bytes:
    """The certificate or precertificate; empty for none."""
    written = row.get("cert_der")
    old = row.get("cert")
    if written is None and isinstance(old, dict):
        written = old.get("data")
    if not isinstance(written, str):
        return b""
    try:
        return base64.b64decode(written, validate=True)
    except ValueError:  # binascii.Error is one
        return written.encode("utf-8", "replace")  # no certificate either


def _parsed(der: bytes) -> Certificate | None:
    if not der:
        return None
    entry = LogEntry(
        index=0, timestamp_ms=0, is_precert=False, signed_entry=der, leaf_input=b""
    )
    try:
        return certificate_of(entry)[0]
    except FormatError:
        return None


def _issuer(row: Mapping[str, Any], dn: str) -> Issuer:
    told = row.get("issuer")
    issuer: Mapping[str, Any] = told if isinstance(told, dict) else {}
    name = issuer.get("name")
    contact = row.get("problem_reporting")
    listed = issuer.get("caa_domains")
    caa_domains = [
        domain.lower()
        for domain in (listed if isinstance(listed, list) else [])
        if isinstance(domain, str) and _HOST.fullmatch(domain.lower())
    ]
    return issuer_of(
        name if isinstance(name, str) and name else dn,
        None,
        # None at all is what it says of a CA that it does not know.
        tuple(caa_domains[:_MOST_CAA_DOMAINS]) or None,
        _contact(contact) if isinstance(contact, str) else "",
    )


def _contact(told: str) -> str:
    words = told[:_LONGEST_TOLD].split()
    text = " ".join(words)
    if len(text) > _LONGEST_CONTACT:
        # Of a page of instructions, the addresses: `abuse[at]ca[dot]example`.
        places = (word for word in words if "://" in word or _MAIL.search(word))
        text = ", ".join(dict.fromkeys(places)) or text
    return shortened(text, _LONGEST_CONTACT)


def _serial(serial: int | None) -> str:
    """As crt.sh shows the bytes of the INTEGER, also of one below zero."""
    if serial is None:
        return ""
    if serial < 0:
        serial += 1 << 8 * ((~serial).bit_length() // 8 + 1)
    return f"{serial:x}"


def _hash(value: object) -> str:
    folded = value.lower() if isinstance(value, str) else ""
    return folded if _HASH.fullmatch(folded) else ""


def _time(told: object, known: datetime | None) -> str:
    moment = from_utc_text(told) if isinstance(told, str) else None
    try:
        return utc_text(moment or known) or ""
    except OverflowError:  # of the first or last day, in another zone
        return ""


def _is_revoked(row: Mapping[str, Any]) -> bool | None:
    revoked, revocation = row.get("revoked"), row.get("revocation")
    if isinstance(revoked, bool):
        return revoked
    is_timed = isinstance(revocation, dict) and isinstance(revocation.get("time"), str)
    return True if is_timed else None
