"""
AWS Lambda on loopback: the interface that a runtime asks for work, and the runtime.

    with Function("package.module.handler", [folder], {"NAME": "text"}) as function:
        answer = function.invoke({"a": 1})  # cold: its process has just been started
        answer = function.invoke({})        # warm: the same process
    assert answer.value == {"b": 2}

The runtime is Amazon's own (awslambdaric), in a process that has Python's library and
what lies in the folders, as `/var/task` and `/var/runtime`, and nothing else.

Source: AWS Lambda Developer Guide, "Using the Lambda runtime API".
"""

import importlib.metadata
import itertools
import json
import os
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakes.api import ApiServer, Reply, Request

# What the runtime has beside Python's library, by the names of distributions.
RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")
SDK = ("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six")
_INVOCATION = "/2018-06-01/runtime/invocation/"
_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What became of one call.

    Args:
        value: what the handler returned; None when it raised.
        error: the type and the message of what it raised; empty when it did not.
    """

    value: Any = None
    error: str = ""
    message: str = ""


class _RuntimeApi(ApiServer):
    """Gives each event to whoever asks next, and takes what became of it."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self._events: queue.Queue[Reply | None] = queue.Queue()
        self._numbers = itertools.count(1)
        self.answers: queue.Queue[Answer] = queue.Queue()

    def put(self, event: object, left_s: float) -> None:
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": f"request-{next(self._numbers)}",
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + left_s) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": (
                "arn:aws:lambda:us-east-1:000000000000:function:own"
            ),
            "Lambda-Runtime-Trace-Id": "Root=1-0-0;Parent=0;Sampled=0",
        }
        self._events.put(Reply(body=json.dumps(event).encode(), headers=headers))

    def give_up(self) -> None:
        """Whoever waits for an event gets none."""
        self._events.put(None)

    def _answer(self, request: Request) -> Reply:
        if request.path == f"{_INVOCATION}next":
            return self._events.get() or Reply(500)
        if request.path.endswith("/response"):
            self.answers.put(Answer(value=request.json()))
        else:  # of a call, or of the start
            told = request.json()
            self.answers.put(
                Answer(error=told["errorType"], message=told["errorMessage"])
            )
        return Reply(202)


class Function:
    """
    A function in a process of its own, from `__enter__` to `__exit__`.

    Args:
        handler: `package.module.function`.
        folders: where modules are looked for, in this order.
        variables: the environment, beside what every function has.
    """

    def __init__(
        self, handler: str, folders: Sequence[Path], variables: Mapping[str, str]
    ) -> None:
        self._handler = handler
        self._folders = folders
        self._variables = variables

    def __enter__(self) -> Self:
        self._api = _RuntimeApi()
        self._api.__enter__()
        self._log = tempfile.TemporaryFile()
        own = {
            "AWS_LAMBDA_RUNTIME_API": self._api.url.removeprefix("http://"),
            "AWS_LAMBDA_FUNCTION_NAME": "own",
            "PYTHONPATH": os.pathsep.join(map(str, self._folders)),
            "PATH": os.environ["PATH"],
        }
        self._process = subprocess.Popen(
            # -S: without what is installed beside this Python.
            [sys.executable, "-S", "-m", "awslambdaric", self._handler],
            cwd=self._folders[0],
            env=own | dict(self._variables),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._api.give_up()
        self._api.__exit__(kind, exc, trace)
        self._log.close()

    def invoke(self, event: object, left_s: float = 300.0) -> Answer:
        """Calls it, with so much time, and waits for what comes of it."""
        self.start(event, left_s)
        return self.ended()

    def start(self, event: object, left_s: float = 300.0) -> None:
        """Calls it."""
        self._api.put(event, left_s)

    def ended(self) -> Answer:
        """What became of the call that was started."""
        end = time.monotonic() + _WAIT_S
        while time.monotonic() < end:
            try:
                return self._api.answers.get(timeout=0.05)
            except queue.Empty:
                if self._process.poll() is not None:
                    break
        raise AssertionError(f"the function gave no answer; its log: {self.log}")

    @property
    def log(self) -> str:
        """What it printed and logged so far."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode()


def linked(folder: Path, distributions: Iterable[str]) -> Path:
    """A folder with these installed distributions, and without what they need."""
    folder.mkdir()
    for name in distributions:
        distribution = importlib.metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files or ()}
        for top in tops - {"..", "__pycache__"}:
            (folder / top).symlink_to(Path(str(distribution.locate_file(top))))
    return folder
