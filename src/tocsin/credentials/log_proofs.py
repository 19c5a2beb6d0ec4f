"""The proof that an act is in a log, as one file that anybody can check offline with the log's public key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tocsin.core.errors import InputError

from . import notes
from .log_tree import leaf_hash, root_from_inclusion


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof shows: the entry's text, its place, and the checkpoint that covers it."""

    entry: str
    index: int
    checkpoint: notes.Checkpoint


def written(entry: str, index: int, hashes: Sequence[bytes], checkpoint: str, public_line: str) -> dict[str, object]:
    """The proof as JSON holds it; `hashes` lead from the leaf to the root of the checkpoint (RFC 6962 2.1.1)."""
    return {
        "entry": entry,
        "index": index,
        "hashes": [each.hex() for each in hashes],
        "checkpoint": checkpoint,
        "public_key": public_line,
    }


def checked(proof: Mapping[str, object], public_line: str) -> Proven:
    """What the proof shows. The key must come from elsewhere: a forger would bring one of his own.

    Raises InputError where a part is missing, the checkpoint was not signed by that key, or the hashes lead elsewhere.
    """
    try:
        entry, index, note = str(proof["entry"]), int(str(proof["index"])), str(proof["checkpoint"])
        listed = proof["hashes"]
        hashes = [bytes.fromhex(str(each)) for each in listed] if isinstance(listed, list) else None
    except (KeyError, ValueError) as error:
        raise InputError("invalid-object", field="proof", excerpt=str(error)[:80]) from error
    if hashes is None or any(len(each) != 32 for each in hashes):
        raise InputError("invalid-object", field="hashes", excerpt=str(listed)[:80])
    point = notes.checkpoint_of(notes.opened(note, public_line))
    if root_from_inclusion(leaf_hash(entry.encode()), index, point.size, hashes) != point.root:
        raise InputError("invalid-object", field="hashes", excerpt=entry[:80])
    return Proven(entry, index, point)
