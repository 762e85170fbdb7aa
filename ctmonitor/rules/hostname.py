"""
A name from a certificate, taken apart for the rules.

Source: RFC 5890 (A-label, U-label), RFC 3492 (punycode), publicsuffix.org.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostName:
    """
    One name, as the rules see it.

    Args:
        name: as issued.
        text: in lower case, without a leading `*.` and without the final dot.
        labels: of `text`, left to right; at most 127 are looked at.
        unicode: the same labels with each A-label decoded; one that cannot be decoded
            stands as it is. Equal to `labels` for nearly all names.
        at: position of the registrable label, the one left of the public suffix; -1
            where there is none (an IP address, a public suffix itself).
        suffix: the public suffix, as `co.uk` or `github.io`; empty for an IP address.
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
