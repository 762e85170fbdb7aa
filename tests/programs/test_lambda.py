"""The function of AWS Lambda, as its runtime calls it; own domains in S3."""

import json
import os
import platform
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts.lambda_package import PACKAGES, names
from tests.fakes.api import ApiServer, Reply, Request
from tests.fakes.certspotter import (
    MISBEHAVIOURS,
    FakeCertSpotter,
    issuance,
    refusal,
)
from tests.fakes.dns import DnsServer
from tests.fakes.lambdaruntime import RUNTIME, SDK, Answer, Function, linked
from tests.fakes.s3 import ENVIRONMENT, S3Relay, S3Server
from tests.fakes.s3 import refusal as s3_refusal
from tests.programs.program import CHECKOUT
from tests.programs.watching import day

HANDLER = "ctmonitor.cli.watchdomains.handler"
KEY = "k_secret_of_cert_spotter"
HOOK = "/hook/T0SECRET"
PACKAGE = os.environ.get("CTMONITOR_LAMBDA_ZIP", "")  # of `make lambda`


class World:
    """Everybody whom the function talks to, and where its modules lie."""

    def __init__(self, stack: ExitStack, root: Path) -> None:
        enter = stack.enter_context
        self.root = root
        self.s3 = enter(S3Server())
        self.relay = enter(S3Relay(self.s3.url))
        self.spotter = enter(FakeCertSpotter(key=KEY))
        self.answer = self.spotter.answer
        self.hook = enter(ApiServer(lambda _: Reply()))
        self.dns = enter(DnsServer({}))
        self.bucket = self.s3.bucket()
        packed = names(PACKAGES)
        self.task = linked(root / "task", packed)
        self.runtime = linked(root / "runtime", RUNTIME + SDK)
        self.task_with_sdk = linked(root / "task with boto3", packed + SDK)
        self.runtime_alone = linked(root / "runtime alone", RUNTIME)
        for task in (self.task, self.task_with_sdk):
            (task / "ctmonitor").symlink_to(CHECKOUT / "ctmonitor")
        self.conf = root / "own.conf"
        self.conf.write_text(
            f"""[OWN]
Domains = example.com example.org
Source = certspotter
Certspotter_URL = {self.spotter.url}
Certspotter_Key = {KEY}
Tries = 1
Certspotter_Hourly = 1000
State = s3://{self.bucket}/own
State_Endpoint = {self.relay.url}
Webhook = {self.hook.url}{HOOK}
Quiet = new_subdomain
[SCAN]
Resolver = 127.0.0.1:{self.dns.address[1]}
[LOGGING]
LogLevel = DEBUG
"""
        )

    def reset(self) -> None:
        """An empty bucket, and servers that answer and know nothing."""
        for key in self.s3.keys(self.bucket):
            self.s3.client.delete_object(Bucket=self.bucket, Key=key)
        for server in (self.relay, self.spotter, self.hook):
            server.requests.clear()
        self.relay.faults.clear()
        self.spotter.answer = self.answer
        self.spotter.issuances = {"example.com": [], "example.org": []}
        self.spotter.failure = None
        self.spotter.before = []
        self.hook.answer = lambda _: Reply()

    def function(self) -> Function:
        """A process that is about to start cold, with settings of the file."""
        variables = ENVIRONMENT | {"CTMONITOR_CONF": str(self.conf)}
        return Function(HANDLER, [self.task, self.runtime], variables)

    def put(self, domain: str, body: bytes) -> None:
        self.s3.put(self.bucket, f"own/{domain}", body)

    def state(self, domain: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.s3.get(self.bucket, f"own/{domain}"))
        return found

    def issue(self, number: int, name: str) -> None:
        """A certificate that Cert Spotter lists from now on."""
        found = issuance(number, name, not_before=day(-1), not_after=day(80))
        self.spotter.issuances[name.partition(".")[2]].append(found)

    @property
    def told(self) -> list[dict[str, Any]]:
        """The messages that the webhook took, or refused."""
        return [one.json() for one in self.hook.requests]


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack, tmp_path_factory.mktemp("lambda"))


@pytest.fixture
def world(everybody: World) -> World:
    everybody.reset()
    return everybody


@pytest.fixture(scope="module")
def warm(everybody: World) -> Iterator[Function]:
    """A process that many tests call, as Lambda does."""
    with everybody.function() as function:
        yield function


def well(**new: int) -> dict[str, dict[str, Any]]:
    """What is returned of domains that were read."""
    count = {"example.com": 0, "example.org": 0} | {
        f"example.{end}": number for end, number in new.items()
    }
    return {domain: {"new": number, "error": None} for domain, number in count.items()}


def domains(answer: Answer) -> dict[str, dict[str, Any]]:
    assert answer.error == "", answer.message
    found: dict[str, dict[str, Any]] = answer.value["domains"]
    return found


def test_cold_warm_and_cold_again(world: World) -> None:
    world.put("example.com", b'"5"\n')  # what the older scripts leave behind
    world.issue(5, "old.example.com")
    world.issue(6, "new.example.com")
    with world.function() as function:
        cold = function.invoke({"source": "aws.events"})
        assert cold == Answer({"domains": well(com=1), "alerts": 2})
        assert [one["after"] for one in world.spotter.questions()[:1]] == [["5"]]
        assert [one["names"] for one in world.told] == [["new.example.com"]]
        assert world.told[0]["types"] == [
            "new_certificate"
        ]  # [OWN] Quiet has the other
        assert function.invoke({}) == Answer({"domains": well(), "alerts": 0})
        world.issue(7, "newer.example.com")
        assert domains(function.invoke({})) == well(com=1)
        # The runtime's handler alone, whatever the number of calls.
        assert function.log.count("unauthorized_ca is off") == 3
        log = function.log
    assert world.state("example.com")["marks"]["certspotter"]["position"] == "7"
    assert len(world.told) == 2
    world.issue(8, "newest.example.com")
    with world.function() as function:
        assert domains(function.invoke({})) == well(com=1)
        log += function.log
    assert [one["names"] for one in world.told[2:]] == [["newest.example.com"]]
    assert len({one["id"] for one in world.told}) == 3
    # All that policy.json allows, and it needs no more.
    assert {one.method for one in world.relay.requests} == {"GET", "PUT"}
    assert not any("list-type" in one.path for one in world.relay.requests)
    assert KEY not in log
    assert "T0SECRET" not in log  # although LogLevel is DEBUG


def test_settings_of_the_environment_and_a_boto3_that_is_packed(world: World) -> None:
    damaged = b"\xff{ no document"
    world.put("example.org", damaged)
    variables = {
        "OWN_DOMAINS": "example.com, Example.ORG.",
        "OWN_STATE": f"s3://{world.bucket}/own",
        "OWN_S3_ENDPOINT": world.s3.url,
        "OWN_CERTSPOTTER_URL": world.spotter.url,
        "OWN_CERTSPOTTER_KEY": KEY,
        "OWN_WEBHOOK": world.hook.url + HOOK,
        "OWN_WEBHOOK_FORMAT": "slack",
    }
    folders = [world.task_with_sdk, world.runtime_alone]
    with Function(HANDLER, folders, ENVIRONMENT | variables) as function:
        answer = function.invoke(None)
        log = function.log
    assert answer == Answer({"domains": well(), "alerts": 1})
    (message,) = world.told
    context = message["blocks"][-1]
    assert context["type"] == "context"
    assert "state_lost" in json.dumps(message)
    named = {key for key in world.s3.keys(world.bucket) if "example.org" in key}
    aside = named - {"own/example.org"}
    assert [world.s3.get(world.bucket, key) for key in aside] == [damaged]
    assert world.state("example.org")["alerts"][0]["id"] in json.dumps(context)
    asked = [one["domain"] for one in world.spotter.questions()]
    assert asked == [["example.com"], ["example.org"]]
    assert KEY not in log + json.dumps(world.told)


def test_what_s3_refuses_fails_the_call_and_a_later_one_completes_it(
    world: World, warm: Function
) -> None:
    world.issue(1, "www.example.com")
    world.s3.client.delete_bucket(Bucket=world.bucket)
    try:
        answer = warm.invoke({})
    finally:
        world.s3.client.create_bucket(Bucket=world.bucket)
    assert answer.error == "ConfigError"
    assert f"{world.bucket} does not exist. Create it" in answer.message
    denied = s3_refusal(403, "AccessDenied")
    world.relay.fail("GET", "/own/.lock", denied)
    answer = warm.invoke({})
    assert answer.error == "ConfigError"
    assert f"Grant s3:GetObject on arn:aws:s3:::{world.bucket}/own/*" in answer.message
    world.relay.fail("PUT", "/own/.lock", denied)
    answer = warm.invoke({})
    assert answer.error == "ConfigError"
    assert f"Grant s3:PutObject on arn:aws:s3:::{world.bucket}/own/*" in answer.message
    assert world.spotter.requests == []
    assert domains(warm.invoke({})) == well()


def test_one_domain_that_fails_does_not_stop_the_others(
    world: World, warm: Function
) -> None:
    assert domains(warm.invoke({})) == well()
    world.relay.fail("GET", "/own/example.com", s3_refusal(403, "AccessDenied"))
    world.spotter.before = [MISBEHAVIOURS["forbidden"]]
    world.issue(1, "www.example.com")
    world.issue(2, "www.example.org")
    answer = warm.invoke({})
    # Nothing was read: the one has no state, the other no source.
    assert answer.error == "SourceError"
    assert "state, example.com: " in answer.message
    assert "certspotter, example.org: " in answer.message
    world.relay.fail("GET", "/own/example.com", s3_refusal(403, "AccessDenied"))
    found = domains(warm.invoke({}))
    assert found["example.org"] == {"new": 1, "error": None}
    assert found["example.com"]["new"] == 0
    assert "state: " in found["example.com"]["error"]
    assert domains(warm.invoke({})) == well(com=1)
    assert [one["names"] for one in world.told] == [
        ["www.example.org"],
        ["www.example.com"],
    ]


def test_nothing_that_worked_is_an_error_without_the_key(
    world: World, warm: Function
) -> None:
    world.spotter.failure = refusal(401, "unauthorized", f"Nobody has the key {KEY}")
    answer = warm.invoke({})
    assert answer.error == "SourceError"
    assert "certspotter, example.com: " in answer.message
    assert "certspotter, example.org: " in answer.message
    assert KEY not in answer.message
    assert KEY not in warm.log
    assert "[ERROR]" in warm.log  # what a filter on the log looks for


def test_a_webhook_that_fails_is_told_and_tried_again(
    world: World, warm: Function
) -> None:
    assert domains(warm.invoke({})) == well()
    world.issue(1, "www.example.com")
    world.hook.answer = lambda _: Reply(500)
    answer = warm.invoke({})
    found = domains(answer)
    assert found["example.com"]["new"] == 1
    for one in found.values():
        assert "telling: " in one["error"]
        assert "500" in one["error"]
    assert "T0SECRET" not in json.dumps(answer.value)
    assert len(world.told) == 1
    state = world.state("example.com")
    assert len(state["pending"]) == 1
    # The pause after a failure is over.
    state["pending"][0]["next_attempt"] = "2026-01-01T00:00:00"
    world.put("example.com", json.dumps(state).encode())
    world.hook.answer = lambda _: Reply()
    assert domains(warm.invoke({})) == well()
    assert world.told[0] == world.told[1]
    assert world.state("example.com")["pending"] == []


def test_of_two_at_once_one_tells(world: World, warm: Function) -> None:
    assert domains(warm.invoke({})) == well()
    world.issue(1, "www.example.com")
    has_asked, may_go_on = threading.Event(), threading.Event()

    def slow(request: Request) -> Reply:
        has_asked.set()
        may_go_on.wait(20)
        return world.answer(request)

    world.spotter.answer = slow
    with world.function() as second:
        warm.start({}, left_s=200.0)
        assert has_asked.wait(20)
        try:
            answer = second.invoke({})
            lock = json.loads(world.s3.get(world.bucket, "own/.lock"))
        finally:
            may_go_on.set()
        assert answer.error == "Busy"
        # Machines of Lambda may have one boot id: no process names itself by it.
        assert lock["owner"].startswith("lambda ")
        # Nor does it last longer than a function that is killed.
        until = datetime.fromisoformat(lock["until"])
        assert until < datetime.now(UTC) + timedelta(seconds=200)
        assert "in use by another run" in answer.message
        assert domains(warm.ended()) == well(com=1)
        assert domains(second.invoke({})) == well()
    assert len(world.told) == 1


def test_what_time_leaves_undone_is_done_next(world: World, warm: Function) -> None:
    assert domains(warm.invoke({})) == well()
    world.issue(1, "www.example.com")
    world.issue(2, "www.example.org")
    before = len(warm.log)

    def has_ended() -> bool:
        return "the function's time is nearly over" in warm.log[before:]

    def slow(request: Request) -> Reply:
        for _ in range(400):
            if has_ended():
                break
            time.sleep(0.05)
        return world.answer(request)

    world.spotter.answer = slow
    found = domains(warm.invoke({}, left_s=3.0))  # of which the end gets a half
    assert has_ended()
    assert found["example.com"]["new"] == 1
    assert "the rest comes in a later run" in found["example.com"]["error"]
    assert found["example.org"]["new"] == 0
    assert "stopped" in found["example.org"]["error"]
    assert [one["names"] for one in world.told] == [["www.example.com"]]
    world.spotter.answer = world.answer
    assert domains(warm.invoke({})) == well(org=1)
    assert [one["names"] for one in world.told[1:]] == [["www.example.org"]]


@pytest.mark.skipif(
    not PACKAGE or sys.version_info[:2] != (3, 13) or platform.machine() != "x86_64",
    reason="CTMONITOR_LAMBDA_ZIP names no package for this Python and machine",
)
def test_the_package_itself_runs(world: World) -> None:
    task = world.root / "unpacked"
    with zipfile.ZipFile(PACKAGE) as opened:
        opened.extractall(task)
    world.put("example.com", b"5")
    world.issue(6, "www.example.com")
    variables = ENVIRONMENT | {"CTMONITOR_CONF": str(world.conf)}
    with Function(HANDLER, [task, world.runtime], variables) as function:
        assert domains(function.invoke({})) == well(com=1)
    assert [one["names"] for one in world.told] == [["www.example.com"]]


def test_all_that_the_settings_may_want_is_packed(world: World) -> None:
    """But for a database, whose absence is told."""
    text = world.conf.read_text()
    conf = world.root / "all.conf"
    told = f"json://127.0.0.1:{world.hook.port}/apprise"
    lines = ["[REPORTING]", f"Notification_Destination = {told}", "Notify_Onn = up"]
    conf.write_text("\n".join([text, *lines, ""]))
    world.put("example.com", b"5")
    world.issue(6, "www.example.com")
    variables = ENVIRONMENT | {"CTMONITOR_CONF": str(conf)}
    with Function(HANDLER, [world.task, world.runtime], variables) as function:
        assert domains(function.invoke({})) == well(com=1)
        paths = sorted(one.path for one in world.hook.requests)
        assert paths == ["/apprise", HOOK]
        assert ("www.example.com", "CAA") in world.dns.questions
        assert "[WARNING]" in function.log
        assert "Notify_Onn" in function.log  # as a warning of the settings
        conf.write_text(text.replace("State =", "#State ="))
        answer = function.invoke({})
    assert answer.error == "ConfigError"
    assert "no sqlalchemy" in answer.message
    assert "keep the state in S3" in answer.message
