"""
What strangers send: hostile frames between good ones, through the whole daemon (M9).
"""

import copy
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.feed import FeedServer, serve
from tests.programs.program import (
    Daemon,
    Result,
    encoded,
    message,
    message_object,
    rows,
    settings,
)

WRONG: tuple[Any, ...] = (
    None,
    3,
    -1,
    1e300,
    "x",
    [],
    {},
    True,
    [[{"CN": ["y"]}]],
    {"a": {"b": [None]}},
)
END = b'{"data":["the-end-paypal-login.example"],"message_type":"dns_entries"}'


def through_the_daemon(
    folder: Path, messages: list[bytes], **more: str
) -> tuple[Result, Path]:
    """What the daemon made of messages on one connection; it was kept to the end."""
    with FeedServer(serve([*messages, END])) as server:
        config = settings(
            folder,
            **{  # type: ignore[arg-type]
                "SERVER__ACTServer": server.url,
                "SOURCES__Queue_Messages": "100000",
                **more,
            },
        )
        with Daemon(config) as daemon:
            daemon.wait_for_out(" the-end-paypal-login.example ")
            result = daemon.stop()
        assert len(server.connections) == 1, "the connection was not kept"
    assert result.code == 0
    assert result.tally["messages"] == len(messages) + 1
    assert result.tally["dropped"] == result.tally["reconnects"] == 0
    for text in (result.out, result.err):
        unsafe = {c for c in set(text) if unicodedata.category(c) in ("Cc", "Cf", "Zl")}
        assert unsafe <= {"\n"}, "something a terminal acts on was printed"
    found = result.found
    assert found[-1] == "the-end-paypal-login.example"
    database = folder / "found.sqlite3"
    assert rows(database, "PRAGMA integrity_check") == [("ok",)]
    hosts = [host for (host,) in rows(database, "SELECT Domain FROM CertMon")]
    assert sorted(hosts) == sorted(set(found))
    return result, database


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every field in a message, from the outside in."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from places(item, (*path, number))


def at(whole: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        whole = whole[key]
    return whole


def test_each_field_may_have_any_wrong_type_or_be_absent(folder: Path) -> None:
    messages: list[bytes] = []
    expected: list[str] = []
    good = message_object("x")
    good["data"]["chain"] = [{"subject": {"CN": "Root"}, "as_der": "MIIB"}]
    good["data"]["leaf_cert"]["as_der"] = "MIIB"
    good["data"]["leaf_cert"]["extensions"]["authorityKeyIdentifier"] = "keyid:01:02"
    paths = list(places(good))
    assert len(paths) > 35
    # Without these nothing is left of the certificate.
    fatal = {("data",), ("data", "leaf_cert")}
    for path in paths:
        for wrong in (*WRONG, "absent"):
            host = f"{len(messages)}-paypal-login.example"
            bad = copy.deepcopy(good)
            # The name stands in two places, so that it is known without either.
            bad["data"]["leaf_cert"]["all_domains"] = [host]
            bad["data"]["leaf_cert"]["subject"]["CN"] = host
            bad["data"]["leaf_cert"]["serial_number"] = f"{len(messages):X}"
            if wrong == "absent":
                del at(bad, path[:-1])[path[-1]]
            else:
                at(bad, path[:-1])[path[-1]] = wrong
            messages.append(encoded(bad))
            if path not in fatal:
                expected.append(host)
    result, database = through_the_daemon(folder, messages)
    assert result.found[:-1] == expected
    assert result.tally["malformed"] > 100
    assert result.err.count("WARNING malformed:") <= 20
    assert "malformed:" in result.err
    assert rows(database, "SELECT count(*) FROM CertMon WHERE Domain IS NULL") == [(0,)]


def name_list(*names: str) -> bytes:
    return encoded({"data": names, "message_type": "dns_entries"})


def test_broken_frames_are_counted_and_the_good_ones_found(folder: Path) -> None:
    broken = [
        b'{"data":["paypal-login.example",' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        b"",
        b"\x00",
        b"paypal-login",
        b'{"data":["paypal-login.example"',
        b'{"data":["\xff\xfepaypal-login.example"],"message_type":"dns_entries"}',
        b'{"data":["a\ncontrol-paypal-login.example"]}',
        b'["paypal-login.example"]',
        b'"paypal-login.example"',
        b"7",
        b'{"paypal-login.example":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 1_000_000,
        b'{"data":"paypal-login.example"}',
        b'{"data":{"leaf_cert":"paypal-login.example"}}',
        b'{"data":{"leaf_cert":{"all_domains":"paypal-login.example"}}}',
    ]
    messages = []
    for number, one in enumerate(broken):
        messages += [message(f"{number}-paypal-login.example", index=number), one]
    # An empty message is no message; the feed's client passes it over.
    with FeedServer(serve([*messages, END])) as server:
        config = settings(folder, SERVER__ACTServer=server.url)
        with Daemon(config) as daemon:
            daemon.wait_for_out(" the-end-paypal-login.example ")
            result = daemon.stop()
        assert len(server.connections) == 1
    assert result.code == 0
    assert result.found == [
        *(f"{number}-paypal-login.example" for number in range(len(broken))),
        "the-end-paypal-login.example",
    ]
    assert result.tally["messages"] == 2 * len(broken) - 1 + 1
    # What holds no keyword need not be looked at.
    assert 10 <= result.tally["malformed"] <= len(broken)
    assert "broken JSON" in result.err
    assert "JSON nested too deep" in result.err


def test_very_large_messages_are_understood(folder: Path) -> None:
    large = message_object("large-paypal-login.example")
    large["data"]["leaf_cert"]["as_der"] = "A" * 15_000_000
    many = [f"{number}-paypal-login.example" for number in range(10_000)]
    long = "paypal-login." + "x" * 65_536 + ".example"
    result, database = through_the_daemon(
        folder, [encoded(large), name_list(*many), name_list(long)]
    )
    first, *middle, cut, _ = result.found
    assert first == "large-paypal-login.example"
    assert middle == many
    assert cut.startswith("paypal-login.xxx")
    assert len(cut) <= 500, "a name of 64 kB is bounded where it is a key"
    assert max(map(len, result.out.splitlines())) < 200_000
    assert rows(database, "SELECT count(*) FROM CertMon") == [(10_003,)]


# Sent in JSON, and as it is to be printed and stored.
STRANGE = {
    "paypal-login\\ud800.example": "paypal-login\\ud800.example",  # half a pair
    "paypal-login\\n.example": "paypal-login\\x0a.example",
    "paypal-login\\r.example": "paypal-login\\x0d.example",
    "paypal-login\\u0000.example": "paypal-login\\x00.example",
    "paypal-login\\u001b[2J.example": "paypal-login\\x1b[2j.example",
    "paypal-login\\u009b31m.example": "paypal-login\\x9b31m.example",
    "paypal-login\\u202e.example": "paypal-login\\u202e.example",
    "paypal-login\\u2028.example": "paypal-login\\u2028.example",
    "paypal-login'); DROP TABLE CertMon;--": "paypal-login'); drop table certmon;--",
    "paypal-login$(touch pwned)`id`|;&.example": (
        "paypal-login$(touch pwned)`id`|;&.example"
    ),
    "paypal-login<script>alert(1)</script>": "paypal-login<script>alert(1)</script>",
    "paypal-login %s %d {0} {x}.example": "paypal-login %s %d {0} {x}.example",
    "../../paypal-login/../etc": "../../paypal-login/../etc",
    "\\u0070aypal-login.com": "paypal-login.com",
    "login\\/paypal": "login/paypal",
    "\\u0050AYPAL-l\\u006fgin.example": "paypal-login.example",
    "p\\u00e4ypal-paypal-login.example": "p\u00e4ypal-paypal-login.example",
}


def test_names_of_strangers_are_found_and_made_safe(folder: Path) -> None:
    messages = [
        b'{"data":["%s"],"message_type":"dns_entries"}' % sent.encode()
        for sent in STRANGE
    ]
    # The same in the fields that are printed beside the name.
    for number, sent in enumerate(STRANGE):
        one = message("MARKED-paypal-login.example", index=number).replace(
            b"MARKED", b"%d" % number
        )
        messages.append(
            one.replace(b"E7", sent.encode()).replace(b"log one", sent.encode())
        )
    result, database = through_the_daemon(folder, messages)
    expected = [*STRANGE.values()]
    expected += [f"{number}-paypal-login.example" for number in range(len(STRANGE))]
    assert result.found[:-1] == expected
    assert result.tally["malformed"] == 0
    stored = {host for (host,) in rows(database, "SELECT Domain FROM CertMon")}
    assert stored == {*expected, "the-end-paypal-login.example"}
    assert not (folder / "pwned").exists()
    for column in ("Domain", "SAN", "Issuer"):
        for (text,) in rows(database, f"SELECT {column} FROM CertMon"):  # noqa: S608
            assert re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u202e]", text) is None


@pytest.mark.parametrize("where", ["SearchKeywords", "BlacklistKeywords"])
def test_a_catastrophic_pattern_is_named_once_and_stops_nothing(
    folder: Path, where: str
) -> None:
    # `re` needs years for either; the engine in use only for the second, in which
    # there are 2**60 ways to read 60 letters.
    pattern = "(a+)+$|(a|aa)+$"
    keywords = {"SEARCH__SearchKeywords": f"paypal|login|{pattern}"}
    if where == "BlacklistKeywords":
        keywords = {"SEARCH__BlacklistKeywords": pattern}
    slow = [f"paypal-login-{'a' * 60}{number}!" for number in range(5)]
    messages = [name_list(name) for name in (*slow, "paypal-login-later.example")]
    result, _ = through_the_daemon(folder, messages, **keywords)
    assert "paypal-login-later.example" in result.found
    told = [line for line in result.err.splitlines() if "takes too long" in line]
    assert len(told) == 1
    assert f"[SEARCH] {where}" in told[0]
