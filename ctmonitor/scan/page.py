"""
What a page shows of itself: its title, its icon, hashes to compare it by.

The bytes are a stranger's. Of a page the first 512 kB are looked at, and every
search goes forward only, so that the work grows with the length and no further.

Source: WHATWG HTML, sections 13.2.3.2 (encoding), 13.2.5 (tokens), 4.6.7.8 (icons).
"""

import base64
import codecs
import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

import mmh3

from ctmonitor.model.text import shortened

_MAX_TITLE_CHARACTERS = 300
_MAX_HREF_CHARACTERS = 2048
_MAX_PAGE_BYTES = 512 * 1024
_MAX_TAG_CHARACTERS = 8192
_MAX_LINKS = 50
_PRESCAN_BYTES = 4096  # 1,024 in the standard; pages with long comments need more
_SAMPLE_BYTES = 4096  # to guess from

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_IN_HEADER = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:+-]{1,40})", re.IGNORECASE)
_IN_META = re.compile(
    rb"<meta\s[^>]{0,500}?charset\s*=\s*[\"']?\s*([\w.:+-]{1,40})", re.IGNORECASE
)
_IN_XML = re.compile(
    rb"\s{0,100}<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']([\w.:+-]{1,40})", re.IGNORECASE
)
# Python knows more under such names than charsets: `punycode`, `unicode_escape`, `zip`.
_CHARSET = re.compile(
    r"utf-(8|16|32)(-[a-z]+)?|(cp|iso8859-|iso2022_|mac-?|koi8-|euc_|gb|big5|shift_jis)"
    r"[a-z0-9_-]*|ascii|tis-620|johab|hz|ptcp154"
)
# Browsers read these as their supersets.
_SUPERSETS = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "utf-16": "utf-16-le",
}
_TAG = re.compile(
    r"<(?:!--|(title|script|style|textarea|xmp|iframe|noembed|noframes|noscript"
    r"|svg|math|template|link|body)(?=[\s/>]))",
    re.IGNORECASE,
)
_SINGLE = frozenset({"link", "body"})  # their content is looked at like the rest
_ATTRIBUTE = re.compile(
    r"(?<![^\s\"'/])([^\s\"'<>/=]{1,100})\s{0,20}=\s{0,20}"
    r"(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'=<>`]+))"
)


@dataclass(frozen=True, slots=True)
class Head:
    """
    What a page says of itself.

    Args:
        title: one line, entities decoded, printable, at most 300 characters.
        icon_href: where its icon is, in its own words; empty when it does not say.
    """

    title: str = ""
    icon_href: str = ""


def head_of(body: bytes, content_type: str = "") -> Head:
    """
    Title and icon.

    Args:
        body: decoded from its content encoding; may be cut off anywhere.
        content_type: the header as sent.
    """
    title: str | None = None
    icon_href = ""
    for name, content in _elements(text_of(body, content_type)):
        if name == "title" and title is None:
            # An entity has at most 33 characters; what is cut off would not be shown.
            words = html.unescape(content[: 40 * _MAX_TITLE_CHARACTERS]).split()
            title = shortened(" ".join(words), _MAX_TITLE_CHARACTERS)
        elif name == "link":
            icon_href = icon_href or _icon_href(content)
        if title is not None and (icon_href or name == "body"):
            break
    return Head(title or "", icon_href)


def _icon_href(attributes_text: str) -> str:
    attributes = {
        found[1].lower(): html.unescape(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(attributes_text)
    }
    href = attributes.get("href", "").strip()
    is_icon = "icon" in attributes.get("rel", "").lower().split()
    return href if is_icon and len(href) <= _MAX_HREF_CHARACTERS else ""


def icon_hash(icon: bytes) -> int:
    """The hash that Shodan has as `http.favicon.hash`: of base64 in lines, signed."""
    return mmh3.hash(base64.encodebytes(icon))


def sha256_hex(body: bytes) -> str:
    """SHA-256 of the body, in hex."""
    return hashlib.sha256(body).hexdigest()


def text_of(body: bytes, content_type: str = "") -> str:
    """
    The text of the first 512 kB, in the charset that a browser would take.

    A byte order mark counts more than the header, the header more than the page; where
    nothing is declared, or what is declared does not exist, the bytes decide.
    """
    head = body[:_MAX_PAGE_BYTES]
    for mark, charset in _BOMS:
        if head.startswith(mark):
            return head[len(mark) :].decode(charset, "replace")
    declared = _IN_HEADER.search(content_type[:1000])
    charset = _known(declared[1]) if declared else ""
    if not charset:
        start = head[:_PRESCAN_BYTES]
        in_page = _IN_XML.match(start) or _IN_META.search(start)
        charset = _known(in_page[1].decode("ascii", "ignore")) if in_page else ""
        if charset.startswith("utf-16"):
            charset = "utf-8"  # the declaration itself was readable as ASCII
    return head.decode(charset or _guessed(head), "replace")


def _known(label: str) -> str:
    """A charset that Python decodes to text; '' for others."""
    try:
        name = codecs.lookup(label.lower().removeprefix("x-")).name
    except (LookupError, ValueError):
        return ""
    return _SUPERSETS.get(name, name) if _CHARSET.fullmatch(name) else ""


def _guessed(head: bytes) -> str:
    if b"\0" in head[:_SAMPLE_BYTES]:
        # Text in Latin letters has every other byte zero.
        sample = head[:200]
        first, second = sample[::2].count(0), sample[1::2].count(0)
        if second > max(3 * first, len(sample) // 8):
            return "utf-16-le"
        if first > max(3 * second, len(sample) // 8):
            return "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # may end in mid-character
    except UnicodeDecodeError as exc:
        from charset_normalizer import from_bytes  # few pages need it

        start = max(exc.start - _SAMPLE_BYTES // 4, 0)
        best = from_bytes(head[start : start + _SAMPLE_BYTES], steps=3).best()
        return best.encoding if best is not None else "cp1252"
    return "utf-8"


def _elements(text: str) -> Iterator[tuple[str, str]]:
    """
    Titles with their content, links with their attributes, the start of the body.

    Not those in comments, scripts, styles or drawings, where the words mean nothing.
    """
    position = 0
    links = 0
    while tag := _TAG.search(text, position):
        name = (tag[1] or "!--").lower()
        if name == "!--":
            # `<!-->` and `<!--->` are whole comments.
            end = text.find("-->", tag.end() - 2)
            if end < 0:
                return
            position = end + 3
            continue
        start = _tag_end(text, tag.end())
        if name in _SINGLE:
            links += 1
            if links <= _MAX_LINKS:
                yield name, text[tag.end() : start]
            position = start
            continue
        closing = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(text, start)
        if name == "title":
            yield name, text[start : closing.start() if closing else None]
        if closing is None:
            return
        position = closing.end()


def _tag_end(text: str, position: int) -> int:
    """The first character after the tag; quotes hide `>`."""
    quote = ""
    for index in range(position, min(position + _MAX_TAG_CHARACTERS, len(text))):
        char = text[index]
        if quote:
            quote = "" if char == quote else quote
        elif char == ">":
            return index + 1
        elif char in "\"'" and text[index - 1] in "= \t\r\n":
            quote = char
    return min(position + _MAX_TAG_CHARACTERS, len(text))
