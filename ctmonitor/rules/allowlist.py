"""
Names that are never a finding, whatever the rules say of them.

They come from a file with one rule a line:

    # the host and everything below it: a registrable domain, or a part of one
    example.com
    intranet.example.org
    # the host alone; `=*.example.net` is the wildcard alone
    =www.example.net
    # an expression, searched as those of RegexFile are
    /^(mail|ns[0-9])\\.[a-z]+\\.example\\.co\\.uk$/

Domains are taken in upper case and in U-labels, too. What is refused cannot be right: a
public suffix has strangers below it, those of companies (`github.io`) as those of
registries (`co.uk`); an expression that is found in made-up names would allow them all.
"""

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address

from ctmonitor.errors import FormatError
from ctmonitor.model.suffix import suffixes
from ctmonitor.model.text import shortened
from ctmonitor.rules.hostname import HostName, host_name
from ctmonitor.rules.lines import Problems, rule_lines
from ctmonitor.rules.pattern import TIME_LIMIT_S, check, compiled
from ctmonitor.rules.regexes import Expression, Regexes

# All are tried on every name that another rule found, 1 microsecond each.
MAX_EXPRESSIONS = 1000

_MAX_CHARACTERS = 253  # of a host name, RFC 1035 section 2.3.4
_DOMAIN = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)*[a-z0-9_](?:[a-z0-9_-]{0,62})"
)
_POSITION = re.compile(r" at position ([0-9]+)\Z")

# Made-up labels without a character in common. Whatever expression is found below the
# same domain in all of them allows what anybody registers there.
_MADE_UP = ("b7kvd", "q2-wzr", "9mh5x", "jf4lug")
_DOMAINS = ("com", "net", "org", "info", "xyz", "top", "de", "ru", "co.uk", "com.br")


class AllowList:
    """All rules of a file. Picklable."""

    def __init__(
        self,
        hosts: Mapping[str, str] | None = None,
        domains: Mapping[str, str] | None = None,
        expressions: Sequence[Expression] = (),
        warnings: Sequence[str] = (),
    ) -> None:
        """
        Args:
            hosts: names that are allowed alone, in lower-case A-labels; with each the
                line that says so.
            domains: the same for those that are allowed with all below them.
            expressions: their names are the lines.
            warnings: sentences on what is odd in the file, and does not stop anything.
        """
        self._hosts = dict(hosts or {})
        self._domains = dict(domains or {})
        self._regexes = Regexes(expressions)
        self.warnings = tuple(warnings)

    def __len__(self) -> int:
        return len(self._hosts) + len(self._domains) + len(self._regexes)

    def __reduce__(self) -> tuple[type["AllowList"], tuple[object, ...]]:
        expressions = self._regexes.expressions
        return (AllowList, (self._hosts, self._domains, expressions, self.warnings))

    def allows(
        self,
        host: HostName,
        limit_s: float = TIME_LIMIT_S,
        on_timeout: Callable[[str], None] = lambda name: None,
    ) -> str:
        """
        The line that allows a name; empty when none does.

        Args:
            limit_s: time that each expression may take.
            on_timeout: told the line of an expression that took longer; it does not
                allow the name then.
        """
        text = host.text
        if self._hosts:
            whole = f"*.{text}" if host.name.startswith("*.") else text
            if line := self._hosts.get(whole):
                return line
        if domains := self._domains:
            # No rule is for a public suffix, so the last to look up is registrable.
            for _ in range(host.at + 1):
                if line := domains.get(text):
                    return line
                text = text.partition(".")[2]
        if self._regexes:
            found = self._regexes.found(host, None, limit_s, on_timeout)
            if found:
                return found[0][0]
        return ""


def parse_allowlist(text: str, path: str) -> AllowList:
    """
    The allow-list of a file's text.

    Args:
        path: of the file, for messages.

    Raises:
        ConfigError: with every line that cannot be right, and what to write instead.
    """
    problems = Problems(path)
    hosts: dict[str, str] = {}
    domains: dict[str, str] = {}
    expressions: dict[str, str] = {}
    line_of: dict[str, int] = {}
    # Of expressions beyond MAX_EXPRESSIONS, which cost more to look at than all else.
    surplus: list[int] = []
    for number, line in rule_lines(text, problems):
        rule = line.lstrip()
        try:
            if len(rule) > 1 and rule[0] == rule[-1] == "/":
                if (
                    len(expressions) == MAX_EXPRESSIONS
                    and rule[1:-1] not in expressions
                ):
                    surplus.append(number)
                    continue
                target, key, shown = expressions, _expression(rule), rule
            elif rule[0] == "=":
                target, key, shown = (
                    hosts,
                    _host(rule[1:].lstrip(), shortened(rule)),
                    rule,
                )
            else:
                target, key, shown = domains, _domain(rule), rule
        except ValueError as exc:
            problems.error(number, str(exc))
            continue
        if target.setdefault(key, shown) is not shown:
            problems.warning(
                number, f"says the same as line {line_of[target[key]]}. Remove it."
            )
        line_of.setdefault(shown, number)
    if surplus:
        problems.error(
            surplus[0],
            f"is expression {MAX_EXPRESSIONS + 1} of {MAX_EXPRESSIONS + len(surplus)}, "
            f"and a file may hold {MAX_EXPRESSIONS}. Write domains where they do.",
        )
    problems.raise_errors()
    if not line_of:
        problems.warning(
            0, "allows nothing. Write one domain a line, or remove AllowFile."
        )
    return AllowList(
        hosts,
        domains,
        [Expression(line, pattern) for pattern, line in expressions.items()],
        problems.warnings(),
    )


def _domain(rule: str) -> str:
    """
    The domain of a line in lower-case A-labels.

    Raises:
        ValueError: it cannot be right; a sentence with the next step.
    """
    shown = shortened(rule)
    if _ip(rule):
        raise ValueError(f"'{shown}' is an IP address. Write ={shown} to allow it.")
    name = _name(rule, shown)
    labels = name.split(".")
    at, is_private = suffixes().split(labels)
    if at > 0:
        return name
    if len(labels) == 1:
        raise ValueError(
            f"'{shown}' is a top-level domain. Write the domains that you know, as "
            f"example.{shown}, or ={shown} for the host of this name."
        )
    if is_private:
        raise ValueError(
            f"'{shown}' is a public suffix of a company, whose customers have names "
            f"below it. Write those that you know, as example.{shown}, or an "
            "expression between two / if all of it is yours."
        )
    raise ValueError(
        f"'{shown}' is a public suffix, and strangers have names below it. Write the "
        f"domains that you know, as example.{shown}."
    )


def _host(rule: str, shown: str) -> str:
    """The host of a line in lower-case A-labels; see `_domain`."""
    if address := _ip(rule):
        return address
    star = "*." if rule.startswith("*.") else ""
    return star + _name(rule.removeprefix("*."), shown)


def _ip(rule: str) -> str:
    """An IP address as certificates spell it; empty for anything else."""
    if rule[-1:].isdigit() or ":" in rule:
        with contextlib.suppress(ValueError):
            return str(ip_address(rule.removeprefix("[").removesuffix("]")))
    return ""


def _name(rule: str, shown: str) -> str:
    """Raises ValueError for what is no host name; `shown` is the line, shortened."""
    name = rule.lower().removesuffix(".")
    if len(name) <= _MAX_CHARACTERS and _DOMAIN.fullmatch(name):
        return name
    bare = shortened(rule.lstrip("*."))
    if rule.startswith(("*.", ".")) and _DOMAIN.fullmatch(bare):
        raise ValueError(
            f"'{shown}' is written {bare}, which stands for itself and all below it."
        )
    if "://" in rule or "/" in rule:
        raise ValueError(
            f"'{shown}' is no host name. Write the host alone, as example.com, or an "
            "expression between two /."
        )
    if re.search(r"\s", rule):
        raise ValueError(
            f"'{shown}' holds a blank. Write one domain a line; a comment needs a line "
            "of its own."
        )
    if not name.isascii():
        host = host_name(name)
        if len(host.text) <= _MAX_CHARACTERS and _DOMAIN.fullmatch(host.text):
            return host.text
        raise ValueError(
            f"'{shown}' is no host name that IDNA knows. Write it as its certificates "
            "do, with xn--."
        )
    raise ValueError(
        f"'{shown}' is no host name. Write one as example.com: letters, digits and "
        "hyphens, at most 63 between two dots and 253 in all."
    )


def _expression(rule: str) -> str:
    """The expression between the slashes of a line; see `_domain`."""
    pattern = rule[1:-1]
    shown = shortened(rule)
    try:
        check(pattern)
    except FormatError as exc:
        reason = str(exc)
        if position := _POSITION.search(reason):
            reason = f"{reason[: position.start()]} at position {int(position[1]) + 1}"
        raise ValueError(
            f"{reason} between the slashes of '{shown}'. Correct it, or put a # before "
            "the line."
        ) from exc
    expression = compiled(pattern)

    def is_found_in(name: str) -> bool:
        return expression.search(name, timeout=TIME_LIMIT_S) is not None

    try:
        wide = [
            domain
            for domain in _DOMAINS
            if all(is_found_in(f"{label}.{domain}") for label in _MADE_UP)
        ]
        if is_found_in("") or len(wide) == len(_DOMAINS):
            raise ValueError(
                f"'{shown}' allows everything. Write what the names to allow have in "
                "common."
            )
    except TimeoutError:
        raise ValueError(
            f"'{shown}' takes too long on short names already. Simplify nested "
            "repetitions such as (a+)+."
        ) from None
    if wide:
        raise ValueError(
            f"'{shown}' allows every name below .{wide[0]}, strangers' too. Write the "
            "domains that you know."
        )
    return pattern
