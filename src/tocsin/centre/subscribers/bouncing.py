"""Mail that comes back later: which address it was about, and when an address rests.

Each mail goes out with a way back of its own, signed: what comes back to it can be about nobody else, so that nobody
takes another's subscription away by writing a report. It holds no address.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from tocsin.centre.audit.services import record
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members.models import Organisation
from tocsin.transport import bounces

from .models import Returning, Subscriber
from .services import sealed_address

READ = "read-returned-mail"
"""Kind of the job that reads the folder."""
SUBJECT = "folder"
REST_AFTER = 2
"""Mails on different days that came back for good: one may have been a mistake of the far end."""
COUNTED = timedelta(days=180)
"""What came back longer ago than this counts no more."""
LATEST = timedelta(days=21)
"""No relay keeps a mail as long: what comes back later was made up or found somewhere."""
AT_A_TIME = 500
ACTOR = "subscriber"
_FIRST_DAY = date(2026, 1, 1)
_PATH = re.compile(r"([so])(\d{1,18})\.(\d{1,5})\.([a-z2-7]{16})")


class Came(StrEnum):
    """What became of a mail that came back."""

    COUNTED = "counted"
    RESTS = "rests"
    """It was not the first one: nothing is sent there any more."""
    FOR_NOW = "for-now"
    """The far end tries again, or refused the mail and not the address."""
    NO_REPORT = "no-report"
    """An answer of a person or of a machine: it is nobody's fault."""
    NOT_OURS = "not-ours"
    """Nobody here sent what it is about, or long ago."""


def path_for(about: Subscriber | Organisation, at: datetime) -> str:
    """Where a mail to this one comes back to; empty where the settings name no such place."""
    relay = settings.INSTALLATION.mail
    if relay is None or not relay.returns:
        return ""
    name, _, host = relay.returns.rpartition("@")
    kind = "s" if isinstance(about, Subscriber) else "o"
    said = f"{kind}{about.pk}.{(at.astimezone(UTC).date() - _FIRST_DAY).days}"
    return f"{name}+{said}.{_mac(said)}@{host}"


def _mac(said: str) -> str:
    made = salted_hmac("tocsin.subscribers.returned", said, algorithm="sha256").digest()[:10]
    return base64.b32encode(made).decode().lower()


def _about(addresses: tuple[str, ...], at: datetime) -> tuple[Subscriber | Organisation, date] | None:
    """Whose mail came back and when it was sent, by the first address that this installation signed."""
    for each in addresses:
        found = _PATH.fullmatch(each.rpartition("@")[0].rpartition("+")[2].lower())
        if found is None or not constant_time_compare(found[4], _mac(found[0].rpartition(".")[0])):
            continue
        sent = _FIRST_DAY + timedelta(days=int(found[3]))
        model: type[Subscriber] | type[Organisation] = Subscriber if found[1] == "s" else Organisation
        row = model.objects.filter(pk=int(found[2])).first()
        if row is not None and timedelta() <= at.astimezone(UTC).date() - sent + timedelta(days=1) <= LATEST:
            return row, sent
    return None


def take(raw: bytes, at: datetime, to: str = "") -> Came:
    """One mail that came back; `to`: where it came back to, where whoever took it in knows."""
    found = bounces.read(raw)
    about = _about((*([to] if to else []), *found.to), at)
    if about is None:
        return Came.NOT_OURS
    if not found.status:
        return Came.NO_REPORT
    if not found.is_for_good:
        return Came.FOR_NOW
    return _counted(*about, found.status, at)


@transaction.atomic
def _counted(about: Subscriber | Organisation, sent: date, status: str, at: datetime) -> Came:
    is_reader = isinstance(about, Subscriber)
    of = {"subscriber": about} if is_reader else {"organisation": about}
    address = "" if isinstance(about, Subscriber) else sealed_address(mail_of(about))
    row, _ = Returning.objects.select_for_update().get_or_create(**of, defaults={"at": at, "address": address})
    if row.address != address or at - row.at > COUNTED:
        row.address, row.count, row.sent_on, row.rests_at = address, 0, None, None
    if row.sent_on is None or sent > row.sent_on:  # What was sent on one day counts once, however often it comes back.
        row.count, row.sent_on = row.count + 1, sent
    row.status, row.at = status, at
    is_new = row.count >= REST_AFTER and row.rests_at is None
    if is_new:
        row.rests_at = at
    row.save()
    if is_new and isinstance(about, Subscriber):
        state, why = Subscriber.State.SILENT, f"returned-{status}"
        Subscriber.objects.filter(pk=about.pk).update(state=state, failing_since=at, last_failure=why)
    if is_new:
        subject = f"subscriber:{about.name}" if isinstance(about, Subscriber) else f"organisation:{about.slug}"
        record(ACTOR, "subscriber.rests", subject, {"status": status, "count": row.count}, at=at)
    return Came.RESTS if row.rests_at else Came.COUNTED


def mail_of(organisation: Organisation) -> str:
    """Where a bureau is written to: the first address of its contact."""
    from .bureaus import address_in

    return address_in(organisation.contact)


def rests(organisation: Organisation) -> bool:
    """Whether mail to this address of a bureau came back so often that none is sent; another address is tried."""
    address = sealed_address(mail_of(organisation))
    return Returning.objects.filter(organisation=organisation, address=address, rests_at__isnull=False).exists()


# The folder that a mail program puts them into.


def _folder() -> Path | None:
    relay = settings.INSTALLATION.mail
    return Path(relay.returns_folder) if relay is not None and relay.returns_folder else None


def tick(now: datetime) -> None:
    """Read the folder (Maildir) when something lies in it."""
    folder = _folder()
    try:
        is_there = folder is not None and next((folder / "new").iterdir(), None) is not None
    except OSError:
        return  # Not there yet, or not ours to read: `tocsin alert returned` says so.
    if is_there:
        jobs.enqueue(READ, SUBJECT, at=now)


def run_job(claim: jobs.Claim) -> None:
    """The handler."""
    read_folder(datetime.now(UTC), lambda: jobs.renew(claim, datetime.now(UTC)))
    jobs.finish(claim, datetime.now(UTC))


def read_folder(at: datetime, renew: Callable[[], object] = lambda: None) -> dict[Came, int]:
    """What lies there: reports are done with and go, since they hold addresses; all else is left to who reads the
    mailbox, as read. Raises OSError where the folder cannot be used."""
    folder, counts = _folder(), dict.fromkeys(Came, 0)
    if folder is None:
        return counts
    for each in _new(folder):
        with each.open("rb") as stream:
            came = take(stream.read(bounces.LARGEST), at)
        counts[came] += 1
        if came in {Came.NO_REPORT, Came.NOT_OURS}:
            (folder / "cur").mkdir(exist_ok=True)
            each.rename(folder / "cur" / f"{each.name.partition(':')[0]}:2,")
        else:
            each.unlink()
        renew()
    return counts


def _new(folder: Path) -> Iterator[Path]:
    """Plain files alone: whoever may write into the folder shall not have another file read or removed."""
    found = sorted((folder / "new").iterdir())[:AT_A_TIME]
    return (each for each in found if each.is_file() and not each.is_symlink())
