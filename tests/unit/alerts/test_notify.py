"""Notifications sent by Apprise to real endpoints on loopback."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ctmonitor.alerts.base import Outcome
from ctmonitor.alerts.courier import masked
from ctmonitor.alerts.notify import Notifier
from ctmonitor.alerts.text import Message, message
from ctmonitor.errors import ConfigError
from ctmonitor.net.route import Proxy
from tests.fakes.api import Reply
from tests.fakes.proxies import microsocks, tinyproxy
from tests.fakes.tls import authority_in
from tests.fakes.webhook import Webhook, mailbox
from tests.unit.alerts.making import titled

HOSTILE = (
    "<b>[x](http://evil.example)</b>\r\nBcc: v@example.com\x1b[2J @everyone \ud800"
)
GREETING = Message("Subject", "Line 1\nLine 2")


def send(
    notifier: Notifier, told: Message = GREETING, index: int | None = 0
) -> Outcome:
    return asyncio.run(notifier.send(index, told))


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as running:
        yield running


def test_a_message_arrives(webhook: Webhook) -> None:
    outcome = send(Notifier([webhook.address]))
    assert outcome == Outcome(True, "delivered")
    (told,) = webhook.told
    assert (told.subject, told.body) == ("Subject", "Line 1\nLine 2")


def test_each_destination_gets_its_own(webhook: Webhook) -> None:
    with Webhook() as other, Webhook() as last:
        notifier = Notifier([webhook.address, other.address], last.address)
        assert (notifier.count, notifier.has_fallback) == (2, True)
        assert send(notifier, Message("to the second", "b"), 1).is_ok
        assert send(notifier, Message("to the fallback", "b"), None).is_ok
        assert [one.subject for one in other.told] == ["to the second"]
        assert [one.subject for one in last.told] == ["to the fallback"]
    assert webhook.told == []


def test_an_address_is_shown_by_its_scheme_alone() -> None:
    notifier = Notifier(["slack://T1JJ3T3L2/A1BRTD4JD/secret", "secret"], "json://s/")
    assert notifier.name(0) == "destination 1 (slack)"
    assert notifier.name(1) == "destination 2 (unknown)"
    assert notifier.name(None) == "the fallback (json)"


@pytest.mark.parametrize("index", [-1, 1, 99])
def test_a_destination_that_was_taken_out_of_the_settings_fails(index: int) -> None:
    outcome = send(Notifier(["json://127.0.0.1:1"]), index=index)
    assert outcome == Outcome(False, "the settings have no such destination any more")


@pytest.mark.parametrize(
    "url", ["nonsense", "no-such-service://secret/", "slack://secret", "file:///etc"]
)
def test_what_apprise_does_not_know_fails_without_showing_it(url: str) -> None:
    outcome = send(Notifier([url]))
    assert not outcome.is_ok
    assert outcome.detail.startswith("Apprise cannot use this address")
    assert "secret" not in outcome.detail


@pytest.mark.parametrize("status", [301, 302, 400, 404, 429, 500, 503])
def test_an_error_is_told_and_no_redirect_is_followed(
    webhook: Webhook, status: int
) -> None:
    target = f"http://127.0.0.1:{webhook.port}/elsewhere"
    webhook.answer = lambda _: Reply(status, headers={"Location": target})
    outcome = send(Notifier([webhook.address]))
    assert not outcome.is_ok
    assert outcome.detail.startswith("not delivered: ")
    assert "secret" not in outcome.detail
    assert [one.path for one in webhook.requests] == ["/secret-path"]


def test_nobody_there_is_told() -> None:
    with Webhook() as gone:
        address = gone.address
    outcome = send(Notifier([address]))
    assert not outcome.is_ok
    assert "secret" not in outcome.detail


def test_one_that_hangs_is_given_up_in_time(webhook: Webhook) -> None:
    webhook.answer = lambda _: Reply(body=b"x" * 10_000, drip_s=0.2)
    outcome = send(Notifier([webhook.address], timeout_s=2.0))
    assert outcome == Outcome(False, "no answer within 2 s")


def test_hostile_text_arrives_as_one_inert_line(webhook: Webhook) -> None:
    assert send(Notifier([webhook.address]), message(titled(HOSTILE))).is_ok
    (told,) = webhook.told
    line = told.body.split("\n")[1]
    assert line.startswith("Title: ")
    for part in ("<", "](", "http:", "@", "\x1b", "\r"):
        assert part not in line


def test_a_long_body_is_split_and_nothing_is_left_out(webhook: Webhook) -> None:
    """json:// takes 32,768 characters a message."""
    lines = [f"host-{number:05}[.]example" for number in range(4000)]
    assert send(Notifier([webhook.address]), Message("4000", "\n".join(lines))).is_ok
    assert len(webhook.told) > 1
    assert all(len(one.body) <= 32768 for one in webhook.told)
    count = len(webhook.told)
    assert webhook.told[0].subject == f"4000 (1/{count})"
    assert "\n".join(one.body for one in webhook.told).split() == lines


def test_what_would_be_too_many_parts_is_cut_and_counted(webhook: Webhook) -> None:
    lines = [f"host-{number:06}[.]example" for number in range(50_000)]
    assert send(Notifier([webhook.address]), Message("many", "\n".join(lines))).is_ok
    assert len(webhook.told) <= 20
    arrived = "\n".join(one.body for one in webhook.told).splitlines()
    count = len(arrived) - 1
    assert count > 10_000
    assert arrived[:-1] == lines[:count]
    assert arrived[-1] == (f"and {50_000 - count} more lines; the JSON alerts have all")


def test_a_mail_arrives_with_the_subject_and_the_text() -> None:
    with mailbox() as box:
        outcome = send(Notifier([box.address]), message(titled(HOSTILE)))
        assert outcome == Outcome(True, "delivered")
        (mail,) = box.mails
    assert mail["Subject"] == "login-paypal[.]example is up: HTTP 200"
    assert mail["Bcc"] is None
    text = mail.get_body(("plain", "html"))
    assert text is not None
    content = text.get_content()
    assert "hxxps://login-paypal[.]example" in content
    assert "<b>" not in content.partition("Title")[2]


# TLS and proxies


def test_authorities_of_the_settings_and_of_the_system_are_trusted_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, systems = (authority_in(tmp_path, name) for name in ("ours", "system's"))
    with Webhook(ours.good()) as webhook, Webhook(systems.good()) as other:
        assert not send(Notifier([other.address], ca_file=str(ours.ca_file))).is_ok
        monkeypatch.setenv("SSL_CERT_FILE", str(systems.ca_file))
        assert not send(Notifier([webhook.address])).is_ok
        assert (webhook.requests, other.requests) == ([], [])
        both = Notifier([webhook.address, other.address], ca_file=str(ours.ca_file))
        for index in range(both.count):
            assert send(both, index=index) == Outcome(True, "delivered")


def test_authorities_that_are_none_are_told_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match="CA_File"):
        Notifier(["json://127.0.0.1:1"], ca_file=str(tmp_path / "absent.pem"))


@contextmanager
def canary() -> Iterator[tuple[int, list[bytes]]]:
    """A port, and what was sent to it: nothing must be."""
    found: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    found.append(b"connected")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], found
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_an_http_proxy_carries_it_also_to_loopback(
    webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with tinyproxy(tmp_path, "user", "p-ss") as proxy:
        route = Proxy("http", proxy.host, proxy.port, "user", "p-ss")
        assert send(Notifier([webhook.address], proxy=route)).is_ok
        assert "127.0.0.1" in proxy.log()
    assert len(webhook.told) == 1
    assert "via" in webhook.requests[0].headers


def test_a_socks_proxy_carries_it_and_resolves_names(
    webhook: Webhook, tmp_path: Path
) -> None:
    address = webhook.address.replace("127.0.0.1", "localhost")
    with microsocks(tmp_path) as proxy:
        route = Proxy("socks5h", proxy.host, proxy.port)
        assert send(Notifier([address], proxy=route)).is_ok
        assert proxy.tunnels() == 1
        assert "localhost" in proxy.log()
    assert len(webhook.told) == 1


def test_a_service_that_knows_no_proxy_fails_and_does_not_go_around_it(
    tmp_path: Path,
) -> None:
    with canary() as (port, found), tinyproxy(tmp_path) as proxy:
        route = Proxy("http", proxy.host, proxy.port)
        mail = (
            f"mailto://127.0.0.1:{port}?smtp=127.0.0.1&mode=insecure"
            "&from=a@b.example&to=a@b.example"
        )
        for url in (mail, mail.replace("smtp=127.0.0.1", "smtp=localhost")):
            outcome = send(Notifier([url], proxy=route))
            assert "cannot go through [CONNECT] Proxy" in outcome.detail, url
        assert found == []
        # It is the guard that held it back: without a proxy it gets there.
        assert not send(Notifier([mail], timeout_s=20.0)).is_ok
        assert found == [b"connected"]


def test_a_proxy_that_is_away_is_not_gone_around(webhook: Webhook) -> None:
    assert not send(
        Notifier([webhook.address], proxy=Proxy("http", "127.0.0.1", 1))
    ).is_ok
    assert webhook.requests == []


# What is shown


def test_no_part_of_an_address_is_shown() -> None:
    url = "slack://bot@T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general"
    said = "Failed at /TIiajkdnlazkcOXrIdevi7FQ for general of T1JJ3T3L2: HTTP 500"
    assert masked(said, url) == "Failed at /*** for *** of ***: HTTP 500"
