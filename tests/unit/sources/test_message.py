"""Messages of every server generation: what is read from them, raw and parsed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import FormatError
from ctmonitor.model.batch import Sighting
from ctmonitor.model.certificate import Certificate
from ctmonitor.model.clock import utc_text
from ctmonitor.sources.message import (
    is_heartbeat,
    log_address,
    name_spans,
    parse,
    position,
    seen_epoch,
)
from tests.data import vector_messages

FEED = "ws://feed.example/"


def _only(name: str, number: int = 0) -> tuple[Sighting, Certificate]:
    sighting, defects = parse(vector_messages(name)[number], FEED)
    assert defects == ()
    assert sighting is not None
    assert sighting.certificate is not None
    return sighting, sighting.certificate


def test_elixir_lite_of_2022() -> None:
    sighting, certificate = _only("elixir_2022-11_xenon2023_x509_lite_phish.json")
    assert sighting.names == (
        "api.github.leroymerlln.com",
        "github.github.leroymerlln.com",
        "github.leroymerlln.com",
    )
    assert certificate.issuer_dn == "/C=US/CN=R3/O=Let's Encrypt"
    assert certificate.issuer_organisation == "Let's Encrypt"
    assert certificate.key_sha256 == ""
    assert certificate.serial == 0x3DF149200267A66A3D18B019E6DF1203C75
    assert (sighting.log, sighting.index) == (
        "https://ct.googleapis.com/logs/xenon2023",
        284386337,
    )
    assert sighting.entry_type == "X509LogEntry"
    assert certificate.is_precert is False
    assert certificate.authority_key_id == "142eb317b75856cbae500940e61faf9d8b14c2c6"


def test_go_lite_sends_the_hash_of_nothing_for_precertificates_of_tiled_logs() -> None:
    _, certificate = _only("go_1.9_lite.jsonl")
    assert certificate.is_precert is True
    assert (certificate.sha1, certificate.sha256, certificate.fingerprint) == (
        "",
        "",
        "",
    )
    assert certificate.identity.startswith("serial:")


def test_two_precertificates_with_the_hash_of_nothing_are_two_issuances() -> None:
    identities = set()
    for frame in vector_messages("go_1.9_lite.jsonl"):
        sighting, _ = parse(frame, FEED)
        assert sighting is not None
        assert sighting.certificate is not None
        identities.add(sighting.certificate.identity)
    assert len(identities) > 70


def test_rust_full_leaves_absent_fields_out_and_brings_the_certificate() -> None:
    sighting, certificate = _only("rust_live_ct_full.jsonl")
    assert sighting.names == ("portal.dragonjar.org",)
    assert certificate.sha1 == "30af23fe9be0772eff5c0526700b79ff566bbe3a"
    assert certificate.fingerprint.startswith("30:AF:23:FE:9B")
    assert certificate.serial == 0xB99764012EA87DB00E6A7788EBE7C44B
    assert len(certificate.tbs_sha256) == 64
    assert certificate.key_sha256.startswith("ce45f48da0439091")
    assert certificate.issuer_organisation == "Google Trust Services"
    assert utc_text(certificate.not_before) == "2026-05-20T17:48:12"


def test_python_server_of_2017_knows_no_issuer_and_no_serial_number() -> None:
    """The issuer is the subject of the first chain certificate."""
    sighting, certificate = _only("python_server_2017-10_placeholder_der.json")
    assert sighting.names == (
        "e-zigarette-liquid-shop.de",
        "www.e-zigarette-liquid-shop.de",
    )
    assert certificate.issuer_dn == (
        "/C=US/O=Let's Encrypt/CN=Let's Encrypt Authority X3"
    )
    assert certificate.serial is None
    assert certificate.identity.startswith("names:")


def test_domains_only_knows_names_alone() -> None:
    sighting, defects = parse(vector_messages("go_1.9_domains.jsonl")[1], FEED)
    assert defects == ()
    assert sighting == Sighting(
        ("*.fsindev01.utplatform.ru", "fsindev01.utplatform.ru"), FEED
    )


def test_heartbeats_are_nothing() -> None:
    frame = vector_messages("heartbeat_python_server_2017-10.json")[0]
    assert is_heartbeat(frame)
    assert parse(frame, FEED) == (None, ())


def test_lite_full_and_domains_of_one_entry_agree() -> None:
    kinds = [vector_messages(f"go_1.9_{kind}.jsonl") for kind in ("lite", "full")]
    assert min(map(len, kinds)) > 9
    for lite, full in zip(*kinds, strict=False):
        one, _ = parse(lite, FEED)
        other, _ = parse(full, FEED)
        assert one is not None
        assert other is not None
        assert one.names == other.names
        assert one.certificate is not None
        assert other.certificate is not None
        assert one.certificate.serial == other.certificate.serial
        assert one.certificate.issuer_id == other.certificate.issuer_id


@pytest.mark.parametrize(
    "name",
    ["go_1.9_lite.jsonl", "go_1.9_full.jsonl", "rust_live_ct_full.jsonl"],
)
def test_raw_position_and_time_are_those_of_the_parser(name: str) -> None:
    for frame in vector_messages(name):
        sighting, _ = parse(frame, FEED)
        assert sighting is not None
        at = position(frame)
        assert at is not None
        assert (log_address(at[0].decode()), at[1]) == (sighting.log, sighting.index)
        seen = seen_epoch(frame)
        assert seen is not None
        assert sighting.seen is not None
        assert seen == pytest.approx(sighting.seen.timestamp())


def test_recorded_messages_need_no_parsing_to_find_their_names() -> None:
    """One list and one subject, or one list: never the chain's or the issuer's."""
    for name, spans in (
        ("go_1.9_lite.jsonl", 2),
        ("go_1.9_full.jsonl", 2),
        ("go_1.9_rfc6962_full.jsonl", 2),
        ("rust_live_ct_full.jsonl", 2),
        ("go_1.9_domains.jsonl", 1),
    ):
        for frame in vector_messages(name):
            found = name_spans(frame)
            assert found is not None, name
            assert len(found) == spans, name


def _message(**changes: Any) -> bytes:
    message = json.loads(vector_messages("go_1.9_lite.jsonl")[1])
    message["data"]["leaf_cert"].update(changes)
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    ("changes", "defect"),
    [
        ({"all_domains": "x.com"}, "all_domains: not a list"),
        ({"all_domains": ["x.com", 3]}, "name: not a string"),
        ({"subject": []}, "subject: not an object"),
        ({"subject": {"CN": 3}}, "CN: not a string"),
        ({"issuer": "CA"}, "issuer: not an object"),
        ({"serial_number": "xyz"}, "serial_number: not a number in hex"),
        ({"fingerprint": "30:AF"}, "fingerprint: not a digest"),
        ({"extensions": 7}, "extensions: not an object"),
        ({"as_der": "MAA="}, "as_der: not a certificate"),
    ],
)
def test_a_wrong_field_is_told_and_leaves_the_others(
    changes: dict[str, Any], defect: str
) -> None:
    sighting, defects = parse(_message(**changes), FEED)
    assert defects == (defect,)
    assert sighting is not None
    assert sighting.index is not None


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (b"", "broken JSON"),
        (b"{", "broken JSON"),
        (b'{"data":"\xff"}', "broken JSON"),
        (b"[" * 100_000, "JSON nested too deep"),
        (b"[]", "not a JSON object"),
        (b"3", "not a JSON object"),
        (b"{}", "data: other than message_type says"),
        (b'{"data":["x.com"]}', "data: other than message_type says"),
        (b'{"data":{"leaf_cert":[]}}', "leaf_cert: not an object"),
    ],
)
def test_useless_messages_are_named_by_kind(frame: bytes, kind: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(frame, FEED)
    assert caught.value.kind == kind


def test_half_a_surrogate_pair_in_one_name_leaves_the_others() -> None:
    frame = b'{"message_type":"dns_entries","data":["a\\ud800b","x.com"]}'
    sighting, _ = parse(frame, FEED)
    assert sighting is not None
    assert sighting.names == ("a\ud800b", "x.com")


def test_placeholders_for_certificates_are_passed_over() -> None:
    for text in ("REDACT", "::BASE64_DER_CERT::", "", "é"):
        sighting, defects = parse(_message(as_der=text), FEED)
        assert defects == ()
        assert sighting is not None


def test_no_position_where_there_is_none() -> None:
    assert position(b'{"data":["x.com"],"message_type":"dns_entries"}') is None
    assert position(b'{"cert_index":-1,"source":{"url":"https://log/"}}') is None
    assert position(b'{"cert_index":12,"x":{"url":"https://log/"}}') is None
    assert position(b'{"cert_index":"a","source":{"url":"https://log/"}}') is None


@pytest.mark.parametrize(
    ("sent", "address"),
    [
        (
            "ct.googleapis.com/logs/argon2020/",
            "https://ct.googleapis.com/logs/argon2020",
        ),
        ("https://log.example/2026h1", "https://log.example/2026h1"),
        ("", ""),
    ],
)
def test_one_form_of_a_log_address(sent: str, address: str) -> None:
    assert log_address(sent) == address


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused(frame: bytes) -> None:
    name_spans(frame)
    position(frame)
    seen_epoch(frame)
    try:
        parse(frame, FEED)
    except FormatError:
        return


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=4,
)


@given(st.data())
def test_any_value_in_any_field_is_parsed_or_refused(data: st.DataObject) -> None:
    message = json.loads(vector_messages("go_1.9_full.jsonl")[1])
    at: Any = message
    while True:
        key = data.draw(st.sampled_from(sorted(at)))
        if not isinstance(at[key], dict) or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(_JSON)
    frame = json.dumps(message).encode("utf-8", "surrogatepass")
    try:
        sighting, _ = parse(frame, FEED)
    except FormatError:
        return
    assert sighting is None or all(isinstance(name, str) for name in sighting.names)
