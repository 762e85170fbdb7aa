"""
Asks quiet APIs over HTTP, with manners: who asks, for how long, how much, and whom.

A call opens its own connection, has one time limit for everything, reads a bounded
body, keeps no cookies and stays with the host that it was sent to. It blocks: async
code runs it in the client's few threads.
"""

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ctmonitor.errors import ConfigError, FormatError, SourceError
from ctmonitor.model.clock import now_utc
from ctmonitor.model.text import shortened
from ctmonitor.net.backoff import pause_s, retry_after_s
from ctmonitor.net.deadline import Deadline
from ctmonitor.net.route import Proxy, Route

if TYPE_CHECKING:
    import requests

_MAX_REDIRECTS = 3
_CHUNK_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({500, 502, 503, 504})  # may be over at the next attempt

_Result = TypeVar("_Result")


class Refused(SourceError):
    """An answer that is not taken: too long, or a redirect. It will come again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a server said, whatever its status.

    Args:
        url: without query, for messages; retry_after_s: None when it does not ask.
    """

    url: str
    status: int
    body: bytes
    retry_after_s: float | None = None

    def json(self) -> Any:
        """The body as JSON; raises FormatError for HTML, nothing and anything else."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as exc:
            raise FormatError("not JSON", self.beginning()) from exc

    def beginning(self) -> str:
        """The first characters of the body, for a message."""
        return repr(shortened(self.body[:200].decode("utf-8", "replace"), 60))


class Client:
    """
    Args:
        user_agent: names the tool, and whom to write to.
        route: the proxy, and the authorities that are trusted.
        timeout_s: for a whole call, its redirects and attempts together.
        max_bytes: of a body; limited_by: the setting that says so, for messages.
        retries: further attempts after a status 500, 502, 503 or 504, of a POST as
            well; with 0 whatever is asked is sent once.
        threads: calls at the same time.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        route: Route | None = None,
        timeout_s: float = 10.0,
        max_bytes: int = 2_000_000,
        limited_by: str = "",
        retries: int = 2,
        first_pause_s: float = 0.5,
        threads: int = 8,
    ) -> None:
        self._user_agent = user_agent
        self._route = route or Route()
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._limit = f"{max_bytes} bytes" + (f" ({limited_by})" if limited_by else "")
        self._retries = retries
        self._first_pause_s = first_pause_s
        self._threads = ThreadPoolExecutor(threads, "api")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Waits for the calls under way, each at most `timeout_s`."""
        self._threads.shutdown(cancel_futures=True)

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """What `work` gives, run in one of the client's threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, work)

    async def get(self, url: str, *, accept: str = "application/json") -> Answer:
        """The answer to GET; raises SourceError as `fetch` does."""
        return await self.run(lambda: self.fetch(url, headers={"Accept": accept}))

    async def post(
        self, url: str, payload: object, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer to a POST of JSON; raises SourceError as `fetch` does."""
        body = json.dumps(payload).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        return await self.run(lambda: self.fetch(url, body=body, headers=sent))

    def fetch(
        self,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """
        The answer to GET, or to POST with a body; blocks, for any thread.

        A POST is repeated after a passing failure, unless the client has no retries:
        a query may come twice, what acts may not.

        Args:
            headers: sent again along a redirect, which stays with the host.

        Raises:
            Refused: an answer too long, or a redirect that is not followed.
            SourceError: no answer in time, or none. No message holds query or headers.
        """
        with Deadline(self._timeout_s) as deadline:
            attempt = 0
            while True:
                answer = self._followed(url, body, headers or {}, deadline)
                pause = pause_s(attempt, first_s=self._first_pause_s, most_s=5.0)
                if (
                    answer.status not in _PASSING
                    or attempt >= self._retries
                    or pause >= deadline.remaining_s()
                ):
                    return answer
                time.sleep(pause)
                attempt += 1

    def _followed(
        self,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: Deadline,
    ) -> Answer:
        for _ in range(_MAX_REDIRECTS + 1):
            answer, location = self._exchanged(url, body, headers, deadline)
            if answer.status not in _REDIRECTS:
                return answer
            target = _joined(url, location)
            if not location or body is not None or not _is_at_home(url, target):
                raise Refused(
                    f"{answer.url} redirects to {_shown(target)}, which is not followed"
                )
            url = target
        raise Refused(f"{_shown(url)} redirects more than {_MAX_REDIRECTS} times")

    def _exchanged(
        self,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: Deadline,
    ) -> tuple[Answer, str]:
        """One request: the answer, and its Location."""
        import requests  # see the adapter

        from ctmonitor.net.adapter import FAILURES, TIMEOUTS, Adapter

        shown = _shown(url)
        try:
            proxies = self._proxies(url)
            # Unpacking is where small bodies become large ones.
            fixed = {"User-Agent": self._user_agent, "Accept-Encoding": "identity"}
            request = requests.Request(
                "GET" if body is None else "POST",
                url,
                data=body,
                headers={**headers, **fixed},
            )
            # Without a session, which would read the whole body of a redirect.
            with contextlib.closing(Adapter(self._route, deadline)) as adapter:
                response = adapter.send(
                    request.prepare(),
                    stream=True,
                    timeout=max(0.001, deadline.remaining_s()),
                    proxies=proxies,
                )
                with contextlib.closing(response):
                    content = self._content(response, shown)
                    deadline.check()
        except ConfigError as exc:
            raise SourceError(str(exc)) from exc
        except FAILURES as exc:
            why = (
                f"no complete answer within {self._timeout_s:g} s"
                if deadline.is_over or isinstance(_root(exc), TIMEOUTS)
                else _reason(exc)
            )
            raise SourceError(f"{shown} cannot be read: {why}") from exc
        asked = response.headers.get("Retry-After", "")
        answer = Answer(
            shown, response.status_code, content, retry_after_s(asked, now_utc())
        )
        return answer, response.headers.get("Location", "")

    def _content(self, response: "requests.Response", shown: str) -> bytes:
        too_long = Refused(f"{shown} sends more than {self._limit}; not read on")
        told = response.headers.get("Content-Length", "")
        if told.isdecimal() and int(told[:20]) > self._max_bytes:
            raise too_long
        content = bytearray()
        for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=False):
            content += chunk
            if len(content) > self._max_bytes:
                raise too_long
        return bytes(content)

    def _proxies(self, url: str) -> dict[str, str]:
        parts = _split(url)
        host = parts.hostname
        if parts.scheme not in {"http", "https"} or not host:
            raise SourceError(f"{_shown(url)} is not an HTTP address")
        proxy = self._route.proxy_for(host, secure=parts.scheme == "https")
        return {} if proxy is None else {parts.scheme: _proxy_url(proxy)}


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return urlsplit("")
    return parts


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:  # `http://[broken`
        return ""


def _shown(url: str) -> str:
    """The address for a message: without login, query and fragment."""
    parts = _split(url)
    host = parts.netloc.rpartition("@")[2]
    return shortened(f"{parts.scheme}://{host}{parts.path}" if host else "it", 200)


def _is_at_home(url: str, target: str) -> bool:
    """Whether a redirect stays with the host, and does not fall back to plain HTTP."""
    here, there = _split(url), _split(target)
    if here.hostname != there.hostname:
        return False
    return (here.scheme, here.port) == (there.scheme, there.port) or (
        (here.scheme, there.scheme) == ("http", "https")
        and (here.port or 80) == 80
        and (there.port or 443) == 443
    )


def _proxy_url(proxy: Proxy) -> str:
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    login = ""
    if proxy.username:
        login = f"{quote(proxy.username, '')}:{quote(proxy.password, '')}@"
    return f"{proxy.kind}://{login}{host}:{proxy.port}"


def _root(exc: BaseException) -> BaseException:
    """The innermost of the exceptions that requests and urllib3 wrap in each other."""
    while True:
        inner = getattr(exc, "reason", None)
        if not isinstance(inner, BaseException):
            inner = exc.args[0] if exc.args else None
        if not isinstance(inner, BaseException):
            return exc
        exc = inner


def _reason(exc: BaseException) -> str:
    root = _root(exc)
    if isinstance(root, ValueError) and not isinstance(root, ssl.SSLError):
        # InvalidURL and InvalidHeader quote the value.
        return "its address or a header cannot be sent"
    return shortened(str(root) or type(root).__name__, 200)
