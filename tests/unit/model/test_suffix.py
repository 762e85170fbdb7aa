"""The public suffix of a name, held against the package publicsuffixlist."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from ctmonitor.model.suffix import Suffixes, suffixes
from tests.data import shared

ALL = PublicSuffixList()
ICANN = PublicSuffixList(only_icann=True)

LIST = """\
// ===BEGIN ICANN DOMAINS===
com
uk
co.uk   // what follows is a comment
*.ck
!www.ck
jp
*.kawasaki.jp
!city.kawasaki.jp
b\u00fccher
// ===END ICANN DOMAINS===
// ===BEGIN PRIVATE DOMAINS===
github.io
*.host.com
!own.host.com
deep.under.com
"""


def suffix(name: str, *, only_icann: bool = False, of: Suffixes | None = None) -> str:
    labels = name.split(".")
    at = (of or suffixes()).split(labels, only_icann=only_icann).at
    return ".".join(labels[at:])


@pytest.mark.parametrize(
    ("name", "expected", "is_private", "icann"),
    [
        ("com", "com", False, "com"),
        ("a.b.com", "com", False, "com"),
        ("a.co.uk", "co.uk", False, "co.uk"),
        ("co.uk", "co.uk", False, "co.uk"),
        ("x.y.ck", "y.ck", False, "y.ck"),
        ("ck", "ck", False, "ck"),
        ("a.www.ck", "ck", False, "ck"),
        ("www.ck", "ck", False, "ck"),
        ("a.b.kawasaki.jp", "b.kawasaki.jp", False, "b.kawasaki.jp"),
        ("kawasaki.jp", "kawasaki.jp", False, "kawasaki.jp"),
        ("a.city.kawasaki.jp", "kawasaki.jp", False, "kawasaki.jp"),
        ("x.xn--bcher-kva", "xn--bcher-kva", False, "xn--bcher-kva"),
        ("x.b\u00fccher", "b\u00fccher", False, "b\u00fccher"),
        ("a.b.unheard-of", "unheard-of", False, "unheard-of"),
        ("me.github.io", "github.io", True, "io"),
        ("a.b.host.com", "b.host.com", True, "com"),
        ("own.host.com", "host.com", True, "com"),
        ("under.com", "com", False, "com"),
        ("x.deep.under.com", "deep.under.com", True, "com"),
        ("", "", False, ""),
    ],
)
def test_rules_wildcards_and_exceptions(
    name: str, expected: str, is_private: bool, icann: str
) -> None:
    small = Suffixes(LIST.splitlines())
    assert suffix(name, of=small) == expected
    assert small.split(name.split(".")).is_private is is_private
    assert suffix(name, only_icann=True, of=small) == icann


def test_the_list_of_the_package_knows_companies() -> None:
    assert suffixes().split(["me", "github", "io"]).is_private
    assert not suffixes().split(["me", "github", "co", "uk"]).is_private


RULES = sorted(rule.lstrip("!").removeprefix("*.") for rule in ALL._publicsuffix)
LABEL = st.sampled_from(["a", "www", "xn--p1ai", "city", "com", "co", "*", "1"])


@given(st.lists(LABEL, max_size=4), st.sampled_from(RULES))
def test_every_rule_is_read_as_the_package_reads_it(left: list[str], rule: str) -> None:
    name = ".".join([*left, rule])
    assert suffix(name) == ALL.publicsuffix(name)
    assert suffix(name, only_icann=True) == ICANN.publicsuffix(name)


@pytest.mark.parametrize(
    "file", ["benign/misp_tranco10k", "ct-stream/certstream_np_7days"]
)
def test_recorded_names_are_split_as_the_package_splits_them(file: str) -> None:
    content = gzip.decompress(shared(f"hostnames/{file}.txt.gz").read_bytes())
    names = {name.removeprefix("*.") for name in content.decode().lower().split()}
    for name in sorted(names)[:20_000]:
        if "" not in name.split("."):
            assert suffix(name) == ALL.publicsuffix(name)
