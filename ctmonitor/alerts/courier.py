"""
Sends one notification by Apprise; a program of its own, started for each.

    python -m ctmonitor.alerts.courier < {"url": ..., "subject": ..., "body": ...}

A service that hangs is killed with it, and its environment and the guard below are
where a proxy can be forced on all of Apprise's services. Apprise 1 gives back a bool,
Apprise 2 an object that is true when everything was sent.
"""

import json
import logging
import re
import socket
import ssl
import sys
from collections.abc import Mapping
from typing import Any

import apprise
import requests.sessions
from apprise import AppriseAsset, NotifyFormat, NotifyType
from apprise.common import OverflowMode

from ctmonitor.alerts.text import in_parts
from ctmonitor.model.text import shortened

_MOST_PARTS = 20
_LONGEST_DETAIL = 300
_SHARE_OF_PART = 0.8  # what is left of a part after title, counter and line ends
_CONNECTIONS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname"}


def deliver(request: Mapping[str, Any]) -> tuple[bool, str]:
    """
    Whether the service took all of it, and what it said.

    Args:
        request: `url`, `subject`, `body`; `within_s`, the time for all parts;
            `ca_file`, authorities that are trusted, too; `proxy`, host and port of the
            only server that may be connected to, or None.
    """
    said = _Said()
    _trust(request["ca_file"])
    if request["proxy"] is not None:
        host, port = request["proxy"]
        _guard(host, port, said.lines)
    logging.getLogger("apprise").addHandler(said)
    # No plugin paths and no templates: nothing is loaded but Apprise's own services.
    asset = AppriseAsset(app_id="ctmonitor", app_desc="Certificate Transparency")
    asset.http_redirects = False
    # Apprise 1 has no such field; its services fail at a redirect instead.
    vars(requests.sessions)["DEFAULT_REDIRECT_LIMIT"] = 0
    service = apprise.Apprise.instantiate(request["url"], asset=asset)
    if service is None:
        return False, "Apprise cannot use this address; see its list of services"
    if service.overflow_mode == OverflowMode.UPSTREAM:
        service.overflow_mode = OverflowMode.SPLIT
    body = request["body"]
    if 0 < service.body_max_line_count <= body.count("\n"):
        body = "; ".join(filter(None, body.split("\n")))  # it would drop lines
    parts = in_parts(
        body,
        max(1, int(service.body_maxlen * _SHARE_OF_PART)),
        _most_parts(service.request_rate_per_sec, request["within_s"]),
    )
    caller = apprise.Apprise(asset=asset)
    caller.add(service)
    for number, part in enumerate(parts, 1):
        counter = f" ({number}/{len(parts)})" if len(parts) > 1 else ""
        if not caller.notify(
            body=part,
            title=request["subject"] + counter,
            notify_type=NotifyType.INFO,
            body_format=NotifyFormat.TEXT,
        ):
            break
    else:
        return True, "delivered"
    what = "; ".join(dict.fromkeys(said.lines)) or "Apprise says no more"
    return False, f"not delivered: {masked(what, request['url'])}"


def masked(text: str, url: str) -> str:
    """`text` for a log, without any part of `url` that may be a secret."""
    for part in sorted(re.split(r"[^\w-]+", url.partition("://")[2]), key=len)[::-1]:
        if len(part) >= 4:
            text = text.replace(part, "***")
    return shortened(text, _LONGEST_DETAIL)


def _most_parts(pause_s: float, within_s: float) -> int:
    """How many messages there is time for: Apprise pauses between them."""
    if pause_s <= 0:
        return _MOST_PARTS
    return max(1, min(_MOST_PARTS, int(within_s / 2 / pause_s)))


class _Said(logging.Handler):
    """Apprise's complaints."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _trust(ca_file: str) -> None:
    """
    From here on all TLS of this process trusts the system's authorities and those of
    the file, beside what a service loads: requests brings a list of its own.

    Each verifying context loads its authorities by one of two methods.
    """
    load = ssl.SSLContext.load_verify_locations
    load_defaults = ssl.SSLContext.load_default_certs

    def add(context: ssl.SSLContext) -> None:
        context.set_default_verify_paths()
        if ca_file:
            load(context, ca_file)

    def load_and_add(context: ssl.SSLContext, *args: Any, **kwargs: Any) -> None:
        load(context, *args, **kwargs)
        add(context)

    def load_defaults_and_add(
        context: ssl.SSLContext, *args: Any, **kwargs: Any
    ) -> None:
        load_defaults(context, *args, **kwargs)
        add(context)

    patched: Any = ssl.SSLContext
    patched.load_verify_locations = load_and_add
    patched.load_default_certs = load_defaults_and_add


def _guard(host: str, port: int, said: list[str]) -> None:
    """
    From here on this process connects to the proxy alone; `said` gets what it refuses.

    Services by HTTP go through it by the environment; mail, MQTT and others know no
    proxy, and fail rather than go around it.
    """
    allowed = {
        (address[0], address[1])
        for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    }
    hosts = {host, *(str(address) for address, _ in allowed)}

    def judge(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CONNECTIONS:
            address = arguments[1]
            is_around = isinstance(address, tuple) and address[:2] not in allowed
        else:
            is_around = event in _LOOKUPS and arguments[0] not in hosts
        if is_around:
            why = "this service cannot go through [CONNECT] Proxy"
            said.append(why)
            raise PermissionError(why)

    sys.addaudithook(judge)


def main() -> None:
    request = json.load(sys.stdin)
    try:
        is_ok, detail = deliver(request)
    except Exception as exc:  # noqa: BLE001 # whatever a service's code does is told
        is_ok, detail = False, f"Apprise failed: {type(exc).__name__}"
    json.dump({"is_ok": is_ok, "detail": detail}, sys.stdout)


if __name__ == "__main__":
    main()
