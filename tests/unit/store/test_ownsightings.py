"""What the daemon saw for watched domains: written with a batch, read in order."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ctmonitor.errors import StoreError
from ctmonitor.model.batch import Cursor
from ctmonitor.model.own import Claim, Issuer, OwnSighting, OwnSource
from tests.unit.store.making import FEED, NOON, Place, finding
from tests.unit.store.watching import DOMAIN, seen


def test_a_sighting_comes_back_as_it_was_recorded(place: Place) -> None:
    claim = Claim(
        OwnSource.LOGS,
        (f"*.{DOMAIN}", DOMAIN),
        ("log:7", "other:9"),
        all_names=("O=\u202e \x00 \ud800", "b\u00fccher.example"),
        issuer=Issuer("DN", "id", "Org", 7, ("a.org", "b.org"), "mail@a.org"),
        serial="3ab",
        tbs_sha256="aa" * 32,
        cert_sha256="bb" * 32,
        key_sha256="cc" * 32,
        not_before="2026-11-21T12:00:00",
        not_after="2027-11-21T12:00:00",
        logged="2026-11-21T12:00:00",
        is_revoked=False,
        link="https://crt.sh/?sha256=bb",
    )
    with place.open() as store:
        assert store.record([], own=[OwnSighting(DOMAIN, claim)]) == []
        (found,) = store.own_sightings().after(0, [DOMAIN], 9)
    assert found == OwnSighting(DOMAIN, claim, found.number)
    assert found.number > 0


def test_the_same_entry_of_a_log_is_one_sighting(place: Place) -> None:
    other = "example.org"
    sightings = [seen("l:1"), seen("l:1"), seen("l:2"), seen("l:1", domain=other)]
    with place.open() as store:
        for _ in range(2):
            store.record([], own=sightings)
        # A feed that tells no entries: what it says is what is compared.
        store.record([], own=[seen(name=f"a.{DOMAIN}"), seen(name=f"a.{DOMAIN}")])
        store.record([], own=[seen(name=f"b.{DOMAIN}")])
        found = store.own_sightings().after(0, [DOMAIN, other], 99)
    told = [(each.domain, each.claim.ids, each.claim.names[0]) for each in found]
    assert told == [
        (DOMAIN, ("l:1",), f"www.{DOMAIN}"),
        (DOMAIN, ("l:2",), f"www.{DOMAIN}"),
        (other, ("l:1",), f"www.{other}"),
        (DOMAIN, (), f"a.{DOMAIN}"),
        (DOMAIN, (), f"b.{DOMAIN}"),
    ]


def test_what_an_entry_says_of_its_key_is_kept_beside_a_poorer_sighting(
    place: Place,
) -> None:
    """A lite feed tells no key, and the log, which does, is read later."""
    poor = seen("l:1")
    rich = replace(poor, claim=replace(poor.claim, key_sha256="cc" * 32))
    with place.open() as store:
        for sighting in (poor, rich, poor, rich):
            store.record([], own=[sighting])
        found = store.own_sightings().after(0, [DOMAIN], 9)
    assert [each.claim.key_sha256 for each in found] == ["", "cc" * 32]


def test_they_are_read_in_pieces_by_domain(place: Place) -> None:
    domains = [f"d{number % 3}.example" for number in range(9)]
    with place.open() as store:
        own = [seen(f"l:{n}", domain=domain) for n, domain in enumerate(domains)]
        store.record([], own=own)
        sightings = store.own_sightings()
        assert sightings.after(0, [], 9) == []
        wanted = ["d0.example", "d2.example"]
        at, read = 0, []
        while some := sightings.after(at, wanted, 4):
            assert len(some) <= 4
            at = some[-1].number
            read += some
    assert [each.claim.ids for each in read] == [
        (f"l:{n}",) for n, domain in enumerate(domains) if domain in wanted
    ]
    assert [each.number for each in read] == sorted(each.number for each in read)


def test_a_number_is_never_given_twice_whatever_was_removed(place: Place) -> None:
    """A mark that stands beyond the numbers would miss all that comes."""
    with place.open() as store:
        sightings = store.own_sightings()
        store.record([], own=[seen("l:1"), seen("l:2"), seen("l:3", domain="x.org")])
        last = sightings.after(0, [DOMAIN], 9)[-1].number
        assert sightings.forget(last - 1, [DOMAIN]) == 1
        assert sightings.forget(last, [DOMAIN]) == 1
        assert sightings.after(0, [DOMAIN], 9) == []
        ((_, other),) = place.sql("SELECT number, domain FROM ctm_own_sighting")
        assert other == "x.org"
        sightings.forget(999, ["x.org"])
    with place.open() as store:
        store.record([], own=[seen("l:4")])
        (found,) = store.own_sightings().after(last, [DOMAIN], 9)
    assert found.claim.ids == ("l:4",)


def test_sightings_are_written_with_their_batch_or_not_at_all(file: Place) -> None:
    with file.open() as store:
        file.sql("ALTER TABLE ctm_own_sighting RENAME TO away")
        batch = ([finding("a.example")], (), Cursor(FEED, "7"))
        with pytest.raises(StoreError):
            store.record(*batch, own=[seen("l:1")])
        assert file.count("CertMon") == 0
        assert store.cursor(FEED) is None
        file.sql("ALTER TABLE away RENAME TO ctm_own_sighting")
        store.record(*batch, own=[seen("l:1")])
        assert file.count("CertMon") == file.count("ctm_own_sighting") == 1


def test_what_nobody_takes_up_is_removed_by_its_age(place: Place) -> None:
    with place.open(now=lambda: NOON) as store:
        store.record([], own=[seen(f"l:{n}") for n in range(1001)])
    with place.open(now=lambda: NOON + timedelta(days=1)) as store:
        store.record([], own=[seen("l:new"), seen("l:x", domain="x.org")])
        sightings = store.own_sightings()
        assert sightings.forget_old(NOON) == 0
        assert sightings.forget_old(NOON + timedelta(hours=1)) == 1001
        (left,) = sightings.after(0, [DOMAIN], 9)
        assert left.claim.ids == ("l:new",)
        assert sightings.forget_old(NOON + timedelta(days=2)) == 2
