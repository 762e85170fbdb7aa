"""Notifications by Apprise: to whom, within which time, and what came of each."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from ctmonitor.alerts.base import Outcome
from ctmonitor.alerts.program import Programs
from ctmonitor.alerts.text import Message
from ctmonitor.model.text import shortened
from ctmonitor.net.route import Proxy
from ctmonitor.net.trust import trusting

_ROOT = Path(__file__).resolve().parents[2]  # where `ctmonitor` is found
_AT_ONCE = 4
_MAX_OUTPUT = 16 * 1024
# The last one: AWS Lambda's Python finds its own library by it.
_KEPT = {
    *("PATH", "HOME", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    "LD_LIBRARY_PATH",
}
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Notifier:
    """
    Args:
        destinations: Apprise addresses.
        fallback: one more, for what could not be delivered; empty for none.
        timeout_s: for one message, with all its parts.
        proxy: carries every connection; None for what the environment says.
        ca_file: PEM file of authorities that are trusted beside the usual.

    Raises:
        ConfigError: `ca_file` cannot be used.
    """

    def __init__(
        self,
        destinations: Sequence[str],
        fallback: str = "",
        *,
        timeout_s: float = 60.0,
        proxy: Proxy | None = None,
        ca_file: str = "",
    ) -> None:
        self._destinations = tuple(destinations)
        self._fallback = fallback
        self._timeout_s = timeout_s
        self._proxy = proxy
        if ca_file:  # a bad one is told now and not with every message
            trusting(ca_file, alone=True)  # the system's take as long as ten visits
        self._ca_file = ca_file
        self._environment = _environment(proxy)
        self._programs = Programs(_AT_ONCE, timeout_s=timeout_s, max_output=_MAX_OUTPUT)

    @property
    def count(self) -> int:
        """The number of destinations, without the fallback."""
        return len(self._destinations)

    @property
    def has_fallback(self) -> bool:
        return bool(self._fallback)

    def name(self, index: int | None) -> str:
        """`destination 1 (slack)`: all of an address that is no secret."""
        url = self._url(index)
        scheme = shortened(url.partition("://")[0], 20) if "://" in url else "unknown"
        which = "the fallback" if index is None else f"destination {index + 1}"
        return f"{which} ({scheme})"

    async def send(self, index: int | None, message: Message) -> Outcome:
        """
        What came of one message to one destination; never raises for what it does.

        Args:
            index: from 0 in the order of the settings; None for the fallback.
        """
        url = self._url(index)
        if not url:
            return Outcome(False, "the settings have no such destination any more")
        request = {
            "url": url,
            "subject": message.subject,
            "body": message.body,
            "within_s": self._timeout_s,
            "ca_file": self._ca_file,
            "proxy": (self._proxy.host, self._proxy.port) if self._proxy else None,
        }
        command = (sys.executable, "-P", "-m", "ctmonitor.alerts.courier")
        try:
            ended = await self._programs.run(
                command,
                json.dumps(request).encode(),
                self._environment,
                with_errors=False,
            )
        except OSError as exc:
            return Outcome(False, f"no process for it: {exc.strerror or exc}")
        if ended.code is None:
            return Outcome(False, f"no answer within {self._timeout_s:g} s")
        try:
            answer = json.loads(ended.output)
            return Outcome(answer["is_ok"], answer["detail"])
        except (ValueError, KeyError, TypeError):
            return Outcome(False, f"Apprise ended with exit code {ended.code}")

    def _url(self, index: int | None) -> str:
        if index is None:
            return self._fallback
        known = 0 <= index < len(self._destinations)
        return self._destinations[index] if known else ""


def _environment(proxy: Proxy | None) -> dict[str, str]:
    """What the courier gets: where our code lies, and the way to the network."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if name in _KEPT or (proxy is None and name.lower() in _PROXY_VARIABLES)
    }
    paths = filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")])
    kept |= {"PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}
    if proxy is not None:
        # Loopback is not exempt: no_proxy is empty.
        kept |= dict.fromkeys(_PROXY_VARIABLES[:3], _proxy_url(proxy))
        kept["no_proxy"] = ""
    return kept


def _proxy_url(proxy: Proxy) -> str:
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    login = ""
    if proxy.username:
        login = f"{quote(proxy.username, '')}:{quote(proxy.password, '')}@"
    return f"{proxy.kind}://{login}{host}:{proxy.port}"
