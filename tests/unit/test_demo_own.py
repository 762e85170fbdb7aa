"""What the demo of own domains answers with is what was recorded."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from ctmonitor.ct.certificate import key_sha256, tbs_sha256

_ROOT = Path(__file__).resolve().parents[2]
_RECORDED: list[dict[str, Any]] = json.loads(
    (_ROOT / "conf" / "demo_own.json").read_text("utf-8")
)


@pytest.mark.parametrize("place", range(8))
def test_a_recorded_issuance_says_what_its_certificate_says(place: int) -> None:
    assert len(_RECORDED) == 8
    row = _RECORDED[place]
    der = base64.b64decode(row["cert_der"], validate=True)
    assert row["cert_sha256"] == hashlib.sha256(der).hexdigest()
    assert row["tbs_sha256"] == tbs_sha256(der)
    assert row["pubkey_sha256"] == key_sha256(der)
    certificate = x509.load_der_x509_certificate(der)
    listed = certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value
    assert row["dns_names"] == listed.get_values_for_type(x509.DNSName)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    assert row["not_before"] == f"{begin:%Y-%m-%dT%H:%M:%SZ}"
    assert row["not_after"] == f"{end:%Y-%m-%dT%H:%M:%SZ}"
    organisation = certificate.issuer.rfc4514_string().split("O=")[1].split(",")[0]
    assert f"O={organisation}" in row["issuer"]["name"]
