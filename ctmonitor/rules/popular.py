"""
Well-known domains, which are silent where a look-alike would be found.

Read are the lists that others publish: a domain a line, or CSV with the rank before it
(Tranco, Umbrella, Alexa) or a line of headings that names a column `domain` (Majestic,
Cloudflare).
"""

import re
from collections.abc import Sequence
from itertools import chain, islice

from ctmonitor.model.text import shortened
from ctmonitor.rules.hostname import host_name
from ctmonitor.rules.lines import Problems, rule_lines

_HOST = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,252}")
# Lists of others hold a wrong line now and then; a page of an error holds no other.
_MAX_WRONG_SHARE = 0.01


class PopularDomains:
    """The domains of a list. Picklable."""

    def __init__(
        self, domains: frozenset[str] = frozenset(), warnings: Sequence[str] = ()
    ) -> None:
        """
        Args:
            domains: in lower-case A-labels.
            warnings: sentences on what is odd in the file, and does not stop anything.
        """
        self._domains = domains
        self.warnings = tuple(warnings)

    def __len__(self) -> int:
        return len(self._domains)

    def __reduce__(self) -> tuple[type["PopularDomains"], tuple[object, object]]:
        return (PopularDomains, (self._domains, self.warnings))

    def __contains__(self, registrable: str) -> bool:
        """Whether `HostName.registrable` of a host is on the list."""
        return registrable in self._domains


def parse_popular(text: str, path: str, ranks: int) -> PopularDomains:
    """
    The domains of a list's text.

    Args:
        path: of the file, for messages.
        ranks: how many of its lines count, from the top; 1 or more.

    Raises:
        ConfigError: it is no list of domains.
    """
    problems = Problems(path)
    lines = rule_lines(text.lower(), problems)
    first = list(islice(lines, 1))
    headings = [name.strip(' "') for line in first for name in line[1].split(",")]
    column = -1
    if "domain" in headings:
        column, first = headings.index("domain"), []
    domains: set[str] = set()
    wrong: list[tuple[int, str]] = []
    is_host = _HOST.fullmatch
    counted = 0
    for number, line in islice(chain(first, lines), ranks):
        counted += 1
        name = line.rpartition(",")[2] if column < 0 else _field(line, column)
        if is_host(name) or is_host(name := name.strip(' "')):
            domains.add(name)
        elif not name.isascii() and is_host(host := host_name(name).text):
            domains.add(host)
        else:
            wrong.append((number, line))
    if wrong:
        number, line = wrong[0]
        lines_are = "line is" if len(wrong) == 1 else f"of {len(wrong)} lines that are"
        note = problems.warning
        if len(wrong) > counted * _MAX_WRONG_SHARE:
            note = problems.error
        note(
            number,
            f"'{shortened(line)}' is the first {lines_are} no domain, of {counted}. "
            "Give a list as Tranco and Umbrella publish them, or one domain a line.",
        )
    problems.raise_errors()
    if not counted:
        problems.warning(0, "holds no domain. Fetch the list anew.")
    return PopularDomains(frozenset(domains), problems.warnings())


def _field(line: str, column: int) -> str:
    fields = line.split(",")
    return fields[column] if column < len(fields) else ""
