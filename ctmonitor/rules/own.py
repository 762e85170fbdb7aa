"""Domains of our own: which of them a certificate's names are for."""

from collections.abc import Iterable, Iterator

from ctmonitor.model.domain import a_labels, name_in

_LONGEST = 253 + len("*.")
# Names outside ASCII of a certificate that are looked at. Each costs up to 0.3 ms, no
# CA may issue one (RFC 5280 section 4.2.1.6), and a hostile entry could hold 20,000.
_MOST_FOREIGN = 1000


class OwnDomains:
    """
    The watched domains. What it costs to look at a name is the same for 1,000 of them.

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

    def __bool__(self) -> bool:
        return bool(self._domains)

    def of(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """
        Watched domain -> the names in it, as `name_in` gives them, in their order and
        without doubles; only domains with names.

        Args:
            names: of one certificate, as issued.
        """
        if not self._domains:
            return {}
        found: dict[str, dict[str, None]] = {}
        foreign = 0
        for name in names:
            if not name.isascii():
                foreign += 1
                if foreign > _MOST_FOREIGN or len(name) > _LONGEST:
                    continue
            text = a_labels(name)
            if len(text) > _LONGEST:
                continue
            for domain in self._above(text):
                if own := name_in(text, domain):
                    found.setdefault(domain, {})[own] = None
        return {domain: tuple(own) for domain, own in found.items()}

    def _above(self, name: str) -> Iterator[str]:
        """The watched domains that `name` ends with, at a label."""
        while name:
            if name in self._domains:
                yield name
            name = name.partition(".")[2]
