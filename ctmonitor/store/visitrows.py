"""Hosts and visits as rows of the scanner's tables, and back. No I/O."""

from typing import Any

from sqlalchemy import Row

from ctmonitor.model.clock import from_utc_text
from ctmonitor.model.followup import DueHost, HostState, Visit
from ctmonitor.model.site import Presence
from ctmonitor.store.rows import text
from ctmonitor.store.schema import STOP_CHECKING, json_text, moment_text

_MAX_RECORD_CHARACTERS = 64 * 1024

# Columns of a host that nobody visits now, and of one that nobody ever visited.
FREE: dict[str, Any] = {"lease_until": "", "lease_owner": ""}
NEVER_VISITED: dict[str, Any] = {
    "presence": Presence.UNKNOWN.value,
    "pending": "",
    "first_up": None,
    "last_visit": "",
    "visits": 0,
    "content": "",
}


def is_given_up(still_investig: str | None) -> bool:
    """True when the promised column says that the host is not followed any more."""
    return (still_investig or "").startswith(STOP_CHECKING)


def due_host(row: Row[Any]) -> DueHost:
    """The host of a row of ctm_followup with the promised columns beside it."""
    state = HostState(
        presence=Presence(row.presence),
        pending=Presence(row.pending) if row.pending else None,
        first_up=from_utc_text(row.first_up),
        last_visit=from_utc_text(row.last_visit),
        visits=row.visits,
        content=row.content,
    )
    came_up = from_utc_text(row.StillInvestig)
    if not row.visits and came_up is not None:
        # The old program saw it up, and told it.
        state = HostState(presence=Presence.UP, first_up=came_up)
    return DueHost(
        domain=row.Domain,
        fingerprint=row.Fingerprint or "",
        first_seen=from_utc_text(row.FirstSeen),
        still_investig=row.StillInvestig,
        state=state,
    )


def row_after(visit: Visit) -> dict[str, Any]:
    """The columns of ctm_followup that a visit changes; nobody has the host then."""
    state = visit.state
    return FREE | {
        "next_visit": moment_text(visit.next_visit),
        "presence": state.presence.value,
        "pending": state.pending.value if state.pending else "",
        "first_up": moment_text(state.first_up),
        "last_visit": moment_text(state.last_visit) or "",
        "visits": state.visits,
        "content": text(state.content),
    }


def history_row(host_id: int, visit: Visit) -> dict[str, Any]:
    """A visit by the columns of ctm_visit."""
    record = json_text(visit.record)
    if len(record) > _MAX_RECORD_CHARACTERS:
        # It stays JSON; what is cut off stands in the alert.
        record = json_text({"begins": record[: _MAX_RECORD_CHARACTERS // 4]})
    return {
        "host_id": host_id,
        "at": moment_text(visit.report.finished),
        "presence": visit.report.presence.value,
        "events": ",".join(event.value for event in visit.events),
        "record": record,
    }
