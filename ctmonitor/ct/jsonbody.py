"""
JSON answers of strangers, decoded into the fields that we use.

Source: RFC 6962 section 4 (the answers of a log), RFC 8259.
"""

from typing import TypeVar

import msgspec

from ctmonitor.errors import FormatError
from ctmonitor.model.text import shortened

_T = TypeVar("_T")


def decode(decoder: msgspec.json.Decoder[_T], body: bytes, what: str) -> _T:
    """
    `body` as `decoder` reads it.

    Args:
        what: the name of the document, which begins the message: `get-sth`.

    Raises:
        FormatError: it is no JSON (a page of HTML, half an answer), or no JSON with
            the fields, types and ranges that are asked for.
    """
    try:
        return decoder.decode(body)
    except RecursionError:
        raise FormatError(f"{what}: JSON nested too deep") from None
    except (msgspec.MsgspecError, ValueError) as exc:  # UnicodeDecodeError included
        start = body[:40].decode("utf-8", "replace")
        raise FormatError(
            f"{what}: not the JSON that was asked for",
            f"{shortened(str(exc), 160)}; it begins {shortened(start)!r}",
        ) from None
