"""
A file of networks on this machine, in MaxMind's format: who announces an address.

Read are the fields of IPinfo Lite (`asn`, `as_name`, `country_code`) and of GeoLite2
and DB-IP ASN (`autonomous_system_number`, `autonomous_system_organization`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any

from ctmonitor.errors import ConfigError
from ctmonitor.model.text import shortened


@dataclass(frozen=True, slots=True)
class FileNetwork:
    """What the file has on an address; a field it does not have is empty."""

    asn: str  # without `AS`
    cidr: str
    country: str
    description: str


class NetworkFile:
    """
    Args:
        path: a file with AS numbers, read as it stands now.

    Raises:
        ConfigError: it cannot be read, or `maxminddb` is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            import maxminddb
        except ImportError as exc:
            raise ConfigError(
                f"{path} cannot be read without the package maxminddb; "
                "install it, or leave the setting empty."
            ) from exc
        try:
            self._reader = maxminddb.open_database(path)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as exc:
            raise ConfigError(
                f"{path} cannot be read as a MaxMind file: {exc}. Give a file that "
                "ends in .mmdb, with AS numbers."
            ) from exc
        built = datetime.fromtimestamp(self._reader.metadata().build_epoch, UTC)
        self._damaged = maxminddb.InvalidDatabaseError
        self.source = f"{path.name} of {built:%Y-%m-%d}"

    def close(self) -> None:
        """Ends the use of the file."""
        self._reader.close()

    def find(self, address: IPv4Address | IPv6Address) -> FileNetwork | None:
        """What the file has on `address`; None when it has no AS number for it."""
        try:
            record, prefix = self._reader.get_with_prefix_len(address)
        except (ValueError, self._damaged):
            return None  # an IPv6 address and a file without them; a broken record
        if not isinstance(record, dict):
            return None
        asn = _text(record, "asn", "autonomous_system_number").upper()
        asn = asn.removeprefix("AS")
        if not (asn.isascii() and asn.isdigit()):
            return None
        if address.version == 4 and prefix > 32:  # counted within ::/96
            prefix -= 96
        return FileNetwork(
            asn,
            str(ip_network((address, prefix), strict=False)),
            _text(record, "country_code")[:2].upper(),
            _text(record, "as_name", "autonomous_system_organization"),
        )


def _text(record: dict[str, Any], *keys: str) -> str:
    for key in keys:
        value = record.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return shortened(str(value).strip(), 200)
    return ""
