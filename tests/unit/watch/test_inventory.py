"""Claims of all sources become one certificate an issuance."""

import json
from dataclasses import replace
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.model.dn import issuer_of
from ctmonitor.model.own import (
    Claim,
    DomainState,
    Issuer,
    Mark,
    OwnCertificate,
    OwnSource,
    Typosquat,
)
from ctmonitor.sources.ownsource import Answer
from ctmonitor.watch.inventory import take, take_typosquat
from tests.data import shared
from tests.unit.watch.issuing import (
    DIGICERT,
    FIRST,
    LETS_ENCRYPT,
    SECOND,
    THIRD,
    certspotter,
    claim,
    crtsh,
    run,
    spotted,
    watched,
)


def taken(*answers: Answer) -> DomainState:
    state = DomainState("example.com")
    for number, answer in enumerate(answers):
        take(state, answer, f"2026-01-{number + 1:02}T00:00:00")
    return state


def old(*names: str, number: int = 1, **facts: object) -> Claim:
    """A row of crt.sh as it was before 2021: without serial number."""
    return claim(*names, number=number, serial="", **facts)


# Joining


def test_precertificate_and_certificate_of_old_rows_are_one():
    """Two ids of crt.sh, no serial number: issuer, validity and names tell."""
    state = taken(crtsh(old(ids=("5",)), old(ids=("7",), logged="2026-01-01T00:00:00")))
    (certificate,) = state.certificates
    assert certificate.seen_by[OwnSource.CRTSH].ids == ["5", "7"]


def test_the_halves_of_two_sources_are_one_by_serial_and_issuer():
    named_otherwise = issuer_of("CN=R11,O=LET'S  ENCRYPT,C=US")
    state = taken(crtsh(claim()), certspotter(spotted(issuer=named_otherwise)))
    (certificate,) = state.certificates
    assert certificate.tbs_sha256 == f"{1:064x}"
    assert certificate.key_sha256 == "ab" * 32
    assert certificate.issuer.ca_id == 1
    assert [seen.ids for seen in certificate.seen_by.values()] == [["1001"], ["1001"]]
    assert certificate.seen_by[OwnSource.CRTSH].first_seen == "2026-01-01T00:00:00"
    assert certificate.seen_by[OwnSource.CERTSPOTTER].first_seen > "2026-01-01T00:00:00"


def test_without_a_serial_number_issuer_validity_and_names_join():
    """Cert Spotter that gives no certificate knows no serial number."""
    assert len(taken(crtsh(claim()), certspotter(spotted(serial=""))).certificates) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"tbs_sha256": "9" * 64},
        {"tbs_sha256": "9" * 64, "ids": ("2",), "serial": "77"},
    ],
    ids=["all else equal", "nothing else equal"],
)
def test_hashes_that_differ_keep_apart(other):
    state = taken(certspotter(spotted(), replace(spotted(), **other)))
    assert len(state.certificates) == 2


def test_serial_numbers_of_one_issuer_keep_apart():
    """DigiCert counts in days: two on one day for one name differ by serial alone."""
    rows = [claim(number=n, issuer=DIGICERT) for n in (1, 2)]
    assert len(taken(crtsh(*rows)).certificates) == 2


def test_the_same_serial_number_of_two_issuers_is_two():
    state = taken(crtsh(claim(), claim(ids=("2",), issuer=DIGICERT)))
    assert len(state.certificates) == 2


@pytest.mark.parametrize(
    "rows",
    [
        [{"names": ("a.example.com",)}, {"names": ("b.example.com",)}],
        [{"not_after": "2026-03-01T00:00:00"}, {"not_after": "2026-03-02T00:00:00"}],
        [{"issuer": LETS_ENCRYPT}, {"issuer": DIGICERT}],
        [{"not_before": ""}, {"not_before": ""}],
        [{"issuer": Issuer()}, {"issuer": Issuer()}],
    ],
    ids=["names", "validity", "issuer", "no validity", "no issuer"],
)
def test_old_rows_that_differ_or_know_too_little_are_two(rows):
    given = [replace(old(number=n), **row) for n, row in enumerate(rows)]
    assert len(taken(crtsh(*given)).certificates) == 2


def test_a_claim_that_fits_two_makes_them_one():
    """One is known by hash, the other by serial number; a third source knows both."""
    by_hash = spotted("a.example.com", serial="", not_before="")
    by_serial = claim("b.example.com")
    both = replace(spotted("a.example.com"), source=OwnSource.LOGS, ids=("log:1",))
    state = taken(crtsh(by_serial), certspotter(by_hash))
    assert len(state.certificates) == 2
    first = state.certificates[0].id
    changes = take(state, Answer(OwnSource.LOGS, (both,)), SECOND)
    (certificate,) = state.certificates
    assert certificate.id == first
    assert certificate.names == ["a.example.com", "b.example.com"]
    assert set(certificate.seen_by) == set(OwnSource)
    assert [change.certificate for change in changes] == [certificate]
    assert {"tbs_sha256", "names", "seen_by"} <= changes[0].learned


def test_alerts_of_what_was_merged_point_to_what_is_left():
    state = watched()
    run(state, SECOND, crtsh(claim("b.example.com")))
    run(state, SECOND, certspotter(spotted("a.example.com", serial="", not_before="")))
    both = replace(spotted("a.example.com"), source=OwnSource.LOGS)
    run(state, THIRD, Answer(OwnSource.LOGS, (both,)))
    (certificate,) = state.certificates
    assert {alert.certificate for alert in state.alerts} == {certificate.id}


def test_hashes_go_to_one_certificate_each_where_a_second_has_several():
    """DigiCert's of one day; Cert Spotter tells no serial numbers."""
    state = taken(crtsh(claim(number=1), claim(number=2)))
    bare = [spotted(number=number, serial="", ids=(f"c{number}",)) for number in (1, 2)]
    take(state, certspotter(*bare), SECOND)
    assert len({each.tbs_sha256 for each in state.certificates}) == 2
    assert len(state.certificates) == 2


def test_what_was_merged_stands_in_nobodys_way():
    bare = [spotted(number=number, serial="", ids=(f"c{number}",)) for number in (1, 2)]
    state = taken(certspotter(*bare), crtsh(claim("x.example.com")))
    assert len(state.certificates) == 3
    both = replace(spotted(), source=OwnSource.LOGS)
    second = claim(number=2, source=OwnSource.LOGS)
    take(state, Answer(OwnSource.LOGS, (both, second)), SECOND)
    assert sorted(each.serial for each in state.certificates) == ["5e1", "5e2"]


def test_what_is_gone_stands_in_nobodys_way():
    rows = [claim("x.example.com", number=number) for number in (1, 2)]
    state = taken(certspotter(spotted(serial="", not_before="")), crtsh(*rows))
    assert len(state.certificates) == 3
    both = replace(spotted(), source=OwnSource.LOGS)
    bare = spotted("x.example.com", number=2, serial="", source=OwnSource.LOGS)
    take(state, Answer(OwnSource.LOGS, (both, bare)), SECOND)
    assert len(state.certificates) == 2
    assert {each.tbs_sha256[-1] for each in state.certificates} == {"1", "2"}


def test_two_that_began_with_the_same_facts_have_two_ids():
    state = taken(crtsh(old("a.example.com", ids=("5",))))
    more = old("a.example.com", "b.example.com", ids=("5",))
    take(state, crtsh(more, old("a.example.com", ids=("6",))), SECOND)
    ids = [certificate.id for certificate in state.certificates]
    assert len(set(ids)) == 2


def test_rows_of_which_nothing_is_known_are_kept_by_their_id():
    bare = {"issuer": Issuer(), "serial": "", "not_before": "", "not_after": ""}
    state = taken(crtsh(claim(**bare), claim(number=2, **bare), claim(**bare)))
    assert len(state.certificates) == 2


def test_a_claim_without_id_and_keys_is_the_same_a_second_time():
    bare = claim(ids=(), issuer=Issuer(), serial="", not_before="")
    assert len(taken(crtsh(bare, bare), crtsh(bare)).certificates) == 1


def test_a_claim_without_names_is_left_out():
    state = taken(crtsh(Claim(OwnSource.CRTSH, (), ("4",)), claim()))
    assert [each.names for each in state.certificates] == [["www.example.com"]]


def test_python_org_of_2020():
    """
    1,597 rows. A precertificate and its certificate are two of them, and DigiCert's
    reissues of one order, which begin on the same midnight, are up to 26: without a
    serial number nothing tells them apart.
    """
    path = shared("apis/crtsh/python.org_2020-04_output_json.json")
    names: dict[int, list[str]] = {}
    rows = {}
    for row in json.loads(path.read_bytes()):
        rows[row["id"]] = row
        names.setdefault(row["id"], []).append(row["name_value"])
    claims = [
        Claim(
            OwnSource.CRTSH,
            tuple(names[number]),
            (str(number),),
            issuer=issuer_of(row["issuer_name"], row["issuer_ca_id"]),
            not_before=row["not_before"],
            not_after=row["not_after"],
        )
        for number, row in rows.items()
    ]
    state = DomainState("python.org")
    take(state, crtsh(*claims), FIRST)
    ids = [len(each.seen_by[OwnSource.CRTSH].ids) for each in state.certificates]
    assert sum(ids) == len(rows)
    assert len({each.id for each in state.certificates}) == len(state.certificates)
    assert (len(rows), len(ids), max(ids)) == (1597, 1227, 26)
    assert take(state, crtsh(*claims), SECOND) == []


# What a known certificate learns


@pytest.mark.parametrize(
    ("more", "learned"),
    [
        ({"is_revoked": True}, {"is_revoked"}),
        ({"is_revoked": False}, {"is_revoked"}),
        ({"key_sha256": "1" * 64}, {"key_sha256"}),
        ({"tbs_sha256": "1" * 64}, {"tbs_sha256"}),
        ({"cert_sha256": "1" * 64}, {"cert_sha256"}),
        ({"all_names": ("other.org",)}, {"all_names"}),
        ({"logged": "2025-12-20T00:00:00"}, {"logged"}),
        ({"ids": ("1001", "5000")}, {"ids"}),
        ({"names": ("a.example.com", "www.example.com")}, {"names"}),
        ({"issuer": replace(LETS_ENCRYPT, caa_domains=("a.org",))}, {"caa_domains"}),
        ({"issuer": replace(LETS_ENCRYPT, contact="mailto:a@b")}, {"contact"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, set) else "",
)
def test_what_a_known_one_learns_is_named_once(more, learned):
    state = taken(crtsh(claim()))
    (change,) = take(state, crtsh(replace(claim(), **more)), SECOND)
    assert (change.learned, change.is_new, change.is_silent) == (learned, False, False)
    assert take(state, crtsh(replace(claim(), **more)), THIRD) == []
    assert take(state, crtsh(claim()), THIRD) == []


def test_an_issuer_that_was_not_known_is_learned():
    state = taken(crtsh(claim(issuer=Issuer())))
    (change,) = take(state, crtsh(claim()), SECOND)
    assert change.learned == {"issuer", "ca_id"}
    assert state.certificates[0].issuer == LETS_ENCRYPT


def test_a_revocation_stays():
    state = taken(crtsh(claim(is_revoked=True)))
    assert take(state, crtsh(claim(is_revoked=False)), SECOND) == []
    assert state.certificates[0].is_revoked is True


def test_evidence_is_bounded():
    many = tuple(f"a{n}.example.org" for n in range(300))
    state = taken(crtsh(claim(all_names=many[:150]), claim(all_names=many)))
    assert len(state.certificates[0].all_names) == 200
    assert take(state, crtsh(claim(all_names=many)), SECOND) == []


# Marks and baseline


def test_the_first_answer_is_baseline_and_later_ones_are_new():
    state = DomainState("example.com")
    (change,) = take(state, crtsh(claim()), FIRST)
    assert (change.is_new, change.is_silent) == (True, True)
    assert change.certificate.is_baseline
    assert state.since == FIRST
    assert state.marks[OwnSource.CRTSH] == Mark("", FIRST, True, FIRST, FIRST)
    (change,) = take(state, crtsh(claim(), claim(number=2)), SECOND)
    assert (change.is_new, change.is_silent) == (True, False)
    assert not change.certificate.is_baseline
    mark = state.marks[OwnSource.CRTSH]
    assert (mark.since, mark.asked) == (FIRST, SECOND)


def test_a_domain_without_certificates_has_a_baseline_as_well():
    state = taken(crtsh())
    (change,) = take(state, crtsh(claim()), SECOND)
    assert change.is_new
    assert not change.is_silent


def test_a_source_switched_on_later_starts_at_its_own_mark():
    state = watched(claim())
    changes = take(state, certspotter(spotted(), spotted(number=2)), SECOND)
    assert [change.is_silent for change in changes] == [True, True]
    assert state.marks[OwnSource.CERTSPOTTER].since == SECOND
    assert state.since == FIRST
    (change,) = take(state, certspotter(spotted(number=3)), THIRD)
    assert not change.is_silent


def test_what_a_later_source_brought_without_a_word_is_told_when_it_is_due():
    """Cert Spotter stood in once; crt.sh would have told of that certificate."""
    state = watched(claim())
    take(state, certspotter(spotted(), spotted(number=2)), SECOND)
    changes = take(state, crtsh(claim(), claim(number=2)), THIRD)
    (late,) = [change for change in changes if change.is_new]
    assert late.certificate.serial == "5e2"
    assert not late.is_silent
    assert not late.certificate.is_baseline
    assert take(state, crtsh(claim(), claim(number=2)), "2026-01-04T00:00:00") == []


def test_what_all_sources_had_at_first_is_never_new():
    """crt.sh is late: it lists what Cert Spotter had in the first run already."""
    state = taken()
    take(state, crtsh(), FIRST)
    take(state, certspotter(spotted()), FIRST)
    (change,) = take(state, crtsh(claim()), SECOND)
    assert not change.is_new
    assert change.certificate.is_baseline


def test_an_answer_that_a_budget_cut_goes_on_as_baseline():
    state = taken()
    first = certspotter(spotted(), position="1001", is_complete=False)
    (change,) = take(state, first, FIRST)
    assert change.is_silent
    assert (state.since, state.marks[OwnSource.CERTSPOTTER].since) == ("", "")
    assert state.marks[OwnSource.CERTSPOTTER].position == "1001"
    (change,) = take(state, certspotter(spotted(number=2), position="1002"), SECOND)
    assert change.is_silent
    mark = state.marks[OwnSource.CERTSPOTTER]
    assert mark == Mark("1002", SECOND, False, SECOND, SECOND)


def test_a_rereading_that_was_cut_moves_no_mark_back():
    state = taken(certspotter(spotted(number=9), position="1009"))
    cut = certspotter(spotted(), position="1001", is_complete=False)
    take(state, cut, SECOND)
    assert state.marks[OwnSource.CERTSPOTTER].position == "1009"
    take(state, certspotter(spotted(number=10), position="1010"), SECOND)
    assert state.marks[OwnSource.CERTSPOTTER].position == "1010"


def test_a_capped_answer_of_crtsh_is_a_baseline():
    """Nothing ever completes it: domains of more than 10,000 rows would stay mute."""
    capped = {"is_complete": False}
    state = taken(crtsh(claim(), **capped))
    assert not state.marks[OwnSource.CRTSH].is_full
    since = state.marks[OwnSource.CRTSH].since
    assert since
    told_late = claim(number=2, logged="2025-12-30T00:00:00")
    left_out = claim(number=3, logged="2025-12-20T00:00:00")
    changes = take(state, crtsh(told_late, left_out, **capped), SECOND)
    assert [change.is_silent for change in changes] == [False, True]


def test_what_is_new_by_its_first_claim_is_new():
    state = taken(crtsh(claim(), is_complete=False))
    rows = [
        claim(number=2, ids=("7",), logged="2025-12-30T00:00:00"),
        claim(number=2, ids=("8",), logged="2025-12-20T00:00:00"),
    ]
    (change,) = take(state, crtsh(*rows, is_complete=False), SECOND)
    assert change.is_new
    assert not change.is_silent
    assert not change.certificate.is_baseline


def test_a_full_answer_after_one_without_expired_ones():
    ended = {"not_before": "2020-01-01T00:00:00", "not_after": "2020-03-01T00:00:00"}
    state = taken(crtsh(claim(), is_full=False))
    changes = take(state, crtsh(claim(number=2, **ended), claim(number=3)), SECOND)
    assert [change.is_silent for change in changes] == [True, False]
    assert state.marks[OwnSource.CRTSH].is_full
    (change,) = take(state, crtsh(claim(number=4, **ended)), THIRD)
    assert not change.is_silent


def test_the_bare_id_of_an_older_program_is_a_mark():
    """What is not behind it was told by that program; what is behind it was not."""
    state = DomainState("example.com")
    state.marks[OwnSource.CERTSPOTTER] = Mark(position="01002", since=FIRST)
    answer = certspotter(spotted(number=1), spotted(number=2), spotted(number=3))
    changes = take(state, answer, SECOND)
    assert [change.is_silent for change in changes] == [True, True, False]
    assert state.since == SECOND


def test_what_is_read_again_behind_such_a_mark_is_baseline():
    """First what is new, then all from the beginning, which has no position."""
    state = DomainState("example.com")
    state.marks[OwnSource.CERTSPOTTER] = Mark(position="1002", since=FIRST)
    (change,) = take(state, certspotter(spotted(number=3), position="1003"), SECOND)
    assert not change.is_silent
    all_of_it = [spotted(number=number) for number in (1, 2, 3)]
    changes = take(state, certspotter(*all_of_it, position=""), SECOND)
    assert [change.is_silent for change in changes] == [True, True]
    assert state.marks[OwnSource.CERTSPOTTER].position == "1003"


def test_ids_that_are_no_numbers_are_behind_a_mark():
    state = DomainState("example.com")
    state.marks[OwnSource.CERTSPOTTER] = Mark(position="1002", since=FIRST)
    (change,) = take(state, certspotter(spotted(ids=("abc",))), SECOND)
    assert not change.is_silent


def test_a_permutation_is_baseline_when_it_is_asked_for_first():
    squat = Typosquat("omission")
    (change,) = take_typosquat(squat, crtsh(claim("www.exmple.com")), FIRST)
    assert change.is_silent
    assert squat.asked == FIRST
    more = crtsh(claim("www.exmple.com"), claim("exmple.com", number=2))
    (change,) = take_typosquat(squat, more, SECOND)
    assert not change.is_silent
    assert len(squat.certificates) == 2


def test_of_a_permutation_nothing_is_kept_that_has_ended():
    """`exampl.com` may be a large site of others, with thousands a year."""
    squat = Typosquat("omission")
    ended = [
        claim("exmple.com", number=number, not_after="2025-12-31T00:00:00")
        for number in range(2, 9)
    ]
    for now in (FIRST, SECOND):
        take_typosquat(squat, crtsh(*ended, claim("exmple.com")), now)
        assert [each.serial for each in squat.certificates] == ["5e1"]
    take_typosquat(squat, crtsh(), "2026-04-01T00:00:00")
    assert squat.certificates == []


# Properties

_NAMES = [f"{label}.example.com" for label in ("a", "b", "c", "*")]
_FORMS = ["row", "old row", "spotted", "spotted bare", "logs"]


def told(form: str, number: int, day: int, names: list[str]) -> Claim:
    """One true certificate, as a source or an age of it tells of it."""
    spotter = form.startswith("spotted")
    knows_hash = spotter or form == "logs"
    source = OwnSource.CRTSH
    if spotter:
        source = OwnSource.CERTSPOTTER
    elif form == "logs":
        source = OwnSource.LOGS
    return Claim(
        source,
        tuple(names),
        ids=(f"{number}", f"{number + 500}") if form == "row" else (f"{number}",),
        all_names=("z.example.org", *names) if knows_hash else (),
        issuer=LETS_ENCRYPT if number % 2 else DIGICERT,
        serial="" if form in {"old row", "spotted bare"} else f"{number:x}",
        tbs_sha256=f"{number:064x}" if knows_hash else "",
        key_sha256=f"{number:064x}" if knows_hash else "",
        not_before=f"2026-01-{day:02}T00:00:00",
        not_after="2026-03-01T00:00:00",
        logged=f"2026-01-{day:02}T01:00:0{_FORMS.index(form)}",
        is_revoked=number % 3 == 0 if spotter else None,
    )


def facts(certificate: OwnCertificate) -> str:
    """All of a certificate that must not depend on the order of its claims."""
    seen = {source: each.ids for source, each in certificate.seen_by.items()}
    known = replace(certificate, id="", first_seen="", is_baseline=False, seen_by={})
    return msgspec.json.encode([known, seen], order="sorted").decode()


def answers_of(claims: list[Claim]) -> list[Answer]:
    """Each run of one source's claims as one answer."""
    found: list[Answer] = []
    for each in claims:
        if found and found[-1].source is each.source:
            claims_so_far = (*found[-1].claims, each)
            found[-1] = Answer(each.source, claims_so_far)
        else:
            found.append(Answer(each.source, (each,)))
    return found


_NAME_SETS = st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3, unique=True)


@st.composite
def tellings(draw: st.DrawFn) -> tuple[list[Claim], list[Claim]]:
    """Claims of certificates that differ in validity, and the same in another order."""
    claims = [
        told(form, number, number, names)
        for number, names in enumerate(
            draw(st.lists(_NAME_SETS, min_size=1, max_size=5)), start=1
        )
        for form in draw(st.lists(st.sampled_from(_FORMS), min_size=1, max_size=6))
    ]
    return draw(st.permutations(claims)), draw(st.permutations(claims))


@given(tellings())
def test_order_of_claims_and_sources_changes_nothing(two):
    left, right = (taken(*answers_of(each)) for each in two)
    serials = {each.ids[0] for each in two[0]}
    assert len(left.certificates) == len(serials)
    known = [sorted(map(facts, each.certificates)) for each in (left, right)]
    assert known[0] == known[1]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["row", "old row", "spotted", "logs"]),
            st.sampled_from([1, 3, 5]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_certificates_of_one_second_are_as_many_in_any_order(claims):
    """They have issuer, validity and names in common, which is all old rows tell."""
    given_claims = [told(form, number, 1, ["a.example.com"]) for form, number in claims]
    certain = {number for form, number in claims if form != "old row"}
    state = taken(*answers_of(given_claims))
    assert len(state.certificates) == max(1, len(certain))


@given(tellings(), st.integers(1, 4))
def test_the_same_answer_twice_changes_nothing_and_tells_nothing(two, size):
    answers = answers_of(two[0])[:size]
    state = taken(*answers)
    before = msgspec.json.encode(state.certificates)
    for answer in answers:
        assert take(state, answer, "2026-02-01T00:00:00") == []
    assert msgspec.json.encode(state.certificates) == before


@given(tellings())
def test_a_state_that_was_kept_as_text_goes_on_the_same(two):
    answers = answers_of(two[0])
    state = DomainState("example.com")
    for number, answer in enumerate(answers):
        take(state, answer, f"2026-01-{number + 1:02}T00:00:00")
        state = msgspec.json.decode(msgspec.json.encode(state), type=DomainState)
    assert sorted(map(facts, state.certificates)) == sorted(
        map(facts, taken(*answers).certificates)
    )


def test_merging_is_symmetric():
    forms = [told(form, 1, 1, ["a.example.com", "b.example.com"]) for form in _FORMS]
    ways = [taken(*answers_of(list(order))) for order in permutations(forms)]
    assert {len(state.certificates) for state in ways} == {1}
    assert len({facts(state.certificates[0]) for state in ways}) == 1


_HOSTILE = st.builds(
    Claim,
    st.sampled_from(OwnSource),
    st.lists(st.sampled_from(_NAMES), max_size=2).map(tuple),
    ids=st.lists(st.sampled_from(["", "1", "2", "\ud800", "9" * 5000])).map(tuple),
    all_names=st.lists(st.text(max_size=4), max_size=2).map(tuple),
    issuer=st.sampled_from([LETS_ENCRYPT, DIGICERT, Issuer(), Issuer(dn="\udcff")]),
    serial=st.sampled_from(["", "1", "2"]),
    tbs_sha256=st.sampled_from(["", "a", "b"]),
    not_before=st.sampled_from(["", "2026-01-01T00:00:00", "nonsense"]),
    not_after=st.sampled_from(["", "2026-01-01T00:00:00", "nonsense"]),
    logged=st.sampled_from(["", "2026-01-01T00:00:00"]),
    is_revoked=st.sampled_from([None, True, False]),
)


@given(
    st.lists(
        st.tuples(
            st.lists(_HOSTILE, max_size=4), st.booleans(), st.text("0a9", max_size=3)
        ),
        max_size=4,
    )
)
def test_claims_that_contradict_each_other_do_no_harm(rounds):
    state = DomainState("example.com")
    for number, (claims, is_complete, position) in enumerate(rounds):
        answer = Answer(
            OwnSource.CERTSPOTTER, tuple(claims), position, is_complete=is_complete
        )
        take(state, answer, f"2026-01-0{number + 1}T00:00:00")
    ids = [certificate.id for certificate in state.certificates]
    assert len(set(ids)) == len(ids)
    assert all(certificate.names for certificate in state.certificates)
