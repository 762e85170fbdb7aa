"""
The hash tiles of a static log, proven under a signed head before they are used.

The tiles at the right edge give the root of the head. Every full tile is a node of a
tile one level up, and so on to the edge; so one comparison proves it.

Source: c2sp.org/static-ct-api, section "Merkle Tree"; c2sp.org/tlog-tiles.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from ctmonitor.ct.merkle import CompactRange, root_of
from ctmonitor.ct.tile import (
    TILE_WIDTH,
    hash_tile_hashes,
    hash_tile_path,
    partial_width,
)
from ctmonitor.errors import FormatError, IntegrityError
from ctmonitor.model.log import TreeHead
from ctmonitor.net.fetch import NotServed

_LEVELS = 6  # 256**6 entries: static-ct-api has tiles of levels 0 to 5
_KEPT_TILES = 6  # full ones; reading in order needs one a level
HASH_TILE_BYTES = 32 * TILE_WIDTH

Get = Callable[[str, int], Awaitable[bytes]]  # path, most bytes -> body
_Tile = tuple[bytes, ...]


class TileTree:
    """The tree of one head; another head is adopted by `grown`."""

    def __init__(self, get: Get, where: str) -> None:
        """
        Args:
            get: reads a path below the log's monitoring prefix.
            where: the log, for messages.
        """
        self.head = TreeHead(0, CompactRange().root(), 0)
        self._get = get
        self._where = where
        # level -> the hashes of the partial tile at the right edge.
        self._edge: dict[int, _Tile] = {}
        self._full: OrderedDict[tuple[int, int], _Tile] = OrderedDict()
        # Several data tiles wait for the same hash tile, which is fetched once.
        self._fetching = asyncio.Lock()

    async def grown(self, head: TreeHead) -> "TileTree":
        """
        The tree of `head`, whose right edge gives its root.

        What this tree proved of full tiles stays proven: they never change, and both
        heads are compared with `prove_past` before the new one is believed.

        Raises:
            IntegrityError: the tiles do not give the root.
            SourceError, FormatError: they cannot be read.
        """
        tree = TileTree(self._get, self._where)
        tree.head = head
        compact = CompactRange()
        served: dict[str, bytes] = {"head": head.document}
        if head.size >> 8 * _LEVELS:
            raise IntegrityError(
                "root",
                f"a tree of {head.size} entries is larger than tiles can hold",
                served,
            )
        for level in reversed(range(_LEVELS)):
            if not (width := partial_width(level, head.size)):
                continue
            index = head.size >> 8 * (level + 1)
            known = self._edge.get(level, ())
            if len(known) == width and index == self.head.size >> 8 * (level + 1):
                hashes = known
            else:
                hashes = await self._partial(level, index, width)
            served[f"tile-{level}-{index}.p{width}"] = b"".join(hashes)
            tree._edge[level] = hashes
            for value in hashes:
                compact.append_subtree(8 * level, value)
        if compact.root() != head.root:
            raise IntegrityError(
                "root",
                f"the hash tiles of {self._where} give another root than the head of "
                f"{head.size} entries: {compact.root().hex()}, not {head.root.hex()}",
                served,
            )
        tree._full = self._full.copy()
        return tree

    async def prove_past(self, past: TreeHead) -> None:
        """
        Raises IntegrityError when `past`, which is no larger, is no part of this tree.
        """
        compact = CompactRange()
        for level in reversed(range(_LEVELS)):
            if width := partial_width(level, past.size):
                index = past.size >> 8 * (level + 1)
                for value in (await self._tile(level, index))[:width]:
                    compact.append_subtree(8 * level, value)
        if compact.root() != past.root:
            raise IntegrityError(
                "forked",
                f"the head of {self.head.size} entries does not contain the earlier "
                f"one of {past.size}: its root there is {compact.root().hex()}, and "
                f"was {past.root.hex()}",
                {"head": self.head.document, "head-before": past.document},
            )

    async def data_tile_root(self, index: int) -> bytes:
        """Root of the 256 leaf hashes of full data tile `index`, proven."""
        async with self._fetching:
            return (await self._tile(1, index >> 8))[index & 0xFF]

    def edge_hashes(self) -> tuple[bytes, ...]:
        """The leaf hashes of the partial data tile at the right edge, proven."""
        return self._edge.get(0, ())

    async def _tile(self, level: int, index: int) -> _Tile:
        """The hashes of a tile, as many as the head has, proven."""
        if index == self.head.size >> 8 * (level + 1):
            return self._edge.get(level, ())
        key = (level, index)
        if (known := self._full.get(key)) is not None:
            self._full.move_to_end(key)
            return known
        # Its parent first: recursion ends at the edge, at most _LEVELS up.
        expected = (await self._tile(level + 1, index >> 8))[index & 0xFF]
        body = await self._get(hash_tile_path(level, index), HASH_TILE_BYTES)
        hashes = hash_tile_hashes(body, TILE_WIDTH)
        if root_of(hashes) != expected:
            raise IntegrityError(
                "root",
                f"hash tile {index} of level {level} of {self._where} is not the one "
                f"that the tile above names, under the head of {self.head.size}",
                {"head": self.head.document, f"tile-{level}-{index}": body},
            )
        self._full[key] = hashes
        while len(self._full) > _KEPT_TILES:
            self._full.popitem(last=False)
        return hashes

    async def _partial(self, level: int, index: int, width: int) -> _Tile:
        try:
            body = await self._get(hash_tile_path(level, index, width), HASH_TILE_BYTES)
        except NotServed:
            # A log may delete partial tiles once the full one exists.
            body = await self._get(hash_tile_path(level, index), HASH_TILE_BYTES)
            if len(body) != HASH_TILE_BYTES:
                raise FormatError(
                    "hash tile: wrong length", f"{len(body)} bytes"
                ) from None
            body = body[: 32 * width]
        return hash_tile_hashes(body, width)
