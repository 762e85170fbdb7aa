"""
RDAP answers about domains and networks: dates, roles, contact cards.

Source: RFC 9083 sections 4.5 (events), 5.1 (entities), 5.3 (domains); RFC 7095 (jCard).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ctmonitor.errors import FormatError, SourceError
from ctmonitor.model.text import shortened
from ctmonitor.net.client import Answer
from ctmonitor.scan.lookup import RateLimited

ACCEPT = "application/rdap+json, application/json;q=0.5"

_MAX_DEPTH = 5  # entities within entities; registries use two
_MAX_ENTITIES = 200
_EMAIL = re.compile(r"[^\s@<>\"'(),:;\\\[\]]{1,64}@[^\s@<>\"'(),:;\\\[\]]{1,190}")


@dataclass(frozen=True, slots=True)
class Entity:
    """
    Somebody named in an answer.

    Args:
        roles: as `abuse` or `registrar`, in lower case.
        name, emails: from its card; bounded, printable.
        has_card: false when the registry left the card out.
        problem: why its card cannot be read; empty when it can, or is not there.
        inner: whom it names in turn.
    """

    handle: str = ""
    roles: frozenset[str] = frozenset()
    name: str = ""
    emails: tuple[str, ...] = ()
    has_card: bool = False
    problem: str = ""
    inner: tuple["Entity", ...] = ()


def content(answer: Answer) -> Any:
    """
    The JSON of an answer with status 200.

    Raises:
        RateLimited: the server wants fewer questions.
        SourceError: another status.
        FormatError: it is not JSON.
    """
    if answer.status == 429:
        raise RateLimited(f"{answer.url} answers HTTP 429", answer.retry_after_s)
    if answer.status != 200:
        raise SourceError(f"{answer.url} answers HTTP {answer.status}")
    found = answer.json()
    notices = found.get("notices") if isinstance(found, dict) else None
    for notice in notices if isinstance(notices, list) else ():
        # ARIN's way to say it, with status 200.
        if isinstance(notice, dict) and notice.get("title") == "Rate Limit Notice":
            raise RateLimited(f"{answer.url} answers with a Rate Limit Notice")
    return found


def an_object(answer: object, kind: str) -> Mapping[str, Any]:
    """
    `answer` as an RDAP object of the class `kind` (`domain`, `entity`).

    Raises:
        FormatError: it is something else, or an error in the form of an answer.
    """
    if not isinstance(answer, dict):
        raise FormatError(
            "not RDAP", f"an object expected, not {type(answer).__name__}"
        )
    found = answer.get("objectClassName")
    if found != kind:
        raise FormatError("not RDAP", f"no {kind}: {shortened(str(found))!r}")
    return answer


def entities(answer: Mapping[str, Any]) -> tuple[Entity, ...]:
    """
    Whom an answer names, in its order.

    Raises:
        FormatError: what it gives as entities is no list of objects.
    """
    return _entities(answer, _MAX_DEPTH)


def _entities(answer: Mapping[str, Any], depth: int) -> tuple[Entity, ...]:
    listed = answer.get("entities")
    if listed is None or depth == 0:
        return ()
    if not isinstance(listed, list) or not all(isinstance(e, dict) for e in listed):
        raise FormatError("not RDAP", "its entities are no list of objects")
    return tuple(entity(one, depth - 1) for one in listed[:_MAX_ENTITIES])


def entity(answer: Mapping[str, Any], depth: int = _MAX_DEPTH) -> Entity:
    """One entity; a card that cannot be read is its `problem`."""
    roles = answer.get("roles")
    handle = answer.get("handle")
    card = answer.get("vcardArray")
    name, problem = "", ""
    emails: tuple[str, ...] = ()
    if card is not None:
        try:
            name, emails = _card(card)
        except FormatError as exc:
            problem = str(exc)
    return Entity(
        handle=shortened(handle, 100) if isinstance(handle, str) else "",
        roles=frozenset(
            role.lower()
            for role in (roles if isinstance(roles, list) else ())
            if isinstance(role, str)
        ),
        name=name,
        emails=emails,
        has_card=card is not None,
        problem=problem,
        inner=_entities(answer, depth),
    )


def _card(card: object) -> tuple[str, tuple[str, ...]]:
    """Name and e-mail addresses of a jCard; raises FormatError where it is none."""
    if (
        not isinstance(card, list)
        or len(card) != 2
        or card[0] != "vcard"
        or not isinstance(card[1], list)
    ):
        raise FormatError("not a jCard", shortened(repr(card)))
    name, emails = "", []
    for entry in card[1]:
        match entry:
            # name, parameters, type, one value or more
            case [str(key), dict(), str(), value, *_]:
                if key.lower() == "fn" and isinstance(value, str) and not name:
                    name = shortened(value.strip(), 200)
                elif key.lower() == "email" and isinstance(value, str):
                    emails.append(value.strip())
            case _:
                raise FormatError("not a jCard", shortened(repr(entry)))
    good = dict.fromkeys(email for email in emails if _EMAIL.fullmatch(email))
    return name, tuple(email for email in good if email == shortened(email, 255))


def with_role(role: str, named: Sequence[Entity]) -> Iterator[Entity]:
    """
    Those of `named` that have the role, and whom they name; the outer ones first.
    """
    yield from (one for one in named if role in one.roles)
    for one in named:
        yield from with_role(role, one.inner)


def event(answer: Mapping[str, Any], action: str) -> datetime | None:
    """
    When `action` (as `registration`) happened, in UTC; None when that is not said.

    Raises:
        FormatError: the answer's events have another form, or a date that is none.
    """
    listed = answer.get("events")
    if listed is None:
        return None
    if not isinstance(listed, list):
        raise FormatError("not RDAP", "its events are no list")
    for one in listed:
        if not isinstance(one, dict):
            raise FormatError("not RDAP", "an event is no object")
        if one.get("eventAction") == action:
            return _moment(one.get("eventDate"))
    return None


def _moment(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise FormatError("not RDAP", f"no date: {shortened(str(text))!r}") from exc
