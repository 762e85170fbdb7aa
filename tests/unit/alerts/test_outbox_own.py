"""The sender and own domains: on real outboxes, to real endpoints."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ctmonitor.alerts.base import Outcome
from ctmonitor.alerts.mail import Mail
from ctmonitor.alerts.notify import Notifier
from ctmonitor.alerts.outbox import Flushed, Sender
from ctmonitor.alerts.webhook import Webhook as Poster
from ctmonitor.errors import AlertError, StoreUnavailable
from ctmonitor.model.followup import Channel, OutboxItem
from ctmonitor.model.own import AlertType, DomainState
from ctmonitor.net.client import Client
from ctmonitor.net.route import Route
from ctmonitor.store.ownplace import open_states
from ctmonitor.store.ownstate import StateStore
from ctmonitor.store.store import open_store
from ctmonitor.watch.telling import items
from tests.fakes.api import ApiServer, Reply
from tests.fakes.mailserver import MailServer, mail_server
from tests.fakes.webhook import Webhook
from tests.unit.alerts.making import NOON
from tests.unit.alerts.making import alert as host_alert
from tests.unit.alerts.owning import DOMAIN, own_alert, payload, payloads

ANNA, BERT = "anna@example.com", "bert@example.com"


class Clock:
    def __init__(self) -> None:
        self.moment = NOON

    def skip(self, **distance: float) -> None:
        self.moment += timedelta(**distance)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["database", "directory"])
def states(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> Iterator[StateStore]:
    if request.param == "directory":
        opened = open_states(str(tmp_path / "state"), now=lambda: clock.moment)
        with opened.lock("test", 1e6):
            yield opened
        opened.close()
        return
    path = tmp_path / "certs.db"
    with open_store(
        db_file=path, url="", table="CertMon", now=lambda: clock.moment
    ) as store:
        opened = store.own_states()
        with opened.lock("test", 1e6):
            yield opened


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer(lambda _: Reply()) as running:
        yield running


@pytest.fixture
def box() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def sender(
    states: StateStore, clock: Clock, server: ApiServer, box: MailServer
) -> Iterator[Callable[..., Sender]]:
    """Makes a sender whose webhook and mail server are real."""

    async def sleep(pause_s: float) -> None:
        clock.skip(seconds=pause_s)

    def no_files(alerts: Sequence[Mapping[str, Any]]) -> list[AlertError]:
        return [AlertError("no files here") for _ in alerts]

    route = Route(use_environment=False)
    with Client("ctmonitor/test", route=route, retries=0, timeout_s=5.0) as client:

        def make(**more: Any) -> Sender:
            options: dict[str, Any] = {
                "owner": "sender",
                "webhook": Poster(client, f"{server.url}/secret-path"),
                "mail": Mail(
                    *("127.0.0.1", box.port, "", "", "ct@example.com", [ANNA, BERT]),
                    route=route,
                ),
                "now": lambda: clock.moment,
                "sleep": sleep,
                "draw": lambda: 1.0,
            }
            options |= more
            notifier = options.pop("notifier", Notifier([]))
            return Sender(states.box(), no_files, notifier, None, **options)

        yield make


def put(
    states: StateStore,
    told: Sequence[Mapping[str, Any]],
    *,
    destinations: Sequence[int] = (),
    webhook: bool = False,
    mail: Sequence[str] = (),
    domain: str = DOMAIN,
) -> None:
    made = items(told, destinations=destinations, webhook=webhook, mail=mail)
    states.save(states.load(domain) or DomainState(domain), made)


def flush(sender: Sender) -> Flushed:
    return asyncio.run(sender.flush())


def ids(server: ApiServer) -> list[str]:
    return [one.json()["id"] for one in server.requests]


def test_every_channel_gets_every_message_once(
    states: StateStore, sender: Any, server: ApiServer, box: MailServer
) -> None:
    told = payloads(2)
    with Webhook() as chat:
        one = sender(notifier=Notifier([chat.address]))
        put(states, told, destinations=[0], webhook=True, mail=[ANNA, BERT])
        assert flush(one) == Flushed(sent=8)
        assert flush(one) == Flushed()
        assert [each.subject for each in chat.told] == [
            "[CRITICAL] example.com: issuer not authorised"
        ] * 2
        assert all(
            f"Link: https://crt.sh/?id={number}" in each.body
            for number, each in enumerate(chat.told, 1)
        )
    assert ids(server) == [one["id"] for one in told]
    assert box.recipients == [[ANNA, BERT]] * 2


@pytest.mark.parametrize(("count", "posts"), [(19, 19), (20, 1), (130, 1)])
def test_many_messages_of_a_run_are_one_digest_that_names_all(
    states: StateStore,
    sender: Any,
    server: ApiServer,
    box: MailServer,
    count: int,
    posts: int,
) -> None:
    told = payloads(count)
    for number, some in enumerate((told[: count // 2], told[count // 2 :])):
        put(states, some, webhook=True, mail=[ANNA], domain=f"d{number}.example")
    assert flush(sender()) == Flushed(sent=2 * count)
    assert (len(server.requests), len(box.mails)) == (posts, posts)
    if posts == 1:
        digest = server.requests[0].json()
        assert digest["kind"] == "own-digest"
        named = {one["id"] for one in digest["messages"]}
        assert named == {one["id"] for one in told}
        part = box.mails[0].get_body(("plain",))
        assert part is not None
        lines = part.get_content().split("\n")
        for number in range(1, count + 1):
            assert any(f" h{number}.example.com, " in line for line in lines)


def test_a_chat_gets_one_digest_of_many(states: StateStore, sender: Any) -> None:
    put(states, payloads(25), destinations=[0])
    with Webhook() as chat:
        one = sender(notifier=Notifier([chat.address]), digest_per_minute=100)
        assert flush(one) == Flushed(sent=25)
        (arrived,) = chat.told
    assert arrived.subject == "[CRITICAL] example.com: 25 messages (25 critical)"
    assert all(f" h{n}.example.com, " in arrived.body for n in range(1, 26))


def test_what_failed_is_sent_again_under_the_same_id(
    states: StateStore, sender: Any, server: ApiServer, clock: Clock
) -> None:
    put(states, payloads(1), webhook=True)
    server.answer = lambda _: Reply(500, b"oops")
    one = sender()
    flushed = flush(one)
    assert (flushed.sent, flushed.failed) == (0, 1)
    assert flushed.problems == ["webhook at 127.0.0.1: HTTP 500: 'oops'"]
    assert flush(one) == Flushed()
    server.answer = lambda _: Reply()
    clock.skip(minutes=2)
    assert flush(one) == Flushed(sent=1)
    assert ids(server) == [payload()["id"]] * 2


def test_a_server_is_left_alone_for_as_long_as_it_asks(
    states: StateStore, sender: Any, server: ApiServer, clock: Clock
) -> None:
    put(states, payloads(1), webhook=True)
    server.answer = lambda _: Reply(429, headers={"Retry-After": "3000"})
    one = sender()
    flush(one)
    clock.skip(seconds=2999)
    assert flush(one) == Flushed()
    clock.skip(seconds=1)
    assert flush(one).failed == 1


def test_a_channel_that_is_away_is_not_tried_once_a_message(
    states: StateStore, sender: Any, server: ApiServer, clock: Clock
) -> None:
    told = payloads(8)
    put(states, told, webhook=True)
    server.answer = lambda _: Reply(503)
    one = sender()
    assert flush(one).failed == 8
    assert len(server.requests) == 3
    assert len(server.requests[2].json()["messages"]) == 6
    server.answer = lambda _: Reply()
    clock.skip(hours=2)
    assert flush(one) == Flushed(sent=8)
    assert sorted(ids(server)[3:]) == sorted(each["id"] for each in told)


@pytest.mark.parametrize("refused", [[1], [0, 1], [1, 3]], ids=["1", "2", "apart"])
def test_messages_that_are_refused_hold_up_no_others(
    states: StateStore, sender: Any, server: ApiServer, refused: list[int]
) -> None:
    told = payloads(5)
    put(states, told, webhook=True)
    bad = {told[number]["id"] for number in refused}
    server.answer = lambda asked: Reply(400 if asked.json()["id"] in bad else 200)
    flushed = flush(sender())
    assert (flushed.sent, flushed.failed) == (5 - len(bad), len(bad))


def test_one_channel_that_fails_holds_no_other_back(
    states: StateStore, sender: Any, server: ApiServer, box: MailServer
) -> None:
    put(states, payloads(3), webhook=True, mail=[ANNA])
    server.answer = lambda _: Reply(500)
    flushed = flush(sender())
    assert (flushed.sent, flushed.failed) == (3, 3)
    assert len(box.mails) == 3


def test_a_recipient_who_was_refused_gets_it_later_and_nobody_twice(
    states: StateStore, sender: Any, box: MailServer, clock: Clock
) -> None:
    put(states, payloads(1), mail=[ANNA, BERT])
    box.refused = {BERT: "450 greylisted"}
    one = sender()
    flushed = flush(one)
    assert (flushed.sent, flushed.failed) == (1, 1)
    assert flushed.problems == [
        f"mail server 127.0.0.1: {BERT} is refused: 450 greylisted"
    ]
    box.refused = {}
    clock.skip(minutes=2)
    assert flush(one) == Flushed(sent=1)
    assert box.recipients == [[ANNA], [BERT]]


def test_the_fallback_is_told_of_the_first_failure(
    states: StateStore, sender: Any, server: ApiServer, clock: Clock
) -> None:
    put(states, payloads(1), webhook=True)
    server.answer = lambda _: Reply(500)
    with Webhook() as fallback:
        one = sender(notifier=Notifier([], fallback.address))
        flush(one)
        clock.skip(minutes=2)
        flush(one)
        (told,) = fallback.told
    assert told.subject == "[CRITICAL] example.com: issuer not authorised"
    assert told.body.startswith("Delivery to webhook at 127.0.0.1 failed")
    assert "secret" not in told.body


def test_channels_that_were_taken_out_of_the_settings_are_failures(
    states: StateStore, sender: Any
) -> None:
    put(states, payloads(1), webhook=True, mail=[ANNA])
    flushed = flush(sender(webhook=None, mail=None))
    assert flushed.failed == 2
    assert sorted(flushed.problems) == [
        "mail: the settings have no mail any more",
        "webhook: the settings have no webhook any more",
    ]


@pytest.mark.parametrize(
    ("missing", "count"), [("severity", 1), ("types", 30), ("alerts", 1), ("names", 30)]
)
def test_a_message_of_another_version_holds_up_no_others(
    states: StateStore, sender: Any, server: ApiServer, count: int, missing: str
) -> None:
    odd = {key: value for key, value in payload().items() if key != missing}
    odd["id"] = "0" * 16
    told = [odd, *payloads(count)]
    put(states, told, destinations=[0], webhook=True, mail=[ANNA])
    flushed = flush(sender(notifier=_Notes()))
    assert (flushed.sent, flushed.failed) == (3 * count, 3)
    assert len(server.requests) == 1


def test_what_the_store_cannot_note_ends_the_telling(
    states: StateStore, sender: Any, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all of it would be told twice."""
    put(states, payloads(5), webhook=True)
    one = sender()

    def locked(*_: object) -> None:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(one._box, "sent", locked)
    with pytest.raises(StoreUnavailable, match="locked"):
        flush(one)
    assert len(server.requests) == 1


def test_types_of_one_certificate_are_one_post(
    states: StateStore, sender: Any, server: ApiServer
) -> None:
    told = payload(own_alert(), own_alert(AlertType.NEW_CERTIFICATE))
    put(states, [told], webhook=True)
    flush(sender())
    (request,) = server.requests
    assert request.json()["types"] == ["unauthorized_ca", "new_certificate"]


class _Box:
    """An outbox that hands out what it is given, once."""

    def __init__(self, given: Sequence[OutboxItem]) -> None:
        self.given = list(given)
        self.noted: list[int] = []

    def due(self, *_: object) -> list[OutboxItem]:
        given, self.given = self.given, []
        return given

    def sent(self, numbers: Sequence[int], *_: object) -> None:
        self.noted += numbers

    def take_place(self, _destination: str, now: Any, limit: int) -> Any:
        return 1, now


class _Notes:
    has_fallback = False

    def __init__(self) -> None:
        self.told: list[Any] = []

    def name(self, index: int | None) -> str:
        return f"destination {index}"

    async def send(self, index: int | None, message: Any) -> Outcome:
        self.told.append(message)
        return Outcome(True)


def test_hosts_and_own_domains_can_stand_in_one_message() -> None:
    """Where a minute has room for one, whatever waits."""
    given = [
        OutboxItem("a", Channel.NOTIFY, host_alert(), "0", 1),
        OutboxItem("own:b", Channel.NOTIFY, payload(), "0", 2),
    ]
    outbox: Any = _Box(given)
    notes = _Notes()
    sender = Sender(outbox, lambda _: [], notes, None, owner="x")
    assert flush(sender).sent == 2
    (told,) = notes.told
    assert told.subject == (
        "[CRITICAL] example.com: issuer not authorised; "
        "login-paypal[.]example is up: HTTP 200"
    )
    assert "Link: https://crt.sh/?id=1" in told.body
    assert "hxxps://login-paypal[.]example is up" in told.body
