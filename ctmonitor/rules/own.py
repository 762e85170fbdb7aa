"""Domains of our own: which of them a certificate's names are for."""

from collections.abc import Iterable, Iterator, Sequence

from ctmonitor.model.domain import a_labels, name_in
from ctmonitor.rules.prefilter import Prefilter

_LONGEST = 253 + len("*.")
# Names outside ASCII of a certificate that are looked at. Each costs up to 1.3 ms, no
# CA may issue one (RFC 5280 section 4.2.1.6), and a hostile entry could hold 20,000.
_MOST_FOREIGN = 200


class OwnDomains:
    """
    The watched domains; to look at a name costs the same for 1,000 of them. For one
    thread at a time (the prefilter is).

    Attributes:
        literals: of which one occurs in each own name, without regard to ASCII case,
            except where the domain itself is written outside ASCII.
    """

    def __init__(self, domains: Iterable[str] = ()) -> None:
        """
        Args:
            domains: as `watched_domain` gives them; one may lie below another.
        """
        self._domains = frozenset(domains)
        self.literals = tuple(sorted(domain.encode() for domain in self._domains))
        self._prefilter = Prefilter(self.literals)

    def __bool__(self) -> bool:
        return bool(self._domains)

    def of(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """
        Watched domain -> the names in it, as `name_in` gives them, in their order and
        without doubles; only domains with names.

        Args:
            names: of one certificate, as issued.
        """
        if not self._domains:
            return {}
        # Nearly all certificates are others', which one pass over all names tells.
        text = "\n".join(names)
        if text.isascii() and not self._prefilter.numbers(text.encode()):
            return {}
        found: dict[str, dict[str, None]] = {}
        foreign = 0
        for name in names:
            if not name.isascii():
                foreign += 1
                if foreign > _MOST_FOREIGN:
                    continue
            lowered = a_labels(name)
            if len(lowered) > _LONGEST:
                continue
            for domain in self._above(lowered):
                if own := name_in(lowered, domain):
                    found.setdefault(domain, {})[own] = None
        return {domain: tuple(own) for domain, own in found.items()}

    def _above(self, name: str) -> Iterator[str]:
        """The watched domains that `name` ends with, at a label."""
        while name:
            if name in self._domains:
                yield name
            name = name.partition(".")[2]
