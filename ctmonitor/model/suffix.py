"""
Public suffixes: below which part of a host name anybody can register.

The list is that of the package publicsuffixlist, read once at the first question. Its
own way to a suffix takes twice as long, and does not tell whose suffix it is.

Source: publicsuffix.org/list, "Format" and "Algorithm".
"""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

import idna

# What the list says of a suffix. The same bits, shifted, for its second part, the
# suffixes of companies.
_SUFFIX = 1  # `co.uk`
_WILDCARD = 2  # `*.ck`: every label to the left of it is part of the suffix
_EXCEPTION = 4  # `!www.ck`
_OF_ALL = 7
_PRIVATE = 3  # bits to shift by
_LONGER = 64  # a longer rule ends in this one


class Split(NamedTuple):
    """
    Where the public suffix of a name begins.

    Args:
        at: position of its first label.
        is_private: whether it is a company's (`github.io`).
    """

    at: int
    is_private: bool


class Suffixes:
    """A public suffix list."""

    def __init__(self, lines: Iterable[str]) -> None:
        """
        Args:
            lines: in the format of the list; names in U-labels or A-labels.
        """
        self._rules: dict[str, int] = {}
        shift = 0
        for line in lines:
            if line.startswith("// ===BEGIN PRIVATE"):
                shift = _PRIVATE
            words = line.split(None, 1)
            if words and not words[0].startswith("//"):
                self._add(words[0].lower(), shift)

    def _add(self, rule: str, shift: int) -> None:
        kind = _SUFFIX
        if rule.startswith("!"):
            rule, kind = rule[1:], _EXCEPTION
        elif rule.startswith("*."):
            rule, kind = rule[2:], _WILDCARD
        for name in {rule, rule if rule.isascii() else _a_labels(rule)}:
            self._rules[name] = self._rules.get(name, 0) | kind << shift
            _, dot, shorter = name.partition(".")
            while dot:
                self._rules[shorter] = self._rules.get(shorter, 0) | _LONGER
                _, dot, shorter = shorter.partition(".")

    def split(self, labels: Sequence[str], *, only_icann: bool = False) -> Split:
        """
        The longest public suffix of a name.

        A top-level domain that the list does not know is a suffix of one label. Where
        `*.kawasaki.jp` is a rule, `kawasaki.jp` is a suffix too.

        Args:
            labels: in lower case, left to right; one or more.
            only_icann: look at the suffixes of registries only, not of companies.
        """
        rules = self._rules
        at = best = len(labels) - 1
        is_private = False
        name = labels[at]
        known = rules.get(name, 0)
        while known:
            public = known & _OF_ALL
            private = 0 if only_icann else known >> _PRIVATE & _OF_ALL
            if kinds := public | private:
                if kinds & _EXCEPTION:
                    # It stands beside a wildcard, one label to the right.
                    return Split(at + 1, not public & _EXCEPTION)
                if kinds & _WILDCARD and at > 0:
                    best, is_private = at - 1, not public & _WILDCARD
                else:
                    best, is_private = at, not public
            if at == 0 or not known & _LONGER:
                break
            at -= 1
            name = f"{labels[at]}.{name}"
            known = rules.get(name, 0)
        return Split(best, is_private)


def _a_labels(rule: str) -> str:
    return idna.encode(rule, uts46=True).decode("ascii")


@cache
def suffixes() -> Suffixes:
    """The list that the package brought, of the day of its release."""
    file = resources.files("publicsuffixlist") / "public_suffix_list.dat"
    return Suffixes(file.read_text("utf-8").splitlines())
