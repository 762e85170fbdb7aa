"""A sighting of names in own domains becomes what `watchdomains.py` takes up."""

from collections.abc import Mapping
from dataclasses import replace

from ctmonitor.model.batch import Sighting
from ctmonitor.model.clock import utc_text
from ctmonitor.model.own import Claim, Issuer, OwnSighting, OwnSource
from ctmonitor.model.text import bounded, printable

_MOST_NAMES = 200  # of all that the certificate bears, kept as evidence


def own_sightings(
    sighting: Sighting, own: Mapping[str, tuple[str, ...]]
) -> list[OwnSighting]:
    """
    One for each watched domain; a domains-only message gives names alone.

    Args:
        own: watched domain -> the names in it that the sighting bears.
    """
    ids: tuple[str, ...] = ()
    if sighting.log and sighting.index is not None:
        ids = (f"{_kept(sighting.log)}:{sighting.index}",)
    all_names = tuple(_kept(name) for name in sighting.names[:_MOST_NAMES])
    certificate = sighting.certificate
    found = []
    for domain, names in own.items():
        claim = Claim(
            source=OwnSource.LOGS,
            names=names,
            ids=ids,
            all_names=all_names,
            logged=utc_text(sighting.logged) or "",
            link=_kept(sighting.link),
        )
        if certificate is not None:
            serial = certificate.serial
            claim = replace(
                claim,
                issuer=Issuer(
                    dn=_kept(certificate.issuer_dn),
                    identity=_kept(certificate.issuer_id),
                    organisation=_kept(certificate.issuer_organisation),
                ),
                serial="" if serial is None else f"{serial:x}",
                tbs_sha256=certificate.tbs_sha256,
                cert_sha256=certificate.sha256,
                key_sha256=certificate.key_sha256,
                not_before=utc_text(certificate.not_before) or "",
                not_after=utc_text(certificate.not_after) or "",
            )
        found.append(OwnSighting(domain, claim))
    return found


def _kept(text: str) -> str:
    """A stranger's text as it can be stored and shown."""
    return bounded(printable(text))
