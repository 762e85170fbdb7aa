"""The sender, on a real outbox: nothing lost, little doubled, nobody flooded."""

import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctmonitor.alerts.base import Outcome
from ctmonitor.alerts.hook import Hook
from ctmonitor.alerts.jsonfile import AlertFiles
from ctmonitor.alerts.notify import Notifier
from ctmonitor.alerts.outbox import Flushed, Sender
from ctmonitor.alerts.text import Message
from ctmonitor.errors import AlertError, StoreUnavailable
from ctmonitor.model.followup import Channel, HostState, OutboxItem, Visit, alarm_of
from ctmonitor.model.site import Presence
from ctmonitor.store.outbox import Outbox
from ctmonitor.store.store import Store, open_store
from tests.fakes.api import Reply
from tests.fakes.webhook import Webhook
from tests.unit.alerts.making import NOON, alert, checked, report
from tests.unit.store.making import finding

ALERT = alert()


class Clock:
    """Time that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.moment = NOON
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, pause_s: float) -> None:
        self.slept.append(pause_s)
        self.moment += timedelta(seconds=pause_s)
        await asyncio.sleep(0)

    def skip(self, **distance: float) -> None:
        self.moment += timedelta(**distance)


class Recorder:
    """A notifier that notes what it would send, and fails where it is told to."""

    has_fallback = True

    def __init__(self) -> None:
        self.told: list[tuple[int | None, Message]] = []
        self.fails: set[int | None] = set()

    def name(self, index: int | None) -> str:
        return f"destination {index}"

    async def send(self, index: int | None, message: Message) -> Outcome:
        self.told.append((index, message))
        return Outcome(
            index not in self.fails, "HTTP 500" if index in self.fails else ""
        )

    def subjects(self, index: int | None = 0) -> list[str]:
        return [message.subject for to, message in self.told if to == index]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    path = tmp_path / "certs.db"
    with open_store(db_file=path, url="", table="CertMon", now=clock.now) as opened:
        yield opened


@pytest.fixture
def put(store: Store, clock: Clock) -> Callable[..., None]:
    """
    Puts alerts on hosts into the outbox, as finished visits do.

    Channels are `file`, `hook` and `notify:0`.
    """

    def _put(hosts: Sequence[str], *channels: str, **changes: Any) -> None:
        store.record([finding(host) for host in hosts])
        book = store.followups()
        found = book.claim(clock.now(), len(hosts), 60, "scanner")
        assert {due.domain for due in found} == set(hosts)
        visits = [
            Visit(
                report(host),
                HostState(Presence.UP, first_up=NOON, visits=1),
                NOON + timedelta(days=1000),
                outbox=tuple(_items(host, channels, changes)),
            )
            for host in hosts
        ]
        assert book.finish(visits, "scanner") == []

    return _put


def _items(
    host: str, channels: Sequence[str], changes: Mapping[str, Any]
) -> Iterator[OutboxItem]:
    told = ALERT | {"hostname": host} | changes
    for channel in channels:
        name, _, destination = channel.partition(":")
        key, alarm = f"{host}:{channel}", alarm_of(told)
        yield OutboxItem(key, Channel(name), told, destination, alarm=alarm)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def sender(store: Store, clock: Clock, recorder: Recorder, tmp_path: Path):
    """Makes a sender on the store; all of its settings can be changed."""

    def make(box: Any = None, owner: str = "sender", **more: Any) -> Sender:
        options: dict[str, Any] = {
            "files": AlertFiles(str(tmp_path / "alerts")).write,
            "notifier": recorder,
            "hook": None,
            "now": clock.now,
            "sleep": clock.sleep,
            "draw": lambda: 1.0,
        }
        return Sender(box or store.outbox(), owner=owner, **options | more)

    return make


def files_in(directory: Path) -> list[str]:
    """The hosts of the alerts below a directory, which follow the schema."""
    found = [json.loads(one.read_bytes()) for one in directory.rglob("*.json")]
    hosts = [one["hostname"] for one in found]
    for one in found:
        if one | {"hostname": ""} != ALERT | {"hostname": ""}:
            checked(one)
    return sorted(hosts)


# Delivery


def test_every_channel_gets_every_alert_once(
    put, sender, store: Store, recorder: Recorder, tmp_path: Path
) -> None:
    copy = tmp_path / "copies"
    script = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"
    hook = Hook((sys.executable, "-c", script, str(copy)))
    hosts = ["a.example", "b.example"]
    put(hosts, "file", "notify:0", "notify:1", "hook")
    one = sender(hook=hook)
    assert asyncio.run(one.flush()) == Flushed(sent=8)
    assert asyncio.run(one.flush()) == Flushed()
    assert files_in(tmp_path) == hosts
    for index in (0, 1):
        assert recorder.subjects(index) == [
            "a[.]example is up: HTTP 200",
            "b[.]example is up: HTTP 200",
        ]
    told = [checked(json.loads(line)) for line in copy.read_text().splitlines()]
    assert sorted(one["hostname"] for one in told) == hosts
    assert (store.outbox().pending(), store.outbox().dead()) == (0, 0)


def test_who_prints_is_told_of_each_file(put, sender, tmp_path: Path) -> None:
    printed: list[tuple[Path, str]] = []

    def on_file(path: Path, told: Mapping[str, Any]) -> None:
        printed.append((path, told["hostname"]))

    put(["a.example"], "file")
    asyncio.run(sender(on_file=on_file).flush())
    assert printed == [(tmp_path / "alerts" / "a.example.json", "a.example")]


def test_what_failed_is_tried_again_with_growing_pauses_and_given_up(
    put, sender, store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[datetime] = []

    def fails(told: Sequence[Mapping[str, Any]]) -> list[AlertError]:
        attempts.append(clock.now())
        return [AlertError("the disk is full") for _ in told]

    put(["a.example"], "file")
    one = sender(files=fails, tries=5)
    flushed = [asyncio.run(one.flush())]
    while store.outbox().pending():
        clock.skip(seconds=10)
        flushed.append(asyncio.run(one.flush()))
    assert [
        (later - earlier).total_seconds() for earlier, later in pairwise(attempts)
    ] == [60, 120, 240, 480]
    assert flushed[0] == Flushed(failed=1, problems=["the disk is full"])
    assert flushed[-1] == Flushed(dead=1, problems=["the disk is full"])
    assert store.outbox().dead() == 1
    assert "alert given up after 5 attempts: a.example:file: the disk" in caplog.text
    clock.skip(days=30)
    assert asyncio.run(one.flush()) == Flushed()


def test_one_channel_that_fails_holds_no_other_back(
    put, sender, recorder: Recorder, tmp_path: Path
) -> None:
    recorder.fails = {0}
    put(["a.example"], "notify:0", "notify:1", "hook", "file")
    flushed = asyncio.run(sender(hook=Hook(("/nowhere/at/all",))).flush())
    assert (flushed.sent, flushed.failed) == (2, 2)
    assert files_in(tmp_path) == ["a.example"]
    assert recorder.subjects(1) == ["a[.]example is up: HTTP 200"]


def test_a_hook_that_was_taken_out_of_the_settings_is_a_failure(put, sender) -> None:
    put(["a.example"], "hook")
    flushed = asyncio.run(sender().flush())
    assert flushed == Flushed(failed=1, problems=["the settings have no hook any more"])


def test_a_record_of_another_version_holds_up_no_others(
    put, sender, store: Store, recorder: Recorder, tmp_path: Path
) -> None:
    class Odd(Outbox):
        def due(self, *args: Any) -> list[OutboxItem]:
            found = super().due(*args)
            odd = [OutboxItem("x", item.channel, {}, "0", -item.id) for item in found]
            return [each for pair in zip(odd, found, strict=True) for each in pair]

    put(["a.example"], "file", "notify:0")
    flushed = asyncio.run(sender(Odd(store.outbox()._database)).flush())
    assert (flushed.sent, flushed.failed) == (2, 2)
    assert files_in(tmp_path) == ["a.example"]
    assert recorder.subjects() == ["a[.]example is up: HTTP 200"]


# Messages a minute


def hosts_in(messages: Sequence[Message]) -> list[str]:
    """The hosts that are named at the beginning of a line."""
    lines = [line for one in messages for line in one.body.splitlines()]
    names = [line.removeprefix("hxxps://").split(" ")[0] for line in lines]
    return sorted(one.replace("[.]", ".") for one in names if "[.]example" in one)


def told_hosts(recorder: Recorder, index: int = 0) -> list[str]:
    singles_and_digests = [one for to, one in recorder.told if to == index]
    return hosts_in(
        [
            Message(one.subject, one.body.split("\n")[0])
            if " is up" in one.subject
            else one
            for one in singles_and_digests
        ]
    )


@pytest.mark.parametrize("count", [9, 10, 11, 150])
def test_the_last_message_of_a_minute_names_all_that_are_left(
    put, sender, recorder: Recorder, clock: Clock, tmp_path: Path, count: int
) -> None:
    hosts = [f"h{number:04}.example" for number in range(count)]
    put(hosts, "file", "notify:0")
    assert asyncio.run(sender().flush()) == Flushed(sent=2 * count)
    assert len(recorder.told) == min(count, 10)
    assert told_hosts(recorder) == hosts
    assert files_in(tmp_path) == hosts
    assert clock.slept == []
    if count > 10:
        assert recorder.subjects()[-1] == f"{count - 9} hosts: {count - 9} up"


def test_a_further_flush_waits_for_the_minute_to_end(
    put, sender, recorder: Recorder, clock: Clock
) -> None:
    one = sender(digest_per_minute=3)
    put(["a.example", "b.example", "c.example"], "notify:0")
    asyncio.run(one.flush())
    clock.skip(seconds=20)
    put(["d.example", "e.example"], "notify:0")
    assert asyncio.run(one.flush()) == Flushed(sent=2)
    assert clock.slept == [40.0]
    assert told_hosts(recorder) == [f"{letter}.example" for letter in "abcde"]


def test_a_flush_that_may_not_wait_holds_messages_but_no_files(
    put, sender, recorder: Recorder, clock: Clock, tmp_path: Path
) -> None:
    one = sender(digest_per_minute=1)
    put(["a.example"], "notify:0")
    asyncio.run(one.flush(wait=False))
    for host in ("b.example", "c.example"):
        clock.skip(seconds=20)
        put([host], "notify:0", "file")
        flushed = asyncio.run(one.flush(wait=False))
    assert flushed == Flushed(sent=1, held=2)
    assert files_in(tmp_path) == ["b.example", "c.example"]
    assert len(recorder.told) == 1
    clock.skip(seconds=20)
    assert asyncio.run(one.flush(wait=False)) == Flushed(sent=2)
    assert told_hosts(recorder) == ["a.example", "b.example", "c.example"]
    assert clock.slept == []


def test_each_destination_has_its_own_minute(put, sender, recorder: Recorder) -> None:
    put(["a.example", "b.example"], "notify:0")
    put(["c.example"], "notify:1")
    asyncio.run(sender(digest_per_minute=1).flush())
    assert recorder.subjects(0) == ["2 hosts: 2 up"]
    assert recorder.subjects(1) == ["c[.]example is up: HTTP 200"]


def test_no_minute_has_more_than_its_messages(
    put, sender, recorder: Recorder, clock: Clock
) -> None:
    moments: list[datetime] = []
    send = recorder.send

    async def noting(index: int | None, message: Message) -> Outcome:
        moments.append(clock.now())
        return await send(index, message)

    recorder.send = noting  # type: ignore[method-assign]
    one = sender(digest_per_minute=4)
    for number in range(30):
        put([f"h{number:02}.example"], "notify:0")
        asyncio.run(one.flush(wait=False))
        clock.skip(seconds=7)
    asyncio.run(one.flush())
    for first in moments:
        minute = [m for m in moments if first <= m < first + timedelta(minutes=1)]
        assert len(minute) <= 4
    assert told_hosts(recorder) == [f"h{number:02}.example" for number in range(30)]


def test_senders_share_the_messages_of_a_minute(
    put, sender, recorder: Recorder, clock: Clock
) -> None:
    """Two runs that overlap; the second tells what it has when the minute is over."""
    put([f"a{number}.example" for number in range(3)], "notify:0")
    asyncio.run(sender(digest_per_minute=4, owner="first").flush())
    clock.skip(seconds=10)
    put([f"b{number}.example" for number in range(3)], "notify:0")
    second = sender(digest_per_minute=4, owner="second")
    assert asyncio.run(second.flush()) == Flushed(sent=3)
    assert recorder.subjects()[3:] == ["3 hosts: 3 up"]
    put(["c.example"], "notify:0")
    third = sender(digest_per_minute=4, owner="third")
    assert asyncio.run(third.flush(wait=False)).held == 1
    assert asyncio.run(third.flush()) == Flushed(sent=1)
    assert clock.slept == [50.0]


def test_no_message_goes_out_that_the_store_cannot_count(
    put, sender, store: Store, recorder: Recorder
) -> None:
    class Locked(Outbox):
        def take_place(self, *_: Any) -> tuple[int, datetime]:
            raise StoreUnavailable("locked")

    put(["a.example"], "notify:0")
    one = sender(Locked(store.outbox()._database))
    with pytest.raises(StoreUnavailable, match="locked"):
        asyncio.run(one.flush())
    assert recorder.told == []
    asyncio.run(one.release())
    assert asyncio.run(sender(owner="next").flush()) == Flushed(sent=1)


def test_after_a_failure_the_rest_comes_together(
    put, sender, recorder: Recorder, store: Store, clock: Clock
) -> None:
    """A service that hangs is not waited for once for each host."""
    recorder.fails = {0}
    hosts = [f"h{number}.example" for number in range(8)]
    put(hosts, "notify:0")
    one = sender()
    assert asyncio.run(one.flush()).failed == 8
    assert len(recorder.subjects(0)) == 2
    recorder.fails = set()
    recorder.told.clear()
    clock.skip(hours=1)
    assert asyncio.run(one.flush()).sent == 8
    assert told_hosts(recorder) == hosts


# Alarms: look-alikes of a brand below one domain

PAYPAL = {"brand": "PayPal", "registrable_domain": "paypa1.example", "score": 101}
FOUND = PAYPAL | {"event": "found", "http_code": None}


def alarms(recorder: Recorder, index: int = 0) -> list[tuple[str, int]]:
    """Of each message its subject, and how many hosts its body names."""
    return [
        (one.subject, sum(line.startswith("hxxps:") for line in one.body.split("\n")))
        for to, one in recorder.told
        if to == index
    ]


def test_hosts_below_a_domain_that_resemble_a_brand_are_one_message(
    put, sender, recorder: Recorder, tmp_path: Path
) -> None:
    hosts = [f"h{number}.paypa1.example" for number in range(3)]
    put(hosts, "notify:0", "notify:1", "file", **PAYPAL)
    put(["a.example"], "notify:0")
    assert asyncio.run(sender().flush()) == Flushed(sent=10)
    subject = "paypa1[.]example resembles PayPal: 3 hosts up"
    assert alarms(recorder) == [(subject, 3), ("a[.]example is up: HTTP 200", 1)]
    assert alarms(recorder, 1) == [(subject, 3)]
    assert files_in(tmp_path) == hosts


def test_a_domain_a_brand_and_an_event_are_alarms_of_their_own(
    put, sender, recorder: Recorder
) -> None:
    put(["a.paypa1.example"], "notify:0", **PAYPAL)
    put(["b.paypa1.example"], "notify:0", **FOUND)
    put(["c.paypa1.example"], "notify:0", **PAYPAL | {"brand": "Apple"})
    put(["paypal.example"], "notify:0", **PAYPAL | {"registrable_domain": "x.example"})
    put(["d.paypa1.example"], "notify:0", **PAYPAL | {"event": "down"})
    put(["e.paypa1.example"], "notify:0", **PAYPAL | {"event": "down"})
    assert asyncio.run(sender().flush()) == Flushed(sent=6)
    assert len(recorder.told) == 6


def test_an_alarm_is_told_once_a_day_and_the_rest_on_the_next(
    put, sender, recorder: Recorder, store: Store, clock: Clock
) -> None:
    put(["a.paypa1.example"], "notify:0", **FOUND)
    asyncio.run(sender().flush())
    for number in range(5):
        clock.skip(hours=2)
        put([f"h{number}.paypa1.example"], "notify:0", **FOUND)
        # Each run is another process.
        assert asyncio.run(sender(owner=f"{number}").flush()) == Flushed()
        store.outbox().hasten(clock.now())
        assert asyncio.run(sender(owner=f"again {number}").flush()) == Flushed()
        assert store.outbox().pending() == 0  # nothing has failed
    assert alarms(recorder) == [("a[.]paypa1[.]example was found", 1)]
    clock.skip(hours=2)  # midnight
    put(["new.paypa1.example"], "notify:0", **FOUND)
    assert asyncio.run(sender().flush()) == Flushed(sent=6)
    assert alarms(recorder)[1:] == [
        ("paypa1[.]example resembles PayPal: 6 hosts found", 6)
    ]
    clock.skip(days=1)
    assert asyncio.run(sender().flush()) == Flushed()


def test_an_alarm_of_ten_thousand_hosts_names_the_first_and_counts_the_rest(
    sender, recorder: Recorder, store: Store
) -> None:
    items = (
        OutboxItem(f"{number}", Channel.NOTIFY, told, "0", alarm=alarm_of(told))
        for number in range(10_000)
        for told in [ALERT | FOUND | {"hostname": f"h{number:04}.paypa1.example"}]
    )
    store.record([finding("x.example")], outbox_of=lambda told, at: items)
    assert asyncio.run(sender().flush()) == Flushed(sent=10_000)
    assert alarms(recorder) == [
        ("paypa1[.]example resembles PayPal: 10000 hosts found", 50)
    ]
    assert "and 9950 more below paypa1[.]example\n" in recorder.told[0][1].body


def test_an_alarm_that_fails_is_tried_again_as_a_whole_and_given_up(
    put, sender, recorder: Recorder, store: Store, clock: Clock
) -> None:
    recorder.fails = {0}
    hosts = [f"h{number}.paypa1.example" for number in range(3)]
    put(hosts, "notify:0", **FOUND)
    assert asyncio.run(sender(tries=3).flush()).failed == 3
    clock.skip(seconds=30)
    put(["late.paypa1.example"], "notify:0", **FOUND)
    # It waits with the others, and does not use up their attempts.
    assert asyncio.run(sender(tries=3).flush()) == Flushed()
    assert store.outbox().pending() == 3
    clock.skip(seconds=30)
    assert asyncio.run(sender(tries=3).flush()).failed == 4
    clock.skip(hours=1)
    flushed = asyncio.run(sender(tries=3).flush())
    assert (flushed.failed, flushed.dead) == (1, 3)
    recorder.fails = set()
    clock.skip(hours=1)
    assert asyncio.run(sender(tries=3).flush()) == Flushed(sent=1)


def test_an_alarm_that_was_not_told_for_want_of_room_is_told_in_the_digest(
    put, sender, recorder: Recorder
) -> None:
    put([f"h{number:02}.paypa1.example" for number in range(60)], "notify:0", **FOUND)
    put(["a.example"], "notify:0")
    assert asyncio.run(sender(digest_per_minute=1).flush()) == Flushed(sent=61)
    ((_, told),) = recorder.told
    assert told.subject == "61 hosts: 60 found, 1 up"
    lines = told.body.split("\n")
    assert lines[0] == "Found:"
    assert lines[50:52] == [
        "h49[.]paypa1[.]example",
        "and 10 more below paypa1[.]example",
    ]


def test_two_senders_tell_an_alarm_once(
    put, sender, recorder: Recorder, store: Store, clock: Clock
) -> None:
    put([f"h{number:03}.paypa1.example" for number in range(250)], "notify:0", **FOUND)
    senders = [sender(owner=f"sender {number}") for number in range(2)]

    async def flush_all() -> list[Flushed]:
        return await asyncio.gather(*(one.flush() for one in senders))

    sent = sum(one.sent for one in asyncio.run(flush_all()))
    # What the other one had when it was told comes later, in one more message.
    clock.skip(days=1)
    sent += asyncio.run(sender(owner="third").flush()).sent
    assert sent == 250
    assert len(recorder.told) <= 2
    assert store.outbox().pending() == 0


STEPS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 1)),  # a host of one of two alarms
    st.tuples(st.just("flush"), st.integers(0, 1)),  # by one of two senders
    st.tuples(st.just("hold"), st.integers(0, 1)),
    st.tuples(st.just("die"), st.integers(0, 1)),
    st.tuples(st.just("fail"), st.booleans()),
    st.tuples(st.just("skip"), st.sampled_from([1, 30, 300, 1000, 20_000, 90_000])),
)


@given(steps=st.lists(STEPS, max_size=25))
@settings(max_examples=40)
def test_whatever_happens_each_host_is_told_once_and_no_alarm_twice_a_day(
    steps: list[tuple[str, Any]],
) -> None:
    clock, recorder = Clock(), Recorder()
    hosts: list[str] = []
    named: list[str] = []
    told: list[tuple[str, Any]] = []

    async def send(index: int | None, message: Message) -> Outcome:
        if index in recorder.fails:
            return Outcome(False, "HTTP 500")
        if index is not None:
            names = hosts_in([message])
            named.extend(names)
            for domain in {name.split(".", 1)[1] for name in names}:
                told.append((domain, clock.now().date()))
        return Outcome(True)

    recorder.send = send  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "certs.db"
        with open_store(db_file=path, url="", table="CertMon", now=clock.now) as store:

            def sender(owner: str) -> Sender:
                files = AlertFiles(folder).write
                more: dict[str, Any] = {"now": clock.now, "sleep": clock.sleep}
                return Sender(
                    store.outbox(), files, recorder, None, owner=owner, tries=99, **more
                )

            senders = [sender("0"), sender("1")]
            for number, (step, what) in enumerate(steps):
                if step == "put":
                    host = f"h{number}.d{what}.example"
                    alert = ALERT | FOUND | {"hostname": host}
                    alert["registrable_domain"] = f"d{what}.example"
                    one = OutboxItem(
                        host, Channel.NOTIFY, alert, "0", alarm=alarm_of(alert)
                    )
                    store.record([finding(host)], outbox_of=lambda t, a, i=one: [i])
                    hosts.append(host)
                elif step == "flush":
                    asyncio.run(senders[what].flush())
                elif step == "hold":  # what was collected, and then never told
                    store.outbox().due(clock.now(), 100, 900, str(what))
                elif step == "die":
                    senders[what] = sender(f"{what} of {number}")
                elif step == "fail":
                    recorder.fails = {0} if what else set()
                else:
                    clock.skip(seconds=what)
            recorder.fails = set()
            for _ in range(3):
                clock.skip(days=1)
                asyncio.run(sender(f"last {clock.now()}").flush())
            assert store.outbox().pending() == 0
    assert sorted(named) == sorted(hosts)
    assert len(told) == len(set(told))


# The fallback


def test_a_failed_message_comes_by_the_fallback_at_first_and_when_given_up(
    put, sender, recorder: Recorder, store: Store, clock: Clock
) -> None:
    recorder.fails = {0}
    put(["a.example"], "notify:0")
    one = sender(tries=4)
    while store.outbox().pending():
        asyncio.run(one.flush())
        clock.skip(hours=2)
    assert len(recorder.subjects(0)) == 4
    bodies = [one.body.split("\n")[0] for to, one in recorder.told if to is None]
    assert bodies == [
        "Delivery to destination 0 failed and is tried again.",
        "Delivery to destination 0 was given up.",
    ]


def test_a_fallback_that_fails_as_well_is_logged(
    put, sender, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.fails = {0, None}
    put(["a.example"], "notify:0")
    assert asyncio.run(sender().flush()).failed == 1
    assert "the fallback failed as well: HTTP 500" in caplog.text


# Ends in the middle


def test_a_sender_that_dies_after_the_delivery_is_told_twice(
    put, sender, store: Store, recorder: Recorder, clock: Clock
) -> None:
    class Dying(Outbox):
        def sent(self, *_: Any) -> None:
            raise StoreUnavailable("gone")

    put(["a.example"], "notify:0")
    with pytest.raises(StoreUnavailable):
        asyncio.run(sender(Dying(store.outbox()._database)).flush())
    second = sender(owner="second")
    assert asyncio.run(second.flush()) == Flushed()  # still leased
    clock.skip(hours=1)
    assert asyncio.run(second.flush()) == Flushed(sent=1)
    assert len(recorder.told) == 2


def test_a_store_that_fails_does_not_keep_back_what_is_known(
    put, sender, store: Store, recorder: Recorder
) -> None:
    class Failing(Outbox):
        calls = 0

        def due(self, *args: Any) -> list[OutboxItem]:
            self.calls += 1
            if self.calls > 1:
                raise StoreUnavailable("locked")
            return super().due(*args)

    put(["a.example"], "notify:0")
    with pytest.raises(StoreUnavailable, match="locked"):
        asyncio.run(sender(Failing(store.outbox()._database)).flush())
    assert len(recorder.told) == 1
    assert store.outbox().pending() == 0


def test_a_cancelled_flush_gives_back_what_it_holds(
    put, sender, store: Store, recorder: Recorder
) -> None:
    put([f"h{number}.example" for number in range(5)], "notify:0")
    is_waiting = asyncio.Event()

    async def wait_for_ever(_pause_s: float) -> None:
        is_waiting.set()
        await asyncio.Event().wait()

    async def flush_and_cancel() -> None:
        one = sender(sleep=wait_for_ever, digest_per_minute=1)
        store.outbox().take_place("0", NOON, 1)  # its minute is full
        running = asyncio.ensure_future(one.flush())
        await is_waiting.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled()

    asyncio.run(flush_and_cancel())
    assert recorder.told == []
    assert asyncio.run(sender(owner="next").flush()) == Flushed(sent=5)


def test_what_was_held_beyond_its_lease_is_left_to_whom_has_it_now(
    put, sender, recorder: Recorder, clock: Clock
) -> None:
    one = sender(digest_per_minute=1)
    put(["a.example"], "notify:0")
    asyncio.run(one.flush())
    put(["b.example"], "notify:0")
    assert asyncio.run(one.flush(wait=False)).held == 1
    clock.skip(hours=1)
    assert asyncio.run(sender(owner="second").flush()) == Flushed(sent=1)
    assert asyncio.run(one.flush()) == Flushed()
    assert told_hosts(recorder) == ["a.example", "b.example"]


def test_two_senders_share_what_is_due(
    put, sender, recorder: Recorder, tmp_path: Path
) -> None:
    hosts = [f"h{number:03}.example" for number in range(250)]
    put(hosts, "file", "notify:0")
    senders = [sender(owner=f"sender {number}") for number in range(2)]

    async def flush_all() -> list[Flushed]:
        return await asyncio.gather(*(one.flush() for one in senders))

    assert sum(one.sent for one in asyncio.run(flush_all())) == 500
    assert files_in(tmp_path) == hosts
    assert told_hosts(recorder) == hosts


# All of it real


def test_a_thousand_alerts_at_once_by_apprise(
    put, sender, store: Store, tmp_path: Path
) -> None:
    hosts = [f"login-{number:04}.example" for number in range(1000)]
    put(hosts, "file", "notify:0")
    with Webhook() as webhook:
        notifier = Notifier([webhook.address])
        one = sender(notifier=notifier, digest_per_minute=3)
        assert asyncio.run(one.flush()) == Flushed(sent=2000)
        arrived = [Message(told.subject, told.body) for told in webhook.told]
    assert len(arrived) == 3
    assert set(hosts_in(arrived)) == set(hosts)
    assert files_in(tmp_path) == hosts


def test_a_service_that_is_away_gets_its_alert_when_it_is_back(
    put, sender, store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    put(["a.example"], "notify:0")
    with Webhook() as webhook, Webhook() as fallback:
        one = sender(notifier=Notifier([webhook.address], fallback.address))
        webhook.answer = lambda _: Reply(500)
        flushed = asyncio.run(one.flush())
        assert flushed.failed == 1
        assert flushed.problems[0].startswith("destination 1 (json): not delivered")
        assert "secret" not in caplog.text + str(flushed)
        assert "destination 1 (json) failed" in fallback.told[0].body
        assert "hxxps://a[.]example" in fallback.told[0].body
        webhook.answer = lambda _: Reply()
        clock.skip(minutes=2)
        assert asyncio.run(one.flush()) == Flushed(sent=1)
        assert len(webhook.told) == 2
    assert store.outbox().pending() == 0
