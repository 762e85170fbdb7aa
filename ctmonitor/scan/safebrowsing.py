"""
Whether Google Safe Browsing lists a site: unsafe, not listed, or not checked.

Not listed does not mean safe, and an error never means not listed.

Source: developers.google.com/safe-browsing/v4/lookup-api, threatMatches:find.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from ctmonitor import __version__
from ctmonitor.errors import FormatError, SourceError
from ctmonitor.model.site import Enrichment, EnrichmentStatus, SiteReport
from ctmonitor.model.text import shortened
from ctmonitor.net.client import Answer, Client
from ctmonitor.scan.budget import Budget
from ctmonitor.scan.lookup import NotOkError, RateLimited
from ctmonitor.scan.memory import Memory, Recall

API_URL = "https://safebrowsing.googleapis.com"
NO_KEY = "No API key in config file"  # as the original has it

_MAX_URLS = 500  # a question may hold
_MAX_MATCHES = 50  # of one site that are kept
_SERVICE = "safebrowsing"
_THREATS = [
    "MALWARE",
    "SOCIAL_ENGINEERING",
    "UNWANTED_SOFTWARE",
    "POTENTIALLY_HARMFUL_APPLICATION",
]

_Matches = Mapping[str, list[dict[str, Any]]]  # by address; absent: not asked


class ListState(StrEnum):
    """What is known of a site."""

    UNSAFE = "unsafe"
    NOT_LISTED = "not_listed"
    NOT_CHECKED = "not_checked"


class SafeBrowsingEnricher:
    """
    Args:
        key: sent in a header, so that no log of requests holds it; empty for none.
        api_url: where the service stands, without `/v4/...`.
        per_day: questions, each of at most 500 addresses.
        limit_s: for one question.
    """

    name = "safe_browsing"

    def __init__(
        self,
        memory: Memory,
        clock: Callable[[], datetime],
        client: Client,
        key: str,
        *,
        api_url: str = API_URL,
        per_day: int = 9000,
        limit_s: float = 20.0,
    ) -> None:
        self._client = client
        self._key = key
        self._url = api_url.rstrip("/") + "/v4/threatMatches:find"
        self._budget = Budget(
            Recall(memory), clock, "api", per_day=per_day, per_minute=600
        )
        self._limit_s = limit_s

    async def enrich(self, reports: Sequence[SiteReport]) -> list[Enrichment]:
        """One result for each report; the more at once, the fewer questions."""
        if not self._key:
            return [
                _not_checked(EnrichmentStatus.NOT_APPLICABLE, NO_KEY, NO_KEY)
                for _ in reports
            ]
        asked = [_addresses(report) for report in reports]
        every = list(dict.fromkeys(url for urls in asked for url in urls))
        known: dict[str, list[dict[str, Any]] | NotOkError] = {}
        for start in range(0, len(every), _MAX_URLS):
            urls = every[start : start + _MAX_URLS]
            try:
                known.update(await self._matches(urls))
            except NotOkError as exc:
                known.update(dict.fromkeys(urls, exc))
        return [_judged([known[url] for url in urls]) for urls in asked]

    async def _matches(self, urls: list[str]) -> _Matches:
        """What the list has on each of `urls`; raises NotOkError when not known."""
        if why := await self._budget.refusal(_SERVICE):
            raise NotOkError(EnrichmentStatus.RATE_LIMITED, why)
        question = {
            "client": {"clientId": "ctmonitor", "clientVersion": __version__},
            "threatInfo": {
                "threatTypes": _THREATS,
                "platformTypes": ["ANY_PLATFORM"],
                "threatEntryTypes": ["URL"],
                "threatEntries": [{"url": url} for url in urls],
            },
        }
        try:
            async with asyncio.timeout(self._limit_s):
                answer = await self._client.post(
                    self._url, question, headers={"X-Goog-Api-Key": self._key}
                )
                return matches(self._content(answer), urls)
        except RateLimited as exc:
            await self._budget.pause(_SERVICE, exc.retry_after_s)
            raise NotOkError(EnrichmentStatus.RATE_LIMITED, str(exc)) from exc
        except (SourceError, FormatError) as exc:
            raise NotOkError(EnrichmentStatus.ERROR, str(exc)) from exc
        except TimeoutError as exc:
            why = f"no answer within {self._limit_s:g} s"
            raise NotOkError(EnrichmentStatus.ERROR, why) from exc

    def _content(self, answer: Answer) -> object:
        if answer.status == 200:
            return answer.json()
        # An error may quote what was sent.
        quoting = answer.body.replace(self._key.encode(), b"[key]")
        said = shortened(_error(replace(answer, body=quoting)), 200)
        message = f"Safe Browsing answers HTTP {answer.status}: {said}"
        if answer.status == 429:
            raise RateLimited(message, answer.retry_after_s)
        raise SourceError(message)


def matches(answer: object, urls: Sequence[str]) -> _Matches:
    """
    The matches of each of `urls` in an answer of the service.

    Raises:
        FormatError: the answer has another form, or is about other addresses; then
            nothing is known of any of them.
    """
    listed = answer.get("matches", []) if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        raise FormatError("no Safe Browsing answer", shortened(repr(answer)))
    if isinstance(answer, dict) and not answer.keys() <= {"matches"}:
        raise FormatError("no Safe Browsing answer", shortened(repr(sorted(answer))))
    found: dict[str, list[dict[str, Any]]] = {url: [] for url in urls}
    for match in listed:
        threat = match.get("threat") if isinstance(match, dict) else None
        url = threat.get("url") if isinstance(threat, dict) else None
        if not isinstance(url, str) or url not in found:
            raise FormatError(
                "no Safe Browsing answer",
                f"a match that fits none: {shortened(repr(match))}",
            )
        kept = {
            key: shortened(match[key], 100)
            for key in (
                "threatType",
                "platformType",
                "threatEntryType",
                "cacheDuration",
            )
            if isinstance(match.get(key), str)
        }
        if "threatType" not in kept:
            raise FormatError("no Safe Browsing answer", "a match without threatType")
        found[url].append({**kept, "threat": {"url": url}})
    return found


def _addresses(report: SiteReport) -> list[str]:
    """What is asked for a site: its own address, and where it led to."""
    own = f"http://{report.visited}/"  # the service looks at host and path alone
    if report.page is None:
        return [own]
    try:
        parts = urlsplit(report.page.url)
    except ValueError:
        return [own]
    if parts.hostname == report.visited and parts.path in {"", "/"} and not parts.query:
        return [own]
    return [own, report.page.url]


def _judged(known: Sequence[list[dict[str, Any]] | NotOkError]) -> Enrichment:
    """Listed once is unsafe, whatever is unknown of the other addresses."""
    found = [match for one in known if isinstance(one, list) for match in one]
    for one in known:
        if isinstance(one, NotOkError) and not found:
            return _not_checked(one.status, one.detail)
    kept = found[:_MAX_MATCHES]
    state = ListState.UNSAFE if kept else ListState.NOT_LISTED
    answer = {"matches": kept} if kept else {}
    return Enrichment(
        EnrichmentStatus.OK,
        data={"status": state.value, "matches": kept, "answer": answer},
    )


def _not_checked(
    status: EnrichmentStatus, detail: str, answer: str | None = None
) -> Enrichment:
    state = ListState.NOT_CHECKED.value
    return Enrichment(
        status, detail, {"status": state, "matches": [], "answer": answer}
    )


def _error(answer: Answer) -> str:
    """Google's own words for an error, or the beginning of what came instead."""
    try:
        return str(json.loads(answer.body)["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return answer.beginning()
