"""
DER as far as certificates need it: tags, lengths, and the elements of a container.

Every length is checked against the container before it is used. Lengths that are
longer than need be are read, as are those of up to four octets; the indefinite form,
which DER forbids, is not.

Source: X.690 sections 8.1 and 10.1.
"""

from ctmonitor.errors import FormatError

SEQUENCE = 0x30
SET = 0x31
BOOLEAN = 0x01
INTEGER = 0x02
OCTET_STRING = 0x04

# In one container. An entry of a log may have 16 MB, which would be 8 million elements
# of two bytes; the longest list of names that was ever seen has some 2,000.
MAX_ELEMENTS = 50_000

# Where an element begins, where its content does, and where both end.
Element = tuple[int, int, int]


def extent(der: bytes, start: int, end: int) -> tuple[int, int]:
    """
    Where the content of the element at `start` stands, whatever its tag.

    Args:
        end: where the container ends, at most the size of `der`.

    Raises:
        FormatError: no element that fits into [start, end) begins there.
    """
    content = start + 2
    if content > end:
        raise FormatError("DER: element without length", f"at {start}")
    size = der[start + 1]
    if size & 0x80:
        octets = size & 0x7F
        if not 1 <= octets <= 4 or content + octets > end:
            raise FormatError("DER: length out of range", f"at {start}")
        size = int.from_bytes(der[content : content + octets], "big")
        content += octets
    stop = content + size
    if stop > end:
        raise FormatError("DER: element longer than its container", f"at {start}")
    return content, stop


def inner(der: bytes, start: int, end: int, tag: int) -> tuple[int, int]:
    """
    As `extent`, for an element that has to bear `tag`.

    Raises:
        FormatError: it bears another one, or does not fit into [start, end).
    """
    if start >= end or der[start] != tag:
        raise FormatError("DER: other tag than expected", f"0x{tag:02x} at {start}")
    return extent(der, start, end)


def walk(
    der: bytes,
    start: int,
    end: int,
    found: list[Element],
    limit: int = MAX_ELEMENTS,
) -> None:
    """
    Append the elements that fill [start, end) to `found`, which is empty.

    Args:
        limit: elements that are read, 1 or more.

    Raises:
        FormatError: what follows those that were appended is no element, or is one
            too many.
    """
    # Only a container as large as this can hold too many.
    most = limit if end - start > 2 * limit else 0
    while start < end:
        content = start + 2
        # Most lengths take one octet, and a certificate has some 60 elements.
        if content <= end and (size := der[start + 1]) < 0x80:
            stop = content + size
            if stop > end:
                raise FormatError(
                    "DER: element longer than its container", f"at {start}"
                )
        else:
            content, stop = extent(der, start, end)
        if most and len(found) >= most:
            raise FormatError(f"DER: more than {limit} elements", f"at {start}")
        found.append((start, content, stop))
        start = stop


def elements(der: bytes, start: int, end: int) -> list[Element]:
    """
    The elements that fill [start, end).

    Raises:
        FormatError: they do not.
    """
    found: list[Element] = []
    walk(der, start, end, found)
    return found


def encoded(tag: int, content: bytes) -> bytes:
    """The element of this tag and content, with the shortest length."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    if 0x100 <= size < 0x10000:  # as of nearly all certificates
        return bytes((tag, 0x82, size >> 8, size & 0xFF)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
