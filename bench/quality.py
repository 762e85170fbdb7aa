"""
How well look-alikes are found, and at which price: `python -m bench.quality`.

Recall on phishing hosts in which a brand is visible, against the rate of alarms on
names of CT traffic, for our rules and four others; one table, one picture. Everything
is measured on that half of the registrable domains on which nothing was tuned.
docs/quality.md tells how the labels were made and what they cannot show.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Any

import dnstwist

from bench.hostlists import (
    Phish,
    WatchedBrand,
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
from ctmonitor.rules.brands import parse_brands
from ctmonitor.rules.lures import Topic, lures
from ctmonitor.rules.ruleset import Rules, RuleSet
from ctmonitor.rules.surroundings import surroundings

BRANDS = CHECKOUT / "conf" / "brands.json"
_PICTURE = CHECKOUT / "docs" / "quality.svg"
_RATES = (1e-4, 1e-3)
# Half of the stream is a few hundred thousand names; more make no visible difference.
_RATES_DRAWN = [10 ** (-5 + step / 12) for step in range(37)]

Scorer = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Lists:
    """The names of the half that is reported."""

    hosts: Sequence[Phish]
    stream: Sequence[str]
    exchanged: Sequence[str]
    famous: Sequence[str]


@dataclass(frozen=True, slots=True)
class Scores:
    """
    What a method gives each name of `Lists`.

    Args:
        cost_us: processor time for a name of the stream.
    """

    method: str
    hosts: Sequence[float]
    stream: Sequence[float]
    exchanged: Sequence[float]
    famous: Sequence[float]
    cost_us: float


def main(argv: Sequence[str] | None = None) -> int:
    """0 when the table was printed."""
    parser = argparse.ArgumentParser(prog="python -m bench.quality")
    parser.add_argument("--data", help="folder of the recorded data")
    parser.add_argument("--brands", default=str(BRANDS), help="a BrandFile in JSON")
    parser.add_argument("--every", type=int, default=1, help="only each n-th name")
    parser.add_argument("--picture", default=str(_PICTURE), help="where it is written")
    options = parser.parse_args(argv)
    brands = Path(options.brands)
    lists = _lists(data_folder(options.data), watched(brands), options.every)
    results = [
        _scored(method, scorer, lists) for method, scorer in _methods(brands).items()
    ]
    print(report(results, lists))
    Path(options.picture).write_text(picture(results), encoding="utf-8")
    return 0


def _lists(data: Path, brands: Sequence[WatchedBrand], every: int) -> Lists:
    own = frozenset(domain for brand in brands for domain in brand.domains)
    traffic = stream(data)

    def reported(names: Iterable[str]) -> list[str]:
        return [n for n in names if not is_tuning(registrable(n))][::every]

    hosts = [
        host
        for host in phishing(data, brands, traffic)
        if not is_tuning(host.registrable)
    ]
    return Lists(
        hosts[::every],
        reported(traffic),
        reported(exchanged(traffic, data, own)),
        reported(top_domains(data)),
    )


# Methods


def _methods(path: Path) -> dict[str, Scorer]:
    """Each method's score of a name; higher is worse."""
    text = path.read_text("utf-8")
    brands = parse_brands(text, str(path))
    seen = watched(path)
    ours = RuleSet(Rules(keywords="", brands=brands))
    return {
        "keywords of the example": _keywords("paypal|apple|account|secure|login"),
        "brand names, allow-list": _brand_names(seen),
        "additive score": _additive(seen),
        "dnstwist's permutations": _permutations(seen),
        "ours": lambda name: ours.judge_name(name).score,
    }


def _keywords(pattern: str) -> Scorer:
    """The original's rule: how many distinct keywords there are."""
    find = re.compile(pattern).findall
    return lambda name: len(set(find(name.lower())))


def _is_own(brands: Sequence[WatchedBrand]) -> Callable[[str], bool]:
    own = frozenset(domain for brand in brands for domain in brand.domains)

    def is_own(name: str) -> bool:
        parts = name.split(".")
        return any(".".join(parts[i:]) in own for i in range(len(parts)))

    return is_own


def _brand_names(brands: Sequence[WatchedBrand]) -> Scorer:
    """Distinct brand names in a name; the brands' own domains are allowed."""
    names = sorted((n for b in brands for n in b.spellings), key=len, reverse=True)
    find = re.compile("|".join(map(re.escape, names))).findall
    is_own = _is_own(brands)

    def score(name: str) -> float:
        found = set(find(name))
        return len(found) if found and not is_own(name) else 0

    return score


_POINTS = {Topic.LOGIN: 25, Topic.ALERT: 20, Topic.MONEY: 10, Topic.SERVICE: 5}


def _additive(brands: Sequence[WatchedBrand]) -> Scorer:
    """
    Points for all that was seen, as phishing_catcher gives them, with our words.

    20 for a cheap suffix, 5 to 25 for a lure wherever it is, 40 or 60 for a brand's
    name, 70 for a token one letter away from it, 3 for each hyphen from four on and for
    each dot from three on.
    """
    words = {
        word: _POINTS[topic]
        for word, topic in lures().items()
        if topic in _POINTS and len(word) > 4
    }
    cheap = surroundings().cheap
    for brand in brands:
        for name in brand.spellings:
            words[name] = 60 if len(name) > 5 else 40
    long = [n for b in brands for n in b.spellings if len(n) > 5]
    is_own = _is_own(brands)
    find = re.compile("|".join(sorted(words, key=len, reverse=True))).findall
    deleted = {
        name[:i] + "*" + name[i + 1 :] for name in long for i in range(len(name))
    }

    def score(name: str) -> float:
        if is_own(name):
            return 0
        points = 20 if name.rpartition(".")[2] in cheap else 0
        points += sum(words[word] for word in set(find(name)))
        for token in re.split(r"\W+", name):
            if len(token) > 5 and any(
                token[:i] + "*" + token[i + 1 :] in deleted for i in range(len(token))
            ):
                points += 70
        if (hyphens := name.count("-")) >= 4 and "xn--" not in name:
            points += 3 * hyphens
        if (dots := name.count(".")) >= 3:
            points += 3 * dots
        return points

    return score


def _permutations(brands: Sequence[WatchedBrand]) -> Scorer:
    """Whether the registrable domain is one of dnstwist's for a brand's own domains."""
    labels: set[str] = set()
    tlds = {"com", "net", "org", "info", "ru", "de", "fr", "co.uk", "top", "xyz", "cn"}
    for brand in brands:
        for name in brand.spellings:
            fuzzer = dnstwist.Fuzzer(f"{name}.com")
            fuzzer.generate()
            labels.update(one["domain"].rpartition(".")[0] for one in fuzzer.domains)
        tlds.update(domain.partition(".")[2] for domain in brand.domains)
    is_own = _is_own(brands)

    def score(name: str) -> float:
        label, _, suffix = registrable(name).partition(".")
        return float(label in labels and suffix in tlds and not is_own(name))

    return score


def _scored(method: str, scorer: Scorer, lists: Lists) -> Scores:
    began = time.process_time()
    traffic = [scorer(name) for name in lists.stream]
    spent = time.process_time() - began
    return Scores(
        method,
        [scorer(host.name) for host in lists.hosts],
        traffic,
        [scorer(name) for name in lists.exchanged],
        [scorer(name) for name in lists.famous],
        spent / len(lists.stream) * 1e6,
    )


# Figures


def threshold(benign: Sequence[float], rate: float) -> float:
    """The score that this share of the names lies above, or fewer: the strict one."""
    ranked = sorted(benign, reverse=True)
    return max(ranked[int(len(ranked) * rate)], 0.0)


def share_above(scores: Sequence[float], least: float) -> float:
    """How many of the scores lie above it, from 0 to 1; 0 of none."""
    return sum(score > least for score in scores) / len(scores) if scores else 0.0


def recall_by_lot(
    hosts: Sequence[float], benign: Sequence[float], rate: float
) -> float:
    """Recall when names of the score at the threshold are drawn by lot."""
    least = threshold(benign, rate)
    above = sum(score > least for score in benign)
    ties = sum(score == least for score in benign)
    drawn = (len(benign) * rate - above) / ties if ties and least > 0 else 0.0
    tied = sum(score == least for score in hosts) / len(hosts)
    return share_above(hosts, least) + min(1.0, max(0.0, drawn)) * tied


def report(results: Sequence[Scores], lists: Lists) -> str:
    """The tables in Markdown."""
    lines = [
        f"{len(lists.hosts):,} phishing hosts, {len(lists.stream):,} names of the "
        f"stream, {len(lists.famous):,} famous names; recall in %, strict / by lot.",
        "",
        "| Method | 1 in 10,000 | exchanged | 1 in 1,000 | exchanged | "
        "widest: alarms in 10,000 -> recall | µs |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [_line(one) for one in results]
    ours = results[-1]
    lines += [
        "",
        "| Ours | hosts | 1 in 10,000 | exchanged | 1 in 1,000 | exchanged |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for title, chosen in _groups(lists.hosts):
        scores = [ours.hosts[n] for n in chosen]
        cells = [
            f"{100 * share_above(scores, threshold(benign, rate)):.0f}"
            for rate in _RATES
            for benign in (ours.stream, ours.exchanged)
        ]
        lines.append(f"| {title} | {len(chosen):,} | {' | '.join(cells)} |")
    lines += [
        "",
        "| Threshold | score | alarms in 10,000 famous names |",
        "|---|---:|---:|",
    ]
    for rate in _RATES:
        for title, benign in (("stream", ours.stream), ("exchanged", ours.exchanged)):
            least = threshold(benign, rate)
            famous = 1e4 * share_above(ours.famous, least)
            lines.append(
                f"| 1 in {1 / rate:,.0f}, {title} | {least:.0f} | {famous:.1f} |"
            )
    return "\n".join(lines)


def _line(one: Scores) -> str:
    cells = [
        f"{100 * share_above(one.hosts, threshold(benign, rate)):.0f} / "
        f"{100 * recall_by_lot(one.hosts, benign, rate):.0f}"
        for rate in _RATES
        for benign in (one.stream, one.exchanged)
    ]
    widest = f"{1e4 * share_above(one.stream, 0):.1f} -> "
    widest += f"{100 * share_above(one.hosts, 0):.0f}"
    return f"| {one.method} | {' | '.join(cells)} | {widest} | {one.cost_us:.1f} |"


def _groups(hosts: Sequence[Phish]) -> Iterator[tuple[str, list[int]]]:
    numbered = list(enumerate(hosts))
    yield "all", [n for n, _ in numbered]
    yield (
        "short brands (5 letters and fewer)",
        [n for n, host in numbered if len(host.spelling) <= 5],
    )
    yield "long brands", [n for n, host in numbered if len(host.spelling) > 5]
    for how in sorted({host.how for host in hosts}):
        yield how, [n for n, host in numbered if host.how == how]
    for group in sorted({host.group for host in hosts}):
        yield f"list: {group}", [n for n, host in numbered if host.group == group]


_COLOURS = ("#999", "#c60", "#396", "#69c", "#c03")


def picture(results: Sequence[Scores]) -> str:
    """Recall over the rate of alarms, as SVG; dashed with exchanged suffixes."""
    parts: list[str] = []

    def add(kind: str, text: str = "", **values: Any) -> None:
        shown = " ".join(f'{k.replace("_", "-")}="{v}"' for k, v in values.items())
        parts.append(
            f"<{kind} {shown}>{text}</{kind}>" if text else f"<{kind} {shown}/>"
        )

    def x(rate: float) -> float:
        return round(60 + (log10(rate) + 5) / 3 * 500, 1)

    def y(recall: float) -> float:
        return round(340 - 300 * recall, 1)

    for power in range(-5, -1):
        place = x(10.0**power)
        add("line", x1=place, x2=place, y1=40, y2=340, stroke="#ddd")
        shown = f"1 in {10**-power:,}"
        add("text", shown, x=place, y=358, text_anchor="middle")
    for tenth in range(0, 11, 2):
        place = y(tenth / 10)
        add("line", x1=60, x2=560, y1=place, y2=place, stroke="#ddd")
        add("text", f"{tenth * 10} %", x=54, y=place + 4, text_anchor="end")
    for number, one in enumerate(results):
        colour = _COLOURS[number % len(_COLOURS)]
        for benign, dash in ((one.stream, ""), (one.exchanged, "5 4")):
            points = " ".join(
                f"{x(rate)},{y(recall_by_lot(one.hosts, benign, rate))}"
                for rate in _RATES_DRAWN
            )
            style = {"stroke_dasharray": dash} if dash else {}
            add("polyline", points=points, fill="none", stroke=colour, **style)
        add("text", one.method, x=580, y=60 + 20 * number, fill=colour)
    add("text", "recall over alarms among names of CT traffic", x=60, y=24)
    add("text", "dashed: with exchanged suffixes", x=580, y=180)
    body = "\n".join(parts)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 370" '
        f'font-family="sans-serif" font-size="12">\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    sys.exit(main())
