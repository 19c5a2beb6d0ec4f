"""The Merkle tree of a log: roots and proofs that anyone can check (RFC 6962 section 2.1).

Hashes of complete subtrees are kept in rows: row 0 has the leaves, row 1 the subtrees of 256 leaves, row 2 those of
65,536, and so on; a row is only ever added to. They are the hashes of the tiles of C2SP tlog-tiles, laid end to end.
A root or a proof reads a few hundred hashes, however long the log is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

HASH_BYTES = 32
HEIGHT = 8
"""Levels of the tree from one row to the next."""
_WIDTH = 1 << HEIGHT
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class HashRows:
    """The rows of one log as files of a folder. What was written beyond a size that was kept is written over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def size(self) -> int:
        """Leaves that are there with all their rows."""
        size = self._length(0)
        return min((size, *(self._whole(row, size) for row in range(1, _rows(size)))))

    def read(self, row: int, start: int, count: int) -> list[bytes]:
        """Hashes [start, start + count) of a row. Raises EOFError where there are fewer."""
        with self._path(row).open("rb") as file:
            file.seek(start * HASH_BYTES)
            body = file.read(count * HASH_BYTES)
        if len(body) != count * HASH_BYTES:
            raise EOFError(f"row {row} of the log ends before hash {start + count}")
        return [body[place : place + HASH_BYTES] for place in range(0, len(body), HASH_BYTES)]

    def append(self, size: int, leaves: Sequence[bytes]) -> int:
        """Put leaves after the first `size` of them; give the new size. All rows grow with them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        start, fresh, row = size, list(leaves), 0
        while fresh:
            self._write(row, start, fresh)
            above = start // _WIDTH
            known = self.read(row, above * _WIDTH, start - above * _WIDTH) if start % _WIDTH else []
            hashes = known + fresh
            fresh = [root_of(hashes[place : place + _WIDTH]) for place in range(0, len(hashes) - _WIDTH + 1, _WIDTH)]
            start, row = above, row + 1
        return size + len(leaves)

    def clear(self) -> None:
        """Forget everything: the log has no leaves."""
        for path in self.folder.glob("row-*.hashes"):
            path.unlink()

    def _write(self, row: int, start: int, hashes: Sequence[bytes]) -> None:
        path = self._path(row)
        with path.open("r+b" if path.exists() else "wb") as file:
            file.seek(start * HASH_BYTES)
            file.write(b"".join(hashes))
            file.truncate()

    def _whole(self, row: int, size: int) -> int:
        """How many leaves this row stands for; all of them where it is complete."""
        length = self._length(row)
        return size if length >= size >> HEIGHT * row else length << HEIGHT * row

    def _length(self, row: int) -> int:
        path = self._path(row)
        return path.stat().st_size // HASH_BYTES if path.exists() else 0

    def _path(self, row: int) -> Path:
        return self.folder / f"row-{row}.hashes"


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over these leaves, or over roots of subtrees of one size."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        pairs = [node_hash(level[place], level[place + 1]) for place in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def root(rows: HashRows, size: int) -> bytes:
    """The root of the first `size` leaves."""
    return _root_between(rows, 0, size) if size else EMPTY_ROOT


def inclusion_proof(rows: HashRows, index: int, size: int) -> list[bytes]:
    """Hashes that lead from the leaf at `index` to the root of the first `size`, deepest first (section 2.1.1)."""
    if not 0 <= index < size:
        raise IndexError(f"no leaf {index} among {size}")
    return _path_between(rows, index, 0, size)


def consistency_proof(rows: HashRows, old: int, new: int) -> list[bytes]:
    """Hashes that show the first `old` leaves to be the beginning of the first `new` (section 2.1.2)."""
    if not 0 <= old <= new:
        raise IndexError(f"{old} leaves are not the beginning of {new}")
    return _consistency_between(rows, old, 0, new, True) if 0 < old < new else []


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """The root that a proof of inclusion leads to; None where its length is wrong (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    place, last, found = index, size - 1, leaf
    for each in proof:
        if last == 0:
            return None
        if place & 1 or place == last:
            found = node_hash(each, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, each)
        place, last = place >> 1, last >> 1
    return found if last == 0 else None


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the log of size `new` begins with that of size `old` (RFC 9162 section 2.1.4.2)."""
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if not 0 < old < new or not proof:
        return False
    hashes = list(proof) if old & (old - 1) else [old_root, *proof]
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = hashes[0]
    for each in hashes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(each, first), node_hash(each, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, each)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _root_between(rows: HashRows, start: int, end: int) -> bytes:
    """The root of the leaves [start, end); `start` is a multiple of the largest power of two below their number."""
    found = _subtrees(rows, start, end)
    whole = found.pop()
    while found:
        whole = node_hash(found.pop(), whole)
    return whole


def _subtrees(rows: HashRows, start: int, end: int) -> list[bytes]:
    """The roots of the complete subtrees that make up [start, end), largest first."""
    found = []
    while start < end:
        height = (end - start).bit_length() - 1
        found.append(_subtree(rows, height, start >> height))
        start += 1 << height
    return found


def _subtree(rows: HashRows, height: int, place: int) -> bytes:
    """The root of the complete subtree of 2^height leaves that is the `place`-th of its height."""
    row, above = divmod(height, HEIGHT)
    return root_of(rows.read(row, place << above, 1 << above))


def _split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return 1 << (count - 1).bit_length() - 1


def _path_between(rows: HashRows, index: int, start: int, end: int) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if index < middle:
        return [*_path_between(rows, index, start, middle), _root_between(rows, middle, end)]
    return [*_path_between(rows, index, middle, end), _root_between(rows, start, middle)]


def _consistency_between(rows: HashRows, old: int, start: int, end: int, known: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.2 for the leaves [start, end), the first `old` of which are the older log's."""
    if old == end - start:
        return [] if known else [_root_between(rows, start, end)]
    middle = _split(end - start)
    if old <= middle:
        return [
            *_consistency_between(rows, old, start, start + middle, known),
            _root_between(rows, start + middle, end),
        ]
    rest = _consistency_between(rows, old - middle, start + middle, end, False)
    return [*rest, _root_between(rows, start, start + middle)]


def _rows(size: int) -> int:
    """Rows that a log of so many leaves has."""
    return max(1, -(-size.bit_length() // HEIGHT)) if size else 1


class Growth:
    """A tree that grows leaf by leaf and knows its root, with a few hashes in memory."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []
        """Roots of the complete subtrees, largest first: one for each bit of the size."""

    def add(self, leaf: bytes) -> None:
        """Put a leaf at the end."""
        found, size = leaf, self.size
        while size & 1:
            found, size = node_hash(self._peaks.pop(), found), size >> 1
        self._peaks.append(found)
        self.size += 1

    @property
    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        found = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            found = node_hash(peak, found)
        return found
