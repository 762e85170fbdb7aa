"""Messages on own domains: what they say, and what strangers cannot make them say."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctmonitor.alerts.own import digest, html_page, is_own, message, told
from ctmonitor.model.own import AlertType, Severity
from ctmonitor.model.text import printable
from tests.unit.alerts.making import alert
from tests.unit.alerts.owning import own_alert, payload, payloads

# What chats and mail programs act on; names of our own domain are none of it.
ACTIVE = re.compile(
    r"https?://|www\.evil|evil\.(?:net|com)|[<>@`|#~\x00-\x09\x1b\u202e]"
)
HOSTILE = (
    "<b>[x](http://evil.net)</b>\r\nBcc: v@evil.net\x1b[2J @everyone \ud800\u202e "
    "www.evil.com evil.com/example.com"
)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(page)
    parser.close()
    return parser.seen


def hostile(text: str = HOSTILE) -> dict[str, Any]:
    """A message in which a stranger wrote all that a stranger can write."""
    return payload(
        own_alert(
            names=[text, "h1.example.com"],
            serial=text,
            issuer=text,
            not_before=text,
            not_after=text,
            source=text,
            link=text,
            summary=text,
            next_step=text,
            first_seen=text,
        )
    )


def test_a_message_says_all_that_matters() -> None:
    found = message(
        payload(
            own_alert(summary="Evil CA is not authorised for h1.example.com."),
            own_alert(
                AlertType.NEW_SUBDOMAIN, names=["h1.example.com"], summary="A new name."
            ),
        )
    )
    assert found.subject == (
        "[CRITICAL] example.com: issuer not authorised, new sub-domain h1.example.com"
    )
    assert found.body.split("\n") == [
        "critical unauthorized_ca: Evil CA is not authorised for h1.example.com.",
        "What to do: Ask who ordered it.",
        "medium new_subdomain: A new name.",
        "Domain: example.com",
        "Names: h1.example.com, *.dev1.example.com",
        "Issuer: C=US, O=Evil CA, CN=Evil CA R1",
        "Valid: 2026-11-21T10:00:00 to 2027-02-19T10:00:00 UTC",
        "Serial: 4d2",
        "Source: crtsh",
        "First seen: 2026-11-21T14:00:00 UTC",
        "Alerts: 0001000000000001, 0002000000000001",
        "Link: https://crt.sh/?id=1",
        "Message: 0001000000000001",
    ]


@pytest.mark.parametrize("kind", list(AlertType), ids=str)
def test_every_type_has_its_words(kind: AlertType) -> None:
    found = message(payload(own_alert(kind, summary="")))
    words = found.subject.partition(": ")[2]
    assert words
    assert found.body.startswith(f"{told(payload(own_alert(kind))).severity} {kind}: ")
    assert html_page(payload(own_alert(kind)))


def test_an_alert_of_no_certificate_says_no_more_than_it_knows() -> None:
    lost = own_alert(
        AlertType.STATE_LOST,
        names=[],
        certificate="",
        serial="",
        issuer="",
        not_before="",
        not_after="",
        source="",
        link="",
        summary="Nobody watched from then to now.",
        next_step="",
    )
    assert message(payload(lost)).body.split("\n") == [
        "high state_lost: Nobody watched from then to now.",
        "Domain: example.com",
        "First seen: 2026-11-21T14:00:00 UTC",
        f"Alerts: {lost.id}",
        f"Message: {lost.id}",
    ]


def test_names_of_others_are_no_links_and_ours_can_be_copied() -> None:
    found = message(
        payload(
            own_alert(
                AlertType.TYPOSQUAT_DETECTED,
                names=["examp1e.com", "notexample.com", "example.com.evil.net"],
                summary="For examp1e.com, notexample.com, a.example.com.evil.net, "
                "and www.example.com as well as example.com.",
            )
        )
    )
    assert found.subject == (
        "[HIGH] example.com: look-alike of a domain examp1e[.]com (+2)"
    )
    assert (
        "Names: examp1e[.]com, notexample[.]com, example[.]com[.]evil[.]net"
        in found.body
    )
    assert (
        "For examp1e[.]com, notexample[.]com, a[.]example[.]com[.]evil[.]net, "
        "and www.example.com as well as example.com." in found.body
    )


def test_our_own_words_can_be_copied_from_a_sentence() -> None:
    made = own_alert(
        summary="For *.dev.example.com and *.evil.net.",
        next_step="Add it to Authorised_CAs, then watchdomains.py --list; _not_ this.",
    )
    lines = message(payload(made)).body.split("\n")
    assert lines[0].endswith("For *.dev.example.com and \uff0a[.]evil[.]net.")
    assert lines[1] == (
        "What to do: Add it to Authorised_CAs, then watchdomains.py --list; "
        "\uff3fnot\uff3f this."
    )


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "https://crt.sh/?id=1>x",
        'https://crt.sh/?id="onclick="x',
        "https://crt.sh/?id=1 https://evil.net/",
        "https://a@evil.net/",
        "https://crt.sh/|x",
        "https://crt.sh/" + "x" * 600,
        "//evil.net/",
        "",
    ],
    ids=[str(number) for number in range(9)],
)
def test_a_link_that_could_be_more_than_a_link_is_left_out(link: str) -> None:
    made = payload(own_alert(link=link))
    assert told(made).link == ""
    assert "evil" not in message(made).body
    assert [tag for tag, _ in tags(html_page(made)) if tag == "a"] == []


@pytest.mark.parametrize(
    "link",
    [
        "https://crt.sh/?id=1",
        "https://api.certspotter.com/v1/issuances/1234.der",
        "http://127.0.0.1:8080/?id=1",
        "http://[::1]:8080/?id=1",
        "https://log.example/2026h2/ct/v1/get-entries?start=1&end=1",
    ],
)
def test_links_of_sources_can_be_followed(link: str) -> None:
    made = payload(own_alert(link=link))
    assert f"Link: {link}" in message(made).body.split("\n")
    assert [attrs["href"] for tag, attrs in tags(html_page(made)) if tag == "a"] == [
        link
    ]


def test_nothing_a_stranger_wrote_is_active() -> None:
    for made in (hostile(), digest([hostile(), *payloads(2)])):
        found = message(made)
        lines = [one for one in found.body.split("\n") if "https://crt.sh/" not in one]
        for text in (found.subject, *lines):
            assert not ACTIVE.search(text), text
            assert text.isprintable()
            assert len(text) < 3000


def test_a_page_has_our_tags_alone() -> None:
    plain = [tag for tag, _ in tags(html_page(payload()))]
    text = "<script>x</script><img src=x onerror=y>\"'&amp;</td></table>"
    for made in (hostile(text), hostile()):
        seen = [tag for tag, _ in tags(html_page(made))]
        assert set(seen) <= set(plain)
        assert "<script" not in html_page(made)
        assert "<img" not in html_page(made)


def test_long_lists_are_shortened_and_counted() -> None:
    names = [f"n{number}.example.com" for number in range(10_000)]
    alerts = [own_alert(AlertType.NEW_CERTIFICATE, names=names)]
    alerts += [
        own_alert(AlertType.NEW_SUBDOMAIN, n, names=[name], certificate="certificate 1")
        for n, name in enumerate(names)
    ]
    body = message(payload(*alerts)).body
    assert "n19.example.com and 9980 more\n" in body
    assert "and 9901 more alerts; watchdomains.py --list has all" in body
    assert "medium new_subdomain: n0.example.com, n1.example.com, " in body
    assert len(body) < 5_000


def test_long_names_and_domains_keep_a_subject_short() -> None:
    domain = ".".join(["x" * 60] * 3 + ["example.com"])
    made = payload(
        own_alert(AlertType.NEW_SUBDOMAIN, domain=domain, names=[f"a.{domain}"])
    )
    subject = message(made).subject
    assert len(subject) <= 150
    assert "example.com: new sub-domain a.xxx" in subject
    assert f"Domain: {domain}\nNames: a.{domain}" in message(made).body


# Digests


def test_a_digest_names_all_with_what_matters_of_each() -> None:
    made = digest(payloads(30))
    found = message(made)
    assert found.subject == "[CRITICAL] example.com: 30 messages (30 critical)"
    for number in range(1, 31):
        assert (
            f"critical unauthorized_ca: h{number}.example.com, "
            f"*.dev{number}.example.com; C=US, O=Evil CA, CN=Evil CA R1; "
            "2026-11-21T10:00:00 to 2027-02-19T10:00:00 UTC; "
            f"https://crt.sh/?id={number}" in found.body.split("\n")
        )


def test_the_worst_comes_first_in_a_digest() -> None:
    made = digest(
        [
            payload(own_alert(AlertType.NEW_CERTIFICATE, 1, domain="a.example")),
            payload(own_alert(AlertType.REVOKED, 2, domain="b.example")),
            payload(own_alert(AlertType.UNAUTHORIZED_CA, 3, domain="c.example")),
        ]
    )
    assert made["severity"] == "critical"
    assert made["domains"] == ["a.example", "b.example", "c.example"]
    found = message(made)
    assert found.subject == (
        "[CRITICAL] 3 domains: 3 messages (1 critical, 1 medium, 1 info)"
    )
    assert [line.split(" ")[0] for line in found.body.split("\n")[:3]] == [
        "critical",
        "medium",
        "info",
    ]


def test_a_digest_of_the_same_messages_has_the_same_id() -> None:
    some = payloads(3)
    assert digest(some)["id"] == digest(some[::-1])["id"]
    assert digest(some)["id"] != digest(some[:2])["id"]
    assert re.fullmatch("[0-9a-f]{16}", digest(some)["id"])


def test_a_digest_of_many_long_messages_is_bounded() -> None:
    names = [f"n{number}.example.com" for number in range(500)]
    made = digest([payload(own_alert(number=n, names=names)) for n in range(1000)])
    listed = [one["names"] for one in made["messages"]]
    assert sum(map(len, listed)) <= 20_000
    assert "and 497 more" in message(made).body


# What is none


def test_a_scanners_alert_is_told_from_one_on_own_domains() -> None:
    assert is_own(payload())
    assert is_own(digest(payloads(2)))
    assert not is_own(alert())


@pytest.mark.parametrize("key", ["domain", "severity", "alerts", "names", "link"])
def test_a_payload_of_another_version_is_told(key: str) -> None:
    odd = {name: value for name, value in payload().items() if name != key}
    with pytest.raises((KeyError, TypeError, ValueError)):
        message(odd)


@settings(max_examples=150, deadline=None)
@given(st.text(), st.sampled_from(AlertType), st.sampled_from(Severity))
def test_whatever_strangers_write_lines_stay_lines(
    text: str, kind: AlertType, severity: Severity
) -> None:
    made = payload(
        own_alert(
            kind,
            severity=severity,
            names=[text],
            issuer=text,
            summary=text,
            next_step=text,
            link=text,
            serial=text,
        )
    )
    found = message(made)
    assert all(line == printable(line) for line in found.body.split("\n"))
    assert "\n" not in found.subject
    assert len(found.subject) <= 150
    found.body.encode()
    assert {tag for tag, _ in tags(html_page(made))} <= {
        *("html", "head", "meta", "title", "body", "h1", "p"),
        *("table", "tr", "th", "td", "a"),
    }
