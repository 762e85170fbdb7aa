"""
Fits the weights of look-alikes: `python -m bench.fit --data FOLDER [--write]`.

A logistic regression tells phishing hosts from CT traffic and famous sites by the parts
of their scores (`ctmonitor.rules.evidence.signs`). Only the tuning half of registrable
domains is looked at. `--write` puts the weights into ctmonitor/rules/weights.py.
docs/quality.md tells why this and how well it does.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.hostlists import (
    Phish,
    data_folder,
    exchanged,
    is_tuning,
    phishing,
    registrable,
    stream,
    top_domains,
    watched,
)
from bench.machine import CHECKOUT
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.brands import parse_brands
from ctmonitor.rules.evidence import signs
from ctmonitor.rules.hostname import host_name
from ctmonitor.rules.lookalike import LookAlikes
from ctmonitor.rules.weights import WEIGHTS

BRANDS = CHECKOUT / "conf" / "brands.json"
_TARGET = CHECKOUT / "ctmonitor" / "rules" / "weights.py"
_KEYS = [weight.key for weight in WEIGHTS]
_AT = {key: number for number, key in enumerate(_KEYS)}

# What a name of each kind counts in the fit.
_STREAM, _EXCHANGED, _FAMOUS = 2.0, 1.0, 4.0
# Of a brand with more hosts than this, each counts less, so that one campaign against
# `steam` does not decide what speaks against all.
_MOST_OF_A_BRAND = 300
_PENALTY = 3.0  # of the squares of the weights, which keeps rare ones small
_ROUNDS = 4  # of choosing the strongest resemblance of each name, and fitting
# The scores of one alarm in 10,000 and in 1,000 names, as people are told.
_ALERT, _WIDE = 100.0, 70.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """
    The resemblances in a list of names, a row for each.

    Args:
        values: amounts of the signs, in the order of `WEIGHTS`.
        name: position in the list of the name that each row is of, ascending.
        count: names in the list, those without a resemblance too.
    """

    values: Floats
    name: NDArray[np.int64]
    count: int

    def strongest(self, weights: Floats) -> NDArray[np.int64]:
        """The row of each name that has one which weighs most."""
        order = np.lexsort((self.values @ weights, self.name))
        names = self.name[order]
        is_last = np.append(names[1:] != names[:-1], True)
        chosen: NDArray[np.int64] = order[is_last]
        return chosen


def main(argv: Sequence[str] | None = None) -> int:
    """0 when the weights were printed, or written."""
    parser = argparse.ArgumentParser(prog="python -m bench.fit")
    parser.add_argument("--data", help="folder of the recorded data")
    parser.add_argument("--without", help="group of phishing lists to leave out")
    parser.add_argument("--write", action="store_true", help="into weights.py")
    options = parser.parse_args(argv)
    weights = fitted(data_folder(options.data), options.without)
    for key, value in weights.items():
        print(f"{key:16} {value:7.1f}")
    if options.write:
        _write(weights, _TARGET)
    return 0


def fitted(data: Path, without: str | None = None) -> dict[str, float]:
    """The weights by key, rounded to a tenth of a point."""
    brands = watched(BRANDS)
    listed = parse_brands(BRANDS.read_text("utf-8"), str(BRANDS))
    own = [domain for brand in brands for domain in brand.domains]
    traffic = stream(data)
    hosts = [
        phish
        for phish in phishing(data, brands, traffic)
        if is_tuning(phish.registrable) and phish.group != without
    ]
    benign = [
        _rows((name for name in names if is_tuning(registrable(name))), known)
        for names, known in (
            (traffic, listed),
            (exchanged(traffic, data, own), listed),
            (top_domains(data), list(map(_without_countries, listed))),
        )
    ]
    weights = _regression(
        _rows((host.name for host in hosts), listed),
        _shares(hosts),
        list(zip(benign, (_STREAM, _EXCHANGED, _FAMOUS), strict=True)),
    )
    # One alarm in 10,000 and in 1,000 names, in the mean of both streams.
    narrow, wide = (
        float(np.mean([_threshold(rows, weights, rate) for rows in benign[:2]]))
        for rate in (1e-4, 1e-3)
    )
    scale = (_ALERT - _WIDE) / (narrow - wide)
    offset = _ALERT - scale * narrow
    # The offset goes into the weights of which one always counts.
    points = {
        weight.key: float(weights[_AT[weight.key]]) * scale
        + (0.0 if weight.kind else offset)
        for weight in WEIGHTS
    }
    return {key: round(value, 1) + 0.0 for key, value in points.items()}  # not -0.0


def _without_countries(brand: Brand) -> Brand:
    """A brand whose list of domains is as incomplete as people's lists are."""
    kept = {
        domain
        for domain in brand.domains
        if domain.partition(".")[0] not in brand.spellings or domain[-3] != "."
    }
    return replace(brand, domains=frozenset(kept))


def _rows(names: Iterable[str], brands: Sequence[Brand]) -> Rows:
    by_name = {brand.name: brand for brand in brands}
    engine = LookAlikes(brands)
    values: list[Floats] = []
    positions: list[int] = []
    count = 0
    for count, name in enumerate(names, 1):
        numbers = engine.numbers(name)
        if not numbers and "xn--" not in name:
            continue
        host = host_name(name)
        for found in engine.find(host):
            row = np.zeros(len(_KEYS))
            for key, _, amount in signs(host, found, by_name[found.brand]):
                row[_AT[key]] += amount
            values.append(row)
            positions.append(count - 1)
    return Rows(np.array(values), np.array(positions), count)


def _shares(hosts: Sequence[Phish]) -> Floats:
    """What each host counts: one, less for those of brands that have many."""
    counts = Counter(host.brand for host in hosts)
    return np.array(
        [min(1.0, (_MOST_OF_A_BRAND / counts[host.brand]) ** 0.5) for host in hosts]
    )


def _regression(
    hosts: Rows, shares: Floats, benign: Sequence[tuple[Rows, float]]
) -> Floats:
    weights = np.zeros(len(_KEYS))
    weights[_AT["WholeWord"]] = 1.0
    for _ in range(_ROUNDS):
        chosen = hosts.strongest(weights)
        values = [hosts.values[chosen]]
        counts = [shares[hosts.name[chosen]]]
        for rows, share in benign:
            chosen = rows.strongest(weights)
            values.append(rows.values[chosen])
            counts.append(np.full(len(chosen), share))
        is_phish = np.zeros(sum(map(len, values)))
        is_phish[: len(values[0])] = 1.0
        weights = _logistic(np.concatenate(values), is_phish, np.concatenate(counts))
    return weights


def _logistic(values: Floats, truth: Floats, counts: Floats) -> Floats:
    """Newton's method; there is a constant, which is not penalised."""
    table = np.column_stack((values, np.ones(len(values))))
    penalty = np.full(table.shape[1], _PENALTY)
    penalty[-1] = 1e-6
    weights = np.zeros(table.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(table @ weights, -30, 30)))
        slope = table.T @ (counts * (chance - truth)) + penalty * weights
        bend = (table * (counts * chance * (1 - chance))[:, None]).T @ table
        step = np.linalg.solve(bend + np.diag(penalty), slope)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return weights[:-1]


def _threshold(rows: Rows, weights: Floats, rate: float) -> float:
    """The score that no more than this share of the names reaches."""
    scores = np.sort((rows.values @ weights)[rows.strongest(weights)])[::-1]
    return float(scores[min(int(rows.count * rate), len(scores) - 1)])


def _write(weights: dict[str, float], path: Path) -> None:
    text = path.read_text("utf-8")
    for key, value in weights.items():
        text, changed = re.subn(
            rf'(Weight\(\s*"{key}",\s*)-?[\d.]+', rf"\g<1>{value:g}", text
        )
        assert changed == 1, f"{key} stands {changed} times in {path}"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
