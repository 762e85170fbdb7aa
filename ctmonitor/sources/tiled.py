"""
A log of static-ct-api: tiles, each proven under the signed checkpoint.

Source: c2sp.org/static-ct-api, c2sp.org/tlog-checkpoint.
"""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from ctmonitor.ct.checkpoint import parse_checkpoint
from ctmonitor.ct.merkle import root_of
from ctmonitor.ct.signature import LogKey
from ctmonitor.ct.tile import TILE_WIDTH, TileLeaves, data_tile_path
from ctmonitor.errors import IntegrityError
from ctmonitor.model.log import Log, TreeHead
from ctmonitor.net.fetch import NotServed
from ctmonitor.sources.logclient import Sink, timestamp_ms
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.sources.logreader import LogReader
from ctmonitor.sources.sequence import in_order
from ctmonitor.sources.tiletree import TileTree

# A checkpoint may bear many signatures of witnesses; ML-DSA has 2.4 kB each.
_CHECKPOINT_BYTES = 256 * 1024
# 256 entries of 64 kB; real tiles have a fortieth of that.
_DATA_TILE_BYTES = 16 * 1024 * 1024


class TiledLog:
    """One static log."""

    def __init__(self, log: Log, reader: LogReader, *, verify: bool = True) -> None:
        """
        Args:
            reader: of the log's monitoring prefix.
            verify: False takes entries as they are served; heads are still checked.
        """
        self.log = log
        self._reader = reader
        self._verify = verify
        self._key = LogKey(log.key)
        self._tree = TileTree(self._hash_tile, log.name)
        self._dated: TileLeaves | None = None  # until reading begins

    async def head(self) -> TreeHead:
        """The checkpoint, its signature checked."""
        body = await self._reader.get("checkpoint", _CHECKPOINT_BYTES)
        return parse_checkpoint(body, self.log.origin, self._key)

    async def adopt(self, head: TreeHead, at: LogCursor) -> LogCursor:
        """The right edge gives the root, and the head before lies in this one."""
        self._dated = None
        if self._verify:
            tree = await self._tree.grown(head)
            if at.head is not None:
                await tree.prove_past(at.head)
            self._tree = tree
        return LogCursor(at.position, head)

    async def read(
        self, at: LogCursor, end: int, more: Callable[[], bool], sink: Sink
    ) -> LogCursor:
        """Tiles at once as far as the limit allows, their entries in order."""
        head = at.head
        assert head is not None  # noqa: S101  adopt() comes first
        reached = at

        def jobs() -> Iterator[Callable[[], Awaitable[TileLeaves]]]:
            for index in range(at.position >> 8, (end + TILE_WIDTH - 1) >> 8):
                if not more():
                    return
                width = min(TILE_WIDTH, head.size - (index << 8))
                yield partial(self._proven_tile, head, index, width)

        async def take(leaves: TileLeaves) -> None:
            nonlocal reached
            wanted = leaves.since(max(at.position, leaves.start))
            reached = LogCursor(leaves.start + len(leaves), head)
            await sink(wanted, reached)

        await in_order(jobs(), lambda: self._reader.limit.width, take)
        return reached

    async def logged_ms(self, index: int, size: int) -> int:
        """See `LogClient`; the last tile is kept, since halving ends inside of one."""
        leaves = self._dated
        if leaves is None or index >> 8 != leaves.start >> 8:
            start = index - index % TILE_WIDTH
            leaves = await self._tile(index >> 8, min(TILE_WIDTH, size - start))
            self._dated = leaves
        return timestamp_ms(leaves, index - leaves.start)

    def whole_end(self, size: int) -> int:
        """The end of the last full tile."""
        return size - size % TILE_WIDTH

    async def _hash_tile(self, path: str, most_bytes: int) -> bytes:
        return await self._reader.get(path, most_bytes)

    async def _proven_tile(self, head: TreeHead, index: int, width: int) -> TileLeaves:
        try:
            leaves = await self._tile(index, width)
        except IntegrityError as exc:
            documents = {"head": head.document, **exc.evidence}
            raise IntegrityError(exc.kind, exc.detail, documents) from exc
        if not self._verify:
            return leaves
        hashes = leaves.hashes()
        if width == TILE_WIDTH:
            expected = await self._tree.data_tile_root(index)
            is_proven = root_of(hashes) == expected
        else:
            is_proven = tuple(hashes) == self._tree.edge_hashes()
        if not is_proven:
            raise IntegrityError(
                "root",
                f"data tile {index} of {self.log.name} (entries {leaves.start} to "
                f"{leaves.start + width}) does not lie under its head of {head.size}",
                {"head": head.document, f"tile-data-{index}": leaves.data},
            )
        return leaves

    async def _tile(self, index: int, width: int) -> TileLeaves:
        try:
            path = data_tile_path(index, width)
            body = await self._reader.get_data_tile(path, _DATA_TILE_BYTES)
        except NotServed:
            if width == TILE_WIDTH:
                raise
            # Partial tiles may go once the full one exists, which begins with them.
            path = data_tile_path(index)
            body = await self._reader.get_data_tile(path, _DATA_TILE_BYTES)
            return TileLeaves.parse(body, index, TILE_WIDTH).first(width)
        return TileLeaves.parse(body, index, width)
