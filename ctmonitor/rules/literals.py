"""
Texts that must occur in everything a regular expression matches.

A prefilter that searches these texts points at every name the expression can match,
whatever its anchors, look-arounds and groups say. The idea is that of code search by
required substrings (Russ Cox, "Regular Expression Matching with a Trigram Index").
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

# Alternatives kept of one expression: `p[a4@]yp[a4@]l` has 9. Above this the shorter
# text that remains after cutting the expression up is the better filter.
MAX_ALTERNATIVES = 64
# A single character occurs in nearly every name, so it filters nothing.
MIN_LENGTH = 2
MAX_LENGTH = 64

_REPETITIONS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)

Texts = frozenset[str]


@dataclass(frozen=True, slots=True)
class _Part:
    """
    What is known of one node of an expression.

    Args:
        exact: all texts it can match, lower case; None when there are too many.
        need: texts of which one is in every name that it matches in, though a
            look-around may have seen it beside the match; None when nothing is known.
    """

    exact: Texts | None
    need: Texts | None


_EMPTY = _Part(frozenset({""}), None)
_ANYTHING = _Part(None, None)


def required_literals(
    pattern: str, *, counts_empty: bool = False
) -> frozenset[bytes] | None:
    """
    Lower-case ASCII texts of which every name that `pattern` matches in holds one.

    They hold without regard to ASCII case. Characters outside ASCII, and those that
    JSON may write as an escape (quote, backslash, slash, controls), are never part of
    a text, so the texts occur as they stand in UTF-8, in JSON and in DER alike.

    Args:
        pattern: an expression that `re` compiles.
        counts_empty: whether a match of the empty text counts, as of `(?=.*login)`.

    Returns:
        None when no such set is known, as for `.*` or `[0-9]{8}`; the empty set when
        nothing but the empty text can match, and that does not count.
    """
    part = _sequence(_parsed(pattern))
    if part.exact == frozenset({""}) and not counts_empty:
        return frozenset()
    texts = _useful(part.need)
    if texts is None:
        return None
    return frozenset(text.encode("ascii") for text in texts)


def refers_to_groups(pattern: str) -> bool:
    """Whether `pattern` holds a back reference or a condition on a group."""
    return any(
        node is op.GROUPREF or node is op.GROUPREF_EXISTS  # equal to plain numbers
        for node in _operations(_parsed(pattern))
    )


def written_out(pattern: str) -> int:
    """
    How many items `pattern` has when each repetition stands as often as it must occur.

    It is what `regex` builds of it: `(a{1000}){1000}` is a million.
    """
    return _written_out(_parsed(pattern))


def _written_out(node: Any) -> int:
    if isinstance(node, _parser.SubPattern):
        node = node.data
    if not isinstance(node, tuple | list):
        return 0
    if len(node) == 2 and node[0] in _REPETITIONS:
        least, _, nodes = node[1]
        return max(int(least), 1) * _written_out(nodes)
    return 1 + sum(_written_out(item) for item in node)


def _parsed(pattern: str) -> Any:
    with warnings.catch_warnings():
        # `[[a]` will read differently in some later Python; until then it is legal.
        warnings.simplefilter("ignore", FutureWarning)
        return _parser.parse(pattern)


def _operations(node: Any) -> Iterable[Any]:
    if isinstance(node, _parser.SubPattern):
        node = node.data
    if isinstance(node, tuple | list):
        for item in node:
            if isinstance(item, tuple | list | _parser.SubPattern):
                yield from _operations(item)
            else:
                yield item


def _sequence(nodes: Iterable[tuple[Any, Any]]) -> _Part:
    current: Texts = frozenset({""})
    best: Texts | None = None
    broken = False
    for operation, argument in nodes:
        part = _part(operation, argument)
        if part.exact is not None and (joined := _joined(current, part.exact)):
            current = joined
            if operation is op.ASSERT:
                best = _better(best, part.need)
            continue
        broken = True
        best = _better(best, current)
        best = _better(best, part.exact if part.exact is not None else part.need)
        current = frozenset({""})
    best = _better(best, current)
    return _Part(None if broken else current, best)


def _part(operation: Any, argument: Any) -> _Part:
    if operation is op.LITERAL:
        return _alternatives([argument])
    if operation is op.IN:
        return _character_class(argument)
    if operation is op.SUBPATTERN:
        return _sequence(argument[-1])
    if operation is op.ATOMIC_GROUP:
        return _sequence(argument)
    if operation is op.BRANCH:
        return _branch([_sequence(branch) for branch in argument[1]])
    if operation in _REPETITIONS:
        return _repeat(*argument)
    if operation is op.ASSERT:
        return _Part(_EMPTY.exact, _sequence(argument[1]).need)
    if operation in (op.AT, op.ASSERT_NOT):
        return _EMPTY  # of no width: what stands on both sides still adjoins
    return _ANYTHING


def _alternatives(codes: Sequence[int]) -> _Part:
    chars = {chr(code).lower() for code in codes}
    if not all(_is_plain(char) for char in chars):
        return _ANYTHING
    texts = frozenset(chars)
    return _Part(texts, texts)


def _is_plain(char: str) -> bool:
    return char.isascii() and char.isprintable() and char not in '"\\/'


def _character_class(items: Sequence[tuple[Any, Any]]) -> _Part:
    codes: list[int] = []
    for operation, argument in items:
        if operation is op.LITERAL:
            codes.append(argument)
        elif operation is op.RANGE and argument[1] - argument[0] < MAX_ALTERNATIVES:
            codes.extend(range(argument[0], argument[1] + 1))
        else:
            return _ANYTHING
    return _alternatives(codes) if len(codes) <= MAX_ALTERNATIVES else _ANYTHING


def _branch(parts: Sequence[_Part]) -> _Part:
    exact: Texts | None = frozenset()
    need: Texts | None = frozenset()
    for part in parts:
        if exact is not None:
            exact = None if part.exact is None else exact | part.exact
        if need is not None:
            texts = part.need if part.need is not None else part.exact
            need = None if texts is None or "" in texts else need | texts
    if exact is not None and len(exact) > MAX_ALTERNATIVES:
        exact = None
    return _Part(exact, need)


def _repeat(least: int, most: int, nodes: Iterable[tuple[Any, Any]]) -> _Part:
    part = _sequence(nodes)
    if least == 0:
        if most == 1 and part.exact is not None:
            return _Part(part.exact | {""}, None)
        return _ANYTHING
    if part.exact is None:
        return _Part(None, part.need)
    repeated: Texts = frozenset({""})
    for _ in range(min(least, MAX_LENGTH)):
        joined = _joined(repeated, part.exact)
        if joined is None:
            return _Part(None, part.need)
        repeated = joined
    exact = repeated if least == most and least <= MAX_LENGTH else None
    return _Part(exact, _better(part.need, repeated))


def _joined(left: Texts, right: Texts) -> Texts | None:
    """Every text of `left` followed by every one of `right`; None when too many."""
    if len(left) * len(right) > MAX_ALTERNATIVES:
        return None
    joined = frozenset(a + b for a in left for b in right)
    return None if any(len(text) > MAX_LENGTH for text in joined) else joined


def _better(one: Texts | None, other: Texts | None) -> Texts | None:
    """Of two sets that both hold, the one whose shortest text is longer."""
    if one is None or not one or "" in one:
        return other
    if other is None or not other or "" in other:
        return one
    return max(one, other, key=lambda texts: (min(map(len, texts)), -len(texts)))


def _useful(texts: Texts | None) -> Texts | None:
    if not texts or min(map(len, texts)) < MIN_LENGTH:
        return None
    # `pay` makes `paypal` superfluous: whatever holds the longer holds the shorter.
    return frozenset(
        text
        for text in texts
        if not any(other != text and other in text for other in texts)
    )
