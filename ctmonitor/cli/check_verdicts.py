"""Verdicts as check_rules.py writes them: a row, an object, a line for people."""

import json
from collections.abc import Sequence
from typing import Any

from ctmonitor.cli.check_tally import table
from ctmonitor.model.reasons import resemblances
from ctmonitor.model.text import printable, shortened
from ctmonitor.model.verdict import NameVerdict

_REASON_CHARACTERS = 200


def verdict_object(verdict: NameVerdict) -> dict[str, Any]:
    """A verdict for programs."""
    return {
        "name": printable(verdict.name),
        "score": verdict.score,
        "verdict": verdict.outcome.value,
        "reasons": [
            {
                "rule": printable(reason.rule),
                "kind": reason.kind,
                "weight": reason.weight,
            }
            | ({"brand": reason.brand} if reason.brand else {})
            for reason in verdict.reasons
        ],
    }


def as_json(thing: Any) -> str:
    """One line of JSON."""
    return json.dumps(thing, ensure_ascii=False)


def verdict_row(verdict: NameVerdict) -> str:
    """Name, score, verdict and reasons with tabs between."""
    rules = ",".join(reason.rule for reason in verdict.reasons if not reason.brand)
    name = printable(verdict.name)
    reasons = printable(_with_resemblances(rules, verdict))
    return f"{name}\t{verdict.score}\t{verdict.outcome.value}\t{reasons}"


def finding_lines(verdicts: Sequence[NameVerdict]) -> list[str]:
    """Findings for people: score, name, reasons."""
    ordered = sorted(verdicts, key=lambda one: (-one.score, one.name))
    rows = [
        (
            str(verdict.score),
            shortened(verdict.name),
            shortened(_reasons(verdict), _REASON_CHARACTERS),
        )
        for verdict in ordered
    ]
    return table(rows, frozenset({0}))


def _reasons(verdict: NameVerdict) -> str:
    rules = ", ".join(reason.rule for reason in verdict.reasons if not reason.brand)
    return _with_resemblances(rules, verdict)


def _with_resemblances(rules: str, verdict: NameVerdict) -> str:
    looks = resemblances(verdict.reasons)
    return "; ".join([rules, *looks] if rules else looks)
