"""Requests to one log: which are tried again, and when."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from ctmonitor.errors import SourceError
from ctmonitor.net.fetch import BadStatus, Fetcher, NotServed, Refused
from ctmonitor.net.route import Route
from tests.fakes.logfaults import busy, fault
from tests.fakes.logserver import Fault, Front, LogReply, LogServer
from tests.unit.sources.following import front_of, log_of, reader_of


def read(front: Front, path: str = "checkpoint", **options: Any) -> bytes:
    async def run() -> bytes:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            return await reader_of(front.url, fetcher).get(path, 100_000, **options)

    with LogServer(front):
        return asyncio.run(run())


def status(number: int, times: int | None = None) -> Fault:
    return Fault("", lambda front, request, good: LogReply(number), times)


@pytest.mark.parametrize(
    "spoilt", [fault("reset", times=3), fault("cut off", times=3), status(500, 3)]
)
def test_what_broke_off_is_tried_again(spoilt: Fault) -> None:
    front = front_of(log_of(5))
    front.faults = [spoilt]
    assert read(front).startswith(b"one.example/2026\n5\n")
    assert front.count() == 4


@pytest.mark.parametrize(
    "name", ["cut off", "redirect to another host", "endless body"]
)
def test_it_is_given_up_after_four_times(name: str) -> None:
    front = front_of(log_of(5))
    front.faults = [fault(name)]
    with pytest.raises(SourceError):
        read(front)
    assert front.count() == 4


@pytest.mark.parametrize(("number", "kind"), [(404, NotServed), (400, BadStatus)])
def test_an_answer_that_is_a_no_is_taken_as_one(
    number: int, kind: type[BadStatus]
) -> None:
    front = front_of(log_of(5))
    front.faults = [status(number)]
    with pytest.raises(kind):
        read(front)
    assert front.count() == 1


def test_after_a_refusal_it_waits_as_long_as_it_was_told() -> None:
    front = front_of(log_of(5))
    front.faults = [busy(1, retry_after="1")]
    began_s = time.monotonic()
    assert read(front)
    assert time.monotonic() - began_s >= 0.99
    assert front.count() == 2


def test_a_long_pause_is_left_to_the_caller() -> None:
    front = front_of(log_of(5))
    front.faults = [busy(retry_after="31")]
    with pytest.raises(Refused) as caught:
        read(front)
    assert caught.value.retry_after_s == 31.0
    assert front.count() == 1


def test_the_coding_that_is_asked_for_is_sent(tmp_path: Path) -> None:
    front = front_of(log_of(5))
    read(front, encoding="identity")
    assert front.requests[0].headers["accept-encoding"] == "identity"
