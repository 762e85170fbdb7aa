"""
Host names for the quality bench: phishing with labels by rule, CT traffic, top domains.

The lists are those of the recorded data; docs/quality.md tells how labels are made.
"""

import contextlib
import gzip
import hashlib
import json
import os
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hyperscan
import idna
from publicsuffixlist import PublicSuffixList
from rapidfuzz.distance import OSA

from bench.machine import CHECKOUT

# Lists whose licence lets anybody use them, each with a group: the groups are what
# `bench.fit --without` leaves out, to see whether weights hold on a list not seen.
PHISHING = {
    "tweetfeed_phishing_hosts_first_seen.tsv.gz": "tweetfeed",
    "blocklistproject_phishing.txt.gz": "blocklist",
    "phishing_database_active_part2.txt.gz": "database",
    "polkadot_js_deny.txt.gz": "crypto",
    "spmedia_crypto_first_seen.tsv.gz": "crypto",
    "nikolaischunk_discord.txt.gz": "discord",
    "durablenapkin_scam.txt.gz": "scam",
}
_HOSTING = (
    "maltrail_dynamic_domain.txt.gz",
    "maltrail_free_web_hosting.txt.gz",
    "misp_dynamic_dns.txt.gz",
    "misp_link_in_bio.txt.gz",
    "misp_public_ipfs_gateways.txt.gz",
    "misp_url_shortener.txt.gz",
)
# Sorted by fame or of famous names alone; the others hold banks and universities.
TOP = (
    "alexa2016_top100k_ranked.txt.gz",
    "misp_cloudflare_top100k.txt.gz",
    "misp_majestic_million.txt.gz",
    "misp_moz_top500.txt.gz",
    "misp_tranco10k.txt.gz",
)
_SUFFIXES_FROM = "misp_cloudflare_top100k.txt.gz"
# A typing error counts when it is this many times as frequent as in ordinary names.
_LIFT = 5
_SEED = 6  # of what is drawn: the figures are those of this seed

_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9])?\.[a-z0-9-]*[a-z][a-z0-9-]*\Z")
_TOKENS = re.compile(r"[a-z]+")


def data_folder(named: str | None = None) -> Path:
    """Where the recorded data lies: as named, CTMONITOR_DATA, beside the checkout."""
    chosen = named or os.environ.get("CTMONITOR_DATA")
    return Path(chosen) if chosen else CHECKOUT.parent / "shared" / "data"


@dataclass(frozen=True, slots=True)
class WatchedBrand:
    """What a label needs of a brand, read without the code that is judged."""

    name: str
    spellings: tuple[str, ...]
    domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phish:
    """
    A host of a phishing list in which a brand is visible.

    Args:
        how: `whole word`, `inside a word`, `sub-domain`, `look-alike characters` or
            `typing error`.
        group: of the list that it is from, see `PHISHING`.
    """

    name: str
    registrable: str
    brand: str
    spelling: str
    how: str
    group: str


@cache
def _suffixes(only_icann: bool = False) -> PublicSuffixList:
    return PublicSuffixList(only_icann=only_icann)


def registrable(name: str) -> str:
    """The registrable domain by the whole public suffix list; the name without one."""
    return _suffixes().privatesuffix(name) or name


def is_tuning(domain: str) -> bool:
    """Whether a registrable domain is of the half that weights are tuned on."""
    return hashlib.sha256(domain.encode()).digest()[0] % 2 == 0


def watched(path: Path) -> list[WatchedBrand]:
    """The brands of a JSON file of the shape of `brands.json`."""
    return [
        WatchedBrand(row["brand"], tuple(row["names"]), tuple(row["domains"]))
        for row in json.loads(path.read_text("utf-8"))
    ]


def lines(path: Path, column: int = 0) -> Iterator[str]:
    """The host names of a list, in lower case, each as often as it is there."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        for line in file:
            cells = line.rstrip("\n").split("\t")
            name = cells[min(column, len(cells) - 1)].strip().strip(".").lower()
            if _HOST.match(name.removeprefix("*.")) and len(name) <= 253:
                yield name


def stream(data: Path) -> list[str]:
    """The distinct names of CT traffic, sorted."""
    folder = data / "hostnames" / "ct-stream"
    return sorted({name for path in folder.glob("*.gz") for name in lines(path)})


def top_domains(data: Path) -> list[str]:
    """The distinct names of the lists of famous sites, sorted."""
    folder = data / "hostnames" / "benign"
    return sorted({name for file in TOP for name in lines(folder / file)})


def exchanged(names: Sequence[str], data: Path, own: Iterable[str]) -> list[str]:
    """
    The names with the suffixes of famous sites, one for each registrable domain.

    Names in a brand's own domains keep theirs: `paypal.xyz` would be no false alarm.
    """
    pool = [
        suffix
        for name in lines(data / "hostnames" / "benign" / _SUFFIXES_FROM)
        if (suffix := _suffixes(True).publicsuffix(name))
    ]
    owned = frozenset(own)
    result = []
    for name in names:
        domain = _suffixes().privatesuffix(name)
        suffix = _suffixes(True).publicsuffix(name)
        if not domain or not suffix or _is_below(name, owned):
            result.append(name)
            continue
        draw = random.Random(f"{_SEED} {domain}")
        result.append(name.removesuffix(suffix) + draw.choice(pool))
    return result


def _is_below(name: str, domains: frozenset[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[i:]) in domains for i in range(len(parts)))


def phishing(
    data: Path, brands: Sequence[WatchedBrand], ordinary: Sequence[str]
) -> list[Phish]:
    """
    One host for each registrable domain and brand in it, labelled by rule, sorted.

    Hosts of the benign and hosting lists, hosts of domains of the benign lists, and
    the brands' own ones are left out. So are those whose only sign is a typing error
    that ordinary names hold nearly as often (`orage` of `storage` is no `orange`).
    """
    hostnames = data / "hostnames"
    benign = {n for path in (hostnames / "benign").glob("*.gz") for n in lines(path)}
    for file in _HOSTING:
        benign.update(
            n.lstrip(".") for n in lines_of_domains(hostnames / "lists" / file)
        )
    own = frozenset(domain for brand in brands for domain in brand.domains)
    labels = Labels(brands)
    chosen: dict[tuple[str, str], tuple[str, Phish, str]] = {}
    pieces: Counter[str] = Counter()
    seen: set[str] = set()
    for file, group in PHISHING.items():
        column = 1 if file.endswith(".tsv.gz") else 0
        for name in lines(hostnames / "phishing" / file, column):
            if name in seen:
                continue
            seen.add(name)
            domain = registrable(name)
            if name in benign or domain in benign or _is_below(name, own):
                continue
            for label in labels.of(name):
                # By lot, so that neither the shortest nor the first is preferred.
                lot = hashlib.sha256(name.encode()).hexdigest()
                pieces[label.piece] += 1
                phish = Phish(
                    name, domain, label.brand, label.spelling, label.how, group
                )
                known = chosen.get((domain, label.brand))
                if known is None or lot < known[0]:
                    chosen[domain, label.brand] = (lot, phish, label.piece)
    usual = Counter(label.piece for name in ordinary for label in labels.of(name))
    enough = _LIFT * len(seen) / max(1, len(ordinary))
    kept = [
        phish
        for _, phish, piece in chosen.values()
        if not piece or pieces[piece] >= enough * usual[piece]
    ]
    return sorted(kept, key=lambda phish: (phish.name, phish.brand))


def lines_of_domains(path: Path) -> Iterator[str]:
    """The domains of a list that writes `.example.com` for all below it."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        for line in file:
            yield line.split("#")[0].strip().strip(".").lower()


_FOLDED_DIGITS = str.maketrans("013457@$", "oleastas")
_PAIRS = (("rn", "m"), ("nn", "m"), ("vv", "w"), ("cl", "d"), ("ii", "u"))


_LONG = 6  # letters of spellings in which an error is a sign
_HOW = (
    "whole word",
    "sub-domain",
    "inside a word",
    "look-alike characters",
    "typing error",
)


@dataclass(frozen=True, slots=True)
class Label:
    """
    A brand that is visible in a name.

    Args:
        piece: of a typing error, the text that is wrong.
    """

    brand: str
    spelling: str
    how: str
    piece: str = ""


class Labels:
    """
    The generous rule that tells whether a brand is visible in a name.

    It shares no code with the engine: Hyperscan's approximate matching proposes, a
    comparison decides. A spelling of 4 letters and fewer is visible as a whole token,
    one of 5 anywhere, one of 6 and more also altered: look-alike characters, hyphens,
    one typing error.
    """

    def __init__(self, brands: Sequence[WatchedBrand]) -> None:
        self._spellings = [
            (spelling.replace("-", ""), brand.name)
            for brand in brands
            for spelling in brand.spellings
        ]
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        texts = [spelling.encode() for spelling, _ in self._spellings]
        self._database.compile(
            expressions=texts,
            ids=list(range(len(texts))),
            elements=len(texts),
            flags=0,
            ext=[_extended(len(text) >= _LONG) for text in texts],
        )

    def of(self, name: str) -> list["Label"]:
        """One for each brand that is visible: the surest, then the longest spelling."""
        suffix = _suffixes().publicsuffix(name) or ""
        left = name.removesuffix(suffix).rstrip(".")
        if not left:
            return []
        shown = _unicode(left)
        closed = shown.replace("-", "").replace("_", "")
        folded = _folded(closed)
        forms = [shown, closed, folded, _paired(folded)]
        found: set[int] = set()
        text = "\n".join(dict.fromkeys(forms)).encode("ascii", "replace")
        self._database.scan(
            text, match_event_handler=lambda number, *_: found.add(number)
        )
        best: dict[str, tuple[tuple[int, int], Label]] = {}
        for number in sorted(found):
            spelling, brand = self._spellings[number]
            how, piece = _how(spelling, shown, closed, folded)
            rank = (-_HOW.index(how), len(spelling)) if how else (0, 0)
            if how and (brand not in best or best[brand][0] < rank):
                best[brand] = (rank, Label(brand, spelling, how, piece))
        return [label for _, label in best.values()]


def _extended(is_long: bool) -> Any:
    """What an expression is searched with: one error in a long spelling."""
    flags = hyperscan.HS_EXT_FLAG_EDIT_DISTANCE if is_long else 0
    # The package's stubs do not know it.
    return hyperscan.ExpressionExt(  # type: ignore[attr-defined]
        flags=flags, edit_distance=int(is_long)
    )


def _unicode(left: str) -> str:
    if "xn--" not in left:
        return left
    labels = []
    for label in left.split("."):
        with contextlib.suppress(UnicodeError):  # idna.IDNAError among them
            label = idna.decode(label) if label.startswith("xn--") else label
        labels.append(label)
    return ".".join(labels)


@cache
def _confusables() -> dict[int, str]:
    """ASCII letters and digits for characters that look like them, by UTS 39."""
    path = data_folder() / "hostnames" / "lists" / "unicode_confusables.txt.gz"
    table = {}
    with gzip.open(path, "rt", encoding="utf-8-sig") as file:
        for line in file:
            cells = [cell.strip() for cell in line.split("#")[0].split(";")]
            if len(cells) == 3 and " " not in cells[0]:
                target = "".join(chr(int(code, 16)) for code in cells[1].split())
                if target.isascii() and target.isalnum():
                    table[int(cells[0], 16)] = target.lower()
    return {code: to for code, to in table.items() if code >= 128}


def _folded(text: str) -> str:
    if not text.isascii():
        text = text.translate(_confusables())
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(char for char in decomposed if not unicodedata.combining(char))
        text = text.translate(_confusables())
    return text.translate(_FOLDED_DIGITS)


def _paired(text: str) -> str:
    for pair, letter in _PAIRS:
        text = text.replace(pair, letter)
    return text


def _how(spelling: str, shown: str, closed: str, folded: str) -> tuple[str, str]:
    """How it is visible, empty where it is not, and the piece that is in error."""
    own = shown.rpartition(".")[2]
    how = ""
    if spelling in _TOKENS.findall(own):
        how = "whole word"
    elif len(spelling) <= 4:
        how = "sub-domain" if spelling in _TOKENS.findall(shown) else ""
    elif spelling in own.replace("-", ""):
        how = "inside a word"
    elif spelling in closed:
        how = "sub-domain"
    elif len(spelling) == 5:
        tokens = re.findall(r"[^\W_]+", _folded(shown))
        how = "look-alike characters" if spelling in tokens else ""
    # `1` stands for i as well as for l, pairs of letters for one: both readings.
    elif any(
        text.replace("l", "i").find(spelling.replace("l", "i")) >= 0
        for text in (folded, _paired(folded))
    ) or (not shown.isascii() and _erroneous(spelling, folded)):
        how = "look-alike characters"
    elif piece := _erroneous(spelling, closed):
        return "typing error", piece
    return how, ""


def _erroneous(spelling: str, text: str) -> str:
    """The piece that is one error away; inside a word its first letter is right."""
    for label in text.split("."):
        if OSA.distance(spelling, label, score_cutoff=1) <= 1:
            return label
        for size in (len(spelling), len(spelling) + 1, len(spelling) - 1):
            for start in range(len(label) - size + 1):
                piece = label[start : start + size]
                if (
                    piece[0] == spelling[0]
                    and OSA.distance(spelling, piece, score_cutoff=1) <= 1
                ):
                    return piece
    return ""
