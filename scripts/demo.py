"""
The demo: a recorded feed through the real daemon, then the other commands on its store.

    python -m scripts.demo replay    the daemon reads the recording itself
    python -m scripts.demo feed      it is served over a websocket on loopback

What happens is printed as the commands that a person would type.
"""

import configparser
import gzip
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fakes.feed import FeedServer, Peer

_ROOT = Path(__file__).resolve().parent.parent
_OUTPUT = Path("demo")
_SETTINGS = Path("conf/demo.conf")
_FEED_SETTINGS = _OUTPUT / "feed.conf"
# Some ten times what all public logs together issue, so that it is worth watching
# and soon over.
_MESSAGES_A_SECOND = 1000
_MOST_S = 120.0


def main(arguments: Sequence[str]) -> int:
    """0 when all went well, else the first exit code that is not 0."""
    steps = {"replay": _replay, "feed": _feed}
    if len(arguments) != 1 or arguments[0] not in steps:
        print("usage: python -m scripts.demo replay|feed", file=sys.stderr)
        return 2
    os.chdir(_ROOT)
    shutil.rmtree(_OUTPUT, ignore_errors=True)
    _OUTPUT.mkdir()
    try:
        return steps[arguments[0]]()
    except KeyboardInterrupt:
        return 130


def _replay() -> int:
    _headline(
        "A recorded feed is replayed through the daemon. Each line is a finding: a new",
        "host name with two of the keywords, with the names beside it and its issuer.",
    )
    code = _run("certstreammonitor.py", "-c", str(_SETTINGS))
    return code or _look_at(_SETTINGS)


def _feed() -> int:
    messages = _messages()
    all_came = threading.Event()

    def script(peer: Peer) -> None:
        peer.handshake()
        began_s = time.monotonic()
        for number, message in enumerate(messages):
            peer.wait(
                max(0.0, began_s + number / _MESSAGES_A_SECOND - time.monotonic())
            )
            peer.send_text(message)
        # The answer comes when everything before it has been read.
        peer.ping(b"all sent")
        while not peer.pongs and peer.receive() is not None:
            pass
        all_came.set()
        peer.wait_closed()

    # A proxy that the environment names cannot reach a server of this machine.
    os.environ["no_proxy"] = "127.0.0.1"
    with FeedServer(script) as server:
        _write_feed_settings(server.url)
        _headline(
            f"{len(messages)} recorded messages are served on {server.url} to the "
            "daemon, which is",
            "stopped (SIGTERM) when all have come. Each line is a finding.",
        )
        with subprocess.Popen(_command("certstreammonitor.py", *_feed_options())) as it:
            deadline_s = time.monotonic() + _MOST_S
            while it.poll() is None and not all_came.wait(0.1):
                if time.monotonic() > deadline_s:
                    print(f"The messages did not come within {_MOST_S:.0f} s.")
                    break
            it.send_signal(signal.SIGTERM)
            code = it.wait(timeout=30)
    if code == 0 and not all_came.is_set():
        code = 1
    return code or _look_at(_FEED_SETTINGS)


def _feed_options() -> tuple[str, str]:
    return ("-c", str(_FEED_SETTINGS))


def _messages() -> list[bytes]:
    settings = _settings()
    recording = Path(settings["SOURCES"]["Replay_File"])
    return gzip.decompress(recording.read_bytes()).splitlines()


def _settings() -> configparser.ConfigParser:
    settings = configparser.ConfigParser(interpolation=None)
    settings.optionxform = str  # type: ignore[assignment, method-assign]
    settings.read_string(_SETTINGS.read_text("utf-8"))
    return settings


def _write_feed_settings(url: str) -> None:
    settings = _settings()
    # The messages are as old as the recording, which is no cause for alarm here.
    settings["SOURCES"] = {"Source": "certstream", "Stale_Minutes": "0"}
    settings["SERVER"] = {"ACTServer": url}
    with _FEED_SETTINGS.open("w", encoding="utf-8") as file:
        settings.write(file)


def _look_at(settings: Path) -> int:
    named = ("-c", str(settings))
    _headline("What is stored, as an analyst asks for it.")
    code = _run("gethost.py", *named)
    _headline("Why one of them is there, and in which logs it was seen.")
    code = code or _explain_first(named)
    _headline("The rules tried on names, and on a URL as somebody pasted it.")
    for name in ("www.login-apple.com", "apple.com", "hxxps://Login[.]PayPal.com/x"):
        code = code or _run("check_rules.py", *named, "-d", name)
    _headline(
        "Done. The database and the log are in demo/. What next:",
        "",
        "  make demo-feed              the same over a real websocket"
        if settings == _SETTINGS
        else "  make demo                   the same from a file",
        "  make test                   all tests",
        "  cp conf/example.conf my.conf, then edit my.conf: keywords and ACTServer",
        "  make run CONF=my.conf       the daemon on your feed, until Ctrl-C",
        "",
        "README.md tells how to run a feed of your own.",
    )
    return code


def _headline(*lines: str) -> None:
    print("\n== " + "\n   ".join(lines) + "\n", flush=True)


def _command(program: str, *arguments: str) -> list[str]:
    """The command line of one of our programs, which is also printed."""
    shown = shlex.join((program, *arguments))
    print(f"$ .venv/bin/python {shown}", flush=True)
    return [sys.executable, program, *arguments]


def _run(program: str, *arguments: str) -> int:
    return subprocess.run(_command(program, *arguments), check=False).returncode


def _explain_first(named: Sequence[str]) -> int:
    """All of `gethost.py --explain` on the first host; the others are much the same."""
    command = _command("gethost.py", *named, "--explain")
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    hosts = [n for n, line in enumerate(lines) if n > 1 and not line.startswith(" ")]
    end = hosts[1] if len(hosts) > 1 else len(lines)
    print("\n".join(lines[:end]))
    if end < len(lines):
        print(f"... and as much on {len(hosts) - 1} other hosts", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
