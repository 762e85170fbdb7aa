"""What is older than [DATABASE] Keep_Days is removed, by the first program in a day."""

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a Lambda function with its state in S3 loads no database
    from ctmonitor.store.store import Store

log = logging.getLogger(__name__)


def forget_old(store: "Store", keep_days: int, now: datetime) -> None:
    """
    Removes visits, messages that were sent or given up, malformed entries, and
    sightings of own domains that nobody took up. Once a day (UTC), of all programs.

    Args:
        keep_days: 0 removes nothing.

    Raises:
        StoreUnavailable, StoreError: what was removed before stays so.
    """
    if not keep_days or not store.memory().take("forgetting", 1, 1, now):
        return
    before = now - timedelta(days=keep_days)
    counts = {
        "visits": store.followups().forget(before),
        "alerts": store.outbox().forget(before),
        "malformed entries": store.forget_malformed(before),
        "sightings of own domains": store.own_sightings().forget_old(before),
    }
    if any(counts.values()):
        told = ", ".join(f"{count} {what}" for what, count in counts.items())
        log.info("removed as old: %s", told)
