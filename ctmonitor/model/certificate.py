"""What is known of one certificate, and when two sightings are one issuance."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

# SHA-1 of no bytes: certstream-server-go 1.9 sends it as the fingerprint of every
# precertificate of a tiled log (it hashes a field that it threw away).
SHA1_OF_NOTHING = hashlib.sha1(b"", usedforsecurity=False).hexdigest()
SHA256_OF_NOTHING = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Certificate:
    """
    The fields of a certificate or precertificate that the toolkit uses.

    Hex is lower case without separators; what a source does not know is empty or None.
    """

    names: tuple[str, ...]  # all names, as issued: DNS SANs and CN, without doubles
    subject_cn: str = ""
    issuer_dn: str = ""  # for people: /C=US/CN=E7/O=Let's Encrypt
    issuer_id: str = ""  # for comparing: C, O and CN, folded; see `issuer_identity`
    authority_key_id: str = ""  # hex of the AKI extension's keyIdentifier
    serial: int | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    sha1: str = ""  # of the DER; empty where the source sent the hash of nothing
    sha256: str = ""  # likewise
    tbs_sha256: str = ""  # of the TBSCertificate without poison and SCT list
    is_precert: bool | None = None
    issuer_organisation: str = ""  # O as spelled, or CN where there is none
    key_sha256: str = ""  # of the SubjectPublicKeyInfo

    @property
    def identity(self) -> str:
        """
        The strongest key this sighting has, prefixed by its kind.

        `tbs:` the hash of the TBSCertificate that the log signed; `serial:` issuer and
        serial number; `names:` names and validity, when a source knows no more.
        """
        if self.tbs_sha256:
            return f"tbs:{self.tbs_sha256}"
        if self.serial is not None and (self.authority_key_id or self.issuer_id):
            issuer = self.authority_key_id or self.issuer_id
            return f"serial:{self.serial:x}:{issuer}"
        seed = "\0".join(
            (
                *sorted(name.lower() for name in self.names),
                str(self.not_before),
                str(self.not_after),
            )
        )
        return "names:" + hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()

    @property
    def fingerprint(self) -> str:
        """SHA-1 as feeds and the promised table write it: upper case with colons."""
        digest = self.sha1.upper()
        return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def issuer_identity(country: str, organisation: str, common_name: str) -> str:
    """
    Issuer names in a form in which all feeds agree, or empty when all parts are.

    Servers order and fill the other attributes differently (the Go server writes the
    street address into ST), so only C, O and CN count, without regard to case.
    """
    parts = (country, organisation, common_name)
    folded = [" ".join(part.split()).casefold() for part in parts]
    return "|".join(folded) if any(folded) else ""
