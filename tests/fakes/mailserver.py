"""
A mail server on loopback with STARTTLS and login, and one that misbehaves.

    with mail_server(tls=authority.good(), login=("user", "pass")) as server:
        ...
    assert server.mails[0]["Subject"] == "..."
"""

import email
import email.policy
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from aiosmtpd.smtp import (
    SMTP,
    AuthResult,
    Envelope,
    LoginPassword,
    Session,
)

from tests.fakes.webhook import AnyPort


class MailServer:
    """
    What a server got, and whom it refuses; use `mail_server()`.

    Args:
        refused: the reply to RCPT, by address.
        sender_reply: the reply to MAIL; empty accepts everybody.
        logins: names that were accepted; secure: for each mail, whether it came by TLS.
    """

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.secure: list[bool] = []
        self.logins: list[str] = []
        self.refused: dict[str, str] = {}
        self.sender_reply = ""
        self.login: tuple[str, str] | None = None

    def authenticated(
        self,
        _server: SMTP,
        _session: Session,
        _envelope: Envelope,
        _way: str,
        given: object,
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        pair = (given.login.decode(), given.password.decode())
        if pair != self.login:
            return AuthResult(success=False, handled=False)
        self.logins.append(pair[0])
        return AuthResult(success=True)

    async def handle_MAIL(
        self,
        _server: object,
        _session: object,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if self.sender_reply:
            return self.sender_reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self,
        _server: object,
        _session: object,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(
        self, _server: object, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(list(envelope.rcpt_tos))
        self.secure.append(session.ssl is not None)
        return "250 OK"


@contextmanager
def mail_server(
    tls: ssl.SSLContext | None = None,
    *,
    is_tls_from_start: bool = False,
    login: tuple[str, str] | None = None,
) -> Iterator[MailServer]:
    """
    Runs a server on a free port of 127.0.0.1.

    Args:
        tls: for STARTTLS, or for all of the connection.
        login: the name and password without which it takes no mail.
    """
    server = MailServer()
    server.login = login
    starttls = None if is_tls_from_start else tls
    controller = AnyPort(
        server,
        hostname="127.0.0.1",
        port=0,
        ssl_context=tls if is_tls_from_start else None,
        tls_context=starttls,
        authenticator=server.authenticated if login else None,
        # With TLS from the start, aiosmtpd believes that there is none.
        auth_required=login is not None and starttls is not None,
        auth_require_tls=starttls is not None,
    )
    controller.start()
    server.port = controller.port
    try:
        yield server
    finally:
        controller.stop()


@contextmanager
def odd_server(
    reply: Callable[[bytes], bytes | None],
    greeting: bytes = b"220 odd\r\n",
    drip_s: float = 0.0,
) -> Iterator[int]:
    """
    The port of a server that replies as `reply` says.

    Args:
        reply: the answer to a line; None says nothing more and keeps the connection.
        drip_s: pause before each byte of the greeting; 0 sends it at once.
    """
    stopping = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.02)

        def serve() -> None:
            while not stopping.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(5)
                    try:
                        if drip_s:
                            for byte in greeting:
                                stopping.wait(drip_s)
                                connection.sendall(bytes([byte]))
                        else:
                            connection.sendall(greeting)
                        _converse(connection, reply, stopping)
                    except OSError:  # the client has left
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            stopping.set()
            thread.join()


def _converse(
    connection: socket.socket,
    reply: Callable[[bytes], bytes | None],
    stopping: threading.Event,
) -> None:
    with connection.makefile("rb") as lines:
        for line in lines:
            said = reply(line)
            if said is None:
                stopping.wait()
                return
            connection.sendall(said)
