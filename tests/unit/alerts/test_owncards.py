"""Slack blocks and Teams cards: within their limits, and nothing active in them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctmonitor.alerts.own import digest, told
from ctmonitor.alerts.owncards import slack, teams
from ctmonitor.model.own import AlertType, Severity
from tests.unit.alerts.owning import own_alert, payload, payloads


def texts(value: Any) -> Iterator[str]:
    """Every text object of a Slack body."""
    if isinstance(value, dict):
        if value.get("type") in ("plain_text", "mrkdwn"):
            yield value["text"]
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def fits_slack(body: dict[str, Any]) -> None:
    blocks = body["blocks"]
    assert len(blocks) <= 50
    assert blocks[0]["type"] == "header"
    assert len(blocks[0]["text"]["text"]) <= 150
    assert all(1 <= len(text) <= 3000 for text in texts(blocks))
    assert sum(map(len, texts(blocks))) <= 10_000


def fits_teams(body: dict[str, Any]) -> None:
    assert len(json.dumps(body)) <= 28_000


def lines_of(body: dict[str, Any]) -> list[str]:
    if "blocks" in body:
        return [line for text in texts(body) for line in text.split("\n")]
    card = body["attachments"][0]["content"]
    return [one["text"] for one in card["body"] if "text" in one]


def test_slack_gets_a_header_what_is_known_the_link_and_the_id() -> None:
    body = slack(payload())
    fits_slack(body)
    assert body["text"] == "[CRITICAL] example.com: issuer not authorised"
    assert [one["type"] for one in body["blocks"]] == [
        *("header", "section", "section", "section", "context")
    ]
    assert body["blocks"][0]["text"]["text"] == body["text"]
    assert "critical unauthorized_ca" in body["blocks"][1]["text"]["text"]
    for fact in ("example.com", "h1.example.com", "Evil CA R1", "2027-02-19"):
        assert fact in body["blocks"][2]["text"]["text"]
    assert body["blocks"][3]["text"]["text"] == "<https://crt.sh/?id=1>"
    assert body["blocks"][4]["elements"][0]["text"] == "id 0001000000000001"


def test_teams_gets_a_card() -> None:
    body = teams(payload())
    fits_teams(body)
    (attachment,) = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["body"][0]["text"] == "[CRITICAL] example.com: issuer not authorised"
    (facts,) = [one["facts"] for one in card["body"] if one["type"] == "FactSet"]
    known = {one["title"]: one["value"] for one in facts}
    assert known["Domain"] == "example.com"
    assert known["Names"] == "h1.example.com, *.dev1.example.com"
    assert card["body"][-1]["text"] == "id 0001000000000001"
    assert card["actions"][0]["url"] == "https://crt.sh/?id=1"


@pytest.mark.parametrize("form", [slack, teams], ids=["slack", "teams"])
@pytest.mark.parametrize("count", [2, 20, 100])
def test_a_digest_names_every_message(form: Any, count: int) -> None:
    body = form(digest(payloads(count)))
    (fits_slack if form is slack else fits_teams)(body)
    lines = lines_of(body)
    for number in range(1, count + 1):
        assert any(f" h{number}.example.com" in line for line in lines)
    assert not any("more lines" in line for line in lines)


@pytest.mark.parametrize("form", [slack, teams], ids=["slack", "teams"])
def test_what_does_not_fit_is_counted(form: Any) -> None:
    body = form(digest(payloads(1500)))
    (fits_slack if form is slack else fits_teams)(body)
    lines = lines_of(body)
    named = [line for line in lines if "unauthorized_ca" in line]
    assert len(named) > 100
    left = 1500 - len(named)
    assert f"and {left} more lines; watchdomains.py --list has all" in lines


@pytest.mark.parametrize("form", [slack, teams], ids=["slack", "teams"])
def test_the_longest_message_fits(form: Any) -> None:
    names = [f"{'n' * 60}{number}.{'m' * 60}.example.com" for number in range(5000)]
    alerts = [
        own_alert(
            kind,
            names=names,
            summary="ü" * 5000,
            next_step=f"{kind} " + "ü" * 5000,
            issuer="ü" * 5000,
            serial="f" * 5000,
            source="s" * 5000,
            certificate="one",
        )
        for kind in AlertType
    ]
    body = form(payload(*alerts))
    (fits_slack if form is slack else fits_teams)(body)
    assert any("unauthorized_ca" in line for line in lines_of(body))


def test_the_brief_lines_are_taken_where_the_others_have_no_room() -> None:
    made = digest(payloads(120))
    assert "Evil CA" in told(made).statements[0]
    assert not any("Evil CA" in line for line in lines_of(slack(made)))
    assert any("Evil CA" in line for line in lines_of(slack(digest(payloads(20)))))


def test_no_text_of_a_stranger_is_markup_of_slack() -> None:
    text = "<!channel> <https://evil.net|x> &lt;!here&gt; *b* @everyone"
    body = slack(payload(own_alert(issuer=text, summary=text, names=[text])))
    for found in [*texts(body["blocks"]), body["text"]]:
        if found != "<https://crt.sh/?id=1>":
            assert "<" not in found
            assert ">" not in found
            assert "@" not in found
    kinds = [one["text"]["type"] for one in body["blocks"] if "text" in one]
    assert kinds.count("mrkdwn") == 1


@settings(max_examples=30, deadline=None)
@given(
    st.text(min_size=1),
    st.lists(st.sampled_from(AlertType), min_size=1, unique=True),
    st.sampled_from(Severity),
    st.integers(1, 25),
)
def test_whatever_strangers_write_it_fits(
    text: str, kinds: list[AlertType], severity: Severity, count: int
) -> None:
    many = [
        payload(
            *(
                own_alert(
                    kind,
                    number,
                    severity=severity,
                    names=[text * 20],
                    issuer=text * 20,
                    summary=text * 20,
                    next_step=text,
                )
                for kind in kinds
            )
        )
        for number in range(count)
    ]
    made = many[0] if count == 1 else digest(many)
    fits_slack(slack(made))
    fits_teams(teams(made))
