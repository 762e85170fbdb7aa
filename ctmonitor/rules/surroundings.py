"""
Words that often stand around a name: cheap suffixes, free hosting, service names.

They are data of this package, surroundings.txt, which says what each list holds.
"""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import NamedTuple


class Surroundings(NamedTuple):
    """The lists of surroundings.txt; words in lower-case ASCII."""

    cheap: frozenset[str]
    hosting: frozenset[str]
    services: frozenset[str]
    work: frozenset[str]
    countries: frozenset[str]


@cache
def surroundings() -> Surroundings:
    """The lists of this package."""
    file = resources.files("ctmonitor.rules") / "surroundings.txt"
    return read_surroundings(file.read_text("utf-8").splitlines())


def read_surroundings(lines: Iterable[str]) -> Surroundings:
    """
    The lists of a text: `[kind]`, then words; `# comment`.

    Raises:
        KeyError: a kind that is not one of `Surroundings`.
    """
    words: dict[str, set[str]] = {kind: set() for kind in Surroundings._fields}
    kind = Surroundings._fields[0]
    for line in lines:
        if line.startswith("["):
            kind = line.strip("[]")
        elif not line.startswith("#"):
            words[kind].update(line.split())
    return Surroundings(*map(frozenset, words.values()))
