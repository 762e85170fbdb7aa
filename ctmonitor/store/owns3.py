"""
Watched domains in an S3 bucket: `prefix/<domain>` each, and `prefix/.lock`.

Source: Amazon S3 User Guide, "Add preconditions to S3 operations with conditional
requests"; API reference, "Error responses".
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
)
from urllib3.exceptions import HTTPError

from ctmonitor.errors import Busy, StoreError, StoreUnavailable
from ctmonitor.model.clock import from_utc_text, now_utc, utc_text
from ctmonitor.model.text import shortened
from ctmonitor.store.holder import is_gone
from ctmonitor.store.ownobjects import ObjectStates, Stored

log = logging.getLogger(__name__)

_CONNECT_S, _READ_S, _TRIES = 5.0, 20.0, 3
_LARGEST = 256 * 1024 * 1024  # bytes of a document: nobody has so many certificates
_LOCK = ".lock"
_MISSING = {"NoSuchKey", "404"}
_OVERTAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_PASSING = {"SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "OperationAborted"}
_RIGHTS = {
    "GetObject": "s3:GetObject on {objects}, and s3:ListBucket on {bucket}: without "
    "that one S3 does not say that an object is missing",
    "PutObject": "s3:PutObject on {objects}",
    "ListObjectsV2": "s3:ListBucket on {bucket}",
}


class _Lease(msgspec.Struct):
    """Who has the bucket, and until when (ISO 8601); empty: nobody."""

    owner: str = ""
    until: str = ""


class S3States(ObjectStates):
    """
    A `StateStore` of S3 objects.

    Lock and objects are written on conditions (`If-Match`, `If-None-Match`), so of two
    writers one fails, whatever their clocks say. For one thread at a time, but for
    what `box` gives.

    Args:
        url: `s3://bucket/prefix`.
        endpoint: address of a service that is not Amazon's; empty: Amazon's.
        proxy: `http://host:port`; empty: that of the environment.
        connect_s, read_s: seconds to wait for a connection, and for each answer.
        tries: of each request.

    Raises:
        StoreError: the address is none, or no client can be made for it.
    """

    def __init__(
        self,
        url: str,
        endpoint: str = "",
        *,
        proxy: str = "",
        now: Callable[[], datetime] = now_utc,
        connect_s: float = _CONNECT_S,
        read_s: float = _READ_S,
        tries: int = _TRIES,
    ) -> None:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        super().__init__(f"The bucket {bucket}", now)
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._owner = ""
        self._lease_s = 0.0
        self._until: datetime | None = None  # as long as we have the lock
        self._lock_tag: str | None = None
        if "@" in endpoint:
            raise StoreError(
                f"{self.label}: no password belongs into [OWN] State_Endpoint. Set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            )
        settings = Config(
            connect_timeout=connect_s,
            read_timeout=read_s,
            retries={"mode": "standard", "total_max_attempts": tries},
            # Services that are not Amazon's know neither its newer checksums nor
            # buckets as names of hosts.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if endpoint else "auto"},
            proxies={"http": proxy, "https": proxy} if proxy else None,
        )
        try:
            self._client = boto3.client(
                "s3", endpoint_url=endpoint or None, config=settings
            )
        except (BotoCoreError, ValueError) as exc:
            raise StoreError(
                f"{self.label} cannot be used: {exc}. Correct [OWN] State, "
                "State_Endpoint, or the AWS settings of this machine."
            ) from exc

    @contextmanager
    def lock(self, owner: str, lease_s: float) -> Iterator[None]:
        """See `StateStore`."""
        if self._until is not None:
            raise Busy(f"{self.label} is locked by this very run.")
        present = self._read(_LOCK)
        if present is not None:
            lease = _lease(present.body)
            until = from_utc_text(lease.until)
            is_other = lease.owner != owner and not is_gone(lease.owner)
            if is_other and until is not None and until > self._now():
                raise Busy(
                    f"{self.label} is in use by another run, at the latest until "
                    f"{utc_text(until)} UTC. Wait for its end."
                )
        self._owner, self._lease_s = owner, lease_s
        self._lock_tag = present.tag if present else None
        self._take()
        try:
            yield
        finally:
            self._give_back()

    def renew(self) -> None:
        """See `StateStore`."""
        with self._guard:
            if self._until is None:
                raise Busy(f"{self.label} is not locked by this run. Start it again.")
            # Nobody takes over a lease that lasts; a request each time would be dear.
            left_s = (self._until - self._now()).total_seconds()
            if left_s < self._lease_s * 2 / 3:
                self._take()

    def close(self) -> None:
        """See `StateStore`."""
        self._client.close()

    def _take(self) -> None:
        until = self._now() + timedelta(seconds=self._lease_s)
        lease = _Lease(self._owner, until.isoformat(timespec="microseconds"))
        body = msgspec.json.encode(lease)
        try:
            self._lock_tag = self._write(_LOCK, body, self._lock_tag)
        except Busy as exc:
            present = self._read(_LOCK)
            if present is None or _lease(present.body).owner != self._owner:
                self._until = None
                raise Busy(
                    f"{self.label} was taken over by another run. Wait for its end."
                ) from exc
            # We renewed it, and never heard of it.
            self._lock_tag = self._write(_LOCK, body, present.tag)
        self._until = until

    def _give_back(self) -> None:
        if self._until is None:
            return  # another run has it
        self._until = None
        try:
            self._write(_LOCK, msgspec.json.encode(_Lease()), self._lock_tag)
        except StoreError as exc:
            log.warning("the lock lasts until its lease ends: %s", exc)

    def _read(self, name: str) -> Stored | None:
        try:
            with self._translated("GetObject"):
                answer = self._client.get_object(**self._place(name))
                with answer["Body"] as stream:
                    size = answer.get("ContentLength", 0)
                    if size > _LARGEST:
                        raise StoreError(
                            f"{self.label}: {name} has {size} bytes and is no document "
                            "of ours. Remove it, or choose another prefix."
                        )
                    body = stream.read()
        except _Missing:
            return None
        written = utc_text(answer.get("LastModified")) or ""
        return Stored(body, self._tag(answer), written)

    def _write(self, name: str, body: bytes, tag: str | None) -> str:
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        try:
            with self._translated("PutObject"):
                answer = self._client.put_object(
                    **self._place(name),
                    Body=body,
                    ContentType="application/json",
                    **condition,
                )
                return self._tag(answer)
        except (_Overtaken, _Missing) as exc:
            # The answer to a first attempt may have been lost on its way.
            present = self._read(name)
            if present is not None and present.body == body:
                return present.tag
            raise Busy(
                f"{self.label}: another run wrote {name} meanwhile. Wait for its end."
            ) from exc

    def _names(self) -> list[str]:
        with self._translated("ListObjectsV2"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix, Delimiter="/"
            )
            return [
                found["Key"].removeprefix(self._prefix)
                for page in pages
                for found in page.get("Contents", ())
            ]

    def _tag(self, answer: Mapping[str, Any]) -> str:
        if not (tag := answer.get("ETag")):
            raise StoreError(
                f"{self.label}: what answers is no S3 service. Correct [OWN] "
                "State_Endpoint."
            )
        return str(tag)

    def _place(self, name: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    @contextmanager
    def _translated(self, operation: str) -> Iterator[None]:
        try:
            yield
        except ClientError as exc:
            raise self._refusal(exc, operation) from exc
        # The last two while a body is read: botocore lets some of them pass.
        except (ConnectionError, HTTPClientError, HTTPError, OSError) as exc:
            raise StoreUnavailable(
                f"{self.label} cannot be reached: {_sentence(exc)}. See [OWN] "
                "State_Endpoint and the network, or try again."
            ) from exc
        except BotoCoreError as exc:
            raise StoreError(
                f"{self.label} cannot be used: {_sentence(exc)}. Give the rights of a "
                "role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; see [OWN] "
                "State_Endpoint."
            ) from exc

    def _refusal(self, exc: ClientError, operation: str) -> Exception:
        error = exc.response.get("Error", {})
        code = str(error.get("Code", ""))
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _MISSING:
            return _Missing()
        if code in _OVERTAKEN:
            return _Overtaken()
        if code == "NoSuchBucket":
            return StoreError(
                f"{self.label} does not exist. Create it (aws s3 mb "
                f"s3://{self._bucket}), or correct [OWN] State."
            )
        if code in ("AccessDenied", "403", "AllAccessDisabled"):
            arn = f"arn:aws:s3:::{self._bucket}"
            right = _RIGHTS[operation].format(
                objects=f"{arn}/{self._prefix}*", bucket=arn
            )
            return StoreError(f"{self.label} denied a right. Grant {right}.")
        detail = f"{code}: {shortened(str(error.get('Message', '')), 200)}"
        if code in _PASSING or status >= 500 or status == 429:
            return StoreUnavailable(
                f"{self.label} fails at this moment ({detail}). Try again."
            )
        return StoreError(
            f"{self.label} refused {operation} ({detail}). Correct the AWS settings of "
            "this machine, or [OWN] State."
        )


class _Missing(Exception):
    """There is no such object."""


class _Overtaken(Exception):
    """The object is not the one that the condition named."""


def _lease(body: bytes) -> _Lease:
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(body, type=_Lease)
    return _Lease()  # whatever it was, nobody can hold it


def _sentence(exc: Exception) -> str:
    return shortened(" ".join(str(exc).split()), 300).rstrip(".")
