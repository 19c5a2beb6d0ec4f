"""The files of the public site, once a day: are all of them there, and is a share of them whole? What can be made anew
is made from the rows, what nobody names any more goes. Whoever reads a file sees whether it is whole, so that none is
handed out that is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import StoreFault
from tocsin.centre.intake.store_models import Kind
from tocsin.centre.intake.verification import Fault
from tocsin.centre.jobs import services as jobs
from tocsin.core.errors import Conflict

from . import editions, files, making, renewing
from .models import Alert, Attached, PublicFile

KEEP = "keep-public-site"
"""Kind of the job that does it."""
SUBJECT = "lake:public"
EVERY = timedelta(days=1)
SHARES = 7
"""In so many days the bytes of all of them are read: at 5,000 alerts they are a quarter of a million."""
SEEN_UNNAMED = ".unnamed"
"""Names that no row named in the last round: a copy, an export or a reader on his way has a day to come for them."""
TOLD = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """What a round looked at and found."""

    files: int = 0
    mended: tuple[str, ...] = ()
    """Paths below the store."""
    faults: tuple[tuple[str, Fault], ...] = field(default=())
    """What could not be made anew, and what is wrong with it."""
    removed: int = 0


def tick(now: datetime) -> None:
    """Put the round of a day into the queue when it is due."""
    if PublicFile.objects.exists() or Attached.objects.exists():
        jobs.enqueue_every(EVERY, KEEP, SUBJECT, at=now)


def run_job(claim: jobs.Claim) -> None:
    """The handler."""
    at = datetime.now(UTC)
    keep(at, sweeps=True, share=at.toordinal() % SHARES)
    jobs.finish(claim, datetime.now(UTC))


def keep(at: datetime, *, sweeps: bool = False, share: int | None = None, actor: str = "system") -> Kept:
    """Look whether every file that a row names is there, and read those of a share, or all; make anew what is lost or
    damaged. What stays wrong is told with the other faults of the store. The round is an act in the log."""
    known = named()
    read = known if share is None else {each for each in known if share_of(each) == share} | (_told_before() & known)
    lost = set() if share is None else known - files.lying()
    wrong = lost | set(files.damaged(sorted(read - lost)))
    first = {each: fault_of(each) for each in wrong}
    if wrong:
        wrong = mended(wrong, at)
    done = Kept(
        len(read | lost), tuple(sorted(map(_told, first.keys() - wrong))),
        tuple(sorted((_told(each), first[each]) for each in wrong)), _swept() if sweeps else 0,
    )  # fmt: skip
    _note(done, at, actor)
    return done


def share_of(sha256: str) -> int:
    """Digests are spread evenly, and so are their shares."""
    return int(sha256[:8], 16) % SHARES


def _told_before() -> set[str]:
    """Digests of what was wrong: it is looked at each day until it is mended."""
    paths = StoreFault.objects.filter(kind=Kind.PUBLIC).values_list("path", flat=True)
    return {path.rpartition("/")[2] for path in paths}


def named() -> set[str]:
    """Digests of all that the site and the images of alerts consist of."""
    found = set(PublicFile.objects.values_list("sha256", flat=True).iterator(chunk_size=10_000))
    return found | set(Attached.objects.values_list("sha256", flat=True))


def fault_of(sha256: str) -> Fault:
    place = files.path_of(sha256)
    is_there = place.exists() or place.with_name(place.name + files.PACKED).exists()
    return Fault.CHANGED if is_there else Fault.MISSING


def mended(wrong: Iterable[str], at: datetime) -> set[str]:
    """Make these again, byte for byte where that can be, else the pages anew; gives what is still wrong and named."""
    left = set(wrong)
    rows = PublicFile.objects.filter(sha256__in=left)
    for alert in Alert.objects.filter(pk__in=rows.exclude(alert=None).values("alert")).order_by("pk"):
        for body in _made_again(alert):
            if (digest := files.digest_of(body)) in left:
                files.settle([files.keep(body)])
                left.discard(digest)
    if left and PublicFile.objects.filter(sha256__in=left).exists():
        with suppress(FileNotFoundError, files.Damaged, Conflict):  # As where an image is lost: pages show it.
            renewing.renew(at)
    return set(files.damaged(sorted(left & named())))


def _made_again(alert: Alert) -> Iterator[bytes]:
    """All that was published of an alert, the oldest version first: each names the list of the one before it."""
    try:
        known = editions.published(alert)
    except (FileNotFoundError, files.Damaged):
        return
    for edition in known:
        try:
            made = making.made_of(edition, edition.sent)
        except (FileNotFoundError, files.Damaged):
            continue
        yield from (each.body for each in (*made.files, *made.gone.values()))


def _told(sha256: str) -> str:
    """Where it lies below the store."""
    return f"{files.FOLDER}/{sha256[:2]}/{sha256}"


def _swept() -> int:
    """Remove what nobody named a round ago and nobody names now."""
    known = named()
    if not files.folder().is_dir():
        return 0
    seen = files.folder() / SEEN_UNNAMED
    before = set(seen.read_text(encoding="ascii").split()) if seen.exists() else set[str]()
    removed = files.sweep(known, among=before)
    draft = seen.with_suffix(".new")
    draft.write_text("".join(f"{each.name}\n" for each in files.unnamed(known)), encoding="ascii")
    draft.replace(seen)
    return removed


def _note(done: Kept, at: datetime, actor: str) -> None:
    facts = {
        "public_files": done.files, "faults": len(done.faults), "mended": len(done.mended), "removed": done.removed,
        "first_faults": [f"{fault.value} {path}" for path, fault in done.faults[:TOLD]],
    }  # fmt: skip
    with transaction.atomic():
        for path, fault in done.faults:
            values = {"kind": Kind.PUBLIC, "fault": fault.value}
            StoreFault.objects.update_or_create(
                path=path, defaults=values, create_defaults={**values, "found_at": at}
            )  # fmt: skip
        StoreFault.objects.filter(kind=Kind.PUBLIC).exclude(path__in=[path for path, _ in done.faults]).delete()
        record(actor, "lake.verified", SUBJECT, facts, at=at)
