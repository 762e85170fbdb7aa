"""Hash tiles: proven under a head before they are used, whatever the log serves."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from ctmonitor.ct.merkle import root_of
from ctmonitor.errors import FormatError, IntegrityError
from ctmonitor.model.log import TreeHead
from ctmonitor.net.fetch import NotServed
from ctmonitor.sources.tiletree import HASH_TILE_BYTES, TileTree
from tests.fakes.log import Tree, tile_path

LARGE = 70_000  # the size that the specification takes as its example
SIZES = [1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, LARGE]


def _large() -> Tree:
    tree = Tree()
    for number in range(LARGE):
        tree.append(b"%d" % number)
    return tree


TREE = _large()


def head_of(size: int, tree: Tree = TREE) -> TreeHead:
    return TreeHead(size, tree.root(size), 1, b"head %d" % size)


class Tiles:
    """A log's hash tiles; partial ones of each size that is shown."""

    def __init__(self, size: int = LARGE, *, keeps_partials: bool = True) -> None:
        self.size = size
        self.keeps_partials = keeps_partials
        self.asked: Counter[str] = Counter()
        self.instead: dict[str, bytes] = {}

    async def get(self, path: str, most_bytes: int) -> bytes:
        assert most_bytes == HASH_TILE_BYTES
        self.asked[path] += 1
        await asyncio.sleep(0)
        if path in self.instead:
            return self.instead[path]
        full, is_partial, width = path.partition(".p/")
        _, level_text, *groups = full.split("/")
        level = int(level_text)
        start = int("".join(groups).replace("x", "")) * 256
        end = start + (int(width) if is_partial else 256)
        whole = self.size >> 8 * level
        is_gone = is_partial and not self.keeps_partials and start + 256 <= whole
        if end > whole or is_gone:
            raise NotServed("404", 404)
        unit = 256**level
        nodes = [TREE.mth(n * unit, (n + 1) * unit) for n in range(start, end)]
        return b"".join(nodes)


def grown(tiles: Tiles, *sizes: int) -> TileTree:
    async def run() -> TileTree:
        tree = TileTree(tiles.get, "a log")
        for size in sizes:
            tiles.size = max(size, tiles.size)
            tree = await tree.grown(head_of(size))
        return tree

    return asyncio.run(run())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keeps_partials", [True, False])
def test_the_right_edge_gives_the_root(size: int, keeps_partials: bool) -> None:
    """Also when the log has grown since, and removed its partial tiles."""
    tree = grown(Tiles(keeps_partials=keeps_partials), size)
    assert tree.head == head_of(size)
    assert tree.edge_hashes() == tuple(TREE.leaf_hashes[size - size % 256 : size])


def test_the_tree_of_the_specification_needs_three_tiles() -> None:
    tiles = Tiles()
    grown(tiles, LARGE)
    assert tiles.asked == Counter(
        ["tile/2/000.p/1", "tile/1/001.p/17", "tile/0/273.p/112"]
    )


def test_what_is_known_of_the_edge_is_not_asked_for_again() -> None:
    tiles = Tiles()
    grown(tiles, LARGE - 1, LARGE, LARGE)
    assert tiles.asked == Counter(
        ["tile/2/000.p/1", "tile/1/001.p/17", "tile/0/273.p/111", "tile/0/273.p/112"]
    )


@pytest.mark.parametrize("size", [256, 257, 65_536, LARGE])
def test_each_full_data_tile_has_its_root(size: int) -> None:
    tree = grown(Tiles(), size)

    async def run() -> None:
        for index in {0, (size >> 8) // 2, (size >> 8) - 1}:
            wanted = root_of(TREE.leaf_hashes[256 * index : 256 * (index + 1)])
            assert await tree.data_tile_root(index) == wanted

    asyncio.run(run())


def test_many_who_wait_for_a_hash_tile_fetch_it_once() -> None:
    tiles = Tiles()
    tree = grown(tiles, LARGE)
    tiles.asked.clear()

    async def run() -> None:
        await asyncio.gather(*(tree.data_tile_root(index) for index in range(256)))

    asyncio.run(run())
    assert tiles.asked == Counter(["tile/1/000"])


@pytest.mark.parametrize("size", [*SIZES, 0])
def test_every_earlier_tree_is_found_in_a_later_one(size: int) -> None:
    tree = grown(Tiles(), LARGE)
    asyncio.run(tree.prove_past(head_of(size)))
    wrong = replace(head_of(size), root=b"\1" * 32)
    with pytest.raises(IntegrityError, match="does not contain the earlier") as caught:
        asyncio.run(tree.prove_past(wrong))
    assert caught.value.kind == "forked"
    assert caught.value.evidence == {
        "head": b"head 70000",
        "head-before": b"head %d" % size,
    }


@pytest.mark.parametrize(
    "path", ["tile/2/000.p/1", "tile/1/001.p/17", "tile/0/273.p/112"]
)
def test_a_wrong_tile_at_the_edge_is_not_believed(path: str) -> None:
    tiles = Tiles()
    width = int(path.rpartition("/")[2])
    tiles.instead[path] = bytes(32 * width)
    with pytest.raises(IntegrityError, match="give another root") as caught:
        grown(tiles, LARGE)
    assert caught.value.kind == "root"
    assert caught.value.evidence["head"] == b"head 70000"
    assert len(caught.value.evidence) == 4


def test_a_wrong_full_tile_is_not_believed_and_asked_for_again() -> None:
    tiles = Tiles()
    tree = grown(tiles, LARGE)
    tiles.instead["tile/1/000"] = bytes(HASH_TILE_BYTES)

    async def run() -> None:
        with pytest.raises(IntegrityError, match="hash tile 0 of level 1") as caught:
            await tree.data_tile_root(3)
        assert set(caught.value.evidence) == {"head", "tile-1-0"}
        del tiles.instead["tile/1/000"]
        assert await tree.data_tile_root(3) == root_of(TREE.leaf_hashes[768:1024])

    asyncio.run(run())


@pytest.mark.parametrize("length", [0, 31, 32 * 111, 32 * 113, HASH_TILE_BYTES])
def test_a_tile_of_another_length_is_malformed(length: int) -> None:
    tiles = Tiles()
    tiles.instead[tile_path("0", 273, 112)] = bytes(length)
    with pytest.raises(FormatError, match="hash tile: wrong length"):
        grown(tiles, LARGE)


def test_a_full_tile_in_place_of_a_partial_one_has_its_length() -> None:
    tiles = Tiles(keeps_partials=False)
    tiles.instead["tile/0/001"] = bytes(100)
    with pytest.raises(FormatError, match="hash tile: wrong length"):
        grown(tiles, 300)


def test_a_tree_too_large_for_tiles_costs_no_request() -> None:
    tiles = Tiles()
    huge = TreeHead(2**62, bytes(32), 1, b"huge")
    with pytest.raises(IntegrityError, match="larger than tiles can hold") as caught:
        asyncio.run(TileTree(tiles.get, "a log").grown(huge))
    assert caught.value.evidence == {"head": b"huge"}
    assert not tiles.asked
