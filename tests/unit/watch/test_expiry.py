"""When certificates end, and what stands in for them."""

import pytest

from ctmonitor.model.own import Issuer, OwnCertificate
from ctmonitor.watch.expiry import (
    Successors,
    counts,
    days_left,
    ending,
    is_expired,
    lifetime_s,
)

NOW = "2026-01-01T12:00:00"


def certificate(
    begin: str = "2025-11-01T00:00:00",
    end: str = "2026-01-30T00:00:00",
    *names: str,
    number: int = 1,
    is_revoked: bool | None = None,
) -> OwnCertificate:
    return OwnCertificate(
        id=str(number),
        first_seen=NOW,
        names=list(names or ("www.example.com",)),
        issuer=Issuer(),
        not_before=begin,
        not_after=end,
        is_revoked=is_revoked,
    )


@pytest.mark.parametrize(
    ("end", "has_ended"),
    [
        ("2026-01-01T11:59:59", True),
        ("2026-01-01T12:00:00", False),  # its last second is valid: RFC 5280 4.1.2.5
        ("2026-01-01T12:00:01", False),
        ("", False),
    ],
)
def test_expired_is_after_the_last_second(end, has_ended):
    assert is_expired(certificate(end=end), NOW) is has_ended


@pytest.mark.parametrize(
    ("begin", "end", "counting"),
    [
        ("2025-11-01T00:00:00", "2026-01-29T23:59:59", [14, 7]),  # 90 days
        ("2025-11-01T00:00:00", "2026-01-30T00:00:01", [30, 14, 7]),
        ("2025-11-01T00:00:00", "2025-12-17T23:59:59", [14, 7]),  # 47 days
        ("2025-11-01T00:00:00", "2026-12-03T23:59:59", [30, 14, 7]),  # 398 days
        ("2026-01-01T00:00:00", "2026-01-07T15:59:59", []),  # 160 hours
        ("", "2026-01-07T15:59:59", [30, 14, 7]),
    ],
    ids=["90 days", "90 days and 2 s", "47 days", "398 days", "6 days", "unknown"],
)
def test_a_threshold_counts_below_a_third_of_the_lifetime(begin, end, counting):
    found = [days for days in (30, 14, 7) if counts(days, certificate(begin, end))]
    assert found == counting


@pytest.mark.parametrize(
    ("end", "threshold"),
    [
        ("2026-01-31T12:00:01", None),
        ("2026-01-31T12:00:00", 30),
        ("2026-01-15T12:00:01", 30),
        ("2026-01-15T12:00:00", 14),
        ("2026-01-08T12:00:00", 7),
        ("2026-01-01T12:00:00", 7),
        ("2026-01-01T11:59:59", None),
        ("", None),
    ],
)
def test_the_tightest_threshold_that_was_crossed(end, threshold):
    found = ending([certificate(end=end)], (30, 7, 14, 7), NOW)
    assert [days for _, days in found] == ([threshold] if threshold else [])


@pytest.mark.parametrize("days", [(), (10**9,)], ids=["none", "endless"])
def test_odd_thresholds(days):
    assert len(ending([certificate()], days, NOW)) == len(days)


def test_times_that_cannot_be_read():
    odd = certificate("soon", "later")
    assert lifetime_s(odd) is None
    assert days_left(odd, NOW) == 0.0
    assert ending([odd], (30,), NOW) == []
    assert lifetime_s(certificate()) == 90 * 86400
    assert days_left(certificate(end="2026-01-02T00:00:00"), NOW) == 0.5


def until(*others: OwnCertificate, names: tuple[str, ...] = ("www.example.com",)):
    return Successors(others, lambda each: True, NOW).until(names)


LATER = "2026-03-01T00:00:00"


@pytest.mark.parametrize(
    ("covering", "names", "is_covered"),
    [
        (["a.x", "b.x"], ["a.x", "b.x"], True),
        (["a.x", "b.x", "c.x"], ["a.x", "b.x"], True),
        (["a.x"], ["a.x", "b.x"], False),
        (["*.x"], ["a.x", "b.x"], True),
        (["*.x"], ["a.x", "x"], False),
        (["*.x", "x"], ["a.x", "x"], True),
        (["*.x"], ["*.x"], True),
        (["a.x"], ["*.x"], False),
        (["*.x"], ["a.b.x"], False),
        (["*.b.x"], ["a.b.x"], True),
        (["*.b.x"], ["*.b.x", "a.b.x"], True),
        (["*.x"], ["*.b.x"], False),
    ],
)
def test_a_successor_has_all_names_or_a_wildcard_for_them(covering, names, is_covered):
    found = until(certificate(NOW, LATER, *covering), names=tuple(names))
    assert found == (LATER if is_covered else "")


def test_two_that_cover_together_are_no_successor():
    halves = [
        certificate(NOW, LATER, name, number=number)
        for number, name in enumerate(["a.x", "b.x"])
    ]
    assert until(*halves, names=("a.x", "b.x")) == ""


@pytest.mark.parametrize(
    ("other", "end"),
    [
        (certificate(NOW, LATER), LATER),
        (certificate("2026-01-01T12:00:01", LATER), ""),
        (certificate(NOW, "2026-01-01T11:59:59"), ""),
        (certificate(NOW, LATER, is_revoked=True), ""),
        (certificate(NOW, LATER, is_revoked=False), LATER),
    ],
    ids=["valid", "not yet", "ended", "revoked", "not revoked"],
)
def test_a_successor_is_valid_now(other, end):
    assert until(other) == end


def test_a_successor_is_ours():
    others = [certificate(NOW, LATER), certificate(NOW, "2026-02-01T00:00:00")]
    others[1].id = "2"
    found = Successors(others, lambda each: each.id == "2", NOW)
    assert found.until(["www.example.com"]) == "2026-02-01T00:00:00"


def test_the_latest_of_several_counts():
    ends = ["2026-02-01T00:00:00", LATER, "2026-01-20T00:00:00"]
    others = [certificate(NOW, end, number=n) for n, end in enumerate(ends)]
    assert until(*others) == LATER
