"""Addresses in settings: what is accepted, and what of one may be shown."""

import re
from ipaddress import IPv6Address
from urllib.parse import SplitResult, urlsplit

from ctmonitor.model.text import shortened

MASK = "********"

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.+)", re.DOTALL)
_SCHEMES = re.compile(r"(?:^|[\s,])([A-Za-z][A-Za-z0-9+.-]*)://")
_BETWEEN = re.compile(r"[\s,]+")


class BadAddress(ValueError):
    """
    An address cannot be used; str() is the next step.

    Args:
        address: what cannot be used.
        value: the whole value that it stands in.
    """

    def __init__(self, address: str, value: str, hint: str) -> None:
        super().__init__(hint)
        self.shown = shortened(masked_url(address))
        if "@" in value:
            # A comma or a space may have cut a password in two.
            scheme = _ADDRESS.fullmatch(address)
            self.shown = f"{scheme[1]}://{MASK}" if scheme else MASK


def masked_url(url: str, *, path: bool = True) -> str:
    """
    `url` without what may be a secret in it: user name, password and query.

    Args:
        path: whether its path is shown.

    All before the last `@` counts as user and password: one that holds a `/` or a `#`
    is not written as it should be, but it must not be seen.
    """
    address = _ADDRESS.fullmatch(url)
    scheme, rest = (address[1] + "://", address[2]) if address else ("", url)
    credentials, at, rest = rest.rpartition("@")
    rest, question, _ = rest.partition("?")
    rest, sharp, _ = rest.partition("#")
    host, slash, tail = rest.partition("/")
    if tail and not path:
        tail = MASK
    # `user:password` without a host: what stands for the port is none.
    host = re.sub(r"(?<!:):(?![0-9]*\Z)[^:\]]*\Z", f":{MASK}", host)
    shown = f"{scheme}{MASK if credentials else ''}{at}{host}{slash}{tail}"
    return shown + (f"?{MASK}" if question else "") + (f"#{MASK}" if sharp else "")


def masked_services(value: str) -> str:
    """Addresses of Apprise: all but the scheme may be a secret."""
    return " ".join(f"{scheme}://{MASK}" for scheme in _SCHEMES.findall(value))


# Each of these gives back the value in force, or raises BadAddress.


def host(text: str) -> str:
    """A host name or an IP address, without the brackets of IPv6."""
    if re.search(r"[\s/@?#\\]", text):
        raise BadAddress(text, text, "Write the host alone.")
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in text or bare != text:
        try:
            IPv6Address(bare)
        except ValueError:
            hint = "The port belongs in Proxy_Port."
            raise BadAddress(text, text, hint) from None
    return bare


def feeds(text: str) -> tuple[str, ...]:
    """Addresses of websockets; empty when there is nothing but commas."""
    addresses = tuple(part for part in _BETWEEN.split(text) if part)
    for address in addresses:
        parts = _split(address, text)
        scheme = parts.scheme
        if scheme in ("http", "https"):
            needed = "wss" if scheme == "https" else "ws"
            hint = f"The feed is a websocket: write {needed}:// for {scheme}://."
            raise BadAddress(address, text, hint)
        if scheme not in ("ws", "wss"):
            raise BadAddress(address, text, "Begin it with ws:// or wss://.")
        if not parts.hostname:
            raise BadAddress(address, text, "Add the host.")
        if parts.fragment:
            raise BadAddress(address, text, "Remove the # and what follows it.")
    return addresses


def proxy(text: str) -> str:
    """The address of a proxy, with its scheme."""
    if "://" not in text:
        # The old scanner's library took `host:port` as an HTTP proxy.
        text = f"http://{text}"
    parts = _split(text, text)
    if parts.scheme not in ("http", "socks5", "socks5h"):
        hint = "Begin it with http://, socks5:// or socks5h://."
        raise BadAddress(text, text, hint)
    if not parts.hostname or parts.port is None:
        raise BadAddress(text, text, "Give host and port.")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise BadAddress(text, text, "Remove what follows the port.")
    return text


def database(text: str) -> str:
    """The address of a database."""
    if text.lower().startswith("sqlite:"):
        # What follows is a path, which may hold a space.
        path = text[len("sqlite:") :]
        if not path.startswith("///") or path.strip("/") == "" or "\n" in path:
            hint = "Write sqlite:/// and the path; with four slashes it is absolute."
            raise BadAddress(text, text, hint)
        return text
    parts = _split(text, text)
    if parts.scheme == "postgres":
        raise BadAddress(text, text, "Write postgresql:// for postgres://.")
    if parts.scheme != "postgresql":
        raise BadAddress(text, text, "Begin it with postgresql:// or sqlite:///.")
    if parts.path in ("", "/"):
        raise BadAddress(text, text, "Name the database behind the host.")
    return text


def services(text: str) -> str:
    """Addresses of Apprise, which judges them itself."""
    if not _ADDRESS.fullmatch(text):
        hint = "Begin it with the scheme of a service, such as mailto://."
        raise BadAddress(text, text, hint)
    return text


def _split(address: str, value: str) -> SplitResult:
    """The parts of one address of a value, if its host and port are possible."""
    if re.search(r"[\s\\]|[\x00-\x1f\x7f]", address):
        raise BadAddress(address, value, "Remove white space and backslashes.")
    if not _ADDRESS.fullmatch(address):
        raise BadAddress(address, value, "Begin it with its scheme and ://.")
    try:
        parts = urlsplit(address)
    except ValueError:
        raise BadAddress(address, value, "Correct the host.") from None
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or parts.netloc.endswith(":") or parts.netloc.count("@") > 1:
        hint = (
            "The port is a number from 1 to 65535; in a password / is written %2F, "
            "# is %23, ? is %3F and @ is %40."
        )
        raise BadAddress(address, value, hint)
    return parts
