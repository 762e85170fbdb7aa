"""The logs of the demo are signed, and hold what the recorded feed held."""

import gzip
import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

from scripts.demo_logs import DemoLogs

RECORDING = Path(__file__).parents[2] / "conf" / "demo_feed.jsonl.gz"


def _get(address: str) -> bytes:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}")
    with connection.getresponse() as reply:
        assert reply.status == 200, address
        body = reply.read()
    connection.close()
    return body


def test_both_logs_are_served_until_they_are_stopped(tmp_path: Path) -> None:
    lines = gzip.decompress(RECORDING.read_bytes()).splitlines()
    with DemoLogs(tmp_path) as logs:
        assert logs.log_list.parent == tmp_path
        tiled, other = json.loads(logs.log_list.read_bytes())["operators"]
        base = tiled["tiled_logs"][0]["monitoring_url"]
        origin, size, *_ = _get(base + "checkpoint").split(b"\n")
        assert (origin, int(size)) == (b"tiled.demo.example/2026", len(lines))
        tile = gzip.decompress(_get(base + "tile/data/000"))
        base = other["logs"][0]["url"]
        sth = json.loads(_get(base + "ct/v1/get-sth"))
        assert sth["tree_size"] == len(lines) // 3
        entries = json.loads(_get(base + "ct/v1/get-entries?start=0&end=9"))
        assert len(entries["entries"]) == 10
    for line in lines[:256]:
        for name in json.loads(line)["data"]["leaf_cert"]["all_domains"]:
            assert name.encode() in tile or name[0].isdigit(), name


def test_the_lie_of_the_demo_is_one(tmp_path: Path) -> None:
    with DemoLogs(tmp_path) as logs:
        listed = json.loads(logs.log_list.read_bytes())["operators"][0]
        base = listed["tiled_logs"][0]["monitoring_url"]
        before = _get(base + "tile/data/000")
        logs.lie()
        assert _get(base + "tile/data/000") != before
