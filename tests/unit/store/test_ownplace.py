"""What opens the state that a setting names."""

import botocore
import pytest

from ctmonitor.errors import StoreError
from ctmonitor.store.ownplace import open_states


def test_a_boto3_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older one has settings missing, and would end in a TypeError."""
    monkeypatch.setattr(botocore, "__version__", "1.35.99")
    sentence = r"needs boto3 1\.36 or newer, and here is 1\.35\.99\. Run: pip install"
    with pytest.raises(StoreError, match=sentence):
        open_states("s3://bucket/own", "http://127.0.0.1:1")
