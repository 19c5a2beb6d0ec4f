"""The tree of the log agrees with the definitions of RFC 6962, and no proof of it can be bent."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.credentials import log_tree
from tocsin.credentials.log_tree import HashRows, consistency_proof, inclusion_proof, leaf_hash, node_hash, root

# The eight leaves and the roots after each of them that the reference implementation of Certificate Transparency
# tests with.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def plain_root(leaves: list[bytes]) -> bytes:
    """MTH of section 2.1, word for word."""
    if not leaves:
        return log_tree.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(plain_root(leaves[:split]), plain_root(leaves[split:]))


def log_of(folder: Path, count: int) -> tuple[HashRows, list[bytes]]:
    rows, leaves = HashRows(folder), [leaf_hash(b"%d" % number) for number in range(count)]
    rows.append(0, leaves)
    return rows, leaves


def test_roots_of_the_reference(tmp_path: Path) -> None:
    rows = HashRows(tmp_path)
    assert root(rows, 0).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for size, (leaf, expected) in enumerate(zip(LEAVES, ROOTS, strict=True)):
        assert rows.append(size, [leaf_hash(leaf)]) == size + 1
        assert root(rows, size + 1).hex() == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=5), st.data())
def test_roots_and_proofs_of_any_size(portions: list[int], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows, leaves = HashRows(Path(folder)), [leaf_hash(b"%d" % number) for number in range(sum(portions))]
        size = 0
        for portion in portions:
            size = rows.append(size, leaves[size : size + portion])
        assert rows.size == size
        old = data.draw(st.integers(0, size))
        index = data.draw(st.integers(0, size - 1))
        growth = log_tree.Growth()
        for leaf in leaves:
            growth.add(leaf)
        assert growth.root == root(rows, size) == plain_root(leaves)
        assert root(rows, old) == plain_root(leaves[:old])
        proof = inclusion_proof(rows, index, size)
        assert log_tree.root_from_inclusion(leaves[index], index, size, proof) == root(rows, size)
        assert log_tree.root_from_inclusion(leaf_hash(b"other"), index, size, proof) != root(rows, size)
        steps = consistency_proof(rows, old, size)
        assert log_tree.is_consistent(old, root(rows, old), size, root(rows, size), steps)


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (256, 257), (300, 1000), (512, 600), (4, 8)])
def test_a_rewritten_log_is_not_consistent(tmp_path: Path, old: int, new: int) -> None:
    rows, leaves = log_of(tmp_path / "true", new)
    false = HashRows(tmp_path / "false")
    false.append(0, [leaf_hash(b"rewritten"), *leaves[1:]])
    before, after = root(rows, old), root(false, new)
    assert not log_tree.is_consistent(old, before, new, after, consistency_proof(false, old, new))
    assert not log_tree.is_consistent(old, before, new, after, consistency_proof(rows, old, new))
    shortened = HashRows(tmp_path / "shortened")
    shortened.append(0, leaves[1:] + leaves[:1])
    assert not log_tree.is_consistent(old, before, new, root(shortened, new), consistency_proof(shortened, old, new))


@pytest.mark.parametrize("change", ["cut", "longer", "swapped", "bent"])
def test_a_changed_proof_proves_nothing(tmp_path: Path, change: str) -> None:
    rows, leaves = log_of(tmp_path, 700)

    def changed(proof: list[bytes]) -> list[bytes]:
        match change:
            case "cut":
                return proof[:-1]
            case "longer":
                return [*proof, proof[-1]]
            case "swapped":
                return [proof[1], proof[0], *proof[2:]]
        return [bytes([proof[0][0] ^ 1, *proof[0][1:]]), *proof[1:]]

    path = changed(inclusion_proof(rows, 300, 700))
    assert log_tree.root_from_inclusion(leaves[300], 300, 700, path) != root(rows, 700)
    steps = changed(consistency_proof(rows, 300, 700))
    assert not log_tree.is_consistent(300, root(rows, 300), 700, root(rows, 700), steps)


def test_a_broken_off_append_is_written_over(tmp_path: Path) -> None:
    rows, leaves = log_of(tmp_path, 600)
    with (tmp_path / "row-0.hashes").open("ab") as file:
        file.write(b"half a hash")
    assert rows.size == 600
    (tmp_path / "row-1.hashes").write_bytes((tmp_path / "row-1.hashes").read_bytes()[:40])
    assert rows.size == 256
    rows.append(256, leaves[256:])
    assert rows.size == 600
    assert root(rows, 600) == plain_root(leaves)


def test_places_outside_are_refused(tmp_path: Path) -> None:
    rows, _ = log_of(tmp_path, 5)
    with pytest.raises(IndexError):
        inclusion_proof(rows, 5, 5)
    with pytest.raises(IndexError):
        consistency_proof(rows, 6, 5)
    with pytest.raises(EOFError):
        root(rows, 6)
