"""
S3 on loopback: moto's server as a process, and a relay in front of it that fails.

    with S3Server() as s3:
        bucket = s3.bucket()
        ...  # S3States(f"s3://{bucket}/prefix", s3.url), with ENVIRONMENT
"""

import http.client
import http.server
import os
import re
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
from botocore.config import Config

from tests.fakes.api import ApiServer, Reply, Request

# What a client of this S3 is given, and nothing of the machine's own.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDTEST",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret-at-all",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
}
_RUNNING = re.compile(r"Running on (http://127\.0\.0\.1:[0-9]+)")


class S3Server:
    """Listens from `__enter__` to `__exit__`; what it holds is gone then."""

    url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            env=os.environ | ENVIRONMENT | {"PYTHONWARNINGS": "ignore"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        stderr = self._process.stderr
        assert stderr is not None
        told = []
        for line in stderr:
            told.append(line)
            if (found := _RUNNING.search(line)) is not None:
                self.url = found[1]
                break
        else:
            self._end()
            raise AssertionError("moto did not start: " + "".join(told))
        # It tells of each request, and would stop when nobody reads that.
        self._reader = threading.Thread(target=stderr.read)
        self._reader.start()
        self.client = client(self.url)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()
        self._process.kill()
        self._reader.join()
        self._end()

    def bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"bucket-{uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=name)
        return name

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """An object that another program writes."""
        self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def get(self, bucket: str, key: str) -> bytes:
        """What is in an object."""
        body: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def keys(self, bucket: str) -> list[str]:
        """The keys of all objects."""
        found = self.client.list_objects_v2(Bucket=bucket).get("Contents", ())
        return [each["Key"] for each in found]

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()


def client(url: str) -> Any:
    """Another program's client."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="another",
        aws_secret_access_key="another",
        config=Config(s3={"addressing_style": "path"}, proxies={}),
    )


def refusal(status: int, code: str, message: str = "") -> Reply:
    """An error as S3 words it."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, body.encode(), {"Content-Type": "application/xml"})


class S3Relay(ApiServer):
    """
    Passes requests on to an S3 server, but for those that it fails.

    Args:
        faults: by method and end of the path: what is sent instead, one for each
            request; a request after the last one is passed on. With `is_lost`, the
            request is passed on first.
    """

    def __init__(self, url: str) -> None:
        super().__init__(self._answer)
        self._behind = urlsplit(url).netloc
        self.faults: dict[tuple[str, str], list[Reply]] = {}
        self.lost: set[tuple[str, str]] = set()

    def fail(
        self, method: str, end: str, *replies: Reply, is_lost: bool = False
    ) -> None:
        """What goes back to the next requests of a method for a path that ends so."""
        self.faults[method, end] = list(replies)
        if is_lost:
            self.lost.add((method, end))

    def _answer(self, request: Request) -> Reply:
        path = request.path.partition("?")[0]
        for which, replies in self.faults.items():
            if which[0] == request.method and path.endswith(which[1]) and replies:
                if which in self.lost:
                    self._passed_on(request)
                return replies.pop(0)
        return self._passed_on(request)

    def _passed_on(self, request: Request) -> Reply:
        connection = http.client.HTTPConnection(self._behind, timeout=20)
        try:
            connection.request(
                request.method, request.path, request.body, request.headers
            )
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        dropped = {"content-length", "transfer-encoding", "date", "server"}
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in dropped}
        return Reply(answer.status, body, headers)

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        class Handler(super()._handler()):  # type: ignore[misc] # made by a function
            def do_PUT(self) -> None:
                # The client would wait for it for a second.
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.do_GET()

        return Handler
