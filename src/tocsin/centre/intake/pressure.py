"""What may come in now: refused before a byte of it is read, while there is still memory and room for what was taken.

An organisation that has too much waiting or under way hears when to come again (`TooOften`, 429); where the machine is
short of memory, of room or of hands, everybody does (`Unavailable`, 503). What was accepted is never touched.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db.models import Count, Sum

from tocsin.centre.members import limits
from tocsin.centre.members.models import Organisation
from tocsin.core.errors import Unavailable

from . import store
from .models import Delivery

AGAIN_SECONDS = 15
"""For who has too many uploads under way."""
WAITING_SECONDS = 120
"""For who has too much waiting to be read."""
SHORT_SECONDS = 60
"""For everybody, where the machine is short of something."""
KNOWN_SECONDS = 3.0
"""How long a process goes by what it counted last, and by what it took itself since."""
MEGABYTE = 1 << 20
MEMORY = Path("/proc/meminfo")
GROUPS = Path("/sys/fs/cgroup")


@dataclass(slots=True)
class Waiting:
    """What of one organisation, or of all, waits to be read."""

    deliveries: int
    size_bytes: int
    counted_at: float


_under_way: Counter[int] = Counter()
_waiting: dict[int | None, Waiting] = {}
_lock = threading.Lock()


def forget() -> None:
    """Count anew, as a process that has just begun."""
    with _lock:
        _waiting.clear()
        _under_way.clear()


def limit(name: str) -> int:
    """A line of `[limits]`; 0: there is none."""
    return int(settings.INSTALLATION.limits[name])


@contextlib.contextmanager
def taking(organisation: Organisation, at: datetime, *, is_page: bool = False) -> Iterator[None]:
    """While a delivery of an organisation comes in. Raises limits.TooOften or Unavailable, before a byte is read.

    What comes in on a page is under way before it is known to be a delivery (`under_way`), and is not counted twice.
    """
    admit(organisation, at)
    limits.spend_of(organisation, limits.Kind.DELIVERIES, at)
    with contextlib.nullcontext() if is_page else under_way(organisation):
        yield


def admit(organisation: Organisation, at: datetime) -> None:
    """Raises what `taking` raises, where a delivery would be turned away by what is there already."""
    require_means()
    _require_short_queues(organisation)
    limits.spend_of(organisation, limits.Kind.MEGABYTES, at, 0)


@contextlib.contextmanager
def under_way(organisation: Organisation) -> Iterator[None]:
    """While something large of an organisation comes in. Raises limits.TooOften for one too many."""
    most = limits.allowed(organisation, "organisation_uploads")
    with _lock:
        if most and _under_way[organisation.pk] >= most:
            raise limits.TooOften(AGAIN_SECONDS, "organisation_uploads", organisation.pk, most)
        _under_way[organisation.pk] += 1
    try:
        yield
    finally:
        with _lock:
            _under_way[organisation.pk] -= 1


def taken(organisation: Organisation, size_bytes: int, at: datetime) -> None:
    """A delivery of so many bytes was accepted: it counts for what may come after it."""
    with _lock:
        for known in (_waiting.get(organisation.pk), _waiting.get(None)):
            if known is not None:
                known.deliveries += 1
                known.size_bytes += size_bytes
    with contextlib.suppress(limits.TooOften):  # This one is here already; the next one is refused.
        limits.spend_of(organisation, limits.Kind.MEGABYTES, at, -(-size_bytes // MEGABYTE))


def require_means(temporary_bytes: int = 0) -> None:
    """Raises Unavailable where memory or room is short; `temporary_bytes` are to lie in the temporary folder."""
    least = limit("machine_memory_megabytes") * MEGABYTE
    if least and available_memory() < least:
        raise Unavailable("the machine is short of memory", SHORT_SECONDS)
    installation = settings.INSTALLATION
    places = {_nearest(installation.store_folder): 0, _nearest(installation.home): 0}
    temporary = Path(tempfile.gettempdir())
    places[temporary] = places.get(temporary, 0) + temporary_bytes
    for place, more in places.items():
        # In the temporary folder itself nothing has to stay free: who needs it says how much.
        reserve = 0 if place == temporary else store.RESERVE_BYTES
        if shutil.disk_usage(place).free < reserve + more:
            raise Unavailable("the machine is short of room", SHORT_SECONDS)


def _nearest(folder: Path) -> Path:
    """The folder, or what is to hold it as soon as it is made."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _require_short_queues(organisation: Organisation) -> None:
    most = limit("machine_waiting")
    if most and waiting_of(None).deliveries >= most:
        raise Unavailable("too much waits to be read", WAITING_SECONDS)
    mine = waiting_of(organisation)
    for name, waits in (
        ("organisation_waiting", mine.deliveries), ("organisation_waiting_megabytes", mine.size_bytes // MEGABYTE),
    ):  # fmt: skip
        most = limits.allowed(organisation, name)
        if most and waits >= most:
            raise limits.TooOften(WAITING_SECONDS, name, organisation.pk, most)


def uploads_of(organisation: Organisation) -> int:
    """How much of an organisation is coming in at this process."""
    with _lock:
        return _under_way[organisation.pk]


def waiting_of(organisation: Organisation | None) -> Waiting:
    """What of an organisation, or of all, waits to be read, as it was known a moment ago."""
    number = None if organisation is None else organisation.pk
    now = time.monotonic()
    with _lock:
        known = _waiting.get(number)
    if known is not None and now - known.counted_at < KNOWN_SECONDS:
        return known
    mine = Delivery.objects.filter(state=Delivery.State.RECEIVED)
    if organisation is not None:
        mine = mine.filter(organisation=organisation)
    found = mine.aggregate(deliveries=Count("pk"), size_bytes=Sum("size_bytes"))
    counted = Waiting(found["deliveries"], int(found["size_bytes"] or 0), now)
    with _lock:
        _waiting[number] = counted
    return counted


def available_memory() -> int:
    """What may still be taken, in bytes: of the machine, or of the group of processes where that has a bound."""
    found = _of_the_machine()
    for limit_file, used_file in (
        (GROUPS / "memory.max", GROUPS / "memory.current"),
        (GROUPS / "memory/memory.limit_in_bytes", GROUPS / "memory/memory.usage_in_bytes"),
    ):
        bound = _number_in(limit_file)
        if bound is not None and bound < 1 << 60:
            # What the system keeps of files counts as used, though it is given back when it is asked for.
            kept = _kept_files(used_file.with_name("memory.stat"))
            found = min(found, bound - (_number_in(used_file) or 0) + kept)
    return found


def _of_the_machine() -> int:
    try:
        for line in MEMORY.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return 1 << 62  # Another system: it is not known, and nobody is turned away for it.
    return 1 << 62


def _number_in(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # There is no such group, or "max".
        return None


def _kept_files(path: Path) -> int:
    try:
        lines = dict(line.split() for line in path.read_text(encoding="ascii").splitlines())
        return int(lines.get("total_inactive_file", lines.get("inactive_file", 0)))
    except (OSError, ValueError):
        return 0
