"""
A name from a certificate, taken apart for the rules.

Source: RFC 5890 (A-label, U-label), RFC 3492 (punycode), publicsuffix.org.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address

import idna

from ctmonitor.model.suffix import suffixes

# Longer than any host name (253); what a certificate holds beyond it is left out, so
# that a name of 64 kB costs no more than this.
MAX_CHARACTERS = 4096
_MAX_LABELS = 127  # RFC 1035: 255 octets, two for each label at least
_MAX_LABEL = 63  # RFC 1035 section 2.3.4

# IDNA 2003 (RFC 3490 section 3.1) and browsers read these as dots.
_DOTS = re.compile("[\u3002\uff0e\uff61]")


@dataclass(frozen=True, slots=True)
class HostName:
    """
    One name, as the rules see it.

    Args:
        name: as issued.
        text: in lower case, without a leading `*.` and without the final dot; U-labels
            as A-labels, as far as IDNA takes them.
        labels: of `text`, left to right; the last 127 of a name with more.
        unicode: the same labels with each A-label decoded; one that cannot be decoded
            stands as it is. Equal to `labels` for nearly all names.
        at: position of the registrable label, the one left of the public suffix; -1
            where there is none (an IP address, a public suffix itself).
        suffix: the public suffix, as `co.uk` or `github.io`; empty where there is none
            (an IP address, a number, a name with an empty label).
        is_private: whether the suffix is one of a company (`github.io`), in the second
            part of the public suffix list.
    """

    name: str
    text: str
    labels: tuple[str, ...]
    unicode: tuple[str, ...]
    at: int
    suffix: str
    is_private: bool = False

    @property
    def registrable(self) -> str:
        """The registrable domain (eTLD+1); empty where there is none."""
        return ".".join(self.labels[self.at :]) if self.at >= 0 else ""


def host_name(name: str) -> HostName:
    """
    A name as issued, taken apart; anything that a certificate can hold is taken.

    A label that begins with `xn--` is decoded if its punycode is sound, whatever IDNA
    says of the result: a browser that shows it does harm, and one that does not shows
    a text that no rule is for.
    """
    text = name[:MAX_CHARACTERS].lower()
    if not text.isascii():
        text = _DOTS.sub(".", text)
    labels = text.removeprefix("*.").removesuffix(".").split(".")[-_MAX_LABELS:]
    unicode = labels
    if not text.isascii():
        unicode = [_u_label(label) for label in labels]
        labels = [_a_label(label) for label in labels]
    elif "xn--" in text:
        unicode = [_u_label(label) for label in labels]
    at, suffix, is_private = -1, "", False
    if not (labels[-1].isdigit() or "" in labels or (":" in text and _is_ip(text))):
        split, is_private = suffixes().split(labels)
        at, suffix = split - 1, ".".join(labels[split:])
    return HostName(
        name, ".".join(labels), tuple(labels), tuple(unicode), at, suffix, is_private
    )


def _is_ip(text: str) -> bool:
    """Whether a text with colons is an IP address, with or without brackets."""
    try:
        ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _u_label(label: str) -> str:
    """`m\u00fcller` for `xn--mller-kva`; the label itself when it is no punycode."""
    if not label.startswith("xn--") or len(label) > _MAX_LABEL:
        return label
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
        decoded.encode("utf-8")  # punycode can spell half of a surrogate pair
    except UnicodeError:
        return label
    return decoded.lower() or label


def _a_label(label: str) -> str:
    """`xn--mller-kva` for `m\u00fcller`; the label itself where IDNA refuses it."""
    if label.isascii() or len(label) > _MAX_LABEL:
        return label
    try:
        encoded = idna.encode(label, uts46=True).decode("ascii")
    except UnicodeError:  # idna.IDNAError among them
        return label
    return label if "." in encoded else encoded
