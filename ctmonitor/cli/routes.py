"""The ways out of the house that several commands use."""

from ctmonitor.config import Config
from ctmonitor.net.route import Proxy, Route


def connect_proxy(config: Config) -> Proxy | None:
    """[CONNECT] Proxy; the environment's when no proxy is set at all."""
    if config.connect_proxy:
        return Proxy.from_url(config.connect_proxy)
    if config.proxy_host:
        return None  # of the feed alone
    return Route().proxy_for("", secure=True)
