"""
Text of strangers made safe to show: on a terminal, in a log line, in a database.

Names and distinguished names come out of certificates, which anybody can have made.
They may hold newlines, NUL, escape sequences, bidirectional overrides, or 64 kB.
"""

import hashlib
import unicodedata

# A host name has at most 253 characters (RFC 1035 section 2.3.4); a few more leave
# room for what a certificate's CN holds instead of one. PostgreSQL refuses index rows
# above about 2,700 bytes, so a key has to be bounded.
MAX_KEY_CHARACTERS = 500

# Cc control, Cf format (bidirectional overrides, zero width), Cs lone surrogate,
# Co private use, Cn unassigned, Zl and Zp line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""
    `text` on one line, with everything a terminal could act on written as an escape.

    The result holds no control, format, surrogate or unassigned character, so it can
    be encoded as UTF-8 and stored by every database: `"a\x1b[2J"` becomes `a\x1b[2J`
    in plain characters.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _escape(char) if unicodedata.category(char) in _UNSAFE else char
        for char in text
    )


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def bounded(text: str, limit: int = MAX_KEY_CHARACTERS) -> str:
    """
    `text` if it has at most `limit` characters, else its beginning and its SHA-256.

    Two different long texts give different results, so the result can be a key.
    """
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    end = f"...sha256={digest}"
    return text[: limit - len(end)] + end


def shortened(text: str, limit: int = 80) -> str:
    """`text` for a message: printable, and cut after `limit` characters."""
    shown = printable(text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."
