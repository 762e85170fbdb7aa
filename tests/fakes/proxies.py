"""
Real proxies on loopback: `tinyproxy` (HTTP CONNECT) and `microsocks` (SOCKS5).

Both are Debian packages. A test is skipped by name where one is not installed, and
fails when CI=true. Each proxy keeps a log, so that a test can prove that its traffic
went this way.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.data import missing

_START_S = 10.0
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Proxy:
    """
    A proxy that listens on 127.0.0.1.

    Args:
        kind: `http` or `socks5`, as `[SERVER] Proxy_Type` spells it.
        username, password: None when it lets everybody through.
        log_file: what it wrote so far.
    """

    kind: str
    port: int
    username: str | None
    password: str | None
    log_file: Path
    _tunnel: re.Pattern[str]
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        """`http://user:password@127.0.0.1:port`, the credentials where there are."""
        login = f"{self.username}:{self.password}@" if self.username else ""
        return f"{self.kind}://{login}{self.host}:{self.port}"

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def tunnels(self) -> int:
        """Connections it has made for its clients; refused ones do not count."""
        return len(self._tunnel.findall(self.log()))


@contextlib.contextmanager
def tinyproxy(
    directory: Path,
    username: str | None = None,
    password: str | None = None,
    *,
    connect_ports: Sequence[int] = (),
    settings: Sequence[str] = (),
) -> Iterator[Proxy]:
    """
    Runs tinyproxy, with BasicAuth when a user name is given.

    Args:
        directory: takes its settings and its log; one for each proxy.
        connect_ports: the only ones to which it makes tunnels; all when empty.
        settings: further lines of its settings.
    """
    program = _program("tinyproxy")
    log_file = directory / "tinyproxy.log"

    def command(port: int) -> list[str]:
        lines = [
            f"Port {port}",
            "Listen 127.0.0.1",
            "Allow 127.0.0.1",
            "Timeout 60",
            "MaxClients 20",
            f'LogFile "{log_file}"',
            "LogLevel Info",
            # Without any ConnectPort line CONNECT reaches every port.
            *(f"ConnectPort {allowed}" for allowed in connect_ports),
            *settings,
        ]
        if username is not None:
            lines.append(f"BasicAuth {username} {password}")
        config = directory / "tinyproxy.conf"
        config.write_text("\n".join([*lines, ""]))
        return [program, "-d", "-c", str(config)]

    with _running(command, directory / "tinyproxy.out") as port:
        yield Proxy(
            kind="http",
            port=port,
            username=username,
            password=password,
            log_file=log_file,
            _tunnel=re.compile("Established connection to host"),
        )


@contextlib.contextmanager
def microsocks(
    directory: Path, username: str | None = None, password: str | None = None
) -> Iterator[Proxy]:
    """
    Runs microsocks, which asks for a login when a user name is given.

    Args:
        directory: takes its log; one for each proxy.
    """
    program = _program("microsocks")
    log_file = directory / "microsocks.log"

    def command(port: int) -> list[str]:
        login = [] if username is None else ["-u", username, "-P", str(password)]
        return [program, "-i", "127.0.0.1", "-p", str(port), *login]

    with _running(command, log_file) as port:
        yield Proxy(
            kind="socks5",
            port=port,
            username=username,
            password=password,
            log_file=log_file,
            _tunnel=re.compile("connected to"),
        )


def _program(name: str) -> str:
    # Debian puts tinyproxy where an ordinary user's PATH may not reach.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        missing(f"{name} is not installed", f"apt-get install {name}")
    return found


@contextlib.contextmanager
def _running(command: Callable[[int], list[str]], output: Path) -> Iterator[int]:
    """Runs the command on a free port and yields the port once it listens."""
    with contextlib.ExitStack() as stack:
        for _ in range(_ATTEMPTS):
            port = _free_port()
            log = stack.enter_context(output.open("wb"))
            process = subprocess.Popen(
                command(port), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            stack.callback(_stop, process)
            if _listens(process, port):
                yield port
                return
        raise RuntimeError(
            f"{command(0)[0]} did not start: {output.read_text(errors='replace')}"
        )


def _free_port() -> int:
    """A port nobody has at this moment; another program may still be quicker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            # Somebody listens; it is ours unless ours ended because of that somebody.
            time.sleep(0.05)
            return process.poll() is None
        time.sleep(0.02)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
