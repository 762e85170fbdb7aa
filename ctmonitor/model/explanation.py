"""All that the rules make of one name, for the person who writes the rules."""

from dataclasses import dataclass

from ctmonitor.model.verdict import NameVerdict


@dataclass(frozen=True, slots=True)
class NearMiss:
    """
    A rule that nearly fired, or that fired without effect.

    Args:
        rule, kind, brand: as in `verdict.Reason`; `kind` is `keyword` where too few
            keywords came together, `score` where a look-alike stayed below AlertScore.
        why: what kept it from being a finding, a clause without a full stop (`1 of 2
            keywords`, `own domain of PayPal`, `blocked by intranet`).
        missing: keywords or points short of a finding; 0 where none would help.
    """

    rule: str
    kind: str
    why: str
    missing: int = 0
    brand: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    The verdict on one name, and how it came about. Texts are a stranger's: they become
    safe to show where they are shown.

    Args:
        verdict: the verdict on the name as issued, with every reason that fired.
        threshold: distinct keywords that make a finding (`DetectionThreshold`).
        alert_score: points that make a look-alike a finding (`AlertScore`).
        text: the name as the rules see it: lower case, without `*.` and final dot.
        unicode: `text` with its A-labels decoded.
        registrable: registrable domain (eTLD+1); empty where there is none.
        suffix: public suffix; empty for an IP address.
        tokens: words of the labels left of the suffix, from left to right.
        skeleton: `unicode` with look-alike characters folded to ASCII.
        allowed_by: the line of the allow-list that speaks for the name, as the operator
            wrote it; empty for none.
        is_popular: whether its registrable domain is on the popularity list.
        near: rules that nearly fired, the nearest first.
        notes: what else a person should know, complete sentences (`The label xn--... is
            no punycode.`).
    """

    verdict: NameVerdict
    threshold: int
    alert_score: int
    text: str
    unicode: str
    registrable: str = ""
    suffix: str = ""
    tokens: tuple[str, ...] = ()
    skeleton: str = ""
    allowed_by: str = ""
    is_popular: bool = False
    near: tuple[NearMiss, ...] = ()
    notes: tuple[str, ...] = ()
