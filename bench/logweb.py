"""Logs as files behind nginx: many addresses with keys of their own, two trees."""

import json
import os
import shutil
import socket
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.logfiles import WrittenLog, write_log
from bench.processes import BenchError, Child, wait_until
from tests.fakes.log import FakeLog
from tests.fakes.tls import Authority

NGINX = shutil.which("nginx")


class LogWeb(Child):
    """
    nginx, serving a tree of static-ct-api and one of RFC 6962.

    Any number of logs share a tree: each has an address, a key and a signed head of its
    own. `tiled(n)` and `classic(n)` are members of a log list. With TLS data tiles come
    compressed, whatever is asked for; without it they come as they are.
    """

    def __init__(
        self,
        folder: Path,
        core: int | None,
        *,
        tiled_entries: int,
        classic_entries: int,
        tiled_logs: int,
        classic_logs: int,
        hit_rate: float = 0.01,
    ) -> None:
        assert NGINX is not None
        self.folder = folder
        self.tiled_tree = write_log(folder / "tiled", tiled_entries, hit_rate=hit_rate)
        self.classic_tree = write_log(
            folder / "classic",
            classic_entries,
            hit_rate=hit_rate,
            has_tiles=False,
            has_replies=True,
            seed=2,
        )
        authority = Authority.create(folder)
        authority.good()
        self.ca_file = authority.ca_file
        self._heads = folder / "heads"
        self._tiled = [
            self._log(f"tiled{number}", self.tiled_tree) for number in range(tiled_logs)
        ]
        self._classic = [
            self._log(f"classic{number}", self.classic_tree)
            for number in range(classic_logs)
        ]
        self.port, self.tls_port = _free_ports(2)
        settings = folder / "nginx.conf"
        settings.write_text(self._settings(), encoding="utf-8")
        command = ("-c", settings, "-p", folder, "-e", folder / "nginx.log")
        super().__init__(command, core, program=NGINX)
        try:
            wait_until(lambda: self._listens() or self._ended(), "nginx", 10.0)
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def tiled(self, number: int, *, secure: bool = False) -> dict[str, Any]:
        """A tiled log, for `log_list`."""
        return self._tiled[number].listed(
            self._address(f"tiled{number}", secure=secure), is_tiled=True
        )

    def classic(self, number: int) -> dict[str, Any]:
        """A log of RFC 6962, for `log_list`."""
        return self._classic[number].listed(
            self._address(f"classic{number}"), is_tiled=False
        )

    def tiled_log(self, number: int) -> FakeLog:
        """The log itself, with its head."""
        return self._tiled[number]

    def url(self, name: str) -> str:
        """Where a log is read."""
        return self._address(name)

    def _address(self, name: str, *, secure: bool = False) -> str:
        if secure:
            return f"https://127.0.0.1:{self.tls_port}/{name}/"
        return f"http://127.0.0.1:{self.port}/{name}/"

    def _log(self, name: str, tree: WrittenLog) -> FakeLog:
        log = FakeLog(f"bench.example/{name}")
        log.claim(tree.size, tree.log.head.root)
        place = self._heads / name
        (place / "ct/v1").mkdir(parents=True)
        (place / "checkpoint").write_bytes(log.checkpoint())
        (place / "ct/v1/get-sth").write_bytes(log.sth())
        return log

    def _settings(self) -> str:
        tiled, classic = self.tiled_tree.directory, self.classic_tree.directory
        locations = f"""
        location ~ ^/[a-z0-9]+/(checkpoint|ct/v1/get-sth)$ {{ root {self._heads}; }}
        location ~ ^/[a-z0-9]+/(?<rest>(tile|issuer)/.*)$ {{
            root {tiled};
            try_files /$rest =404;
        }}
        location ~ /ct/v1/get-entries$ {{
            root {classic};
            try_files /ct/v1/entries/$arg_start =404;
        }}
        location ~ /ct/v1/get-sth-consistency$ {{
            root {classic};
            try_files /ct/v1/consistency/$arg_first-$arg_second =400;
        }}
        """
        places = "".join(
            f"{kind}_temp_path {self.folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.geteuid() == 0 else ""
        return f"""
daemon off; master_process off; {user}
pid {self.folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; keepalive_requests 100000000;
    default_type application/octet-stream;
    open_file_cache max=20000 inactive=600s; open_file_cache_valid 600s;
    {places}
    server {{ listen 127.0.0.1:{self.port}; gzip_static off; {locations} }}
    server {{
        listen 127.0.0.1:{self.tls_port} ssl;
        ssl_certificate {self.folder}/good.pem;
        ssl_certificate_key {self.folder}/good.pem;
        gzip_static always;
        {locations}
    }}
}}
"""

    def _listens(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _ended(self) -> bool:
        if self.process.poll() is not None:
            raise BenchError(f"nginx ended early\n{self.errors()}")
        return False


def log_list(path: Path, logs: Sequence[dict[str, Any]]) -> Path:
    """A log list v3 with these members; each log has an operator of its own."""
    operators = [
        {
            "name": f"operator {number}",
            "logs": [] if "monitoring_url" in log else [log],
            "tiled_logs": [log] if "monitoring_url" in log else [],
        }
        for number, log in enumerate(logs)
    ]
    path.write_text(json.dumps({"version": "1.0", "operators": operators}))
    return path


def _free_ports(count: int) -> list[int]:
    """Free ones; held together for a moment, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
