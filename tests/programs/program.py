"""The commands as a person starts them: settings, a process, what it printed."""

import json
import os
import queue
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.fakes.feed import Peer

CHECKOUT = Path(__file__).resolve().parents[2]
GOLDEN = CHECKOUT / "tests" / "golden"
SUMMARY = re.compile(
    r"^messages=(\d+) candidates=(\d+) findings=(\d+) malformed=(\d+) dropped=(\d+) "
    r"reconnects=(\d+) gaps=(\d+)$",
    re.MULTILINE,
)
FINDING = re.compile(
    r"^\[(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\] (?P<host>[^\n]+?) "
    r"\(SAN: (?P<san>[^\n]*)\) \(Issuer: (?P<issuer>[^\n]*)\) "
    r"\(Fingerprint: (?P<fingerprint>[0-9A-F:]*)\) "
    r"\(StartTime: (?P<start>[0-9T:-]*)\)$",
    re.MULTILINE,
)
_TIMEOUT_S = 20.0
# Root would ignore refused permissions; these two capabilities are how.
_AS_ORDINARY_USER = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
    if os.geteuid() == 0
    else ()
)


def settings(
    folder: Path,
    *,
    name: str = "daemon.conf",
    keywords: str = "paypal|login",
    threshold: int = 2,
    **more: str,
) -> Path:
    """
    A settings file in `folder`, which names a database and all else beside it.

    Args:
        more: further keys as `SECTION__Key="value"`; they replace what stands here.
    """
    values: dict[str, dict[str, str]] = {
        "SEARCH": {"SearchKeywords": keywords, "DetectionThreshold": str(threshold)},
        "DATABASE": {"DBFile": "found.sqlite3"},
        "LOGGING": {"LogType": "stderr"},
    }
    for key, value in more.items():
        section, _, spelt = key.partition("__")
        values.setdefault(section, {})[spelt] = value
    lines = []
    for section, keys in values.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in keys.items()]
    path = folder / name
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def replaying(folder: Path, messages: Sequence[bytes], **more: str) -> Path:
    """A settings file that replays these messages out of a file beside it."""
    (folder / "feed.jsonl").write_bytes(b"".join(line + b"\n" for line in messages))
    source = {"SOURCES__Source": "replay", "SOURCES__Replay_File": "feed.jsonl"}
    return settings(folder, **{**source, **more})  # type: ignore[arg-type]


def message(*names: str, index: int = 1) -> bytes:
    """A message as `message_object` has it."""
    return encoded(message_object(*names, index=index))


def encoded(message: Any) -> bytes:
    """JSON as all servers write it, without white space."""
    return json.dumps(message, separators=(",", ":")).encode()


def message_object(*names: str, index: int = 1) -> dict[str, Any]:
    """A message in the shape of the Go server, about a certificate of its own."""
    return {
        "data": {
            "cert_index": index,
            "cert_link": "",
            "leaf_cert": {
                "all_domains": list(names),
                "extensions": {"basicConstraints": "CA:FALSE"},
                "fingerprint": f"{index:040X}",
                "sha1": f"{index:040X}",
                "sha256": f"{index:064X}",
                "not_after": 1803035684,
                "not_before": 1795259685,
                "serial_number": f"{index:X}",
                "signature_algorithm": "sha256, rsa",
                "subject": {
                    "C": None,
                    "CN": names[0] if names else None,
                    "aggregated": f"/CN={names[0]}" if names else None,
                },
                "issuer": {
                    "C": "US",
                    "CN": "E7",
                    "O": "Test CA",
                    "aggregated": "/C=US/CN=E7/O=Test CA",
                },
                "is_ca": False,
            },
            "seen": 1795264465.21,
            "source": {
                "name": "log one",
                "url": "https://log.example/one",
                "timestamp": 1795263286.365,
            },
            "update_type": "X509LogEntry",
        },
        "message_type": "certificate_update",
    }


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def found(self) -> list[str]:
        """The hosts of the finding lines, in order."""
        return [match["host"] for match in FINDING.finditer(self.out)]

    @property
    def tally(self) -> dict[str, int]:
        """The numbers of the one summary line."""
        names = re.findall(r"(\w+)=", SUMMARY.pattern)
        lines = SUMMARY.findall(self.out)
        assert len(lines) == 1, f"{len(lines)} summary lines in {self.out!r}"
        return dict(zip(names, map(int, lines[0]), strict=True))


def rows(database: Path, statement: str) -> list[tuple[Any, ...]]:
    """What an SQLite statement gives, asked by a program that is not ours."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


def environment(**more: str) -> dict[str, str]:
    """The environment of a command: no PYTHONPATH, no proxy; warnings are errors."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PYTHONPATH", "PYTHONIOENCODING")
        and not key.lower().endswith("_proxy")
    }
    return kept | {"PYTHONWARNINGS": "error"} | more


def run(
    command: str,
    *arguments: str | Path,
    cwd: Path,
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
    ordinary_user: bool = False,
) -> Result:
    """Runs a command to its end; whatever it met, it printed no traceback."""
    prefix = _AS_ORDINARY_USER if ordinary_user else ()
    done = subprocess.run(
        [*prefix, sys.executable, CHECKOUT / command, *arguments],
        cwd=cwd,
        input=stdin,
        env=env or environment(),
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    result = Result(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in result.err, result.err
    return result


class Daemon:
    """A program while it runs; killed at the end of the `with` block."""

    def __init__(
        self,
        config: Path,
        *arguments: str,
        env: dict[str, str] | None = None,
        command: str = "certstreammonitor.py",
    ) -> None:
        self._changed = threading.Condition()
        self._lines: dict[str, list[str]] = {"out": [], "err": []}
        self.process = subprocess.Popen(
            [
                sys.executable,
                CHECKOUT / command,
                *("-c", config.name, *arguments),
            ],
            cwd=config.parent,
            env=env or environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="strict",
        )
        self._threads = [
            threading.Thread(target=self._read, args=(which, stream), daemon=True)
            for which, stream in (
                ("out", self.process.stdout),
                ("err", self.process.stderr),
            )
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(_TIMEOUT_S)
        for thread in self._threads:
            thread.join(_TIMEOUT_S)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    @property
    def out(self) -> str:
        return "".join(self._lines["out"])

    @property
    def err(self) -> str:
        return "".join(self._lines["err"])

    def wait_for_out(self, text: str) -> None:
        """Returns once a line of standard output holds `text`."""
        self._wait_for("out", text)

    def wait_for_err(self, text: str) -> None:
        """Returns once a line of standard error holds `text`."""
        self._wait_for("err", text)

    def _wait_for(self, which: str, text: str) -> None:
        lines = self._lines[which]
        looked_at = 0

        def seen() -> bool:
            nonlocal looked_at
            start, looked_at = looked_at, len(lines)
            return any(text in line for line in lines[start:looked_at])

        with self._changed:
            held = self._changed.wait_for(seen, _TIMEOUT_S)
        assert held, (
            f"waited in vain for {text!r} on std{which}, which ends "
            f"{self.out[-2000:]!r}; standard error ends {self.err[-2000:]!r}"
        )

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> Result:
        """Sends a signal and waits for the end."""
        self.send(number)
        return self.end()

    def end(self) -> Result:
        """Waits until it ends by itself."""
        code = self.process.wait(_TIMEOUT_S)
        for thread in self._threads:
            thread.join(_TIMEOUT_S)
        result = Result(code, self.out, self.err)
        assert "Traceback" not in result.err, result.err
        return result

    def _read(self, which: str, stream: IO[str]) -> None:
        for line in stream:
            with self._changed:
                self._lines[which].append(line)
                self._changed.notify_all()


class Tap:
    """A script of a FeedServer that sends what the test puts in, when it does."""

    def __init__(self) -> None:
        self._messages: queue.Queue[bytes] = queue.Queue()

    def put(self, *messages: bytes) -> None:
        for one in messages:
            self._messages.put(one)

    def __call__(self, peer: Peer) -> None:
        peer.handshake()
        while True:
            peer.wait(0)  # leaves when the server stops
            try:
                peer.send_text(self._messages.get(timeout=0.02))
            except queue.Empty:
                continue
