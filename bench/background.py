"""
Makes ctmonitor/rules/background.txt.gz: `python -m bench.background --data FOLDER`.

Counted are the names of the tuning half of registrable domains, from certstream
recordings (Azathothas/CertStream-World, Unlicense) and from warning lists of famous,
bank and university domains (MISP/misp-warninglists, CC0-1.0). What is kept are counts
of words and of runs of five letters that five registrable domains share, or more: no
name can be told from them.
"""

import argparse
import gzip
import re
import sys
from collections import Counter
from collections.abc import Sequence

from bench.hostlists import data_folder, is_tuning, lines
from bench.machine import CHECKOUT
from ctmonitor.rules.background import RUN
from ctmonitor.rules.hostname import host_name

TABLE = CHECKOUT / "ctmonitor" / "rules" / "background.txt.gz"
_BENIGN = (
    "misp_bank_website.txt.gz",
    "misp_majestic_million.txt.gz",
    "misp_moz_top500.txt.gz",
    "misp_tranco10k.txt.gz",
    "misp_university_domains.txt.gz",
)
_FEWEST = 5
_WORD = re.compile("[a-z]{2,24}")


def main(argv: Sequence[str] | None = None) -> int:
    """0 when the table was written."""
    parser = argparse.ArgumentParser(prog="python -m bench.background")
    parser.add_argument("--data", help="folder of the recorded data")
    folder = data_folder(parser.parse_args(argv).data) / "hostnames"
    files = sorted((folder / "ct-stream").glob("certstream_*.gz"))
    files += [folder / "benign" / name for name in _BENIGN]
    text = table(sorted({name for file in files for name in lines(file)}))
    TABLE.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    shown = TABLE.relative_to(CHECKOUT)
    print(f"{shown}: {text.count(chr(10))} lines, {TABLE.stat().st_size} bytes")
    return 0


def table(names: Sequence[str]) -> str:
    """The lines of the table, of those names that are in the tuning half."""
    here: set[tuple[str, str]] = set()
    left: set[tuple[str, str]] = set()
    domains: set[str] = set()
    for name in names:
        host = host_name(name)
        domain = host.registrable
        if not domain or not is_tuning(domain):
            continue
        domains.add(domain)
        here.update((word, domain) for word in _WORD.findall(host.labels[host.at]))
        for label in host.labels[: host.at]:
            left.update((word, domain) for word in _WORD.findall(label))
    registrable = Counter(word for word, _ in here)
    subdomain = Counter(word for word, _ in left)
    held = {
        (word[i : i + RUN], domain)
        for word, domain in here | left
        for i in range(len(word) - RUN + 1)
    }
    runs = Counter(run for run, _ in held)
    rows = [f"* {len(domains)}"]
    rows += [
        f"{word} {registrable[word]} {subdomain[word]}"
        for word in sorted(registrable.keys() | subdomain.keys())
        if registrable[word] + subdomain[word] >= _FEWEST
    ]
    rows += [f"{run} {runs[run]}" for run in sorted(runs) if runs[run] >= _FEWEST]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
