"""
The keyword rule of CertStreamMonitor: enough distinct keywords in one name.

Its meaning is `len(set(re.findall(SearchKeywords, name)))` against the threshold, on
the lower-cased name, with three documented differences: case does not matter, groups
in the expression do not change what is counted, and empty matches do not count.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from ctmonitor.rules.pattern import branches, compiled

# Below this many alternatives the whole expression is as quick as a selection.
_SELECT_FROM = 12


class Keywords:
    """
    The keywords of one expression.

    An alternative of which no required text occurs in a name cannot match in it, so
    leaving it out changes nothing: with 2,000 keywords a name is matched against the
    few that the prefilter named, by their position, in their order.
    """

    def __init__(self, pattern: str) -> None:
        """
        Args:
            pattern: `SearchKeywords`; must have passed `pattern.check`.
        """
        self.pattern = pattern
        self.branches = branches(pattern)
        self._whole = compiled(pattern)
        self._always = frozenset(
            i for i, branch in enumerate(self.branches) if not branch.literals
        )
        self._selection = lru_cache(maxsize=4096)(self._compile)

    def __len__(self) -> int:
        return sum(branch.source != "" for branch in self.branches)

    def __reduce__(self) -> tuple[type["Keywords"], tuple[str]]:
        return (Keywords, (self.pattern,))

    def _compile(self, selected: frozenset[int]) -> Any:
        sources = (self.branches[i].source for i in sorted(selected))
        return compiled("|".join(f"(?:{source})" for source in sources))

    def found(
        self, lowered: str, named: Collection[int] | None, limit_s: float
    ) -> tuple[str, ...]:
        """
        The distinct keywords in a name, in order of appearance.

        Args:
            lowered: the name in lower case.
            named: positions of the branches whose texts occur in it; None for all.
            limit_s: time that the search may take.

        Raises:
            TimeoutError: the expression took longer than its limit for this name.
        """
        expression = self._whole
        if named is not None and len(self.branches) >= _SELECT_FROM:
            selected = self._always.union(named)
            if not selected:
                return ()
            expression = self._selection(selected)
        matches = expression.finditer(lowered, timeout=limit_s)
        return tuple(dict.fromkeys(m.group() for m in matches if m.group()))
