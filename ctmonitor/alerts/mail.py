"""
Messages on own domains by mail: text and HTML, with TLS where the server has it.

No name and password without TLS; a relay that asks for neither may be plain, and that
is said. Source: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 8314 section 3.3 (port 465).
"""

import asyncio
import contextlib
import io
import smtplib
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any

from ctmonitor.alerts.base import Outcome
from ctmonitor.alerts.own import html_page, message
from ctmonitor.errors import SourceError
from ctmonitor.model.text import shortened
from ctmonitor.net.deadline import Deadline
from ctmonitor.net.route import Route

_TLS_PORT = 465  # with TLS from the start
_MOST_REPLIES = 256 * 1024  # bytes that a server says in a session
_LONGEST_DETAIL = 300


class Mail:
    """
    Args:
        port: 465 has TLS from the start; on others STARTTLS is used where there is one.
        user, password: for the login, which needs TLS; no login when `user` is empty.
        sender: address that the mails come from.
        to: addresses that get mails.
        route: the proxy, and the authorities that are trusted. Proxies of the
            environment are not for mail.
        timeout_s: for a whole mail.

    Raises:
        ConfigError: the route's authorities cannot be used.
    """

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        password: str,
        sender: str,
        to: Sequence[str],
        *,
        route: Route | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        self._host = host
        self._port = port
        self._user = user
        self._password = password
        self._sender = sender
        self._to = frozenset(to)
        self._route = replace(
            route or Route(), use_environment=False, timeout_s=timeout_s
        )
        _ = self._route.tls  # a bad file is told now and not with every mail
        self._timeout_s = timeout_s
        self.name = f"mail server {shortened(host, 100)}"

    async def send(
        self, payload: Mapping[str, Any], to: Sequence[str]
    ) -> Mapping[str, Outcome]:
        """
        What came of one mail, for each address of `to`; never raises for what the
        server does.

        Raises:
            KeyError, TypeError, ValueError: the payload is none of ours.
        """
        unknown = Outcome(False, "the settings have no such recipient any more")
        outcomes = {each: unknown for each in to if each not in self._to}
        if left := [each for each in to if each in self._to]:
            content = self._content(payload, left)
            outcomes |= await asyncio.to_thread(self._deliver, content, left)
        return outcomes

    def _content(self, payload: Mapping[str, Any], to: Sequence[str]) -> bytes:
        told = message(payload)
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = told.subject
        mail["From"] = self._sender
        mail["To"] = ", ".join(to)
        mail["Date"] = formatdate(usegmt=True)
        # Told twice, it is the same mail for programs that look at this.
        domain = self._sender.rpartition("@")[2]
        mail["Message-ID"] = f"<{payload['id']}.own@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # nobody's absence is told to us
        mail.set_content(told.body + "\n", cte="quoted-printable")
        page = html_page(payload)
        mail.add_alternative(page, subtype="html", cte="quoted-printable")
        return mail.as_bytes()

    def _deliver(self, content: bytes, to: Sequence[str]) -> dict[str, Outcome]:
        with Deadline(self._timeout_s) as deadline:
            try:
                with contextlib.closing(_Session(self._route, deadline)) as session:
                    return self._converse(session, content, to)
            except smtplib.SMTPRecipientsRefused as exc:
                refused = exc.recipients
                why = "the mail server ended the session"
                return {
                    one: Outcome(
                        False,
                        self._refusal(one, *refused[one]) if one in refused else why,
                    )
                    for one in to
                }
            except (smtplib.SMTPException, SourceError, OSError, ValueError) as exc:
                why = (
                    f"no end of the session within {self._timeout_s:g} s"
                    if deadline.is_over or isinstance(exc, TimeoutError)
                    else self._reason(exc)
                )
                return dict.fromkeys(to, Outcome(False, why))

    def _converse(
        self, session: "_Session", content: bytes, to: Sequence[str]
    ) -> dict[str, Outcome]:
        session.open(self._host, self._port)
        said = "accepted"
        if not session.is_secure:
            if session.has_extn("starttls"):
                session.start_tls()
            elif self._user:
                raise smtplib.SMTPException(
                    "the mail server offers no STARTTLS, and there is no login "
                    "without TLS; use its port with TLS (587 or 465), or a relay that "
                    "needs no login and leave [OWN] Smtp_User empty"
                )
            else:
                said = "accepted, without TLS"
        if self._user:
            session.login(self._user, self._password)
        refused = session.sendmail(self._sender, to, content)
        # It has the mail; how the session ends changes nothing.
        with contextlib.suppress(smtplib.SMTPException, OSError):
            session.quit()
        return {
            one: Outcome(False, self._refusal(one, *refused[one]))
            if one in refused
            else Outcome(True, said)
            for one in to
        }

    def _refusal(self, recipient: str, code: int, said: bytes) -> str:
        return self._shown(f"{recipient} is refused: {code} {_text(said)}")

    def _reason(self, exc: Exception) -> str:
        match exc:
            case smtplib.SMTPAuthenticationError():
                said = f"{exc.smtp_code} {_text(exc.smtp_error)}"
                return self._shown(
                    f"the mail server refuses the login: {said}; check [OWN] Smtp_User "
                    "and Smtp_Pass"
                )
            case smtplib.SMTPSenderRefused():
                said = f"{exc.smtp_code} {_text(exc.smtp_error)}"
                return self._shown(f"the sender {exc.sender} is refused: {said}")
            case smtplib.SMTPResponseException():
                said = f"{exc.smtp_code} {_text(exc.smtp_error)}"
                return self._shown(f"the mail server refuses: {said}")
            case ssl.SSLCertVerificationError():
                return self._shown(
                    f"the mail server's certificate is refused: {exc.verify_message}; "
                    "if it is yours, give its authority's PEM file in [SCAN] CA_File"
                )
            case ssl.SSLError():
                return self._shown(f"TLS with the mail server failed: {exc}")
            case UnicodeError():  # in a name, a password or an address
                return "the mail server's login and addresses can only be ASCII"
        return self._shown(str(exc) or type(exc).__name__)

    def _shown(self, text: str) -> str:
        if self._password:
            text = text.replace(self._password, "***")
        return shortened(text, _LONGEST_DETAIL)


class _Session(smtplib.SMTP):
    """One connection, made by the route; shut when the deadline is over."""

    def __init__(self, route: Route, deadline: Deadline) -> None:
        # Without a host it does not connect, and its own name is not looked up: that
        # would go around a proxy.
        super().__init__(local_hostname=_own_name(), timeout=route.timeout_s)
        self.is_secure = False
        self._route = route
        deadline.also(self)

    def open(self, host: str, port: int) -> None:
        """Connects and greets."""
        self._host = host
        code, said = self.connect(host, port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        self.ehlo_or_helo_if_needed()

    def start_tls(self) -> None:
        """From here on all is TLS, and nothing said before counts."""
        code, said = self.docmd("STARTTLS")
        if code != 220:
            raise smtplib.SMTPResponseException(code, said)
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the mail server ended the session")
        self._wrap(self.sock)
        self.ehlo()

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock.makefile("rb", buffering=0))
        return super().getreply()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened = self._route.connect(host, port, secure=False)
        return self._wrap(opened) if port == _TLS_PORT else opened

    def _wrap(self, opened: socket.socket) -> ssl.SSLSocket:
        try:
            wrapped = self._route.tls.wrap_socket(
                opened, server_hostname=self._host, do_handshake_on_connect=False
            )
        except BaseException:
            opened.close()
            raise
        # From here on the deadline shuts this one.
        self.sock, self.file = wrapped, None
        wrapped.do_handshake()
        self.is_secure = True
        return wrapped


class _Replies(io.BufferedReader):
    """What a server says, which smtplib would read without an end."""

    _left = _MOST_REPLIES

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError(f"the mail server says more than {_MOST_REPLIES} bytes")
        return line


def _own_name() -> str:
    """What EHLO says; a literal where the host has no full name (RFC 5321, 4.1.3)."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def _text(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())
