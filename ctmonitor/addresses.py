"""Addresses in settings: what is accepted, and what of one may be shown."""

import re
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_interface
from urllib.parse import SplitResult, urlsplit

from ctmonitor.model.text import shortened

MASK = "********"

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.+)", re.DOTALL)
_BETWEEN = re.compile(r"[\s,]+")
_TAG = r"[A-Za-z0-9_-]+"
# An address of Apprise may hold commas; a further one begins with its scheme. Tags
# need white space before them, since `,x=https://` may be a part of an address.
_BETWEEN_SERVICES = re.compile(
    r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)"
    rf"|[\s,]*\s(?={_TAG}(?:,{_TAG})*=[A-Za-z][A-Za-z0-9+.-]*://)"
)
_TAGGED = re.compile(rf"({_TAG}(?:,{_TAG})*)=(.*)", re.DOTALL)
_ROUTE = re.compile(rf"([A-Za-z]+)=({_TAG}(?:,{_TAG})*)")
_DNS_PORT = 53
_RESOLVER = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Destination:
    """
    Whom notifications are sent to.

    Args:
        url: an address of Apprise.
        tags: in lower case; what is told may depend on them.
    """

    url: str = field(repr=False)
    tags: tuple[str, ...] = ()


class BadPart(ValueError):
    """
    A part of a value cannot be used; str() is the next step, which does not show it.

    Args:
        shown: what of the part may be shown, where the value may be.
    """

    def __init__(self, shown: str, hint: str) -> None:
        super().__init__(hint)
        self.shown = shortened(shown)


class BadAddress(BadPart):
    """
    An address, which may hold a password, cannot be used.

    Args:
        address: what cannot be used.
        value: the whole value that it stands in.
    """

    def __init__(self, address: str, value: str, hint: str) -> None:
        super().__init__(masked_url(address), hint)
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


def masked_service(address: str) -> str:
    """An address of Apprise: all but the scheme may be a secret."""
    return f"{address.partition('://')[0]}://{MASK}"


def masked_destination(destination: Destination) -> str:
    """As it stands in the settings; tags are no secret."""
    tags = f"{','.join(destination.tags)}=" if destination.tags else ""
    return tags + masked_service(destination.url)


def parts(text: str) -> tuple[str, ...]:
    """What stands between white space and commas."""
    return tuple(part for part in _BETWEEN.split(text) if part)


# Each of these gives back the value in force, or raises BadPart. Lists are empty when
# there is nothing but commas.


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
    """Addresses of websockets."""
    addresses = parts(text)
    for address in addresses:
        split = _split(address, text)
        scheme = split.scheme
        if scheme in ("http", "https"):
            needed = "wss" if scheme == "https" else "ws"
            hint = f"The feed is a websocket: write {needed}:// for {scheme}://."
            raise BadAddress(address, text, hint)
        if scheme not in ("ws", "wss"):
            raise BadAddress(address, text, "Begin it with ws:// or wss://.")
        if not split.hostname:
            raise BadAddress(address, text, "Add the host.")
        if split.fragment:
            raise BadAddress(address, text, "Remove the # and what follows it.")
    return addresses


def proxy(text: str) -> str:
    """The address of a proxy, with its scheme."""
    if "://" not in text:
        # The old scanner's library took `host:port` as an HTTP proxy.
        text = f"http://{text}"
    split = _split(text, text)
    if split.scheme not in ("http", "socks5", "socks5h"):
        hint = "Begin it with http://, socks5:// or socks5h://."
        raise BadAddress(text, text, hint)
    if not split.hostname or split.port is None:
        raise BadAddress(text, text, "Give host and port.")
    if split.path not in ("", "/") or split.query or split.fragment:
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
    split = _split(text, text)
    if split.scheme == "postgres":
        raise BadAddress(text, text, "Write postgresql:// for postgres://.")
    if split.scheme != "postgresql":
        raise BadAddress(text, text, "Begin it with postgresql:// or sqlite:///.")
    if split.path in ("", "/"):
        raise BadAddress(text, text, "Name the database behind the host.")
    return text


def services(text: str) -> tuple[Destination, ...]:
    """Addresses of Apprise, which judges what follows their schemes itself."""
    bare = text.strip(", \t\n")
    found = []
    for part in _BETWEEN_SERVICES.split(bare) if bare else ():
        tagged = _TAGGED.fullmatch(part)
        tags, url = (tagged[1], tagged[2]) if tagged else ("", part)
        if not _ADDRESS.fullmatch(url):
            hint = "Begin it with the scheme of a service, such as mailto://."
            raise BadAddress(text, text, hint)
        found.append(Destination(url, parts(tags.lower())))
    return tuple(found)


def service(text: str) -> str:
    """The address of one service of Apprise; empty when there is nothing but commas."""
    found = services(text)
    if len(found) > 1:
        raise BadAddress(text, text, "Give one address.")
    if any(one.tags for one in found):
        raise BadAddress(text, text, "Give the address without tags.")
    return "".join(one.url for one in found)


def routes(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Kinds of messages, each with tags; all in lower case."""
    found: dict[str, tuple[str, ...]] = {}
    for part in text.lower().split():
        route = _ROUTE.fullmatch(part)
        if route is None:
            raise BadPart(part, "Write kind=tag or kind=tag,tag, without white space.")
        if route[1] in found:
            raise BadPart(part, f"Give {route[1]} once, with all its tags.")
        found[route[1]] = parts(route[2])
    return tuple(found.items())


def web(text: str) -> str:
    """An address that is fetched over HTTP."""
    split = _split(text, text)
    if split.scheme not in ("http", "https"):
        raise BadAddress(text, text, "Begin it with https:// or http://.")
    if not split.hostname:
        raise BadAddress(text, text, "Add the host.")
    if split.fragment:
        raise BadAddress(text, text, "Remove the # and what follows it.")
    return text


def resolvers(text: str) -> tuple[tuple[str, int], ...]:
    """Addresses and ports of name servers."""
    found = []
    for part in parts(text):
        # An IPv6 address without brackets has no port.
        is_bare = part.count(":") > 1 and not part.startswith("[")
        split = None if is_bare else _RESOLVER.fullmatch(part)
        host = (split[1] or split[2]) if split else part
        port = int(split[3] or _DNS_PORT) if split else _DNS_PORT
        try:
            address = ip_address(host)
        except ValueError:
            raise BadPart(part, "Give the address of the server.") from None
        if not 1 <= port <= 65_535:
            raise BadPart(part, "The port is a number from 1 to 65535.")
        found.append((str(address), port))
    return tuple(found)


def networks(text: str) -> tuple[str, ...]:
    """Networks as address and length of the prefix."""
    found = []
    for part in parts(text):
        try:
            # Also takes a netmask for the length, and an address alone. The zone of
            # an IPv6 address (`%eth0`) says nothing of whom it belongs to.
            interface = ip_interface(part.replace("%", " "))
        except ValueError:
            raise BadPart(
                part, "Give an address and the length of its prefix."
            ) from None
        network = interface.network
        if interface.ip != network.network_address:
            raise BadPart(part, f"It is an address in a network: write {network}.")
        found.append(str(network))
    return tuple(found)


def _split(address: str, value: str) -> SplitResult:
    """The parts of one address of a value, if its host and port are possible."""
    if re.search(r"[\s\\]|[\x00-\x1f\x7f]", address):
        raise BadAddress(address, value, "Remove white space and backslashes.")
    if not _ADDRESS.fullmatch(address):
        raise BadAddress(address, value, "Begin it with its scheme and ://.")
    try:
        split = urlsplit(address)
    except ValueError:
        raise BadAddress(address, value, "Correct the host.") from None
    try:
        port = split.port
    except ValueError:
        port = 0
    if port == 0 or split.netloc.endswith(":") or split.netloc.count("@") > 1:
        hint = (
            "The port is a number from 1 to 65535; in a password / is written %2F, "
            "# is %23, ? is %3F and @ is %40."
        )
        raise BadAddress(address, value, hint)
    return split
