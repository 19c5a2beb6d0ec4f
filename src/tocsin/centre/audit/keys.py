"""Which files of the folder `keys` belong to this database: the log of acts says so, by numbers that are no secret.

A file that the log names is never made anew beside a lost one: what the lost one sealed would be gone without anybody
noticing, and the new one would soon lie in its backup's place.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
from django.conf import settings
from django.db import transaction

from tocsin.credentials import alert_signatures, sealing, web_push
from tocsin.credentials import keys as signing
from tocsin.credentials.alert_signatures import AlertKey
from tocsin.credentials.content_keys import KeyMissing
from tocsin.credentials.keys import SigningKey
from tocsin.credentials.sealing import SealingKey
from tocsin.credentials.web_push import PushKey

from .models import Entry
from .services import record

ADOPTED: Final = "keys.adopted"
GIVEN_UP: Final = "keys.given-up"
NUMBERS: Final[dict[str, Callable[[Path], str]]] = {
    sealing.FILE: sealing.number_in,
    signing.FILE: signing.number_in,
    alert_signatures.FILE: alert_signatures.number_in,
    web_push.FILE: web_push.number_in,
}
"""File → the number of what is in it; empty where it is not there."""


def folder() -> Path:
    """Where the installation's keys lie."""
    made: Any = settings.INSTALLATION
    return Path(made.keys_folder)


def sealing_key() -> SealingKey:
    """The key of short secrets. Raises KeyMissing where the file is lost; the first is made where there never was one.

    That it is another installation's file is found at the start (`faults`), not here.
    """
    path = folder() / sealing.FILE
    if not path.exists() and known(sealing.FILE):
        raise KeyMissing(told(path, is_there=False))
    return sealing.sealing_key(folder())


def signing_key() -> SigningKey:
    """The key that signs files, under the organisation's name: the same number of it everywhere."""
    made: Any = settings.INSTALLATION
    return signing.load_or_make(folder(), made.organisation)


def alert_key(at: datetime, name: str = "") -> AlertKey:
    """The key of CAP messages, noted as this database's own from its first use on. `name`: who signs, in a certificate.

    Raises KeyMissing where the file is lost; the first is made where there never was one.
    """
    made: Any = settings.INSTALLATION
    path = folder() / alert_signatures.FILE
    if not path.exists() and known(alert_signatures.FILE):
        raise KeyMissing(told(path, is_there=False))
    key = alert_signatures.load_or_make(folder(), name or made.organisation, at)
    adopt(alert_signatures.FILE, at)
    return key


def push_key(at: datetime) -> PushKey:
    """The key by which push services know the portal, noted as this database's own from its first use on.

    Raises KeyMissing where the file is lost: with another key no browser that subscribed would be told any more.
    """
    path = folder() / web_push.FILE
    if not path.exists() and known(web_push.FILE):
        raise KeyMissing(told(path, is_there=False))
    key = web_push.load_or_make(folder())
    adopt(web_push.FILE, at)
    return key


def known(name: str) -> str:
    """The number of the file that belongs to this database; empty where none was taken into use yet."""
    newest = Entry.objects.filter(subject=_subject(name), action=ADOPTED).order_by("-pk").first()
    return str(orjson.loads(newest.detail)["number"]) if newest else ""


def was_given_up(name: str) -> bool:
    """Whether somebody went on without a file of that name that was lost."""
    return Entry.objects.filter(subject=_subject(name), action=GIVEN_UP).exists()


def faults() -> dict[str, str]:
    """File → what is wrong with it and what to do, in a sentence without its full stop; nothing for what is right."""
    found = {}
    for name, number_in in NUMBERS.items():
        path, wanted = folder() / name, known(name)
        try:
            number = number_in(folder())
        except KeyMissing as error:
            found[name] = str(error)
            continue
        if wanted and number != wanted:
            found[name] = told(path, is_there=bool(number))
    return found


def adopt(name: str, at: datetime) -> None:
    """Note that the file which is there belongs to this database, unless one is known."""
    with transaction.atomic():
        number = NUMBERS[name](folder())
        if number and not known(name):
            record("system", ADOPTED, _subject(name), {"number": number}, at=at)


def give_up(name: str, at: datetime) -> str:
    """Go on without the file that is lost, with the one that is there, or else a new one; gives the number of that."""
    if name == sealing.FILE:
        sealing.sealing_key(folder())
    elif name == alert_signatures.FILE:
        made: Any = settings.INSTALLATION
        alert_signatures.begin_anew(folder(), made.organisation, at)
    elif name == web_push.FILE:
        web_push.load_or_make(folder())
    else:
        signing.load_or_make(folder())
    number = NUMBERS[name](folder())
    with transaction.atomic():
        record("command", GIVEN_UP, _subject(name), {"number": known(name)}, at=at)
        record("command", ADOPTED, _subject(name), {"number": number}, at=at)
    return number


def told(path: Path, *, is_there: bool) -> str:
    """What is wrong with a file of keys, and what to do."""
    wrong = "is not the one that belongs to this database" if is_there else "is missing"
    return f"{path} {wrong}: restore it from the backup of this installation's keys"


def _subject(name: str) -> str:
    return f"keys:{name}"
