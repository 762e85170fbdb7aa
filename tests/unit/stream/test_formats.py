"""Lines as others know them: compared with what a certstream server really sent."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct.entry import LogEntry
from ctmonitor.ct.x509 import certificate_of
from ctmonitor.model.log import Log
from ctmonitor.model.text import printable
from ctmonitor.sources.message import parse
from ctmonitor.stream.entry import Entry
from ctmonitor.stream.formats import (
    certstream_domains,
    certstream_update,
    json_line,
    text_line,
)
from tests.data import messages, shared
from tests.fakes.logentries import FakeEntry, entries_for, recorded_tiles
from tests.unit.ct.making import (
    ORGANISATION,
    attribute,
    certificate,
    tbs_certificate,
)

LOG = Log(
    b"\1" * 32,
    b"key",
    "Peer World 'peers'",
    "Peers",
    "https://127.0.0.1:7402/peers/",
    "https://127.0.0.1:7402/peers/",
)
RFC = Log(
    b"\2" * 32, b"key", "Peer World 'rfc6962'", "Peers", "http://127.0.0.1:9711/rfc/"
)

# Where our messages differ from those of certstream-server-go 1.9, and why.
DIFFERENCES = {
    # It sends the hash of nothing for precertificates of tiled logs, and no DER.
    ".leaf_cert.fingerprint",
    ".leaf_cert.sha1",
    ".leaf_cert.sha256",
    ".leaf_cert.as_der",
    ".leaf_cert: keys",
    # It sends none for tiled logs.
    ".cert_link",
    # It sends the street address.
    ".leaf_cert.issuer.ST",
    ".leaf_cert.issuer.aggregated",
    ".chain[].subject.ST",
    ".chain[].subject.aggregated",
}


def entry_of(made: FakeEntry, index: int, log: Log = LOG) -> Entry:
    raw = LogEntry(
        index,
        made.timestamp_ms,
        made.is_precert,
        made.signed_entry,
        b"",
        made.issuer_key_hash,
        pre_certificate=made.pre_certificate,
        chain=() if log.is_tiled else made.chain,
    )
    read, defects = certificate_of(raw)
    kind = "PrecertLogEntry" if raw.is_precert else "X509LogEntry"
    return Entry(
        log,
        index,
        kind,
        raw.timestamp_ms,
        read.names,
        read,
        raw,
        "; ".join(defects),
    )


def differences(theirs: Any, ours: Any, path: str = "") -> Iterator[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if list(theirs) != list(ours):
            yield f"{path}: keys"
        for key in theirs.keys() & ours.keys():
            yield from differences(theirs[key], ours[key], f"{path}.{key}")
    elif isinstance(theirs, list) and isinstance(ours, list):
        if len(theirs) != len(ours):
            yield f"{path}: length"
        for one, other in zip(theirs, ours, strict=False):
            yield from differences(one, other, f"{path}[]")
    elif theirs != ours:
        yield path


def seen(message: Any) -> datetime:
    return datetime.fromtimestamp(message["data"]["seen"], UTC)


@pytest.mark.parametrize("kind", ["lite", "full"])
def test_messages_of_a_tiled_log_are_those_of_the_server(kind: str) -> None:
    made = recorded_tiles(shared("static-ct/sunlight_own"))
    found = set()
    recorded = messages(shared(f"certstream/go_1.9_{kind}.jsonl"))
    for line in recorded:
        theirs = json.loads(line)
        index = theirs["data"]["cert_index"]
        line = certstream_update(
            entry_of(made[index], index), seen(theirs), is_full=kind == "full"
        )
        assert line is not None
        ours = json.loads(line)
        assert list(theirs) == list(ours)
        wrong = set(differences(theirs["data"], ours["data"]))
        if not made[index].is_precert:
            # The hashes of certificates are right.
            assert not {path for path in wrong if "sha" in path or "finger" in path}
        found |= wrong
    assert len(recorded) == 150
    assert found <= DIFFERENCES


@pytest.mark.parametrize("kind", ["lite", "full"])
def test_messages_of_an_rfc_6962_log_are_those_of_the_server(kind: str) -> None:
    """With hashes, links and chains: only what it says of the state is different."""
    by_digest = {
        certificate_of(LogEntry(0, 0, False, made.certificate, b""))[0].sha256: made
        for made in recorded_tiles(shared("static-ct/sunlight_own"))
    }
    recorded = messages(shared(f"certstream/go_1.9_rfc6962_{kind}.jsonl"))
    for line in recorded:
        theirs = json.loads(line)
        data = theirs["data"]
        digest = data["leaf_cert"]["sha256"].replace(":", "").lower()
        made = replace(
            by_digest[digest], timestamp_ms=round(data["source"]["timestamp"] * 1000)
        )
        line = certstream_update(
            entry_of(made, data["cert_index"], RFC),
            seen(theirs),
            is_full=kind == "full",
        )
        assert line is not None
        wrong = set(differences(data, json.loads(line)["data"]))
        assert wrong <= {path for path in DIFFERENCES if "ST" in path or "agg" in path}
    assert len(recorded) == 60


def test_domains_only_messages_are_those_of_the_server() -> None:
    made = recorded_tiles(shared("static-ct/sunlight_own"))
    theirs = messages(shared("certstream/go_1.9_domains.jsonl"))
    ours = [certstream_domains(entry_of(made[n], n)) for n in range(1, 151)]
    # The server sends a message for a certificate without names, too.
    assert ours == theirs


@pytest.mark.parametrize("is_full", [True, False])
@pytest.mark.parametrize("log", [LOG, RFC], ids=["tiled", "rfc6962"])
def test_our_own_reader_of_feeds_reads_what_was_written(
    log: Log, is_full: bool
) -> None:
    for made in entries_for([["a.example", "*.b.example"], ["c.example"]]):
        entry = entry_of(made, 77, log)
        line = certstream_update(entry, datetime.now(UTC), is_full=is_full)
        assert line is not None
        sighting, defects = parse(line, "feed")
        assert sighting is not None
        assert defects == ()
        assert sighting.names == entry.domains
        assert (sighting.index, sighting.entry_type) == (77, entry.entry_type)
        assert (sighting.log, sighting.log_name) == (entry.log_url, log.name)
        assert sighting.logged == entry.timestamp
        assert sighting.certificate is not None
        assert entry.certificate is not None
        assert sighting.certificate.identity == (
            entry.certificate.identity
            if is_full
            else replace(entry.certificate, tbs_sha256="").identity
        )
        for field in ("sha1", "sha256", "serial", "issuer_id", "not_before"):
            assert getattr(sighting.certificate, field) == getattr(
                entry.certificate, field
            )


def test_json_has_the_names_of_ct_moniteur() -> None:
    precert, _ = entries_for([["a.example", "b.example"]])
    entry = entry_of(precert, 12345)
    told = json.loads(json_line(entry))
    assert list(told) == [
        "timestamp",
        "entry_type",
        "source",
        "domains",
        "subject",
        "issuer",
        "not_before",
        "not_after",
        "serial_number",
        "fingerprints",
    ]
    assert told["timestamp"] == precert.timestamp_ms
    assert told["entry_type"] == "PrecertLogEntry"
    assert told["source"] == {
        "index": 12345,
        "log": {
            "url": "https://127.0.0.1:7402/peers",
            "name": "Peer World 'peers'",
            "operator": "Peers",
        },
    }
    assert told["domains"] == ["a.example", "b.example"]
    assert told["subject"] == "CN=a.example"
    assert told["issuer"] == "CN=Fake Log Issuing CA"
    assert told["not_before"] == "2026-09-21T14:13:20+00:00"
    assert set(told["fingerprints"]) == {"sha256", "sha1"}
    assert len(told["fingerprints"]["sha256"]) == 95


def test_text_is_a_line_a_person_can_read() -> None:
    precert, _ = entries_for([["a.example", "b.example"]])
    assert text_line(entry_of(precert, 1)) == (
        "[2026-09-21T14:13:20.000Z] https://127.0.0.1:7402/peers - "
        "[a.example, b.example]"
    )


def test_an_entry_that_cannot_be_read_says_so() -> None:
    entry = Entry(LOG, 7, malformed="leaf: cut short")
    assert text_line(entry) == (
        "[-] https://127.0.0.1:7402/peers - [] (entry 7 is malformed: leaf: cut short)"
    )
    told = json.loads(json_line(entry))
    assert told["malformed"] == "leaf: cut short"
    assert (told["timestamp"], told["not_after"]) == (None, None)
    assert certstream_domains(entry) is None
    assert certstream_update(entry, datetime.now(UTC), is_full=True) is None


@given(st.text(min_size=1, max_size=20))
def test_no_name_acts_on_a_terminal_and_none_is_changed_in_json(name: str) -> None:
    try:
        made = certificate(tbs_certificate(name, name + "\x1b\x7f\x9b\u202e\r\n"))
    except UnicodeEncodeError:
        return  # half a surrogate pair, which no certificate holds
    entry = entry_of(FakeEntry(1, made), 1)
    line = text_line(entry)
    assert line == printable(line)
    for encoded in (
        json_line(entry),
        certstream_domains(entry),
        certstream_update(entry, datetime.now(UTC), is_full=True),
    ):
        assert encoded is not None
        assert encoded.isascii()
        assert encoded.decode() == printable(encoded.decode())
    assert json.loads(json_line(entry))["domains"] == list(entry.domains)


def test_a_chain_that_is_none_does_not_hide_the_certificate() -> None:
    _, final = entries_for([["a.example"]])
    entry = entry_of(replace(final, chain=(b"no certificate",)), 1, RFC)
    line = certstream_update(entry, datetime.now(UTC), is_full=True)
    assert line is not None
    (issuer,) = json.loads(line)["data"]["chain"]
    assert base64.b64decode(issuer["as_der"]) == b"no certificate"
    assert issuer["all_domains"] == []


def test_what_is_cut_is_told_and_no_name_is_lost() -> None:
    names = [f"{number}.example" for number in range(3001)]
    subject = [attribute(ORGANISATION, "x")] * 65
    made = certificate(tbs_certificate(*names, subject=subject))
    entry = entry_of(FakeEntry(1, made), 1)
    told = json.loads(json_line(entry))
    assert told["domains"] == names
    assert told["subject"] == ",".join(["O=x"] * 64)
    assert told["truncated"] == ["subject"]
    line = certstream_update(entry, datetime.now(UTC), is_full=False)
    assert line is not None
    leaf = json.loads(line)["data"]["leaf_cert"]
    assert leaf["all_domains"] == names
    assert leaf["truncated"] == ["subject", "subjectAltName"]


@pytest.mark.parametrize(
    ("chain", "count"),
    [
        ((b"issuer",) * 20, 20),
        ((b"issuer",) * 21, 20),
        ((bytes(200_000), bytes(62_144)), 2),
        ((bytes(200_000), bytes(62_145)), 1),
    ],
    ids=["20", "21", "256 kB", "one byte more"],
)
def test_of_a_chain_a_limited_part_is_told(
    chain: tuple[bytes, ...], count: int
) -> None:
    _, final = entries_for([["a.example"]])
    entry = entry_of(replace(final, chain=chain), 1, RFC)
    line = certstream_update(entry, datetime.now(UTC), is_full=True)
    assert line is not None
    data = json.loads(line)["data"]
    assert len(data["chain"]) == count
    assert data.get("truncated") == (None if count == len(chain) else ["chain"])
    assert "truncated" not in data["leaf_cert"]
