"""
The prefilter: one pass of Hyperscan over raw bytes, before anything is parsed.

It points at every place where a rule could match, and at some where none does. It is
a superset by construction: it searches texts of which at least one occurs in every
match (`rules.literals`), and steps aside where no such text is known.
"""

import re
from collections.abc import Callable, Iterable, Sequence

import hyperscan

# What `re` takes for an ASCII letter when case does not matter, though it is none:
# dotted capital I, dotless i, long s, the Kelvin sign. No other character lower-cases
# or folds to ASCII (a test goes through all of Unicode).
FOLDING_TO_ASCII = ("\u0130", "\u0131", "\u017f", "\u212a")


class Prefilter:
    """
    Searches byte strings, without regard to ASCII case. For one thread at a time.
    """

    def __init__(
        self,
        literals: Iterable[bytes],
        marks: Sequence[bytes] = (),
        expressions: Sequence[bytes] = (),
    ) -> None:
        """
        Args:
            literals: texts of the rules.
            marks: further texts that make a place worth a look, because the format of
                the bytes can hide a literal behind them.
            expressions: of Hyperscan, for what no literal says. With none of the three
                nothing is ever found.
        """
        self.literals = tuple(sorted(set(literals)))
        self.marks = tuple(marks)
        self.expressions = tuple(expressions)
        texts = [*self.literals, *self.marks]
        searched = texts
        if self.expressions:  # a database holds either texts or expressions
            searched = [re.escape(text) for text in texts] + [*self.expressions]
        self._scratch: hyperscan.Scratch | None = None  # None: that of the database
        self._database: hyperscan.Database | None = None
        if searched:
            self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            self._database.compile(
                expressions=searched,
                ids=list(range(len(searched))),
                elements=len(searched),
                flags=hyperscan.HS_FLAG_CASELESS,
                literal=not self.expressions,
            )

    def __reduce__(self) -> tuple[type["Prefilter"], tuple[object, object, object]]:
        return (Prefilter, (self.literals, self.marks, self.expressions))

    def twin(self) -> "Prefilter":
        """One that searches the same, for another thread; nothing is compiled."""
        other = Prefilter(())
        other.__dict__.update(self.__dict__)
        if self._database is not None:
            other._scratch = hyperscan.Scratch(self._database)
        return other

    def ends(self, data: bytes) -> list[int]:
        """
        Where in `data` something that is searched ends, ascending, each end once or
        more.
        """
        found: list[int] = []
        append = found.append

        def on_match(
            number: int, start: int, end: int, flags: int, context: object
        ) -> None:
            append(end)

        self._scan(data, on_match)
        return found

    def numbers(self, data: bytes) -> set[int]:
        """
        What occurs in `data`, as positions in `literals`, then `marks`, then
        `expressions`.
        """
        found: set[int] = set()
        add = found.add

        def on_match(
            number: int, start: int, end: int, flags: int, context: object
        ) -> None:
            add(number)

        self._scan(data, on_match)
        return found

    def _scan(self, data: bytes, on_match: Callable[..., None]) -> None:
        if self._database is not None and data:
            self._database.scan(
                data, match_event_handler=on_match, scratch=self._scratch
            )
