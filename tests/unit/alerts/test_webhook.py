"""Messages on own domains, posted to real endpoints on loopback."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ctmonitor.alerts.base import Outcome
from ctmonitor.alerts.own import digest
from ctmonitor.alerts.owncards import slack, teams
from ctmonitor.alerts.webhook import Webhook, form_of
from ctmonitor.net.client import Client
from ctmonitor.net.route import Route
from tests.fakes.api import FAILURES, ApiServer, Reply
from tests.unit.alerts.owning import payload, payloads

SECRET = "/services/T0SECRET1/B0SECRET2/s3cretXXsecretXX"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer(lambda _: Reply(body=b"ok")) as running:
        yield running


def send(
    url: str, form: str = "", told: Mapping[str, Any] | None = None, **more: Any
) -> Outcome:
    route = Route(use_environment=False)
    options = {"route": route, "retries": 0, "timeout_s": 5.0} | more
    with Client("ctmonitor/test", **options) as client:
        return asyncio.run(Webhook(client, url, form).send(told or payload()))


def test_a_program_gets_the_message_as_it_is(server: ApiServer) -> None:
    assert send(server.url + SECRET) == Outcome(True, "HTTP 200")
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", SECRET)
    assert request.headers["content-type"] == "application/json"
    told = request.json()
    assert told == json.loads(json.dumps(payload()))
    assert told["id"] == "0001000000000001"


@pytest.mark.parametrize(("form", "made"), [("slack", slack), ("teams", teams)])
def test_chats_get_their_own_form(server: ApiServer, form: str, made: Any) -> None:
    assert send(server.url, form).is_ok
    assert server.requests[0].json() == made(payload())


def test_a_digest_is_one_post_that_names_all(server: ApiServer) -> None:
    assert send(server.url, told=digest(payloads(25))).is_ok
    (request,) = server.requests
    told = request.json()
    assert told["kind"] == "own-digest"
    assert len({one["id"] for one in told["messages"]}) == 25


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://hooks.slack.com/services/T/B/x", "slack"),
        ("https://HOOKS.slack.com./services/T/B/x", "slack"),
        ("https://hooks.slack-gov.com/services/T/B/x", "slack"),
        ("https://contoso.webhook.office.com/webhookb2/x", "teams"),
        ("https://outlook.office.com/webhook/x", "teams"),
        ("https://prod-1.westeurope.logic.azure.com:443/workflows/x", "teams"),
        ("https://d.0.environment.api.powerplatform.com/powerautomate/x", "teams"),
        ("https://hooks.slack.com.evil.example/", "json"),
        ("https://evilwebhook.office.com/", "json"),
        ("https://example.com/hooks.slack.com", "json"),
        ("http://127.0.0.1:8080/", "json"),
    ],
)
def test_the_form_goes_by_the_host_of_the_address(url: str, form: str) -> None:
    assert form_of(url) == form


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_delivered(server: ApiServer, status: int) -> None:
    server.answer = lambda _: Reply(status)
    assert send(server.url) == Outcome(True, f"HTTP {status}")


@pytest.mark.parametrize("status", [400, 403, 404, 410, 413, 429, 500, 502, 503])
def test_every_other_status_fails_after_one_post(
    server: ApiServer, status: int
) -> None:
    server.answer = lambda _: Reply(status, b"no_service")
    assert send(server.url + SECRET) == Outcome(False, f"HTTP {status}: 'no_service'")
    assert len(server.requests) == 1


def test_how_long_the_server_wants_us_to_wait_is_kept(server: ApiServer) -> None:
    server.answer = lambda _: Reply(429, headers={"Retry-After": "120"})
    assert send(server.url) == Outcome(False, "HTTP 429", 120.0)


def test_teams_says_200_when_it_refuses(server: ApiServer) -> None:
    said = (
        b"Webhook message delivery failed with error: Microsoft Teams endpoint "
        b"returned HTTP error 413 with ContextId x."
    )
    server.answer = lambda _: Reply(200, said)
    outcome = send(server.url, "teams")
    assert not outcome.is_ok
    assert "Webhook message delivery failed" in outcome.detail


@pytest.mark.parametrize(
    "reply",
    [
        Reply(302, headers={"Location": f"https://elsewhere.example{SECRET}"}),
        Reply(307, headers={"Location": SECRET}),
        Reply(500, SECRET.encode()),
        Reply(404, b"<html>" + SECRET.encode() + b"</html>"),
        FAILURES["endless"],
        FAILURES["cut off"],
        Reply(is_silent=True),
    ],
    ids=["elsewhere", "same", "echo", "html", "endless", "cut off", "silent"],
)
def test_no_failure_shows_the_secret_of_the_address(
    server: ApiServer, reply: Reply
) -> None:
    server.answer = lambda _: reply
    url = server.url.replace("http://", "http://user:passw0rd@") + f"{SECRET}?sig=s1g2x"
    outcome = send(url, timeout_s=0.4, max_bytes=100_000)
    assert not outcome.is_ok
    assert outcome.detail
    for part in ("SECRET", "s3cret", "passw0rd", "s1g2x"):
        assert part not in outcome.detail
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/secret-path", "http://nowhere.invalid/secret-path"]
)
def test_nobody_there_is_told(url: str) -> None:
    outcome = send(url)
    assert not outcome.is_ok
    assert "secret" not in outcome.detail


def test_its_name_is_the_host_alone() -> None:
    with Client("ctmonitor/test") as client:
        url = f"https://user:pass@hooks.example{SECRET}"
        assert Webhook(client, url).name == "webhook at hooks.example"
