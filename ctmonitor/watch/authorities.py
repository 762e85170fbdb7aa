"""Which CAs may issue for a watched domain."""

from collections.abc import Iterable, Mapping, Sequence

from ctmonitor.model.own import Authority, DomainState, Issuer
from ctmonitor.watch.expiry import is_expired


class Authorities:
    """
    The CAs that may issue for one domain.

    Args:
        authorities: of all domains.
        ca_ids: CA ids of crt.sh by `Issuer.identity`, as far as they are known: other
            sources do not tell ids.
    """

    def __init__(
        self,
        authorities: Iterable[Authority],
        domain: str,
        ca_ids: Mapping[str, int] | None = None,
    ) -> None:
        own = [each for each in authorities if each.domain in ("", domain)]
        self._organisations = {each.organisation for each in own if each.organisation}
        self._ids = {each.ca_id for each in own if each.ca_id is not None}
        self._ca_ids = ca_ids or {}

    @property
    def is_any(self) -> bool:
        """Whether there are any for this domain: else none is unauthorised."""
        return bool(self._organisations or self._ids)

    def allow(self, issuer: Issuer) -> bool:
        """
        Whether this issuer may issue; any may where none is configured.

        An issuer of which nothing is known is allowed: it would be accused for what its
        source left out.
        """
        if not self.is_any or not (issuer.organisation or issuer.ca_id is not None):
            return True
        if issuer.organisation in self._organisations:
            return True
        ca_id = issuer.ca_id
        if ca_id is None:
            ca_id = self._ca_ids.get(issuer.identity)
        return ca_id in self._ids


def known_ca_ids(state: DomainState) -> dict[str, int]:
    """The CA ids that crt.sh told for the issuers of a domain, by their identity."""
    return {
        certificate.issuer.identity: certificate.issuer.ca_id
        for certificate in state.certificates
        if certificate.issuer.ca_id is not None and certificate.issuer.identity
    }


def auto_baseline(state: DomainState, now: str) -> list[Authority]:
    """
    The organisations that issued what is valid now, for this domain alone.

    What is revoked does not count. In the order of the alphabet, none twice.
    """
    organisations = {
        certificate.issuer.organisation
        for certificate in state.certificates
        if certificate.not_after
        and not is_expired(certificate, now)
        and not certificate.is_revoked
        and certificate.issuer.organisation
    }
    return [
        Authority(organisation=each, domain=state.domain)
        for each in sorted(organisations)
    ]


def without_doubles(
    known: Sequence[Authority], added: Iterable[Authority]
) -> list[Authority]:
    """All of both, in their order; what a known one allows already is left out."""
    kept = list(known)
    for each in added:
        for_all = Authority(each.organisation, each.ca_id)
        if each not in kept and for_all not in kept:
            kept.append(each)
    return kept
