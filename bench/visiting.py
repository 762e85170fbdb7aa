"""
The other way to visit hosts: `requests`, one host after the other or in threads.

    python -m bench.visiting --port 4443 --ca ca.pem --timeout 5 --threads 1 HOST...

The page is fetched and its title read; nothing is stored, the certificate is not looked
at, and addresses are known without asking a name server: all in favour of this side.

Prints one JSON line: hosts visited, hosts up, seconds of the clock and of the
processor, and the highest memory in use.
"""

import argparse
import json
import re
import resource
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from bench.sites import address

_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)


def _known(name: str, port: int, *_: object, **__: object) -> list[tuple[Any, ...]]:
    where = address(name)
    assert where is not None
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (where, port))]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add("hosts", nargs="+", metavar="HOST")
    add("--port", type=int, required=True)
    add("--ca", type=Path, required=True, help="PEM file of the authority")
    add("--timeout", type=float, required=True, help="seconds")
    add("--threads", type=int, default=1, help="1: one host after the other")
    options = parser.parse_args(argv)
    socket.getaddrinfo = _known  # type: ignore[assignment]

    def is_up(name: str) -> bool:
        url = f"https://{name}:{options.port}/"
        try:
            answer = requests.get(url, timeout=options.timeout, verify=options.ca)
        except requests.RequestException:
            return False
        return _TITLE.search(answer.text) is not None

    began_s, began_cpu_s = time.monotonic(), time.process_time()
    if options.threads == 1:
        up = sum(map(is_up, options.hosts))
    else:
        with ThreadPoolExecutor(options.threads) as pool:
            up = sum(pool.map(is_up, options.hosts))
    result = {
        "hosts": len(options.hosts),
        "up": up,
        "seconds": time.monotonic() - began_s,
        "cpu_seconds": time.process_time() - began_cpu_s,
        "max_rss_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
