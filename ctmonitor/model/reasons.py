"""What the reasons for one name come to: its brand, its score, and words for people."""

from collections.abc import Iterable

from ctmonitor.model.verdict import Reason


def score_of(reasons: Iterable[Reason]) -> int:
    """The sum of the weights, never below 0."""
    return max(0, sum(reason.weight for reason in reasons))


def brand_of(reasons: Iterable[Reason]) -> str:
    """The brand whose reasons weigh most, the first of equals; empty without any."""
    weights = _weights(reasons)
    return max(weights, key=weights.__getitem__, default="")


def resemblances(reasons: Iterable[Reason]) -> list[str]:
    """
    What is said of each brand that is resembled, first of the one that scores most.

        resembles PayPal: homoglyph paypa1 +58, lure login +14, suffix .xyz +9 = 81
        resembles Apple: inside a word apple

    Texts of strangers stand in it as they are.
    """
    reasons = tuple(reasons)
    weights = _weights(reasons)
    return [
        _resemblance(brand, [one for one in reasons if one.brand == brand])
        for brand in sorted(weights, key=weights.__getitem__, reverse=True)
    ]


def _weights(reasons: Iterable[Reason]) -> dict[str, int]:
    weights: dict[str, int] = {}
    for reason in reasons:
        if reason.brand:
            weights[reason.brand] = weights.get(reason.brand, 0) + reason.weight
    return weights


def _resemblance(brand: str, reasons: list[Reason]) -> str:
    # The store gives them in the order of their kinds.
    ordered = sorted(reasons, key=lambda one: one.weight, reverse=True)
    parts = [
        f"{one.kind} {one.rule}" + (f" {one.weight:+}" if one.weight else "")
        for one in ordered
    ]
    total = f" = {score_of(reasons)}" if any(one.weight for one in reasons) else ""
    return f"resembles {brand}: {', '.join(parts)}{total}"
