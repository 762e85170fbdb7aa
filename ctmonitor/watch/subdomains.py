"""Where the names below a watched domain lead, and which lead nowhere."""

from collections import Counter
from collections.abc import Mapping

from ctmonitor.model.own import OwnName
from ctmonitor.model.site import DnsState
from ctmonitor.scan.dnsmessage import Answer
from ctmonitor.watch.lookup import AROUND_PROXY, Lookup

_MOST_ADDRESSES = 32  # of one name; whoever serves it may list thousands
_SHOWN = 3


async def resolve(
    names: Mapping[str, OwnName],
    lookup: Lookup,
    now: str,
    *,
    domain: str = "",
    fresh_from: str = "",
    most: int = 10_000,
) -> list[str]:
    """
    Notes for people; what the name servers say is noted in `names`.

    What fails leaves addresses and alias as they were known last. Names that were never
    asked for come first, then those that were asked longest ago.

    Args:
        now: UTC text.
        domain: that the names lie in, for the notes.
        fresh_from: names that were asked at this time, or later, are left alone;
            empty: all are asked.
        most: names in one run; the rest comes in the next.
    """
    if not lookup.can_ask:
        for one in names.values():
            if not one.checked:
                one.dns = DnsState.NOT_APPLICABLE
        return lookup.once(AROUND_PROXY) if names else []
    due = [
        name
        for name, one in names.items()
        if not (fresh_from and one.checked >= fresh_from)
    ]
    due.sort(key=lambda name: names[name].checked)
    found = await lookup.answers(due[:most], lookup.addresses)
    for name, answer in found.items():
        _take_up(names[name], answer, now)
    notes: list[str] = []
    where = f"{domain}: " if domain else ""
    if failed := {name: one for name, one in found.items() if one.has_failed}:
        notes.append(where + _failures(failed, len(found)))
    if lookup.is_silent:
        notes += lookup.once(
            "no name server answers, so no more names are looked up in this run; see "
            "[SCAN] Resolver"
        )
    elif len(found) < len(due):
        notes.append(
            f"{where}{len(due) - len(found)} of {len(due)} sub-domains were not "
            "looked up; they come first in the next run"
        )
    return notes


def _take_up(one: OwnName, answer: Answer, now: str) -> None:
    one.checked = now
    one.dns = answer.state
    if answer.has_failed:
        return
    # Servers give them in another order each time, which is no change.
    one.addresses = sorted(set(answer.texts))[:_MOST_ADDRESSES]
    one.cname = answer.cnames[0] if answer.cnames else ""
    one.is_dangling = answer.state is DnsState.NXDOMAIN and bool(answer.cnames)


def _failures(failed: Mapping[str, Answer], asked: int) -> str:
    counts = Counter(answer.detail for answer in failed.values()).most_common(_SHOWN)
    reasons = ", ".join(f"{why} ({number})" for why, number in counts)
    shown = ", ".join(list(failed)[:_SHOWN])
    more = ", ..." if len(failed) > _SHOWN else ""
    of_all = f"{len(failed)} of {asked} sub-domains were not resolved"
    return f"{of_all} ({shown}{more}): {reasons}"
