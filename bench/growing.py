"""
Logs that grow while they are followed: one tree under many addresses and keys.

    python -m bench.growing FOLDER COUNT RATE

FOLDER holds the tiles that `bench.logfiles.write_log` wrote. Prints one JSON line with
the members of a log list, and waits for a line; from then on all COUNT logs together
take RATE entries a second. Heads are signed when they are asked for.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from aiohttp import web

from ctmonitor.ct.tile import TILE_WIDTH, parse_hash_tile_path
from ctmonitor.errors import FormatError
from tests.fakes.log import FakeLog, Tree

_FIRST_ENTRIES = 100 * TILE_WIDTH
# Tiles become full at different times.
_APART = 97


class Growing:
    """
    Args:
        rate: entries a second of all logs.
    """

    def __init__(self, folder: Path, count: int, rate: float) -> None:
        self._folder = folder
        self._rate = rate / count
        self._begun_s = float("inf")
        self._tree = Tree()
        for file in sorted((folder / "tile/0").rglob("[0-9][0-9][0-9]")):
            hashes = file.read_bytes()
            self._tree.leaf_hashes += [
                hashes[at : at + 32] for at in range(0, len(hashes), 32)
            ]
        self.logs = [FakeLog(f"bench.example/growing{n}") for n in range(count)]

    def begin(self) -> None:
        """They grow from now on."""
        self._begun_s = time.monotonic()

    def size(self, number: int) -> int:
        """Entries in a log by now."""
        grown = max(0.0, time.monotonic() - self._begun_s) * self._rate
        least = _FIRST_ENTRIES + number * _APART
        return min(least + int(grown), len(self._tree.leaf_hashes))

    async def answer(self, request: web.Request) -> web.Response:
        """A checkpoint or tile."""
        number, path = int(request.match_info["log"]), request.match_info["path"]
        if path == "checkpoint":
            size = self.size(number)
            self.logs[number].claim(size, self._tree.root(size))
            return web.Response(body=self.logs[number].checkpoint())
        file = self._folder / path
        if file.is_file():
            return web.Response(body=file.read_bytes())
        try:
            return web.Response(body=self._hash_tile(path))
        except FormatError:
            raise web.HTTPNotFound from None

    def _hash_tile(self, path: str) -> bytes:
        level, index, width = parse_hash_tile_path(path)
        unit = TILE_WIDTH**level
        first = index * TILE_WIDTH
        nodes = range(first, first + width)
        return b"".join(self._tree.mth(n * unit, (n + 1) * unit) for n in nodes)


async def _serve(growing: Growing) -> None:
    app = web.Application()
    app.router.add_get(r"/{log:\d+}/{path:.+}", growing.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    listed = [
        log.listed(f"http://127.0.0.1:{port}/{number}/", is_tiled=True)
        for number, log in enumerate(growing.logs)
    ]
    print(json.dumps({"logs": listed}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    growing.begin()
    await asyncio.Event().wait()


def main(argv: list[str]) -> int:
    folder, count, rate = argv
    asyncio.run(_serve(Growing(Path(folder), int(count), float(rate))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
