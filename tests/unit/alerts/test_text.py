"""Messages: what they say, and what strangers cannot make them say."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.alerts.text import (
    Alarm,
    Message,
    alarm_message,
    defanged,
    digest,
    fallback_message,
    in_parts,
    inert,
    message,
    trial_message,
)
from ctmonitor.model.followup import EventKind
from ctmonitor.model.text import printable
from tests.unit.alerts.making import HOST, alert, titled

# What chats and mail programs act on.
ACTIVE = re.compile(
    r"https?://|www\.\w|\w\.(?:com|example|net)\b|[<>@`*|#~\x00-\x09\x0b-\x1f\x1b\u202e]"
    r"|\]\(|\[[^.\]][^\]]*\]\("
)


def body_of(told: dict[str, Any]) -> str:
    return message(told).body


def test_a_message_says_all_that_matters() -> None:
    told = message(alert())
    assert told.subject == "login-paypal[.]example is up: HTTP 200"
    assert told.body.split("\n") == [
        "hxxps://login-paypal[.]example is up: HTTP 200",
        "Title: PayPal: log in",
        "Leads to: hxxps://login-paypal[.]example/signin",
        "Address: 192[.]0[.]2[.]7 (AS64500, EXAMPLE-AS Example Hosting, NL, NL, "
        "192[.]0[.]2[.]0/24)",
        "Abuse contact: abuse[at]hosting[.]example",
        "Domain registered: 2026-11-20, Example Registrar, "
        "abuse[at]registrar[.]example",
        "Issuer: /C=US/CN=R11/O=Let's Encrypt",
        "Safe Browsing: not listed",
        "Found by: paypal (keyword)",
        "Names: www[.]login-paypal[.]example",
        "First seen: 2026-11-21T11:00:00Z",
        "Visited: 2026-11-21T12:00:00Z",
    ]


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (EventKind.UP, "is up: HTTP 200"),
        (EventKind.BACK, "is up again: HTTP 200"),
        (EventKind.CHANGED, "has changed: HTTP 200"),
        (EventKind.DOWN, "is down"),
    ],
)
def test_every_event_has_its_sentence(event: EventKind, says: str) -> None:
    more: dict[str, Any] = {}
    if event is EventKind.DOWN:
        more = {"page": None, "hops": (), "reason": "no such name"}
    told = message(alert(event=event, **more))
    assert told.subject == f"login-paypal[.]example {says}"
    assert ("Why it is down: no such name" in told.body) is (event is EventKind.DOWN)


@pytest.mark.parametrize(
    "host",
    ["login-paypal.com", "*.paypal.com", "a_b.example.net", "xn--pypal-4ve.com"],
)
def test_a_defanged_host_is_the_host_but_for_its_dots(host: str) -> None:
    assert defanged(host).replace("[.]", ".") == host
    assert "." not in defanged(host).replace("[.]", "")


@pytest.mark.parametrize(
    "text",
    [
        "[click here](https://evil.example/)",
        "![x](http://evil.example/a.png)",
        "<a href='https://evil.example'>PayPal</a>",
        "<script>alert(1)</script>",
        "<!channel> <@U12345> <https://evil.example|PayPal>",
        "@everyone @here",
        "**bold** _it_ ~~no~~ `code` ||spoiler||",
        "```\nblock\n```",
        "# heading",
        "HTTPS://EVIL.example www.evil.com evil\u3002com",
        "ftp://evil.example/",
        "\x1b[31mred\x1b[0m",
        "\x1b]8;;https://evil.example\x07x\x1b]8;;\x07",
        "a\r\nBcc: victim@example.com\r\n\r\nbody",
        "\u202egpj.exe",
        "\uff20everyone",
        "x" * 10_000,
        "[" * 10_000,
        "\\u0041 \\n",
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_a_hostile_title_is_one_inert_line(text: str) -> None:
    told = message(titled(text))
    line = told.body.split("\n")[1]
    assert line.startswith("Title: ")
    assert ACTIVE.search(line) is None
    assert len(told.body.split("\n")) == 12
    assert len(told.body) < 4000
    assert "\n" not in told.subject


def test_the_text_stays_legible() -> None:
    assert inert("Barnes & Noble, it's (really) $5!") == (
        "Barnes & Noble, it's (really) $5!"
    )


@given(text=st.text(max_size=300))
def test_no_text_is_active(text: str) -> None:
    shown = inert(text)
    assert ACTIVE.search(shown) is None
    assert printable(shown) == shown


@given(host=st.text(min_size=1, max_size=300))
def test_no_host_is_active(host: str) -> None:
    assert "\n" not in defanged(host)
    assert ACTIVE.search(defanged(host).removeprefix("*[.]")) is None


def test_a_subject_shows_the_end_of_a_long_name() -> None:
    """Its beginning says `paypal.com`, its end whose it is."""
    host = "www.paypal.com." + "x." * 100 + "evil.example"
    told = message(alert(host))
    assert told.subject.startswith("...")
    assert "x[.]evil[.]example is up" in told.subject
    assert len(told.subject) < 330
    assert defanged(host) in told.body


def test_many_names_and_reasons_are_counted() -> None:
    told = alert()
    told["names"] = [f"n{number}.example" for number in range(10_000)]
    told["reasons"] = [{"rule": "x" * 5000, "kind": "regex", "weight": 1}] * 50
    body = body_of(told)
    assert "9990 more" in body
    assert "45 more" in body
    assert len(body) < 4000


def test_a_suspicion_of_google_is_told_as_one() -> None:
    body = body_of(alert() | {"safe_browsing": "unsafe"})
    assert "Safe Browsing: suspected unsafe, says Google Safe Browsing" in body


def test_unknown_things_have_no_line() -> None:
    told = alert(enrichments={}, hops=(), address="")
    labels = [line.split(":")[0] for line in body_of(told).split("\n")[1:]]
    assert labels == [
        "Title",
        "Issuer",
        "Safe Browsing",
        "Found by",
        "Names",
        "First seen",
        "Visited",
    ]


def test_several_announcers_are_all_named() -> None:
    told = alert() | {"asn": ["64500", "64501"], "asn_description": ["ONE", None]}
    assert "(AS64500/64501, ONE, NL," in body_of(told)


# Many at once


def test_a_digest_names_every_host_by_event() -> None:
    alerts = [alert("a.example"), alert("b.example"), alert("c.example")]
    alerts[1] = alerts[1] | {"event": "down"}
    assert digest(Alarm([one], 1) for one in alerts) == Message(
        "3 hosts: 2 up, 1 down",
        "Up:\na[.]example\nc[.]example\n\nDown:\nb[.]example",
    )


def test_a_fallback_says_why_it_comes_this_way() -> None:
    told = fallback_message(Message("s", "b"), "destination 1 (json)", is_given_up=True)
    assert told == Message("s", "Delivery to destination 1 (json) was given up.\n\nb")


def test_a_trial_message_shows_how_hosts_are_named() -> None:
    assert "hxxps://login[.]example[.]com" in trial_message().body
    assert HOST not in trial_message().body


# Parts


BODY = "\n".join(f"host{number:03}" for number in range(1000))  # 7,999 characters


@pytest.mark.parametrize("most", [7, 8, 15, 16, 100, 7998])
def test_a_long_text_is_divided_between_lines(most: int) -> None:
    parts = in_parts(BODY, most, 2000)
    assert "\n".join(parts) == BODY
    assert len(parts) > 1
    assert all(len(part) <= most for part in parts)


@pytest.mark.parametrize("most", [7999, 8000])
def test_what_fits_is_one_part(most: int) -> None:
    assert in_parts(BODY, most, 1) == [BODY]


def test_a_line_that_is_too_long_is_a_part_by_itself() -> None:
    assert in_parts("a\n" + "b" * 50 + "\nc", 10, 9) == ["a", "b" * 50, "c"]


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("most", [100, 101, 500])
def test_what_does_not_fit_is_counted(most: int, parts: int) -> None:
    made = in_parts(BODY, most, parts)
    assert len(made) == parts
    assert all(len(part) <= most for part in made)
    *kept, last = "\n".join(made).split("\n")
    assert kept == BODY.split("\n")[: len(kept)]
    assert last == f"and {1000 - len(kept)} more lines; the JSON alerts have all"
    assert len("\n".join(kept)) > most * parts - 100


def test_little_room_says_at_least_how_much_there_is() -> None:
    assert in_parts(BODY, 7, 1) == ["and 1000 more lines; the JSON alerts have all"]


def test_no_text_is_one_empty_part() -> None:
    assert in_parts("", 10, 3) == [""]


# Look-alikes

PAYPAL = [
    {"rule": "login", "kind": "keyword", "weight": 1, "brand": ""},
    {"rule": "login", "kind": "lure", "weight": 14, "brand": "PayPal"},
    {"rule": "paypa1", "kind": "homoglyph", "weight": 58, "brand": "PayPal"},
    {"rule": ".xyz", "kind": "suffix", "weight": 9, "brand": "PayPal"},
    {"rule": "pal", "kind": "whole word", "weight": 0, "brand": "*Pal*"},
]


def look_alike(host: str, score: int) -> dict[str, Any]:
    told = alert(host) | {"reasons": PAYPAL, "brand": "PayPal", "score": score}
    return told | {"registrable_domain": "paypa1.example"}


def test_a_message_says_what_resembles_which_brand() -> None:
    lines = body_of(look_alike(HOST, 82)).split("\n")
    assert "Found by: login (keyword)" in lines
    at = lines.index(
        "Resembles: PayPal: homoglyph paypa1 +58, lure login +14, suffix [.]xyz +9 = 81"
    )
    assert lines[at + 1] == "Resembles: \uff0aPal\uff0a: whole word pal"


def test_a_record_of_an_older_version_has_reasons_without_brand() -> None:
    told = alert() | {"reasons": [{"rule": "x", "kind": "regex", "weight": 1}]}
    assert "Found by: x (regex)" in body_of(told)


def test_an_alarm_tells_its_hosts_and_why_of_the_one_that_scores_most() -> None:
    hosts = [look_alike("a.paypa1.example", 20), look_alike("b.paypa1.example", 82)]
    told = alarm_message(Alarm(hosts, 12))
    assert told.subject == "paypa1[.]example resembles PayPal: 12 hosts up"
    assert told.body.split("\n")[:6] == [
        "12 hosts below paypa1[.]example resemble PayPal:",
        "hxxps://a[.]paypa1[.]example is up: HTTP 200",
        "hxxps://b[.]paypa1[.]example is up: HTTP 200",
        "and 10 more below paypa1[.]example",
        "For example: b[.]paypa1[.]example",
        "Found by: login (keyword)",
    ]
    assert alarm_message(Alarm(hosts[:1], 1)) == message(hosts[0])


@given(text=st.text(max_size=300))
def test_no_text_of_an_alarm_is_active(text: str) -> None:
    told = look_alike("a.example", 1) | {"brand": text, "issuer": text}
    told |= {"hostname": text, "registrable_domain": text}
    said = alarm_message(Alarm([told, told], 2))
    assert "\n" not in said.subject
    for line in (said.subject, *said.body.split("\n")):
        assert ACTIVE.search(line.removeprefix("*[.]").replace("//*[.]", "//")) is None
