"""
An authority of our own and the server certificates it issues, good and bad.

Everything is made anew for each test, so no key lies in the repository and nothing in
it can expire.
"""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Authority:
    """
    A certificate authority whose certificate lies in `ca_file` (PEM).

    Each context is for one `FeedServer(tls=...)`; its certificate and key are written
    beside the authority's.
    """

    directory: Path
    _certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, directory: Path, name: str = "ctmonitor test authority") -> Self:
        """A new authority; its certificate is written to `<directory>/ca.pem`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        now = datetime.now(UTC)
        # Python 3.13 verifies strictly: key usage and identifiers have to be there.
        certificate = (
            _builder(subject, subject, key.public_key(), key.public_key())
            .not_valid_before(now - 30 * _DAY)
            .not_valid_after(now + 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        (directory / "ca.pem").write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
        )
        return cls(directory, certificate, key)

    @property
    def ca_file(self) -> Path:
        return self.directory / "ca.pem"

    def good(self) -> ssl.SSLContext:
        """A server that is `localhost` and 127.0.0.1, valid today."""
        return self._issue("good", _LOOPBACK)

    def wrong_name(self) -> ssl.SSLContext:
        """A server that is somebody else, valid today."""
        return self._issue("wrong_name", [x509.DNSName("elsewhere.invalid")])

    def expired(self) -> ssl.SSLContext:
        """A server that was `localhost` and 127.0.0.1 until yesterday."""
        return self._issue("expired", _LOOPBACK, ends=-_DAY)

    def _issue(
        self, stem: str, names: list[x509.GeneralName], ends: timedelta = 10 * _DAY
    ) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        issuer_key = self._key.public_key()
        certificate = (
            _builder(
                _name(f"{stem} test server"),
                self._certificate.subject,
                key.public_key(),
                issuer_key,
            )
            .not_valid_before(now - 10 * _DAY)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = self.directory / f"{stem}.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context


def authority_in(directory: Path, name: str) -> Authority:
    """A new authority of this name, in a new directory of this name."""
    (directory / name).mkdir()
    return Authority.create(directory / name, name)


_LOOPBACK: list[x509.GeneralName] = [
    x509.DNSName("localhost"),
    x509.IPAddress(IPv4Address("127.0.0.1")),
]


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key),
            critical=False,
        )
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
