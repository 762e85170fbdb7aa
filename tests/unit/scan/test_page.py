"""Titles and icons in what strangers serve."""

import base64
import codecs
import hashlib

import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.scan import page

HTML = "text/html"


def title_of(body: bytes, content_type: str = "") -> str:
    return page.head_of(body, content_type).title


def titled(text: str) -> bytes:
    return f"<html><head><title>{text}</title></head>".encode()


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b"", ""),
        (b"<p>no title", ""),
        (b"<title>Sign in</title>", "Sign in"),
        (b"<TITLE\nlang=en>Sign in</TITLE >", "Sign in"),
        (b"<title data-x='>'>Sign in</title>", "Sign in"),
        (b"<title>  two\r\n\t words \n</title>", "two words"),
        (b"<title>a &amp; b &lt;i&gt; &#x41;&eacute;</title>", "a & b <i> A\u00e9"),
        (b"<title><b>Sign</b> in</title>", "<b>Sign</b> in"),
        (b"<title></title><title>second</title>", ""),
        (b"<title>open", "open"),
        (b"<!-- <title>no</title> --><title>yes</title>", "yes"),
        (b"<!--><title>yes</title>-->", "yes"),
        (b"<!-- <title>no</title>", ""),
        (b"<script>'<title>no</title>'</script><title>yes</title>", "yes"),
        (b"<style><title>no</title></style><title>yes</title>", "yes"),
        (b"<svg><title>no</title></svg><title>yes</title>", "yes"),
        (b"<textarea><title>no</title></textarea><title>yes</title>", "yes"),
        (b"<script><title>no</title>", ""),
        (b"<titles>no</titles><title>yes</title>", "yes"),
        (b"<title>\x1b[2J\x00\x07bell</title>", "\\x1b[2J\\x00\\x07bell"),
        ("<title>\u202egnp.exe\u200b</title>".encode(), "\\u202egnp.exe\\u200b"),
        (b"<title>&#10;&#27;&#x202e;x</title>", "\\u202ex"),
    ],
)
def test_the_title_is_the_one_a_browser_shows(body: bytes, title: str) -> None:
    assert title_of(body, HTML) == title


@pytest.mark.parametrize(("length", "shown"), [(299, 299), (300, 300), (301, 300)])
def test_a_long_title_is_cut(length: int, shown: int) -> None:
    title = title_of(titled("x" * length))
    assert len(title) == shown
    assert title.endswith("...") is (length > 300)


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("utf-8", "\u0432\u0445\u043e\u0434"),
        ("windows-1251", "\u0432\u0445\u043e\u0434"),
        ("koi8-r", "\u0432\u0445\u043e\u0434"),
        ("shift_jis", "\u30ed\u30b0\u30a4\u30f3"),
        ("euc-kr", "\ub85c\uadf8\uc778"),
        ("gb2312", "\u767b\u5f55"),
        ("big5", "\u767b\u5165"),
        ("iso-8859-1", "caf\u00e9"),
    ],
)
def test_a_charset_declared_in_header_or_page_is_used(charset: str, text: str) -> None:
    encoded = f"<title>{text}</title>".encode(charset)
    assert title_of(encoded, f"text/html; Charset='{charset}'") == text
    meta = f'<meta http-equiv=x content="text/html; charset={charset}">'.encode()
    assert title_of(meta + encoded) == text
    assert title_of(f"<meta charset='{charset}'/>".encode() + encoded) == text
    xml = f'<?xml version="1.0" encoding="{charset}"?>'.encode()
    assert title_of(xml + encoded) == text


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read_by_mark_header_or_zeros(charset: str) -> None:
    encoded = titled("Anmelden \u00fc").decode().encode(charset)
    mark = codecs.BOM_UTF16_LE if charset == "utf-16-le" else codecs.BOM_UTF16_BE
    for body, content_type in [
        (mark + encoded, ""),
        (mark + encoded, "text/html; charset=utf-8"),
        (encoded, f"text/html; charset={charset}"),
        (encoded, ""),
        (encoded[:-1], ""),
    ]:
        assert title_of(body, content_type) == "Anmelden \u00fc"


def test_the_header_counts_more_than_the_page() -> None:
    body = b"<meta charset=windows-1251><title>caf\xc3\xa9</title>"
    assert title_of(body, "text/html; charset=utf-8") == "caf\u00e9"


@pytest.mark.parametrize(
    "label", ["punycode", "unicode_escape", "zip", "hex", "undefined", "idna", "x" * 99]
)
def test_what_is_no_charset_is_passed_over(label: str) -> None:
    body = "<title>caf\u00e9 \\x41</title>".encode()
    assert title_of(body, f"text/html; charset={label}") == "caf\u00e9 \\x41"


def test_an_undeclared_charset_is_guessed() -> None:
    text = "Вход в личный кабинет банка для клиентов"
    assert title_of(f"<title>{text}</title>".encode("windows-1251")) == text


def test_a_page_cut_in_the_middle_of_a_character_is_still_utf_8() -> None:
    body = titled("caf\u00e9") + "\u20ac".encode()[:2]
    assert title_of(body) == "caf\u00e9"


@pytest.mark.parametrize(
    ("body", "href"),
    [
        (b"<link rel=icon href=/a.png>", "/a.png"),
        (b"<LINK REL='Shortcut ICON' HREF=' /a.ico '>", "/a.ico"),
        (b'<link href="/a.png?x=1&amp;y=2" rel="icon"/>', "/a.png?x=1&y=2"),
        (b"<link rel=stylesheet href=/a.css><link rel=icon href=/b>", "/b"),
        (b"<link rel=apple-touch-icon href=/a>", ""),
        (b"<link data-href=/no rel=icon>", ""),
        (b"<link rel=icon href=''>", ""),
        (b"<!-- <link rel=icon href=/no> -->", ""),
        (b"<title>x</title><link rel=icon href=/a>", "/a"),
        (b"<link rel=icon href=/" + b"a" * 3000 + b">", ""),
    ],
)
def test_the_icon_is_where_the_page_says(body: bytes, href: str) -> None:
    assert page.head_of(body).icon_href == href


def test_the_icon_hash_is_that_of_shodan() -> None:
    """Its base64 has a newline after every 76 characters and at the end."""
    icon = bytes(range(256)) * 5
    lines = base64.encodebytes(icon)
    assert lines.count(b"\n") == -(-len(icon) * 4 // 3 // 76)
    assert page.icon_hash(icon) == mmh3.hash(lines, signed=True)
    assert page.icon_hash(b"") == 0
    assert page.icon_hash(b"x") == mmh3.hash(b"eA==\n")


def test_the_body_hash() -> None:
    assert page.sha256_hex(b"abc") == hashlib.sha256(b"abc").hexdigest()


HOSTILE = [
    b"<title>" + b"x" * (10 << 20),
    b"<title>" + b"&" * (10 << 20),
    b"<title>" + b" " * (10 << 20),
    b"<link " * (1 << 20),
    b'<link a="' * (1 << 20),
    b"<link " + b"a" * (10 << 20),
    b"<link rel=icon " + b"a =" * (3 << 20),
    b"<!--" * (2 << 20),
    b"<!-->" * (2 << 20),
    b"<script>" * (1 << 20),
    b"<svg></svg>" * (1 << 20),
    b"<svg ='</svg>" * (1 << 20),
    b"<meta " * (1 << 20),
    b"<title" * (1 << 20),
    b"\xe9" * (10 << 20),
    b"\0" * (10 << 20),
    b"<" * (10 << 20),
]


@pytest.mark.timeout(30)  # without bounds the worst of them takes hours
@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_ten_megabytes_of_malice_take_bounded_work(body: bytes) -> None:
    head = page.head_of(body, HTML)
    assert len(head.title) <= 300
    assert len(head.icon_href) <= 2048


@given(st.binary(max_size=400), st.text(max_size=60))
def test_any_bytes_give_one_printable_line(body: bytes, content_type: str) -> None:
    for given_body in (body, b"<title>" + body, b"<link rel=icon href=" + body):
        title = title_of(given_body, content_type)
        assert "\n" not in title
        assert len(title) <= 300
        title.encode()
