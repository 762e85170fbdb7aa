"""Well-known domains, as the lists of others hold them."""

import gzip
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import ConfigError
from ctmonitor.rules.hostname import host_name
from ctmonitor.rules.popular import PopularDomains, parse_popular
from tests.data import shared

PATH = "top.csv"


@pytest.mark.parametrize(
    "text",
    [
        "google.com\nb\u00fccher.de\n",
        "1,google.com\r\n2,xn--bcher-kva.de\r\n",
        "# of today\n\n1,GOOGLE.com\n2,xn--bcher-kva.de",
        '"rank","Domain"\n1,"google.com"\n2,"xn--bcher-kva.de"\n',
        "domain\ngoogle.com\nxn--bcher-kva.de\n",
        "GlobalRank,TldRank,Domain,TLD\n1,1,google.com,com\n2,1,xn--bcher-kva.de,de",
    ],
)
def test_the_lists_that_others_publish_are_read(text: str) -> None:
    popular = parse_popular(text, PATH, 10)
    assert len(popular) == 2
    assert host_name("login.Google.com").registrable in popular
    assert host_name("xn--bcher-kva.de").registrable in popular
    assert host_name("B\u00fccher.de").registrable in popular
    assert host_name("google.com.evil.ru").registrable not in popular
    assert host_name("com").registrable not in popular
    assert popular.warnings == ()


@pytest.mark.parametrize("text", ["a.com\nb.com\nc.com", "domain\na.com\nb.com\nc.com"])
def test_ranks_count_from_the_top(text: str) -> None:
    popular = parse_popular(text, PATH, 2)
    assert len(popular) == 2
    assert host_name("b.com").registrable in popular
    assert host_name("c.com").registrable not in popular


def test_a_wrong_line_in_a_hundred_is_warned_of() -> None:
    text = "".join(f"{i},d{i}.com\n" for i in range(199)) + "200,no domain\n"
    popular = parse_popular(text, PATH, 1000)
    assert len(popular) == 199
    (warning,) = popular.warnings
    assert warning.startswith("top.csv, line 200: '200,no domain' is the first line")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "<html>\n<body>busy</body>\n</html>",
            "line 1: '<html>' is the first of 3 lines",
        ),
        ("rank;site\n1;google.com\n", "line 1: 'rank;site' is"),
        ("1,google.com\n\0", "line 2: holds a control character"),
        ("x" * 5000, "line 1: has 5000 characters"),
        ("rank,domain\n1\n2,b.com\n", "line 2: '1' is the first line"),
    ],
)
def test_what_is_no_list_of_domains_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"^top.csv, {told}"):
        parse_popular(text, PATH, 1000)


def test_an_empty_list_is_warned_of() -> None:
    popular = parse_popular("# none\n", PATH, 10)
    assert host_name("192.0.2.1").registrable not in popular
    assert popular.warnings == ("top.csv: holds no domain. Fetch the list anew.",)


@pytest.mark.parametrize("file", ["misp_tranco10k", "alexa2016_top100k_ranked"])
def test_recorded_lists_are_read(file: str) -> None:
    content = gzip.decompress(shared(f"hostnames/benign/{file}.txt.gz").read_bytes())
    popular = parse_popular(content.decode(), PATH, 5000)
    assert len(popular) == 5000
    assert host_name("www.google.com").registrable in popular


def test_it_can_be_sent_to_another_process() -> None:
    popular = pickle.loads(pickle.dumps(parse_popular("a.com", PATH, 1)))  # noqa: S301
    assert host_name("www.a.com").registrable in popular
    assert len(PopularDomains()) == 0


@given(st.text(max_size=300), st.integers(1, 10))
def test_any_text_gives_a_list_or_a_message(text: str, ranks: int) -> None:
    try:
        told = parse_popular(text, PATH, ranks).warnings
    except ConfigError as exc:
        told = exc.problems
    assert all(problem.startswith(PATH) for problem in told)
