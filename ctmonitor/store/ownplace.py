"""Which store of watched domains a setting names: a directory, or a bucket."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ctmonitor.errors import StoreError
from ctmonitor.model.clock import now_utc
from ctmonitor.store.ownstate import StateStore

_BOTOCORE = (1, 36)  # which can leave out checksums that only Amazon's S3 knows


def open_states(
    state: str,
    endpoint: str = "",
    *,
    proxy: str = "",
    now: Callable[[], datetime] = now_utc,
) -> StateStore:
    """
    The store that `[OWN] State` names.

    Args:
        state: a directory, or `s3://bucket/prefix`.
        endpoint: address of an S3 service that is not Amazon's; empty: Amazon's.
        proxy: `http://host:port` for S3; empty: that of the environment.

    Raises:
        StoreError: it cannot be used; the sentence says why and what to do.
    """
    if not state.startswith("s3://"):
        from ctmonitor.store.owndirectory import DirectoryStates

        return DirectoryStates(Path(state), now)
    try:
        import botocore

        from ctmonitor.store.owns3 import S3States
    except ImportError as exc:
        raise StoreError(
            f"{state} is in S3, but boto3 is not installed ({exc}). "
            "Run: pip install 'ctmonitor[s3]'"
        ) from exc
    if tuple(map(int, botocore.__version__.split(".")[:2])) < _BOTOCORE:
        raise StoreError(
            f"{state} needs boto3 1.36 or newer, and here is {botocore.__version__}. "
            "Run: pip install --upgrade 'ctmonitor[s3]', or make lambda BOTO3=1 for a "
            "function."
        )
    return S3States(state, endpoint, proxy=proxy, now=now)
