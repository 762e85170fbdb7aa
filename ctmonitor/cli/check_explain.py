"""check_rules.py --explain: how the verdict on one name came about."""

from collections.abc import Iterator
from typing import Any

from ctmonitor.cli.check_tally import table
from ctmonitor.cli.check_verdicts import verdict_object
from ctmonitor.model.explanation import Explanation
from ctmonitor.model.reasons import score_of
from ctmonitor.model.text import printable
from ctmonitor.model.verdict import NameVerdict, Outcome, Reason

_VERDICTS = {
    Outcome.MATCH: "a finding",
    Outcome.BLOCKED: "no finding: BlacklistKeywords block it",
    Outcome.ALLOWED: "no finding: AllowFile allows it",
    Outcome.BELOW: "no finding: what fired is not enough",
    Outcome.NONE: "no finding: no rule fired",
}


def as_object(explanation: Explanation) -> dict[str, Any]:
    """The explanation for programs; a verdict's keys, then what led to it."""
    return {
        **verdict_object(explanation.verdict),
        "detection_threshold": explanation.threshold,
        "alert_score": explanation.alert_score,
        "host": printable(explanation.text),
        "unicode": printable(explanation.unicode),
        "registrable_domain": printable(explanation.registrable),
        "suffix": printable(explanation.suffix),
        "tokens": [printable(token) for token in explanation.tokens],
        "skeleton": printable(explanation.skeleton),
        "allowed_by": printable(explanation.allowed_by),
        "popular": explanation.is_popular,
        "near": [
            {
                "rule": printable(near.rule),
                "kind": near.kind,
                "brand": near.brand,
                "why": printable(near.why),
                "missing": near.missing,
            }
            for near in explanation.near
        ],
        "notes": [printable(note) for note in explanation.notes],
    }


def as_lines(explanation: Explanation) -> Iterator[str]:
    """The explanation for people; nothing in it acts on a terminal."""
    return map(printable, _lines(explanation))


def _lines(explanation: Explanation) -> Iterator[str]:
    verdict = explanation.verdict
    yield f"{verdict.name}: {_VERDICTS[verdict.outcome]}"
    yield from _indented(table(list(_form(explanation)), frozenset()))
    yield from _fired(verdict, explanation)
    if explanation.near:
        yield ""
        yield "  did not count, or nearly fired"
        rows = [
            (near.rule, near.kind, near.brand, near.why) for near in explanation.near
        ]
        yield from _indented(table(rows, frozenset()), 4)
    for note in explanation.notes:
        yield f"  note: {note}"


def _form(explanation: Explanation) -> Iterator[tuple[str, str]]:
    if explanation.text != explanation.verdict.name:
        yield "host", explanation.text
    if explanation.unicode != explanation.text:
        yield "in U-labels", explanation.unicode
    yield "registrable domain", explanation.registrable or "none"
    yield "public suffix", explanation.suffix or "none"
    yield "tokens", " ".join(explanation.tokens)
    yield "skeleton", explanation.skeleton
    yield "allow-list", explanation.allowed_by or "does not speak of it"
    if explanation.is_popular:
        yield "popular", "its domain is on the popularity list: no look-alike"


def _fired(verdict: NameVerdict, explanation: Explanation) -> Iterator[str]:
    plain = [reason for reason in verdict.reasons if not reason.brand]
    brands = dict.fromkeys(r.brand for r in verdict.reasons if r.brand)
    if plain:
        keywords = sum(reason.kind == "keyword" for reason in plain)
        needed = (
            f" (keywords: {keywords} of {explanation.threshold} that make a finding)"
        )
        yield ""
        yield f"  rules that fired{needed if keywords else ''}"
        yield from _parts(plain)
    for brand in brands:
        own = [reason for reason in verdict.reasons if reason.brand == brand]
        yield ""
        if len(brands) == 1 or any(reason.weight for reason in own):
            score = f"{score_of(own)} of {explanation.alert_score}"
            yield f"  resembles {brand} (score: {score} that make a finding)"
        else:
            yield f"  resembles {brand}, too (not scored)"
        yield from _parts(own)


def _parts(reasons: list[Reason]) -> Iterator[str]:
    rows = [
        (f"{reason.weight:+}" if reason.weight else "", reason.kind, reason.rule)
        for reason in sorted(reasons, key=lambda one: -one.weight)
    ]
    yield from _indented(table(rows, frozenset({0})), 4)


def _indented(lines: list[str], by: int = 2) -> Iterator[str]:
    return (" " * by + line for line in lines)
