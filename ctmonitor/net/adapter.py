"""
The adapter of `requests`, under a deadline and with a route's authorities.

Loaded with the first call: `requests` takes a tenth of what it takes to start a program
that perhaps never asks.
"""

from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from ctmonitor.net.deadline import Deadline
from ctmonitor.net.route import Route

# ValueError: a header, or an address, that cannot be written.
FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
)
TIMEOUTS = (TimeoutError, urllib3.exceptions.ReadTimeoutError)


class Adapter(HTTPAdapter):
    """Connections with the route's authorities, under a deadline."""

    def __init__(self, route: Route, deadline: Deadline) -> None:
        self._route = route
        self._deadline = deadline
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._route.tls)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=self._route.tls)

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Adds no authorities to those of the route."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        made = pool.ConnectionCls
        pool.ConnectionCls = lambda *a, **k: self._deadline.watch(made(*a, **k))
        return pool
