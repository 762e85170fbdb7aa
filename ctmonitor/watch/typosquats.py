"""
Names that look like a watched domain: which there are, who registered one, whose turn
it is to be asked for.

Source: dnstwist, of which the `Fuzzer` alone is used: its `run` changes signals and
arguments of the whole program.
"""

import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import idna

from ctmonitor.model.own import DomainState, Typosquat
from ctmonitor.model.site import DnsState
from ctmonitor.model.suffix import suffixes
from ctmonitor.scan.dnsmessage import Answer
from ctmonitor.watch.lookup import Lookup

# With two look-alike characters; a label of some 20 characters in .com has as many. The
# longest would have 70,000, which take 15 seconds to make and weeks to ask for.
_MOST_HOMOGLYPHS = 25_000
_HOMOGLYPH = "homoglyph"
_KINDS = (  # of names that look alike in several ways, the first says how
    "addition",
    "bitsquatting",
    "cyrillic",
    _HOMOGLYPH,
    "hyphenation",
    "insertion",
    "omission",
    "plural",
    "repetition",
    "replacement",
    "subdomain",
    "transposition",
    "vowel-swap",
    "various",
)


def permutations(domain: str, own: Collection[str] = ()) -> dict[str, str]:
    """
    Names that look like `domain`, with dnstwist's word for how; A-labels, sorted.

    Args:
        domain: as of `watched_domain`.
        own: domains that are watched; they and what lies in them is left out.
    """
    labels = domain.split(".")
    at = suffixes().split(labels).at
    if at == 0:
        return {}  # all of it is a public suffix
    fuzzer = _fuzzer()("x.test")
    # It knows few of the suffixes with two labels, and takes `gouv.fr` for a domain.
    fuzzer.subdomain = ".".join(labels[: at - 1])
    fuzzer.domain = _unicode(labels[at - 1])
    fuzzer.tld = ".".join(labels[at:])
    singles = set(_one_look_alike(fuzzer))
    has_pairs = len(singles) ** 2 / 2 <= _MOST_HOMOGLYPHS
    found: dict[str, str] = {}
    for kind in _KINDS:
        if kind == _HOMOGLYPH and not has_pairs:
            names = (_ascii([fuzzer.subdomain, one, fuzzer.tld]) for one in singles)
            found |= dict.fromkeys(filter(None, names), kind) | found
            continue
        fuzzer.generate([kind])
        for each in fuzzer.domains:
            found.setdefault(each["domain"], kind)
    left_out = {domain, *own}
    return {name: found[name] for name in sorted(found) if _is_others(name, left_out)}


async def registered(names: Sequence[str], lookup: Lookup) -> dict[str, bool | None]:
    """
    Whether somebody has registered each name; None where nobody can tell now.

    A name with name servers is, or one inside a zone that is. What was not asked stays
    out: behind a proxy, or when no name server answers.
    """
    if not lookup.can_ask:
        return {}
    found = await lookup.answers(names, lookup.nameservers)
    return {name: _is_registered(answer) for name, answer in found.items()}


def take_up(state: DomainState, kinds: Mapping[str, str]) -> None:
    """Notes permutations that are new; forgets what is none now and never had any."""
    for name, kind in kinds.items():
        state.typosquats.setdefault(name, Typosquat(kind))
    for name in state.typosquats.keys() - kinds.keys():
        if not state.typosquats[name].certificates:
            del state.typosquats[name]


async def look_up(
    state: DomainState, lookup: Lookup, now: str, fresh_from: str = ""
) -> None:
    """
    Asks who is registered, and notes it; what was known stays where nobody can tell.

    Args:
        now: UTC text.
        fresh_from: names that were looked up at this time, or later, are left alone;
            empty: all are looked up.
    """
    squats = state.typosquats
    due = [
        name
        for name, each in squats.items()
        if not (fresh_from and each.checked >= fresh_from)
    ]
    for name, is_registered in (await registered(due, lookup)).items():
        squats[name].checked = now
        if is_registered is not None:
            squats[name].is_registered = is_registered


def order(state: DomainState, fresh_from: str = "") -> list[str]:
    """
    Whose turn it is: registered ones first, then what may be; among them those that
    were never asked for, then those that were asked longest ago, with or without an
    answer.

    A run that ends in the middle is so taken up by the next, and a few names for which
    no source ever answers hold up no others.

    Args:
        fresh_from: names that were asked at this time (UTC text), or later, are left
            out, so that others have their turn; empty: none is.
    """
    rank = {True: 0, None: 1, False: 2}
    squats = state.typosquats
    return sorted(
        (
            name
            for name, each in squats.items()
            if not (fresh_from and each.asked >= fresh_from)
        ),
        key=lambda name: (
            rank[squats[name].is_registered],
            max(squats[name].asked, squats[name].failed),
            name,
        ),
    )


@cache
def _fuzzer() -> Any:  # it ships no types
    # When loaded it gives all sockets of the program a time limit.
    before = socket.getdefaulttimeout()
    try:
        from dnstwist import Fuzzer
    finally:
        socket.setdefaulttimeout(before)
    return Fuzzer


def _one_look_alike(fuzzer: Any) -> Iterator[str]:
    """The label with one look-alike, as in `Fuzzer`, whose own has one or two."""
    label = fuzzer.domain
    by_suffix = fuzzer.glyphs_idn_by_tld.get(fuzzer.tld, fuzzer.glyphs_unicode)
    for table in (fuzzer.glyphs_ascii, by_suffix):
        for looks_like, glyphs in table.items():
            at = label.find(looks_like)
            while at >= 0:
                for glyph in glyphs:
                    yield label[:at] + glyph + label[at + len(looks_like) :]
                at = label.find(looks_like, at + 1)


def _unicode(label: str) -> str:
    try:
        return idna.decode(label)
    except (idna.IDNAError, UnicodeError):
        return label  # with an underscore, say


def _ascii(parts: Sequence[str]) -> str:
    try:
        return idna.encode(".".join(filter(None, parts))).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return ""


def _is_others(name: str, own: Collection[str]) -> bool:
    """Whether a permutation is a name that somebody else can have."""
    labels = name.split(".")
    if suffixes().split(labels).at == 0:
        return False
    return not any(".".join(labels[at:]) in own for at in range(len(labels)))


def _is_registered(answer: Answer) -> bool | None:
    if answer.state is DnsState.FOUND or answer.cnames:
        return True
    if answer.state is DnsState.NXDOMAIN:
        return False
    # It exists, but is no zone. Where all names below a suffix exist, as in some
    # countries, that says nothing.
    if answer.state is DnsState.NO_ADDRESS and answer.zone:
        return True if suffixes().split(answer.zone.split(".")).at > 0 else None
    return None
