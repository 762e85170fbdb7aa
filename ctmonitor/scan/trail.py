"""
Where a URL leads: its answer, the redirects behind it, and the page at their end.

A trail keeps what it saw so far, so that a visit whose time is over still has it.

Source: RFC 9110 section 15.4 (redirects), section 10.2.2 (Location).
"""

from collections.abc import Sequence
from dataclasses import replace

from yarl import URL

from ctmonitor.model.site import Hop, Page
from ctmonitor.model.text import bounded, printable, shortened
from ctmonitor.scan.dialer import NOT_ALLOWED, VisitFailure
from ctmonitor.scan.page import head_of, icon_hash, sha256_hex
from ctmonitor.scan.session import Response, Session

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_HOPS = 10
_MAX_ICON_HOPS = 3
_MAX_URL_CHARACTERS = 2000
_MAX_HEADER_CHARACTERS = 200


class Trail:
    """
    Asks `urls` in turn until one answers, and follows that one.

    Attributes:
        url: what answered first, or was asked last.
        failure: why the last one did not answer.
        flaw: what was wrong with the answer, for people.
    """

    def __init__(self, urls: Sequence[URL], session: Session) -> None:
        self.url = urls[0] if urls else None
        self.address = ""
        self.hops: list[Hop] = []
        self.page: Page | None = None
        self.failure: VisitFailure | None = None
        self.flaw = ""
        self._urls = urls
        self._session = session
        self._icon_url: URL | None = None

    @property
    def has_answered(self) -> bool:
        return self.page is not None

    @property
    def is_connected(self) -> bool:
        """Whether somebody listens where it asked last."""
        return self.url is not None and self._session.is_connected(self.url)

    async def walk(self) -> None:
        """Follows the redirects to their end; what fails is kept."""
        for url in self._urls:
            self.url = url
            try:
                response = await self._session.get(url)
            except VisitFailure as exc:
                self.failure = exc.alone()
                continue
            self.address = response.address
            self._note(url, response)
            await self._follow(url, response)
            return

    def settle(self) -> None:
        """Counts an answer that had begun when the time was over."""
        if self.page is None and self.url is not None:
            begun = self._session.begun(self.url)
            if begun is not None:
                self.address = begun.address
                self._note(self.url, begun)

    async def add_icon(self) -> None:
        """Asks for the icon of the last page, which may be on another host."""
        url = self._icon_url
        for _ in range(_MAX_ICON_HOPS + 1):
            if url is None or self.page is None:
                return
            try:
                response = await self._session.get(url)
            except VisitFailure:
                return
            url = _target(url, response)
            if url is None and _is_icon(response):
                self.page = replace(self.page, favicon_mmh3=icon_hash(response.body))

    async def _follow(self, url: URL, response: Response) -> None:
        seen = {url}
        while (location := response.headers.get("Location")) is not None:
            target = _target(url, response)
            if response.status not in _REDIRECTS:
                return
            reason = self._refusal(target, seen)
            hop = Hop(
                _shown(str(url)),
                response.status,
                _shown(location),
                is_followed=not reason,
                reason=reason,
            )
            self.hops.append(hop)
            if target is None or reason:
                return
            seen.add(target)
            try:
                response = await self._session.get(target)
            except VisitFailure as exc:
                is_allowed = exc.error != NOT_ALLOWED
                reason = f"{exc.error}: {exc}" if is_allowed else str(exc)
                self.hops[-1] = replace(hop, is_followed=is_allowed, reason=reason)
                return
            url = target
            self._note(url, response)

    def _refusal(self, target: URL | None, seen: set[URL]) -> str:
        if target is None:
            return "it leads to no URL"
        if target in seen:
            return "it leads back to where we were"
        if len(self.hops) >= _MAX_HOPS:
            return f"it is redirect number {_MAX_HOPS + 1}"
        return ""

    def _note(self, url: URL, response: Response) -> None:
        content_type = response.headers.get("Content-Type", "")
        head = head_of(response.body, content_type)
        self.flaw = response.flaw
        self._icon_url = _joined(url, head.icon_href or "/favicon.ico")
        self.page = Page(
            url=_shown(str(url)),
            status=response.status,
            title=head.title,
            server=shortened(
                response.headers.get("Server", ""), _MAX_HEADER_CHARACTERS
            ),
            content_type=shortened(content_type, _MAX_HEADER_CHARACTERS),
            body_sha256=sha256_hex(response.body),
            body_bytes=len(response.body),
            is_truncated=response.is_truncated,
        )


def _target(url: URL, response: Response) -> URL | None:
    """Where a redirect leads; None for other answers and for what is no URL."""
    if response.status not in _REDIRECTS:
        return None
    return _joined(url, response.headers.get("Location", ""))


def _joined(url: URL, reference: str) -> URL | None:
    try:
        return url.join(URL(reference.strip())).with_fragment(None)
    except ValueError:  # also UnicodeError: bytes that are no text
        return None


def _is_icon(response: Response) -> bool:
    is_page = response.headers.get("Content-Type", "").lower().startswith("text/html")
    whole = bool(response.body) and not response.is_truncated
    return response.status == 200 and whole and not is_page


def _shown(text: str) -> str:
    return bounded(printable(text), _MAX_URL_CHARACTERS)
