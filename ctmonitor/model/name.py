"""
Host names: the form in which they are stored, and what an analyst may paste.

Source: RFC 5890 (A-label, U-label), RFC 1035 section 2.3.4 (lengths).
"""

import re
from urllib.parse import urlsplit

import idna

from ctmonitor.model.text import bounded, printable

_SCHEME = re.compile(r"(?i)^[a-z][a-z0-9+.-]{0,20}://")
_DEFANGED_DOT = re.compile(r"\[\.\]|\(\.\)|\[dot\]|\(dot\)", re.IGNORECASE)


def host_key(name: str) -> str:
    """
    The one form of a name from a certificate that is stored, joined and printed.

    Lower case, no trailing dot, one line of printable characters, at most 500 of them.
    """
    lowered = name.lower()
    if lowered.endswith(".") and len(lowered) > 1:
        lowered = lowered[:-1]
    return bounded(printable(lowered))


def host_of(pasted: str) -> str:
    """
    The host name in what a person pasted, as a certificate would spell it.

    Takes a name in U-labels or A-labels, upper case, with trailing dot, port, a whole
    URL, or defanged (`hxxps://login[.]example`). Gives lower-case A-labels; a label
    that IDNA refuses stays as it is, so that nothing vanishes. Empty for nothing.
    """
    text = _DEFANGED_DOT.sub(".", pasted.strip())
    if _SCHEME.match(text):
        text = "//" + text.split("://", 1)[1]
    elif re.search(r"[/?#@]", text):
        text = "//" + text
    else:
        text = "//" + re.sub(r":\d*$", "", text) if text.count(":") == 1 else text
    if text.startswith("//"):
        try:
            text = urlsplit(text).hostname or ""
        except ValueError:  # `http://[broken`: judge the text as it was pasted
            text = pasted.strip()
    text = text.lower().replace("\u3002", ".").replace("\uff0e", ".")
    if text.endswith(".") and len(text) > 1:
        text = text[:-1]
    if text.isascii():
        return text
    return ".".join(_a_label(label) for label in text.split("."))


def _a_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.encode(label, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        # What a careless registry would have done: punycode of the label as typed.
        try:
            return "xn--" + label.encode("punycode").decode("ascii")
        except UnicodeError:
            return label
