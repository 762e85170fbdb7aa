"""
The receiving end of notifications: an HTTP endpoint and a mail server on loopback.

Both keep what arrived as Apprise sent it.
"""

import email
import email.policy
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from tests.fakes.api import ApiServer, Reply, Request


@dataclass(frozen=True, slots=True)
class Told:
    """A notification, as it arrived."""

    subject: str
    body: str


class Webhook:
    """
    Takes Apprise's `json://` notifications; says 200 unless `answer` is set.

        with Webhook() as webhook:
            ...  # send to webhook.address
        assert webhook.told[0].subject == "..."
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = ApiServer(lambda _: Reply(), tls)
        self._scheme = "json" if tls is None else "jsons"

    @property
    def answer(self) -> Callable[[Request], Reply]:
        return self._server.answer

    @answer.setter
    def answer(self, answer: Callable[[Request], Reply]) -> None:
        self._server.answer = answer

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def address(self) -> str:
        """As it stands in the settings."""
        return f"{self._scheme}://127.0.0.1:{self.port}/secret-path"

    @property
    def requests(self) -> list[Request]:
        return self._server.requests

    @property
    def told(self) -> list[Told]:
        found: list[dict[str, Any]] = [one.json() for one in self.requests]
        return [Told(one["title"], one["message"]) for one in found]

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, exc, trace)


class Mailbox:
    """Takes mail by SMTP without TLS; use `mailbox()`."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.port = 0

    @property
    def address(self) -> str:
        """As it stands in the settings."""
        return (
            f"mailto://127.0.0.1:{self.port}?smtp=127.0.0.1&mode=insecure"
            "&from=ct@example.com&to=analyst@example.com"
        )

    async def handle_DATA(
        self, _server: object, _session: object, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


class AnyPort(Controller):
    """aiosmtpd checks its start by connecting, to the port it was given."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mail server on a free port of 127.0.0.1."""
    box = Mailbox()
    controller = AnyPort(box, hostname="127.0.0.1", port=0)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()
