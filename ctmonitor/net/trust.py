"""The authorities that are trusted: the system's, and those of the operator's file."""

import ssl

from ctmonitor.errors import ConfigError


def trusting(ca_file: str, *, alone: bool = False) -> ssl.SSLContext:
    """
    TLS for a client that verifies its servers.

    Args:
        ca_file: PEM file of authorities that are trusted, too; empty for none.
        alone: those of the file are the only ones.

    Raises:
        ConfigError: the file cannot be used.
    """
    try:
        if alone:
            return ssl.create_default_context(cafile=ca_file or None)
        context = ssl.create_default_context()
        if ca_file:
            context.load_verify_locations(ca_file)
    except OSError as exc:  # ssl.SSLError is one
        raise ConfigError(
            f"CA_File {ca_file!r} cannot be read as PEM certificates: {exc}. "
            "Give a file with the authorities that sign your servers, or leave it "
            "empty for the system's."
        ) from exc
    return context
