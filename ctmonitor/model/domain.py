"""
Watched domains: what a person may write for one, and which names lie in it.

Source: RFC 5890 (A-label), RFC 1035 section 2.3.4 (lengths), RFC 6125 section 6.4.3
(wildcards).
"""

import re

import idna

from ctmonitor.errors import FormatError
from ctmonitor.model.name import host_of
from ctmonitor.model.suffix import suffixes
from ctmonitor.model.text import shortened

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LONGEST = 253


def watched_domain(written: str) -> str:
    """
    The domain in lower-case A-labels.

    Takes `example.com.`, `*.example.com`, `EXAMPLE.com`, `bücher.example`, an address
    of the web and defanged forms.

    Raises:
        FormatError: it is no domain, or a public suffix, below which all is others'.
    """
    shown = repr(shortened(written, 100))
    # "/" in front of the star would else be taken for a part of it.
    domain = host_of(written.strip()).removeprefix("*.")
    labels = domain.split(".")
    # Half characters and reversed text are no A-label that anybody registered.
    is_typed = written.strip().isprintable()
    if not is_typed or not _is_host(domain) or labels[-1].isdigit():
        raise FormatError("no domain", f"{shown} is no domain; write example.com")
    if suffixes().split(labels).at == 0:
        why = f"{shown} is a public suffix: anybody can register below it"
        raise FormatError("public suffix", f"{why}; write a domain of yours")
    return domain


def name_in(name: str, domain: str) -> str:
    """
    `name` in lower-case A-labels, when it is a host name that is or lies below
    `domain`; else empty. A wildcard as first label stays.

    Args:
        name: of a certificate, or of what a source says: mail addresses, names of
            organisations and other texts stand among them.
    """
    lowered = a_labels(name)
    host = lowered.removeprefix("*.")
    if host != domain and not host.endswith("." + domain):
        return ""
    return lowered if _is_host(host) else ""


def a_labels(name: str) -> str:
    """
    `name` in lower-case A-labels, without a last dot, a host name or not; empty when
    it has none.
    """
    lowered = name.strip().lower().removesuffix(".")
    if lowered.isascii():
        return lowered
    if len(lowered) > len("*.") + _LONGEST:  # and no shorter in A-labels
        return ""
    # One by one: idna refuses the star and underscores, which names have beside them.
    try:
        return ".".join(
            label if label.isascii() else idna.encode(label, uts46=True).decode()
            for label in lowered.split(".")
        )
    except (idna.IDNAError, UnicodeError):
        return ""


def _is_host(name: str) -> bool:
    labels = name.split(".")
    return len(name) <= _LONGEST and all(map(_LABEL.fullmatch, labels))
