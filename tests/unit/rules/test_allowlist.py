"""Names that are never a finding."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import ConfigError
from ctmonitor.rules.allowlist import MAX_EXPRESSIONS, AllowList, parse_allowlist
from ctmonitor.rules.hostname import host_name

PATH = "conf/allowlist.txt"

FILE = r"""
# ours
Example.COM
intranet.example.org.
= WWW.example.net
=*.example.net
=192.0.2.1
=[2001:DB8:0::1]
=localhost
müller.de
/^(mail|ns[0-9])\.[a-z]+\.example\.co\.uk$/
"""


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("example.com", "Example.COM"),
        ("a.b.Example.com.", "Example.COM"),
        ("*.example.com", "Example.COM"),
        ("notexample.com", ""),
        ("example.com.evil.ru", ""),
        ("com", ""),
        ("example.org", ""),
        ("intranet.example.org", "intranet.example.org."),
        ("www.intranet.example.org", "intranet.example.org."),
        ("www.example.net", "= WWW.example.net"),
        ("a.www.example.net", ""),
        ("example.net", ""),
        ("*.example.net", "=*.example.net"),
        ("*.www.example.net", ""),
        ("192.0.2.1", "=192.0.2.1"),
        ("2001:db8::1", "=[2001:DB8:0::1]"),
        ("localhost", "=localhost"),
        ("login.xn--mller-kva.de", "müller.de"),
        ("M\u00dcLLER.de", "müller.de"),
        (
            "mail.bank.example.co.uk",
            r"/^(mail|ns[0-9])\.[a-z]+\.example\.co\.uk$/",
        ),
        ("www.bank.example.co.uk", ""),
        ("", ""),
        ("a..example.com", ""),
        ("x." * 1000 + "example.com", "Example.COM"),
    ],
)
def test_the_line_that_allows_a_name(name: str, line: str) -> None:
    assert parse_allowlist(FILE, PATH).allows(host_name(name)) == line


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("com", "'com' is a top-level domain."),
        ("internal", "'internal' is a top-level domain."),
        ("CO.UK", "'CO.UK' is a public suffix, and strangers have names below it."),
        ("anything.ck", "'anything.ck' is a public suffix"),
        ("github.io", "'github.io' is a public suffix of a company, whose customers"),
        ("192.0.2.1", "'192.0.2.1' is an IP address. Write =192.0.2.1 to allow it."),
        ("2001:db8::1", "'2001:db8::1' is an IP address. Write =2001:db8::1"),
        ("*.example.com", "'*.example.com' is written example.com, which stands for"),
        (".example.com", "'.example.com' is written example.com"),
        (".", "'.' is no host name"),
        ("*.-.com", "'*.-.com' is no host name"),
        ("https://a.com/b", "'https://a.com/b' is no host name. Write the host alone"),
        ("/a", "'/a' is no host name."),
        ("a.com # ours", "'a.com # ours' holds a blank."),
        ("a.com, b.com", "'a.com, b.com' holds a blank."),
        ("a..com", "'a..com' is no host name."),
        ("-a.com", "'-a.com' is no host name."),
        ("a" * 64 + ".com", "'aaaa"),
        ("a." * 126 + "com", "'a.a.a."),
        ("=", "'=' is no host name."),
        ("=*.", "'=*.' is no host name."),
        ("=a b", "'=a b' holds a blank."),
        ("\u2764.de", "'\u2764.de' is no host name that IDNA knows."),
        ("/a(b/", "missing ), unterminated subpattern at position 2 between the"),
        ("//", "'//' allows everything."),
        ("/./", "'/./' allows everything."),
        ("/.*/", "'/.*/' allows everything."),
        ("/paypal|/", "'/paypal|/' allows everything."),
        (r"/[.]/", "'/[.]/' allows everything."),
        (r"/[a-z0-9]$/", "'/[a-z0-9]$/' allows everything."),
        (r"/\.(com|net)$/", r"'/\.(com|net)$/' allows every name below .com,"),
        (r"/uk$/", "'/uk$/' allows every name below .co.uk, strangers' too."),
    ],
)
def test_a_line_that_cannot_be_right_is_refused_with_the_next_step(
    line: str, told: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_allowlist(f"good.com\n{line}\n", PATH)
    (problem,) = raised.value.problems
    assert problem.startswith(f"{PATH}, line 2: {told}")
    assert problem.endswith(".")


def test_all_lines_that_are_wrong_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_allowlist("co.uk\ngood.com\n/(/\n", PATH)
    assert [problem.split(":")[0] for problem in raised.value.problems] == [
        f"{PATH}, line 1",
        f"{PATH}, line 3",
    ]


def test_doubles_and_an_empty_file_are_warned_of() -> None:
    assert parse_allowlist("a.com\n=a.com\nA.com.\n", PATH).warnings == (
        f"{PATH}, line 3: says the same as line 1. Remove it.",
    )
    assert parse_allowlist("", PATH).warnings == (
        f"{PATH}: allows nothing. Write one domain a line, or remove AllowFile.",
    )


def test_100_000_lines_are_taken() -> None:
    allowed = parse_allowlist("".join(f"d{i}.co.uk\n" for i in range(100_000)), PATH)
    assert len(allowed) == 100_000
    assert allowed.allows(host_name("www.d99999.co.uk")) == "d99999.co.uk"


def test_too_many_expressions_are_refused_with_the_first_too_many() -> None:
    text = "a.com\n" + "".join(f"/x{i}/\n" for i in range(MAX_EXPRESSIONS + 1))
    with pytest.raises(ConfigError, match=f"line {MAX_EXPRESSIONS + 2}: is expression"):
        parse_allowlist(text, PATH)


def test_of_too_many_expressions_the_rest_is_counted_alone() -> None:
    """100,000 of them took 16 s to be refused, each with its own problem."""
    text = "".join(f"/x{i}/\n" for i in range(MAX_EXPRESSIONS)) + "/x0/\n" + "/(/\n" * 5
    with pytest.raises(ConfigError) as caught:
        parse_allowlist(text, "allow.txt")
    (problem,) = caught.value.problems
    total = MAX_EXPRESSIONS + 5
    assert f"expression {MAX_EXPRESSIONS + 1} of {total}" in problem


def test_an_expression_that_backtracks_for_ever_allows_nothing() -> None:
    allowed = parse_allowlist("/(x|xx)+$/", PATH)
    given_up: list[str] = []
    host = host_name("x" * 60 + "!.com")
    assert allowed.allows(host, 0.01, given_up.append) == ""
    assert given_up == ["/(x|xx)+$/"]


def test_without_a_file_nothing_is_allowed() -> None:
    assert AllowList().allows(host_name("example.com")) == ""
    assert len(AllowList()) == 0


def test_it_can_be_sent_to_another_process() -> None:
    allowed = pickle.loads(pickle.dumps(parse_allowlist(FILE, PATH)))  # noqa: S301
    assert len(allowed) == 9
    assert allowed.allows(host_name("www.example.com")) == "Example.COM"


@given(st.text(max_size=300))
def test_any_text_gives_an_allow_list_or_a_message(text: str) -> None:
    try:
        told = parse_allowlist(text, PATH).warnings
    except ConfigError as exc:
        told = exc.problems
    assert all(problem.startswith(PATH) for problem in told)


LABELS = st.lists(st.sampled_from(["a", "b", "com", "co", "uk"]), min_size=1)


@given(LABELS, LABELS)
def test_a_domain_allows_itself_and_what_is_below_it(
    rule: list[str], name: list[str]
) -> None:
    try:
        allowed = parse_allowlist(".".join(rule), PATH)
    except ConfigError:
        return
    expected = name[-len(rule) :] == rule
    assert bool(allowed.allows(host_name(".".join(name)))) is expected
