"""A sign of life after each complete run, to a service that misses it (N4)."""

import logging
from urllib.parse import urlsplit

from ctmonitor.errors import SourceError
from ctmonitor.net.client import Client

log = logging.getLogger(__name__)


async def send_heartbeat(client: Client, url: str) -> bool:
    """
    Whether `url` was fetched. A failure is logged, and is never the run's.

    The log shows no path: it often is the only secret of such a service.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        log.warning("heartbeat failed: [REPORTING] Heartbeat_URL is no address")
        return False
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    try:
        answer = await client.get(url, accept="*/*")
    except SourceError as exc:
        why = str(exc)
        if parts.path.strip("/"):
            why = why.replace(parts.path, "/...")
        log.warning("heartbeat to %s failed: %s", where, why)
        return False
    if answer.status >= 300:
        log.warning("heartbeat to %s failed: HTTP %d", where, answer.status)
        return False
    return True
