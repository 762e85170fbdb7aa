"""Formats of Certificate Transparency and X.509, without I/O."""
