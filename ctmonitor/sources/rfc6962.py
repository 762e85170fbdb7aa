"""
A log of RFC 6962: entries, proven by the tree that they make.

The compact range of what was read grows with each entry. Where a group of entries ends
at the head, its root must be the head's; elsewhere one consistency proof shows that
the tree read so far begins the head's.

Source: RFC 6962 sections 2.1 and 4.
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from ctmonitor.ct.entry import Leaves
from ctmonitor.ct.leaf import EntriesLeaves
from ctmonitor.ct.merkle import (
    CompactRange,
    range_from_consistency,
    range_from_inclusion,
    verify_consistency,
)
from ctmonitor.ct.signature import LogKey
from ctmonitor.ct.sth import (
    parse_consistency,
    parse_entry_and_proof,
    parse_inclusion,
    parse_sth,
)
from ctmonitor.ct.tile import TILE_WIDTH, TileLeaves, data_tile_path
from ctmonitor.errors import IntegrityError
from ctmonitor.model.log import Log, TreeHead
from ctmonitor.net.fetch import BadStatus, NotServed, Refused
from ctmonitor.sources.coding import Coding
from ctmonitor.sources.logclient import Sink, timestamp_ms
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.sources.logreader import LogReader
from ctmonitor.sources.sequence import in_order

_MOST_ENTRIES = 256  # asked for at once; logs that give fewer are learnt
_SMALL_BYTES = 64 * 1024  # heads and proofs
_ENTRY_BYTES = 1024 * 1024
_ENTRIES_BYTES = 32 * 1024 * 1024
_TILE_BYTES = 16 * 1024 * 1024
_EVIDENCE_BYTES = 8 * 1024 * 1024


class RFC6962Log:
    """One log with get-entries."""

    def __init__(
        self,
        log: Log,
        reader: LogReader,
        tiles: LogReader | None = None,
        *,
        verify: bool = True,
        held_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        """
        Args:
            reader: of the log's address.
            tiles: of the address where it also serves full data tiles.
            verify: False takes entries as they are served; heads are still checked.
            held_bytes: entries kept until a proof is asked for.
        """
        self.log = log
        self._reader = reader
        self._tiles = tiles
        self._verify = verify
        self._held_bytes = held_bytes
        self._key = LogKey(log.key)
        self._batch = _MOST_ENTRIES
        # Some logs prove only sizes that were heads. Each head is another try, since a
        # firewall refuses, too.
        self._proves_any_size = True
        self._coding = Coding()

    async def head(self) -> TreeHead:
        """get-sth, its signature checked."""
        return parse_sth(await self._call("get-sth"), self._key)

    async def adopt(self, head: TreeHead, at: LogCursor) -> LogCursor:
        """A consistency proof from the head before, and the range to go on from."""
        if not self._verify:
            return LogCursor(at.position, head)
        self._proves_any_size = True
        before, nodes = at.head, at.nodes
        if before is not None and 0 < before.size < head.size:
            proof = await self._consistency(before.size, head.size)
            self._check_consistency(before, head, proof)
            if nodes is None and at.position == before.size:
                # The proof holds the nodes of the earlier tree.
                nodes = range_from_consistency(
                    before.size, head.size, head.root, proof.hashes, before.root
                ).nodes
        if nodes is None and at.position == 0:
            nodes = ()
        if nodes is None and at.position < head.size:
            nodes = (await self._range_at(at.position, head)).nodes
        return LogCursor(at.position, head, nodes)

    async def read(
        self, at: LogCursor, end: int, more: Callable[[], bool], sink: Sink
    ) -> LogCursor:
        """get-entries at once as far as the limit allows, proven group by group."""
        head = at.head
        assert head is not None  # noqa: S101  adopt() comes first
        self._batch = min(_MOST_ENTRIES, 2 * self._batch)
        group = _Group(at, head, hashed=self._verify)
        reached = at

        async def take(runs: list[Leaves]) -> None:
            for leaves in runs:
                group.append(leaves)
            if not self._verify or group.size_bytes >= self._held_bytes:
                await finish()

        async def finish() -> None:
            nonlocal reached
            if self._verify and group.held:
                await self._prove(group)
            for leaves, cursor in group.emptied():
                reached = cursor
                await sink(leaves, cursor)

        await in_order(
            self._jobs(at.position, end, more),
            lambda: self._reader.limit.width,
            take,
        )
        await finish()
        return reached

    async def logged_ms(self, index: int, size: int) -> int:
        """See `LogClient`."""
        (leaves,) = await self._entries(index, index + 1)
        return timestamp_ms(leaves, 0)

    def whole_end(self, size: int) -> int:
        """All of it: get-entries has no partial answers."""
        return size

    def _jobs(
        self, start: int, end: int, more: Callable[[], bool]
    ) -> Iterator[Callable[[], Awaitable[list[Leaves]]]]:
        while start < end and more():
            if (
                self._tiles is not None
                and start % TILE_WIDTH == 0
                and start + TILE_WIDTH <= end
            ):
                yield partial(self._tile, start)
                start += TILE_WIDTH
                continue
            # Aligned ranges are more often in the log's caches.
            stop = min(end, start - start % self._batch + self._batch)
            yield partial(self._entries, start, stop)
            start = stop

    async def _entries(self, start: int, end: int) -> list[Leaves]:
        """[start, end), however few a log gives at once (L3)."""
        runs: list[Leaves] = []
        while start < end:
            body = await self._call(
                "get-entries",
                _ENTRIES_BYTES,
                encoding=self._coding.header(),
                start=start,
                end=end - 1,  # get-entries wants the last index
            )
            leaves = EntriesLeaves.parse(body, start, end - start)
            if len(leaves) < end - start and start % self._batch == 0:
                self._batch = max(1, min(self._batch, len(leaves)))
            runs.append(leaves)
            start += len(leaves)
        return runs

    async def _tile(self, start: int) -> list[Leaves]:
        assert self._tiles is not None  # noqa: S101
        index = start // TILE_WIDTH
        try:
            body = await self._tiles.get_data_tile(data_tile_path(index), _TILE_BYTES)
        except NotServed:
            return await self._entries(start, start + TILE_WIDTH)
        return [TileLeaves.parse(body, index, TILE_WIDTH)]

    async def _prove(self, group: "_Group") -> None:
        """That what was read up to the end of the group begins the head's tree."""
        head, read = group.head, group.compact
        try:
            if read.size == head.size:
                if read.root() != head.root:
                    raise IntegrityError(
                        "root",
                        f"the entries of {self.log.name} up to its head of "
                        f"{head.size} give another root than it signed",
                    )
                return
            proof = await self._proof_of_any(read.size, head)
            if proof is not None:
                verify_consistency(
                    read.size, read.root(), head.size, head.root, proof.hashes
                )
                return
            last = group.last_hash
            body, path = await self._inclusion(last, head, read.size - 1)
            before = range_from_inclusion(
                last, read.size - 1, head.size, head.root, path
            )
            if before.nodes != group.before_last():
                raise IntegrityError(
                    "inclusion",
                    f"entry {read.size - 1} of {self.log.name} lies under the head of "
                    f"{head.size}, but not all entries before it do",
                    {"proof": body},
                )
        except IntegrityError as exc:
            documents = {"head": head.document, **exc.evidence}
            room = _EVIDENCE_BYTES
            for leaves, _ in group.held:
                room -= len(leaves.data)
                if room >= 0:
                    documents[f"leaves-{leaves.start}"] = leaves.data
            raise IntegrityError(exc.kind, exc.detail, documents) from exc

    async def _range_at(self, position: int, head: TreeHead) -> CompactRange:
        """The compact range of a size that need not have been a head."""
        # From a power of two a proof leaves out the very node that is looked for.
        if position & (position - 1):
            proof = await self._proof_of_any(position, head)
            if proof is not None:
                return range_from_consistency(
                    position, head.size, head.root, proof.hashes, None
                )
        (leaves,) = await self._entries(position - 1, position)
        (last,) = leaves.hashes()
        _, path = await self._inclusion(last, head, position - 1)
        compact = range_from_inclusion(last, position - 1, head.size, head.root, path)
        compact.append_hashes([last])
        return compact

    def _check_consistency(
        self, before: TreeHead, head: TreeHead, proof: "_Proof"
    ) -> None:
        try:
            verify_consistency(
                before.size, before.root, head.size, head.root, proof.hashes
            )
        except IntegrityError as exc:
            raise IntegrityError(
                "forked",
                f"{self.log.name} cannot prove that its head of {head.size} entries "
                f"contains the earlier one of {before.size}: {exc.detail}",
                {
                    "head": head.document,
                    "head-before": before.document,
                    "proof": proof.document,
                },
            ) from exc

    async def _proof_of_any(self, size: int, head: TreeHead) -> "_Proof | None":
        """A proof from a size that need not have been a head; None if refused."""
        if not self._proves_any_size:
            return None
        try:
            return await self._consistency(size, head.size)
        except BadStatus as exc:
            if not 400 <= exc.status < 500 or isinstance(exc, Refused):
                raise
            self._proves_any_size = False
            return None

    async def _consistency(self, first: int, second: int) -> "_Proof":
        body = await self._call("get-sth-consistency", first=first, second=second)
        return _Proof(parse_consistency(body), body)

    async def _inclusion(
        self, leaf_hash: bytes, head: TreeHead, index: int
    ) -> tuple[bytes, list[bytes]]:
        text = b64encode(leaf_hash).decode("ascii")
        body = await self._call("get-proof-by-hash", hash=text, tree_size=head.size)
        found, path = parse_inclusion(body)
        if found != index:
            # The same leaf may stand at several places; this asks for one by its index.
            body = await self._call(
                "get-entry-and-proof",
                _ENTRY_BYTES,
                leaf_index=index,
                tree_size=head.size,
            )
            path = parse_entry_and_proof(body).path
        return body, path

    async def _call(
        self,
        method: str,
        most_bytes: int = _SMALL_BYTES,
        *,
        encoding: str = "gzip, identity",
        **arguments: int | str,
    ) -> bytes:
        query = f"?{urlencode(arguments)}" if arguments else ""
        return await self._reader.get(
            f"ct/v1/{method}{query}", most_bytes, encoding=encoding
        )


@dataclass(frozen=True, slots=True)
class _Proof:
    hashes: list[bytes]
    document: bytes


class _Group:
    """Entries read and hashed, but not proven yet."""

    def __init__(self, at: LogCursor, head: TreeHead, *, hashed: bool) -> None:
        self.head = head
        self._hashed = hashed
        # Without proofs nobody knows the nodes of what comes before.
        self.compact = CompactRange()
        if hashed:
            self.compact = CompactRange(at.position, at.nodes or ())
        self.held: list[tuple[Leaves, LogCursor]] = []
        self.size_bytes = 0
        self._last_run: list[bytes] = []  # its hashes
        self._before_run = CompactRange()

    def append(self, leaves: Leaves) -> None:
        if not self._hashed:
            cursor = LogCursor(leaves.start + len(leaves), self.head)
            self.held.append((leaves, cursor))
            return
        self._before_run = self.compact.copy()
        self._last_run = leaves.hashes()
        self.compact.append_hashes(self._last_run)
        cursor = LogCursor(self.compact.size, self.head, self.compact.nodes)
        self.held.append((leaves, cursor))
        self.size_bytes += leaves.kept_bytes

    @property
    def last_hash(self) -> bytes:
        """Of the last entry."""
        return self._last_run[-1]

    def before_last(self) -> tuple[bytes, ...]:
        """The nodes of the compact range of all entries but the last."""
        compact = self._before_run.copy()
        compact.append_hashes(self._last_run[:-1])
        return compact.nodes

    def emptied(self) -> list[tuple[Leaves, LogCursor]]:
        held, self.held = self.held, []
        self.size_bytes = 0
        return held
