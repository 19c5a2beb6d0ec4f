"""The log's tree: entries get their places, checkpoints are signed and laid in a second place, and all is verified.

Entries are written in the transactions of their acts and put into the tree seconds later, in the order of their
numbers: a tree that grew inside every transaction would let one act at a time into the database. Everything here can
be broken off at any moment; the next round takes up what is missing.
"""

from __future__ import annotations

import fcntl
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from django.db import connection, transaction
from django.db.models import Max

from tocsin.core.errors import InputError
from tocsin.credentials import SigningKey, log_proofs, notes
from tocsin.credentials.log_tree import Growth, HashRows, inclusion_proof, leaf_hash, root

from .models import Checkpoint, Entry
from .services import body_of

log = logging.getLogger(__name__)
ENTRIES_IN_PORTION = 10_000
_FOLDER = "log"
_CHECKPOINTS = "checkpoints.txt"
_SECOND = "a checkpoint in the second place"
_NOTE = re.compile(r"^(.+\n\d+\n[A-Za-z0-9+/=]{44}\n)\n(— .+\n)", re.MULTILINE)
_TAIL_BYTES = 1 << 16
EVERY = timedelta(minutes=1)
_GIVE_PLACES = """
UPDATE audit_entry SET place = waiting.place FROM (
    SELECT id, %s - 1 + row_number() OVER (ORDER BY id) AS place FROM audit_entry
    WHERE place IS NULL ORDER BY id LIMIT %s
) AS waiting WHERE audit_entry.id = waiting.id
"""


@dataclass(frozen=True, slots=True)
class Log:
    """Where an installation's log lives and who signs for it."""

    store: Path
    key: SigningKey
    second_place: Path | None = None
    """Folder on another machine or medium that gets every checkpoint; who rewrites the log cannot reach it."""

    @property
    def origin(self) -> str:
        return f"{self.key.name}/log"

    @property
    def witnesses(self) -> list[tuple[str, Path]]:
        """Where checkpoints lie outside the database, by what they are called: who rewrites the tables alone reaches
        neither."""
        found = [("a checkpoint in the store", self.store / _FOLDER / _CHECKPOINTS)]
        if self.second_place is not None:
            found.append((_SECOND, self.second_place / _CHECKPOINTS))
        return found

    @property
    def rows(self) -> HashRows:
        return HashRows(self.store / _FOLDER)


@dataclass(slots=True)
class Verdict:
    """What a verification found: nothing wrong where `faults` is empty."""

    entries: int = 0
    waiting: int = 0
    """Entries that have no place yet: no checkpoint covers them."""
    checkpoints: int = 0
    witnessed: int = 0
    """Checkpoints read from the second place."""
    faults: list[str] = field(default_factory=list)


def tick(kept: Log, now: datetime) -> None:
    """Keep the log where the last checkpoint is a minute old. Every worker may call it as often as it likes."""
    if not Checkpoint.objects.filter(at__gt=now - EVERY).exists():
        keep(kept, now)


def keep(kept: Log, at: datetime) -> Checkpoint | None:
    """Give waiting entries their places and sign how far the log has come; None where nothing was new.

    Refuses to sign, and says so in the log of the process, where the entries do not continue the last checkpoint, be it
    in the database or in the store.
    """
    with _alone(kept.store) as is_alone:
        if not is_alone:
            return None
        last = _last_signed(kept)
        signed = 0 if last is None else last.size
        _give_places(signed)
        size = _grow(kept.rows, signed)
        if last is not None and not _continues(kept.rows, size, last):
            size = _grown_anew(kept.rows, last)
        if last is not None and not _continues(kept.rows, size, last):
            log.critical("The log of acts is not what checkpoint %s signed. Run: tocsin audit verify", last.size)
            return None
        if last is not None and size == last.size:
            _lay_down(kept)  # A place that was away may have come back.
            return None
        point = notes.Checkpoint(kept.origin, size, root(kept.rows, size))
        if not size:
            return None
        made = Checkpoint.objects.create(size=size, root=point.root, note=notes.signed(point.text, kept.key), at=at)
        _lay_down(kept)
        return made


def _last_signed(kept: Log) -> notes.Checkpoint | None:
    """The newest checkpoint of the database and of the store; what our key did not sign is for `verify`."""
    row = Checkpoint.objects.order_by("-size").first()
    found = [] if row is None else [notes.Checkpoint(kept.origin, row.size, bytes(row.root))]
    note = _last_note_in(kept.store / _FOLDER / _CHECKPOINTS)
    with suppress(InputError):
        found += [] if note is None else [notes.checkpoint_of(notes.opened(note, kept.key.public_line))]
    return max(found, key=lambda each: each.size, default=None)


def verify(kept: Log, told: Callable[[int], None] = lambda done: None) -> Verdict:
    """Hash every entry again and compare with its leaf, with every checkpoint, and with those in the second place.

    `told` hears every 10,000 entries how many were hashed.
    """
    verdict = Verdict(waiting=Entry.objects.filter(place=None).count())
    expected = _signed_roots(kept, verdict)
    growth = Growth()
    entries = Entry.objects.exclude(place=None).order_by("place")
    for entry in entries.iterator(chunk_size=ENTRIES_IN_PORTION):
        if entry.place != growth.size:
            verdict.faults.append(f"Entry {growth.size} of the log is missing.")
            break
        leaf = leaf_hash(body_of(entry))
        if leaf != bytes(entry.leaf):
            verdict.faults.append(f"Entry {entry.place} (number {entry.pk}) is not what was written.")
        growth.add(leaf)
        if not growth.size % ENTRIES_IN_PORTION:
            told(growth.size)
        for where, wanted in expected.pop(growth.size, ()):
            if wanted != growth.root:
                verdict.faults.append(f"The first {growth.size} entries are not those that {where} signed.")
    verdict.entries = growth.size
    for size, claims in sorted(expected.items()):
        verdict.faults += [f"{where} signed {size} entries; there are {growth.size}." for where, _ in claims]
    return verdict


def proof_of(kept: Log, entry: Entry) -> dict[str, object] | None:
    """What shows anybody that the entry is in the log; None until it is: text, place, hashes and checkpoint."""
    point = Checkpoint.objects.order_by("-size").first()
    if entry.place is None or point is None or entry.place >= point.size:
        return None
    hashes = inclusion_proof(kept.rows, entry.place, point.size)
    return log_proofs.written(body_of(entry).decode(), entry.place, hashes, point.note, kept.key.public_line)


def _give_places(signed: int) -> None:
    """Places follow one another; those that a checkpoint covers are never given again, whatever was taken out."""
    given = ENTRIES_IN_PORTION
    while given == ENTRIES_IN_PORTION:
        with transaction.atomic(), connection.cursor() as cursor:
            highest = Entry.objects.aggregate(highest=Max("place"))["highest"]
            start = max(signed, 0 if highest is None else highest + 1)
            cursor.execute(_GIVE_PLACES, (start, ENTRIES_IN_PORTION))
            given = cursor.rowcount


def _grow(rows: HashRows, signed: int = 0) -> int:
    """Bring the files up to the entries that have places; give their number. What was signed is not read again."""
    size = min(rows.size, signed)
    while True:
        found = Entry.objects.filter(place__gte=size, place__lt=size + ENTRIES_IN_PORTION).order_by("place")
        portion = [bytes(leaf) for leaf in found.values_list("leaf", flat=True)]
        if not portion:
            return size
        size = rows.append(size, portion)


def _continues(rows: HashRows, size: int, last: notes.Checkpoint) -> bool:
    return size >= last.size and root(rows, last.size) == bytes(last.root)


def _grown_anew(rows: HashRows, last: notes.Checkpoint) -> int:
    """The files made again from the entries, once for each checkpoint: a power cut may leave anything in them."""
    mark = rows.folder / "made-anew-for"
    if mark.exists() and mark.read_text(encoding="ascii") == str(last.size):
        return rows.size
    rows.clear()
    size = _grow(rows)
    if _continues(rows, size, last):
        log.warning("The files of the log of acts were damaged and are made again from its entries.")
        mark.unlink(missing_ok=True)
    else:
        rows.folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(str(last.size), encoding="ascii")
    return size


def _lay_down(kept: Log) -> None:
    """Bring the other places up to the checkpoints that were signed. What they have is never changed."""
    for where, path in kept.witnesses:
        try:
            newest = _last_note_in(path)
            known = 0 if newest is None else notes.checkpoint_of(newest).size
            fresh = Checkpoint.objects.filter(size__gt=known).order_by("size")
            with path.open("a", encoding="utf-8") as file:
                for note in fresh.values_list("note", flat=True):
                    file.write(f"\n{note}")  # On a line of its own, even where the last one was broken off.
        except OSError as error:
            place = "second place" if where == _SECOND else "place in the store"
            log.warning("Checkpoints wait for their %s: %s", place, error)


def _signed_roots(kept: Log, verdict: Verdict) -> dict[int, list[tuple[str, bytes]]]:
    """Size → who signed which root for it. Notes that our key did not sign are faults."""
    found: dict[int, list[tuple[str, bytes]]] = {}
    own = [(f"checkpoint {point.size}", point.note) for point in Checkpoint.objects.order_by("size")]
    outside = [(where, note) for where, path in kept.witnesses for note in _notes_in(path)]
    verdict.checkpoints, verdict.witnessed = len(own), sum(where == _SECOND for where, _ in outside)
    for where, note in [*own, *outside]:
        try:
            point = notes.checkpoint_of(notes.opened(note, kept.key.public_line))
        except InputError:
            verdict.faults.append(f"{where[0].upper()}{where[1:]} was not signed by this installation.")
            continue
        found.setdefault(point.size, []).append((where, point.root))
    return found


def _last_note_in(path: Path) -> str | None:
    """The newest note: they grow by one a minute, for years, and are only ever added at the end."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        tail = _NOTE.findall(file.read().decode(errors="replace"))
    return "\n".join(tail[-1]) if tail else next(reversed(_notes_in(path)), None)


def _notes_in(path: Path) -> list[str]:
    if not path.exists():
        return []
    return ["\n".join(found) for found in _NOTE.findall(path.read_text(encoding="utf-8"))]


@contextmanager
def _alone(store: Path) -> Iterator[bool]:
    """Whether nobody else keeps the log at this moment; holds it until the end of the block."""
    folder = store / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
