"""
Merkle trees of logs: hashes, roots, proofs, and trees that grow without their leaves.

A compact range holds of a tree only the roots of its largest complete subtrees, one for
each bit set in its size. That is enough to append leaves and to give the root.

Source: RFC 6962 section 2.1; RFC 9162 sections 2.1.3.2 and 2.1.4.2, which are the
algorithms for the same proofs.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from ctmonitor.errors import FormatError, IntegrityError

HASH_SIZE = 32  # bytes of a SHA-256 hash
EMPTY_ROOT = hashlib.sha256(b"").digest()

# A copy of a hash that has seen its prefix is updated with the rest: for a leaf that
# saves a copy of its bytes, and costs no more for a node.
_LEAF = hashlib.sha256(b"\x00")
_NODE = hashlib.sha256(b"\x01")


def leaf_hash(leaf: bytes) -> bytes:
    """The 32 bytes that stand for a leaf_input (MerkleTreeLeaf) in the tree."""
    state = _LEAF.copy()
    state.update(leaf)
    return state.digest()


def hashes_of(
    prefix: bytes, data: bytes, spans: Iterable[tuple[int, int]]
) -> list[bytes]:
    """The leaf hashes of `prefix + data[start:end]`, for each (start, end)."""
    state = _LEAF.copy()
    state.update(prefix)
    copy = state.copy
    view = memoryview(data)
    hashes = []
    for start, end in spans:
        state = copy()
        state.update(view[start:end])
        hashes.append(state.digest())
    return hashes


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32 bytes of the node above two others."""
    state = _NODE.copy()
    state.update(left + right)
    return state.digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """
    The root of the tree whose leaves have these hashes; `EMPTY_ROOT` of none.

    An odd node at the end of a row goes up as it is, which gives the same tree as the
    split at the largest power of two in RFC 6962.
    """
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        odd = row[-1:] if len(row) & 1 else []
        row = _row_above(row) + odd
    return row[0]


class CompactRange:
    """
    A tree of `size` leaves that can grow and tell its root.

    Args:
        size: leaves, from 0.
        nodes: the roots of its complete subtrees, left to right, largest first; as
            many as `size` has bits set.

    Raises:
        FormatError: the nodes are not those of a tree of this size.
    """

    __slots__ = ("_nodes", "_size")

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        self._size = size
        self._nodes = list(nodes)
        if size < 0:
            raise FormatError("compact range: size below 0", str(size))
        if len(self._nodes) != size.bit_count():
            raise FormatError(
                "compact range: wrong number of nodes",
                f"size {size} has {size.bit_count()}, got {len(self._nodes)}",
            )
        if any(len(node) != HASH_SIZE for node in self._nodes):
            raise FormatError("compact range: node is not of 32 bytes")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CompactRange):
            return NotImplemented
        return self._size == other._size and self._nodes == other._nodes

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"CompactRange({self._size}, {[node.hex() for node in self._nodes]})"

    @property
    def size(self) -> int:
        return self._size

    @property
    def nodes(self) -> tuple[bytes, ...]:
        """What `CompactRange(size, nodes)` takes."""
        return tuple(self._nodes)

    def copy(self) -> "CompactRange":
        return CompactRange(self._size, self._nodes)

    def append_hashes(self, hashes: Sequence[bytes]) -> None:
        """Adds leaves by their hashes, each of 32 bytes, in order."""
        row = list(hashes)
        left_over: list[bytes] = []  # smallest first
        rest = self._size
        while row:
            # Where the tree has a node in this row, it stands left of the new ones.
            if rest & 1:
                row.insert(0, self._nodes.pop())
            if len(row) & 1:
                left_over.append(row.pop())
            row = _row_above(row)
            rest >>= 1
        self._nodes += reversed(left_over)
        self._size += len(hashes)

    def append_subtree(self, level: int, root: bytes) -> None:
        """
        Adds a complete subtree of 2**level leaves by its root.

        Raises:
            ValueError: the size is no multiple of 2**level; the caller has a bug.
        """
        if self._size & ((1 << level) - 1):
            raise ValueError(f"no subtree of level {level} begins at {self._size}")
        before = self._size >> level  # such subtrees
        while before & 1:
            root = node_hash(self._nodes.pop(), root)
            before >>= 1
        self._nodes.append(root)
        self._size += 1 << level

    def root(self) -> bytes:
        """The root of the whole tree; `EMPTY_ROOT` when it has no leaves."""
        if not self._nodes:
            return EMPTY_ROOT
        root = self._nodes[-1]
        for node in reversed(self._nodes[:-1]):
            root = node_hash(node, root)
        return root


def verify_consistency(
    first_size: int,
    first_root: bytes,
    second_size: int,
    second_root: bytes,
    proof: Sequence[bytes],
) -> None:
    """
    Returns when the proof shows that the second tree begins with the first.

    Raises:
        IntegrityError: `consistency`: it does not, or the trees cannot be so.
    """
    if first_size == 0 and first_root != EMPTY_ROOT:
        raise _inconsistent(first_size, second_size, "begins at no empty tree")
    if first_size in (0, second_size):
        # Every tree begins with the empty one, and with itself: no proof is needed,
        # and one that is there proves something else.
        if proof or (first_size == second_size and first_root != second_root):
            raise _inconsistent(first_size, second_size, "is of other roots")
        return
    nodes = _nodes_of_first(first_size, second_size, second_root, proof, first_root)
    if CompactRange(first_size, nodes).root() != first_root:
        raise _inconsistent(first_size, second_size, "does not give the first root")


def range_from_consistency(
    first_size: int,
    second_size: int,
    second_root: bytes,
    proof: Sequence[bytes],
    first_root: bytes | None,
) -> CompactRange:
    """
    The first tree as a compact range, proven to be the beginning of the second tree.

    Beside the nodes to the right of the first tree, which lead to the second root, the
    proof holds the nodes of the first tree itself; when its size is a power of two,
    the only one is its root, which the proof leaves out.

    Args:
        first_size: 1 <= first_size < second_size.
        first_root: needed when first_size is a power of two; else compared when given.

    Raises:
        IntegrityError: `consistency`: the proof does not lead to the roots.
        ValueError: sizes out of range, or no first_root where it is needed; the caller
            has a bug.
    """
    if not 1 <= first_size < second_size:
        raise ValueError(f"no proof shows a tree of {first_size} in {second_size}")
    nodes = _nodes_of_first(first_size, second_size, second_root, proof, first_root)
    compact = CompactRange(first_size, nodes)
    if first_root is not None and compact.root() != first_root:
        raise _inconsistent(first_size, second_size, "does not give the first root")
    return compact


def verify_inclusion(
    leaf: bytes, index: int, size: int, root: bytes, path: Sequence[bytes]
) -> None:
    """
    Returns when the path shows that the leaf is the tree's leaf `index`.

    Args:
        leaf: its leaf hash, 32 bytes.
        index: from 0, below `size`.

    Raises:
        IntegrityError: `inclusion`: it does not.
    """
    _left_siblings(leaf, index, size, root, path)


def range_from_inclusion(
    leaf: bytes, index: int, size: int, root: bytes, path: Sequence[bytes]
) -> CompactRange:
    """
    The tree of the `index` leaves before this one, proven by the root of `size` leaves.

    Raises:
        IntegrityError: `inclusion`: the path does not lead to the root.
    """
    return CompactRange(index, _left_siblings(leaf, index, size, root, path))


def _row_above(row: list[bytes]) -> list[bytes]:
    """The nodes above each two; a last one without partner is left out."""
    above = []
    copy = _NODE.copy
    nodes = iter(row)
    for left, right in zip(nodes, nodes, strict=False):
        state = copy()
        state.update(left + right)
        above.append(state.digest())
    return above


def _nodes_of_first(
    first_size: int,
    second_size: int,
    second_root: bytes,
    proof: Sequence[bytes],
    first_root: bytes | None,
) -> list[bytes]:
    """Nodes of the first tree's compact range, when the proof gives the second root."""
    if not 0 < first_size < second_size:
        raise _inconsistent(first_size, second_size, "of trees in the wrong order")
    hashes = list(proof)
    if first_size & (first_size - 1) == 0:
        if first_root is None:
            raise ValueError(f"a tree of {first_size} needs its root beside the proof")
        hashes.insert(0, first_root)
    if not hashes:
        raise _inconsistent(first_size, second_size, "is empty")
    if any(len(node) != HASH_SIZE for node in hashes):
        raise _inconsistent(first_size, second_size, "has a hash not of 32 bytes")
    # `first` and `last` are the positions, in their row, of the last nodes of both
    # trees; the first tree's smallest complete subtree is where the proof begins.
    first, last = first_size - 1, second_size - 1
    while first & 1:
        first >>= 1
        last >>= 1
    refused = partial(_inconsistent, first_size, second_size)
    root, lefts = _climbed(hashes[0], first, last, hashes[1:], refused)
    if root != second_root:
        raise refused("does not give the second root")
    return [*lefts, hashes[0]]


def _left_siblings(
    leaf: bytes, index: int, size: int, root: bytes, path: Sequence[bytes]
) -> list[bytes]:
    """The nodes of the path that stand left, largest first, when it gives the root."""
    if not 0 <= index < size:
        raise _not_included(index, size, "of an index outside the tree")
    if any(len(node) != HASH_SIZE for node in (leaf, *path)):
        raise _not_included(index, size, "has a hash not of 32 bytes")
    refused = partial(_not_included, index, size)
    above, lefts = _climbed(leaf, index, size - 1, path, refused)
    if above != root:
        raise refused("does not give the root")
    return lefts


def _climbed(
    node: bytes,
    position: int,
    last: int,
    path: Sequence[bytes],
    refused: Callable[[str], IntegrityError],
) -> tuple[bytes, list[bytes]]:
    """
    The root above a node, and the nodes of the path that stand left, largest first.

    Args:
        position: of the node in its row; last: of the row's last node.
    """
    lefts = []
    for sibling in path:
        if last == 0:
            raise refused("is too long")
        if position & 1 or position == last:
            lefts.append(sibling)
            node = node_hash(sibling, node)
            while position and not position & 1:
                # A node without a right sibling goes up as it is.
                position >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        position >>= 1
        last >>= 1
    if last:
        raise refused("is too short")
    return node, lefts[::-1]


def _inconsistent(first_size: int, second_size: int, what: str) -> IntegrityError:
    return IntegrityError(
        "consistency", f"the proof from size {first_size} to {second_size} {what}"
    )


def _not_included(index: int, size: int, what: str) -> IntegrityError:
    return IntegrityError(
        "inclusion", f"the proof of entry {index} in size {size} {what}"
    )
