"""Data keys in the database, each wrapped by the installation's key outside it: seal, open, wrap anew, forget.

A key is made in the transaction that seals with it, so that neither is ever there without the other. What was sealed
says itself which key opens it. A process remembers an opened key for a minute: what is forgotten is unreadable then.
"""

from __future__ import annotations

import base64
import binascii
import logging
import threading
import time
from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import pairwise

import orjson
from django.db import transaction
from django.db.models import Q, QuerySet

from tocsin.centre import rows
from tocsin.centre.audit import keys as house_keys
from tocsin.centre.audit.services import record
from tocsin.centre.questions import Question
from tocsin.credentials import content_keys
from tocsin.credentials.content_keys import DataKey, InstallationKey, KeyMissing

from .models import LakeFile, SealKey

log = logging.getLogger(__name__)
PREFIX = "sealed:"
"""What a sealed text begins with."""
REMEMBERED_SECONDS = 60.0
MOST_REMEMBERED = 4_096
WRAPPED_AT_ONCE = 500
_remembered: dict[int, tuple[float, DataKey]] = {}
_lock = threading.Lock()


_ABOUT = Question(lambda about: SealKey.objects.filter(about=about), "about")
_NUMBERED = Question(lambda number: SealKey.objects.filter(number=number)[:1], -1)


def key_for(about: str) -> DataKey:
    """The key that seals what is about this (`batch:17000`), made in the caller's transaction where there is none.

    Raises KeyMissing where keys/content-keys is not the file that belongs to this database: nothing is sealed with a
    key that would open only a part of it.
    """
    row = _ABOUT.first(about)
    if row is not None:
        return _unwrapped(row)
    fresh, by = content_keys.fresh_data_key(), _in_use()
    made = SealKey(about=about, number=fresh.number, wrapped=by.wrapped(fresh), wrapped_by=by.number)
    with transaction.atomic():
        _insert([made])  # Another may make it in this moment: one is kept.
        [row] = _ABOUT(about)
    if row.number != fresh.number:
        return _unwrapped(row)
    if by.number not in content_keys.installation_keys(
        house_keys.folder()
    ):  # Its place was taken while this waited to insert.
        by = _in_use()
        SealKey.objects.filter(number=fresh.number).update(wrapped=by.wrapped(fresh), wrapped_by=by.number)
    return fresh


def _insert(made: Iterable[SealKey]) -> None:
    names = ("number", "about", "wrapped", "wrapped_by")
    rows.insert_missing(SealKey, names, [[getattr(each, name) for name in names] for each in made])


def make_keys(abouts: Collection[str]) -> None:
    """Make the keys about these that are not there, in the caller's transaction where there is one: all at once."""
    there = set(SealKey.objects.filter(about__in=list(abouts)).values_list("about", flat=True))
    missing = sorted(set(abouts) - there)
    if not missing:
        return
    by = _in_use()
    made = []
    for about in missing:
        fresh = content_keys.fresh_data_key()
        made.append(SealKey(about=about, number=fresh.number, wrapped=by.wrapped(fresh), wrapped_by=by.number))
    _insert(made)
    if by.number not in content_keys.installation_keys(house_keys.folder()):
        SealKey.objects.filter(number__in=[each.number for each in made]).delete()
        for about in missing:  # Its place was taken while this waited to insert: one by one they come out right.
            key_for(about)


def known(about: str) -> DataKey | None:
    """The same, where there is one that can be opened; nothing is made."""
    row = _ABOUT.first(about)
    try:
        return None if row is None else _unwrapped(row)
    except KeyMissing as error:
        log.critical("%s", error)
        return None


def _in_use() -> InstallationKey:
    keys = content_keys.installation_keys(house_keys.folder())
    others = _BESIDE(*keys) if len(keys) == 1 else _wrapped_by_others(keys)[:1]
    if others:
        raise KeyMissing(_told(bool(keys)))
    keys = keys or content_keys.make_installation_key(house_keys.folder())
    return next(iter(keys.values()))


_BESIDE = Question(lambda key: _wrapped_by_others([key])[:1], "key")


def _wrapped_by_others(keys: Collection[str]) -> QuerySet[SealKey]:
    """The keys that none of these wrapped, asked for as what lies between them: what is said so, an index answers at
    once, where "none of these" would look at every key that there is, for each that is made."""
    ends = sorted(keys)
    if not ends:
        return SealKey.objects.all()
    found = Q(wrapped_by__lt=ends[0]) | Q(wrapped_by__gt=ends[-1])
    for lower, upper in pairwise(ends):
        found |= Q(wrapped_by__gt=lower, wrapped_by__lt=upper)
    return SealKey.objects.filter(found)


def _unwrapped(row: SealKey) -> DataKey:
    keys = content_keys.installation_keys(house_keys.folder())
    by = keys.get(row.wrapped_by)
    if by is None:
        raise KeyMissing(_told(bool(keys)))
    return by.unwrapped(row.number, bytes(row.wrapped))


def _told(is_there: bool) -> str:
    said = house_keys.told(house_keys.folder() / content_keys.FILE, is_there=is_there)
    return f"{said}. Until then nothing sealed is shown, and nothing of it is lost"


def fault() -> str:
    """What is wrong with the installation's key, for whoever runs it; empty when all that is sealed can be opened."""
    try:
        keys = content_keys.installation_keys(house_keys.folder())
    except KeyMissing as error:
        return str(error)
    return _told(bool(keys)) if _wrapped_by_others(keys).exists() else ""


def opening_key(number: int) -> DataKey:
    """The key of this number. Raises KeyMissing where it was forgotten, or cannot be unwrapped."""
    now = time.monotonic()
    with _lock:
        until, key = _remembered.get(number, (0.0, None))
    if key is not None and now < until:
        return key
    row = _NUMBERED.first(number)
    if row is None:
        raise KeyMissing("the key of this was destroyed")
    key = _unwrapped(row)
    with _lock:
        if len(_remembered) >= MOST_REMEMBERED:
            _remembered.clear()
        _remembered[number] = (now + REMEMBERED_SECONDS, key)
    return key


def held(numbers: Iterable[int]) -> list[int]:
    """Those of these data keys that are still here, wrapped."""
    return list(SealKey.objects.filter(number__in=list(numbers)).values_list("number", flat=True))


def opened(body: bytes, about: str) -> bytes:
    """What the bytes hold; as they are where they are not sealed. Raises KeyMissing."""
    number = content_keys.number_of(body)
    return body if number is None else opening_key(number).opened(body, about)


def is_sealed(text: str) -> bool:
    """Whether a text of the database is sealed."""
    return text.startswith(PREFIX)


def written(body: bytes) -> str:
    """Sealed bytes as a text."""
    return PREFIX + base64.b64encode(body).decode()


def sealed_text(key: DataKey, plain: str, about: str) -> str:
    """The sealed form of a text; of none there is none."""
    return written(key.sealed(plain.encode(errors="surrogatepass"), about)) if plain else ""


def opened_text(text: str, about: str) -> str:
    """What a text of the database says; as it is where it is not sealed. Raises KeyMissing."""
    body = _body(text)
    return text if body is None else opened(body, about).decode(errors="surrogatepass")


def sealed_word(plain: str) -> str:
    """A sealed text that is the same for the same word, so that a database can count what is equal."""
    return written(key_for("words").word(plain))


def opened_word(text: str) -> str:
    """The word; as it is where it is not sealed, empty where it cannot be opened."""
    body = _body(text)
    number = None if body is None else content_keys.number_of(body)
    if body is None or number is None:
        return text
    try:
        return opening_key(number).opened_word(body)
    except KeyMissing as error:
        log.critical("%s", error)
        return ""


def _body(text: str) -> bytes | None:
    """The sealed bytes of a text; None for one that somebody wrote so."""
    if not is_sealed(text):
        return None
    try:
        body = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return body if content_keys.number_of(body) is not None else None


def sealed_fact(value: object, about: str = "log") -> str:
    """A value as it may stand in the log of acts, which is never rewritten: a key of its own opens it."""
    return written(key_for(about).sealed(orjson.dumps(value), "fact"))


def opened_fact(value: object) -> object:
    """What was sealed with `sealed_fact`; anything else as it is, nothing where it cannot be opened."""
    body = _body(value) if isinstance(value, str) else None
    if body is None:
        return value
    try:
        made: object = orjson.loads(opened(body, "fact"))
        return made
    except KeyMissing as error:
        log.critical("%s", error)
        return None


def forget(abouts: Iterable[str]) -> int:
    """Destroy these keys: what they sealed is never read again, here or from a copy. Says how many there were.

    Copies of the database hold the wrapped keys as long as they hold what was sealed: they open it until the
    installation's key is changed (`rotate`), and no longer.
    """
    found = SealKey.objects.filter(about__in=list(abouts))
    numbers = list(found.values_list("number", flat=True))
    found.delete()
    with _lock:
        for number in numbers:
            _remembered.pop(number, None)
    return len(numbers)


def forget_batch(batch: int) -> int:
    """Destroy the key of a batch: its objects, documents, proposals and conflicts in the database."""
    return forget([f"batch:{batch}"])


def give_up(at: datetime) -> int:
    """Forget the data keys that no file of keys here opens, so that work goes on without what they sealed; how many.

    A copy of the database from before, with the file that is lost, still opens it all: files of observations leave the
    registry, but not the store.
    """
    try:
        keys = content_keys.installation_keys(house_keys.folder())
    except KeyMissing:  # Damaged: it opens nothing either.
        (house_keys.folder() / content_keys.FILE).unlink()
        keys = {}
    with transaction.atomic():
        SealKey.lock()
        gone = SealKey.objects.exclude(wrapped_by__in=list(keys))
        LakeFile.objects.filter(sealed_by__in=gone.values("number"), retired_at=None).update(retired_at=at)
        lost = gone.delete()[0]
        record("command", house_keys.GIVEN_UP, f"keys:{content_keys.FILE}", {"keys": lost}, at=at)
    with _lock:
        _remembered.clear()
    return lost


def rotate() -> int:
    """A new key of the installation; all data keys are wrapped by it, then the former one is destroyed.

    What was stopped half-way is ended by calling it again. Says how many data keys were wrapped anew. Nothing that was
    sealed is rewritten. Raises KeyMissing where a data key cannot be unwrapped: then nothing is destroyed.
    """
    folder = house_keys.folder()
    keys = content_keys.installation_keys(folder)
    in_use = _in_use()
    if len(keys) < 2:  # Else an earlier call made it and was stopped.
        in_use = InstallationKey(content_keys.fresh_data_key().secret)
        content_keys.keep_installation_keys(folder, [in_use, *keys.values()])
    keys = content_keys.installation_keys(folder)
    wrapped = 0
    while done := _wrap_some(keys, in_use):
        wrapped += done
    with transaction.atomic():
        # This takes the table's turn to write: who comes after finds the new file, who came before was just wrapped.
        SealKey.lock()
        while done := _wrap_some(keys, in_use):
            wrapped += done
        content_keys.keep_installation_keys(folder, [in_use])
    return wrapped


def _wrap_some(keys: dict[str, InstallationKey], by: InstallationKey) -> int:
    with transaction.atomic():
        rows = list(SealKey.objects.exclude(wrapped_by=by.number).order_by("number")[:WRAPPED_AT_ONCE])
        for row in rows:
            former = keys.get(row.wrapped_by)
            if former is None:
                raise KeyMissing(_told(True))
            row.wrapped = by.wrapped(former.unwrapped(row.number, bytes(row.wrapped)))
            row.wrapped_by = by.number
        SealKey.objects.bulk_update(rows, ["wrapped", "wrapped_by"])
    return len(rows)
