"""Mail on own domains, to real servers on loopback, good and bad."""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ctmonitor.alerts.base import Outcome
from ctmonitor.alerts.mail import Mail
from ctmonitor.errors import ConfigError
from ctmonitor.net.route import Proxy, Route
from tests.fakes.mailserver import mail_server, odd_server
from tests.fakes.proxies import tinyproxy
from tests.fakes.tls import Authority
from tests.unit.alerts.owning import own_alert, payload

SENDER = "ct@example.com"
ANNA, BERT = "anna@example.com", "bert@example.com"
OK = Outcome(True, "accepted")
PLAIN = Outcome(True, "accepted, without TLS")


def mail(port: int, **more: Any) -> Mail:
    options: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "user": "",
        "password": "",
        "sender": SENDER,
        "to": [ANNA, BERT],
        "route": Route(use_environment=False),
        "timeout_s": 10.0,
    }
    return Mail(**options | more)


def send(
    sender: Mail, told: Mapping[str, Any] | None = None, to: tuple[str, ...] = (ANNA,)
) -> Mapping[str, Outcome]:
    return asyncio.run(sender.send(told or payload(), to))


def trusting(authority: Authority) -> Route:
    return Route(ca_file=str(authority.ca_file), use_environment=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path)


# What arrives


def test_a_mail_has_a_subject_a_text_and_a_page(authority: Authority) -> None:
    with mail_server(authority.good()) as server:
        sender = mail(server.port, route=trusting(authority))
        assert send(sender, to=(ANNA, BERT)) == {ANNA: OK, BERT: OK}
        (arrived,) = server.mails
        assert (server.recipients, server.secure) == ([[ANNA, BERT]], [True])
    assert arrived["Subject"] == "[CRITICAL] example.com: issuer not authorised"
    assert arrived["From"] == SENDER
    assert arrived["To"] == f"{ANNA}, {BERT}"
    assert arrived["Message-ID"] == "<0001000000000001.own@example.com>"
    assert arrived["Auto-Submitted"] == "auto-generated"
    assert arrived["Date"] is not None
    assert arrived.get_content_type() == "multipart/alternative"
    for kind in ("plain", "html"):
        part = arrived.get_body((kind,))
        assert part is not None
        text = part.get_content()
        for fact in (
            "example.com",
            "h1.example.com, *.dev1.example.com",
            "Evil CA R1",
            "2026-11-21T10:00:00 to 2027-02-19T10:00:00 UTC",
            "https://crt.sh/?id=1",
            "Ask who ordered it.",
        ):
            assert fact in text, kind


@pytest.mark.parametrize(
    "hostile",
    [
        "x\r\nBcc: victim@example.net\r\n\r\nbody",
        "\ud800\x00\x1b[2J\u202e",
        "<script>alert(1)</script>\n.\nMAIL FROM:<a@b>",
        "é" * 5000,
    ],
    ids=["header", "odd", "script", "long"],
)
def test_nothing_a_stranger_wrote_becomes_a_header_or_a_mark(hostile: str) -> None:
    told = payload(
        own_alert(names=[hostile], issuer=hostile, summary=hostile, next_step=hostile)
    )
    with mail_server() as server:
        assert send(mail(server.port), told) == {ANNA: PLAIN}
        (arrived,) = server.mails
        assert server.recipients == [[ANNA]]
    assert arrived["Bcc"] is None
    page = arrived.get_body(("html",))
    assert page is not None
    assert "<script>" not in page.get_content()


def test_a_domain_that_is_none_cannot_break_the_subject() -> None:
    told = payload(own_alert()) | {"domain": "x\r\nBcc: victim@example.net"}
    with mail_server() as server:
        assert send(mail(server.port), told) == {ANNA: PLAIN}
        assert server.mails[0]["Bcc"] is None


# Login and TLS


def test_a_login_is_made_behind_starttls(authority: Authority) -> None:
    with mail_server(authority.good(), login=("user", "p-ss")) as server:
        sender = mail(
            server.port, user="user", password="p-ss", route=trusting(authority)
        )
        assert send(sender) == {ANNA: OK}
        assert (server.logins, server.secure) == (["user"], [True])


def test_there_is_no_login_without_tls() -> None:
    heard: list[bytes] = []

    def reply(line: bytes) -> bytes:
        heard.append(line)
        if line.upper().startswith(b"EHLO"):
            return b"250-odd\r\n250 AUTH PLAIN LOGIN\r\n"
        return b"250 OK\r\n"

    with odd_server(reply) as port:
        outcome = send(mail(port, user="user", password="p-ss"))[ANNA]
    assert not outcome.is_ok
    assert "there is no login without TLS" in outcome.detail
    assert len(heard) == 1


def test_a_relay_without_tls_is_used_and_that_is_said() -> None:
    with mail_server() as server:
        assert send(mail(server.port)) == {ANNA: PLAIN}
        assert server.secure == [False]


@dataclass(frozen=True)
class _Elsewhere(Route):
    """Takes port 465, which an ordinary user cannot listen on, to another one."""

    there: int = 0

    def connect(self, host: str, port: int, *, secure: bool) -> socket.socket:
        assert port == 465
        return super().connect(host, self.there, secure=secure)


def test_port_465_has_tls_from_the_start(authority: Authority) -> None:
    with mail_server(
        authority.good(), is_tls_from_start=True, login=("user", "p-ss")
    ) as server:
        route = _Elsewhere(
            ca_file=str(authority.ca_file), use_environment=False, there=server.port
        )
        sender = mail(465, user="user", password="p-ss", route=route)
        assert send(sender) == {ANNA: OK}
        assert (server.logins, len(server.mails)) == (["user"], 1)


@pytest.mark.parametrize("kind", ["wrong_name", "expired", "unknown"])
def test_a_certificate_that_is_not_the_servers_ends_it(
    authority: Authority, kind: str
) -> None:
    context = authority.good() if kind == "unknown" else getattr(authority, kind)()
    route = Route(use_environment=False) if kind == "unknown" else trusting(authority)
    with mail_server(context, login=("user", "p-ss")) as server:
        sender = mail(server.port, user="user", password="p-ss", route=route)
        outcome = send(sender)[ANNA]
        assert (server.logins, server.mails) == ([], [])
    assert not outcome.is_ok
    assert outcome.detail.startswith("the mail server's certificate is refused: ")


def test_what_is_said_before_tls_does_not_count() -> None:
    """Commands in the same packet as the reply to STARTTLS (CVE-2011-0411)."""

    def reply(line: bytes) -> bytes | None:
        if line.upper().startswith(b"EHLO"):
            return b"250-odd\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"
        return b"220 go\r\n250 AUTH PLAIN\r\n235 welcome\r\n"

    with odd_server(reply) as port:
        outcome = send(mail(port, user="user", password="p-ss"))[ANNA]
    assert not outcome.is_ok
    assert "TLS" in outcome.detail


def test_a_wrong_password_is_told_without_it(authority: Authority) -> None:
    with mail_server(authority.good(), login=("user", "p-ss")) as server:
        sender = mail(
            server.port, user="user", password="wr0ng-one", route=trusting(authority)
        )
        outcome = send(sender)[ANNA]
        assert server.mails == []
    assert outcome.detail.startswith("the mail server refuses the login: 535")
    assert "Smtp_Pass" in outcome.detail
    assert "wr0ng" not in outcome.detail


def test_authorities_that_are_none_are_told_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match="CA_File"):
        mail(25, route=Route(ca_file=str(tmp_path / "absent.pem")))


# Refusals


def test_a_refused_recipient_is_named_and_the_others_get_the_mail() -> None:
    with mail_server() as server:
        server.refused = {BERT: "550 5.1.1 no such user"}
        outcomes = send(mail(server.port), to=(ANNA, BERT))
        assert server.recipients == [[ANNA]]
    assert outcomes == {
        ANNA: PLAIN,
        BERT: Outcome(False, f"{BERT} is refused: 550 5.1.1 no such user"),
    }


def test_each_of_several_refused_recipients_is_named() -> None:
    with mail_server() as server:
        server.refused = {ANNA: "450 later", BERT: "550 never"}
        outcomes = send(mail(server.port), to=(ANNA, BERT))
        assert server.mails == []
    assert outcomes == {
        ANNA: Outcome(False, f"{ANNA} is refused: 450 later"),
        BERT: Outcome(False, f"{BERT} is refused: 550 never"),
    }


def test_a_server_that_ends_the_session_at_a_recipient_fails_all() -> None:
    with mail_server() as server:
        server.refused = {ANNA: "421 too many"}
        outcomes = send(mail(server.port), to=(ANNA, BERT))
    assert outcomes == {
        ANNA: Outcome(False, f"{ANNA} is refused: 421 too many"),
        BERT: Outcome(False, "the mail server ended the session"),
    }


def test_a_refused_sender_is_named() -> None:
    with mail_server() as server:
        server.sender_reply = "553 not yours"
        outcome = send(mail(server.port))[ANNA]
    assert outcome == Outcome(False, f"the sender {SENDER} is refused: 553 not yours")


def test_a_recipient_who_was_taken_out_of_the_settings_gets_none() -> None:
    with mail_server() as server:
        outcomes = send(mail(server.port, to=[ANNA]), to=(ANNA, BERT))
        assert server.recipients == [[ANNA]]
    gone = Outcome(False, "the settings have no such recipient any more")
    assert outcomes == {ANNA: PLAIN, BERT: gone}


def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    outcome = send(mail(port))[ANNA]
    assert outcome.detail.startswith("cannot connect to 127.0.0.1:")


@pytest.mark.parametrize(
    "reply",
    [
        lambda _: None,
        lambda _: b"",
        lambda _: b"250",
        lambda _: b"\xff\xfe\r\n",
        lambda _: b"250-" + b"x" * 20_000,
        lambda _: b"250-x\r\n" * 60_000,
        lambda _: b"421 go away\r\n",
        lambda _: b"334 =\r\n",
        lambda line: b"250 x\r\n" if line.startswith(b"ehlo") else b"-1\r\n",
    ],
    ids=["silent", "mute", "half", "bytes", "line", "endless", "421", "334", "minus"],
)
def test_whatever_a_server_says_it_is_an_outcome_in_time(reply: Any) -> None:
    with odd_server(reply) as port:
        outcome = send(mail(port, timeout_s=0.5))[ANNA]
    assert not outcome.is_ok
    assert 0 < len(outcome.detail) <= 300


def test_a_server_that_says_one_byte_after_the_other_is_left_in_time() -> None:
    greeting = b"220-" + b"x" * 100
    with odd_server(lambda _: None, greeting, drip_s=0.05) as port:
        outcome = send(mail(port, timeout_s=0.4))[ANNA]
    assert outcome == Outcome(False, "no end of the session within 0.4 s")


def test_a_login_beyond_ascii_is_told(authority: Authority) -> None:
    with mail_server(authority.good(), login=("user", "p")) as server:
        sender = mail(
            server.port, user="user", password="pässe", route=trusting(authority)
        )
        outcome = send(sender)[ANNA]
    assert outcome.detail == "the mail server's login and addresses can only be ASCII"


# Proxies


def test_a_proxy_carries_it_also_to_loopback(
    authority: Authority, tmp_path: Path
) -> None:
    with (
        mail_server(authority.good(), login=("user", "p-ss")) as server,
        tinyproxy(tmp_path, "name", "secret") as proxy,
    ):
        route = Route(
            Proxy("http", proxy.host, proxy.port, "name", "secret"),
            str(authority.ca_file),
        )
        sender = mail(server.port, user="user", password="p-ss", route=route)
        assert send(sender) == {ANNA: OK}
        assert proxy.tunnels() == 1
        assert len(server.mails) == 1


def test_a_proxy_that_is_away_is_not_gone_around() -> None:
    with mail_server() as server:
        route = Route(Proxy("http", "127.0.0.1", 1))
        assert not send(mail(server.port, route=route))[ANNA].is_ok
        assert server.mails == []


def test_proxies_of_the_environment_are_not_for_mail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    with mail_server() as server:
        assert send(mail(server.port, route=Route())) == {ANNA: PLAIN}
