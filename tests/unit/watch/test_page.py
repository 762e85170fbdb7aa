"""The page says what needs attention first, needs nothing else, and runs nothing."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ctmonitor.model.own import AlertType, DomainState, Issuer, Severity
from ctmonitor.watch.page import page
from ctmonitor.watch.report import report
from tests.unit.watch.reported import (
    FACTS,
    HOSTILE,
    LINK,
    NOON,
    alert,
    certificate,
    hostile,
    made,
    state,
)


class Reader(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


def read(*states: DomainState, **changed: object) -> Reader:
    return Reader(page(made(*states, facts=replace(FACTS, **changed))))


def test_what_needs_attention_comes_first() -> None:
    text = read().text
    places = [
        text.index(words)
        for words in (
            "Certificates of our own domains",
            "What needs attention",
            "CA that is not authorised: example.com",
            "Other CA is not authorised.",
            "Next: Ask who ordered it.",
            "New certificates",
            "Found when the watch began",
            "Expiry calendar",
            "Timeline of issuance",
            "Issuers",
            "Domains",
            "Sub-domains",
            "Look-alike domains",
            "Acknowledged, or over",
            "All certificates",
        )
    ]
    assert places == sorted(places)


def test_an_empty_report_is_a_page() -> None:
    text = read(DomainState("example.com")).text
    assert "1 domain watched, as of 2026-11-21 12:00 UTC" in text
    assert "Nothing is open." in text
    assert "No certificate is known." in text
    assert "not complete" not in text


def test_what_failed_stands_on_top() -> None:
    failed = {"source": "crtsh", "domain": "example.com", "reason": "HTTP 502"}
    text = read(errors=[failed], notes=["unauthorized_ca is off"]).text
    assert "UTC, in part" in text
    assert text.index("crtsh, example.com: HTTP 502") < text.index("What needs")
    assert text.index("unauthorized_ca is off") < text.index("What needs")


def test_alerts_on_one_certificate_are_one_card() -> None:
    known = state()
    high = {"severity": Severity.HIGH, "next_step": "Look at CAA."}
    known.alerts = [
        alert(1),
        replace(
            alert(2, **high), type=AlertType.CAA_VIOLATION, certificate=f"{1:016x}"
        ),
        replace(alert(3), certificate=f"{1:016x}", names=["b.example.com"]),
        alert(4, domain="example.org", certificate=f"{1:016x}"),
        alert(5, certificate=""),
        alert(6, certificate=""),
    ]
    shown = read(known)
    assert shown.tags.count("article") == 4
    assert "login.example.com, b.example.com" in shown.text
    assert shown.text.count("Ask who ordered it.") == 4
    assert "Next: Look at CAA." in shown.text


def test_information_beside_what_is_worse_adds_no_step() -> None:
    known = state()
    info = {"type": AlertType.NEW_CERTIFICATE, "severity": Severity.INFO}
    known.alerts = [
        alert(1),
        alert(
            2, **info, certificate=f"{1:016x}", summary="It came.", next_step="Look."
        ),
    ]
    shown = read(known)
    assert "It came." in shown.text
    assert "Look." not in shown.text


def test_what_has_no_card_is_in_a_table() -> None:
    known = state()
    known.alerts = [alert(number) for number in range(1, 62)]
    shown = read(known)
    assert shown.tags.count("article") == 50
    assert "11 further alerts" in shown.text
    assert all(one.id in shown.text for one in known.alerts)


def test_what_is_over_needs_no_attention() -> None:
    known = state()
    ended = "2026-11-21T11:00:00"
    ending = {"type": AlertType.CERTIFICATE_EXPIRING, "severity": Severity.HIGH}
    known.alerts = [
        alert(1, not_after=ended, **ending),
        alert(2, acknowledged=ended),
    ]
    shown = read(known)
    assert shown.tags.count("article") == 0
    assert "2 alerts" in shown.text


def test_many_of_the_first_run_are_summed_up() -> None:
    known = state()
    known.alerts = [alert(number, is_baseline=True) for number in range(1, 32)]
    high = {"severity": Severity.HIGH, "type": AlertType.REVOKED}
    known.alerts.append(alert(40, is_baseline=True, **high))
    shown = read(known)
    assert "criticalCA that is not authorisedOther CA31" in shown.text
    assert "further line" not in shown.text
    known.alerts += [
        alert(100 + number, is_baseline=True, issuer=f"CA {number}")
        for number in range(11)
    ]
    assert "and 3 further lines." in read(known).text
    assert all(one.id in shown.text for one in known.alerts[:32])


def test_figures_count_what_is_open() -> None:
    text = read().text
    # One card; one certificate of another CA ends in five days; three, of which one
    # has expired.
    for figure in (
        "1critical",
        "0high",
        "1due for renewal",
        "2valid certificates",
        "2sub-domains",
        "1dangling sub-domains",
    ):
        assert figure in text


def test_the_expiry_calendar_names_what_ends_next() -> None:
    shown = read()
    assert "2026-11-26: 1 certificate ends, 1 not replaced" in shown.values("title")
    assert "urgent" in " ".join(shown.values("class")).split()
    row = shown.text[shown.text.index("Due for renewal") :]
    assert re.search(r"\b4 ?2026-11-26 ?h2\.example\.com", row)


def test_the_timeline_is_drawn_and_told() -> None:
    shown = read()
    (label,) = shown.values("aria-label")
    assert label == (
        "Certificates issued in each month from 2025-01 to 2026-11, by issuer"
    )
    assert len([one for one in shown.values("fill") if one == "url(#s1)"]) == 2
    assert "2026-11 Ours: 1 Other CA: 1" in shown.text
    assert "The same by year, as a table" in shown.text


def test_a_dangling_name_is_told_apart() -> None:
    assert "old.example.com leads to gone.cloud.example" in read().text


def test_links_lead_to_the_certificate() -> None:
    links = set(read().values("href"))
    assert links == {LINK}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_strangers_write_text_alone(text: str) -> None:
    plain = read(hostile("stranger"))
    shown = read(hostile(text))
    allowed = {*plain.tags, "details", "summary", "b"}
    assert set(shown.tags) <= allowed
    assert {name for name, _ in shown.attributes} <= {
        *(name for name, _ in plain.attributes),
        "open",
    }
    assert not shown.values("href")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f]", shown.text)


def test_a_text_of_a_stranger_is_shown_as_it_is() -> None:
    for text in HOSTILE[:5]:
        assert text in read(hostile(text)).text


def test_the_page_needs_nothing_else() -> None:
    content = page(made())
    shown = Reader(content)
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(shown.tags)
    assert not shown.values("src")
    assert not re.search(r"@import|url\((?!#)", content)
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    assert any(value.startswith(policy) for value in shown.values("content"))


def test_thousands_of_certificates_are_all_on_the_page() -> None:
    issuers = [Issuer(organisation=f"CA {number}") for number in range(12)]
    known = DomainState(
        "example.com",
        certificates=[
            certificate(
                number,
                issuer=issuers[number % 12],
                not_before=f"{2015 + number % 12}-{1 + number % 11:02d}-01T00:00:00",
                not_after=f"{2016 + number % 12}-{1 + number % 11:02d}-01T00:00:00",
            )
            for number in range(3000)
        ],
    )
    # Not `made`: the schema takes longer than all else.
    content = page(report([known], FACTS, NOON))
    assert len(set(re.findall(r"\bh\d+\.example\.com\b", content))) == 3000
