"""Certificate Transparency monitoring: from the bytes of a feed to a person."""

__version__ = "0.1.0"
