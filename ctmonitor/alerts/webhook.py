"""
Messages on own domains to an address that takes JSON: a program's, Slack's or Teams'.

One call is one POST: what fails is sent again by the outbox, under the same id.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ctmonitor.alerts.base import Outcome
from ctmonitor.alerts.owncards import slack, teams
from ctmonitor.errors import SourceError
from ctmonitor.model.text import shortened
from ctmonitor.net.client import Client

_FORMS: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "json": lambda payload: payload,
    "slack": slack,
    "teams": teams,
}
_SLACK_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
_TEAMS_DOMAINS = (
    ".outlook.office.com",
    ".webhook.office.com",
    ".logic.azure.com",
    ".powerplatform.com",
)
# A connector of Teams says 200, and this, when Teams refused the message.
_REFUSED_WITH_200 = b"webhook message delivery failed"
_ADDRESS = re.compile(r"\S*://\S*")
_LONGEST_DETAIL = 300


class Webhook:
    """
    Args:
        client: made with `retries=0`; else a POST may arrive twice in a call.
        url: often the only secret of the service; no message shows more than its host.
        form: `json`, `slack` or `teams`; empty goes by the host of the address.
    """

    def __init__(self, client: Client, url: str, form: str = "") -> None:
        self._client = client
        self._url = url
        self._form = _FORMS[form or form_of(url)]
        host = urlsplit(url).hostname or "unknown host"
        self.name = f"webhook at {shortened(host, 100)}"

    async def send(self, payload: Mapping[str, Any]) -> Outcome:
        """
        What came of one message; never raises for what the server does.

        Raises:
            KeyError, TypeError, ValueError: the payload is none of ours.
        """
        body = self._form(payload)
        try:
            answer = await self._client.post(self._url, body)
        except SourceError as exc:
            return Outcome(False, self._masked(str(exc)))
        is_refused = answer.body.lower().startswith(_REFUSED_WITH_200)
        if 200 <= answer.status < 300 and not is_refused:
            return Outcome(True, f"HTTP {answer.status}")
        said = f": {answer.beginning()}" if answer.body.strip() else ""
        return Outcome(
            False,
            self._masked(f"HTTP {answer.status}{said}"),
            retry_after_s=answer.retry_after_s or 0.0,
        )

    def _masked(self, text: str) -> str:
        """`text` without any part of the address behind its host."""
        text = _ADDRESS.sub("its address", text)
        parts = urlsplit(self._url)
        login = parts.netloc.rpartition("@")[0]
        secret = f"{login} {parts.path} {parts.query} {parts.fragment}"
        for part in sorted(re.split(r"[^\w-]+", secret), key=len, reverse=True):
            if len(part) >= 4:
                text = text.replace(part, "***")
        return shortened(text, _LONGEST_DETAIL)


def form_of(url: str) -> str:
    """The form of messages that the host of an address expects."""
    host = (urlsplit(url).hostname or "").removesuffix(".")
    if host in _SLACK_HOSTS:
        return "slack"
    return "teams" if f".{host}".endswith(_TEAMS_DOMAINS) else "json"
