"""A brand that is watched for look-alikes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Brand:
    """
    One brand of `BrandFile`.

    Args:
        name: what people are told, as in the file.
        spellings: how it stands in host names: lower-case ASCII letters and digits,
            hyphens inside; 2 characters or more, at least one.
        domains: registrable domains and hosts that are its own; nothing in or below
            them is a look-alike of any brand, but for what is below a public suffix of
            a company (`azurewebsites.net`).
        words: lower-case words that go with it (`kundenservice`, `prime`).
    """

    name: str
    spellings: tuple[str, ...]
    domains: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
