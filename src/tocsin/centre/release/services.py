"""Making country packages and handing them out.

Rows come through the gate of each country's bureau; the label is derived from the batches that took part.
"""

from __future__ import annotations

import multiprocessing
import os
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from dateutil.relativedelta import relativedelta
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Min

from tocsin.centre.audit.services import record
from tocsin.centre.intake.lake_keys import snapshot_of
from tocsin.centre.intake.models import Batch, LakeFile
from tocsin.centre.intake.selectors import scope_of
from tocsin.centre.jobs import services as jobs
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.countries import without_packages
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.rows import Numbers
from tocsin.core.errors import InputError
from tocsin.credentials import SigningKey, load_or_make
from tocsin.handling import HandlingSet, narrowest, retention
from tocsin.handling.sets import PAP
from tocsin.lake import buckets, side_process
from tocsin.lake.engine import EMBEDDED
from tocsin.lake.questions.shares import Share, deal_shares, joined_shares, spread_shares
from tocsin.lake.scope import Batches, Scope, Snapshot
from tocsin.products import copies
from tocsin.products.archive import Made, make_package_of
from tocsin.products.order import Centre, Label, Order, Previous
from tocsin.reference import addresses
from tocsin.reference.countries import country

from . import archives, workplace
from .enclosing import Enclosing, enclosing, kept_of
from .models import Fetch, Package
from .selectors import batches_of, given_out, viewer_of_country

MAKE = "make-packages"
"""Kind of the job."""
PURPOSE = "PROTECT"
"""What a package is for. Batches whose source did not agree to it take no part."""
REVIEW_MONTHS = 6
_MANY_ROWS = 300_000
_MANY_BYTES = 16 << 20
_ATTEMPTS = 5
_PATIENCE_SECONDS = 5
_NAMESPACE = uuid.UUID("c4d7a9a2-8a4e-5b0e-9f43-2a3b6c1d9e80")
Progress = Callable[[int, int, str], None]
"""Called with packages made, packages in all, and the country at hand."""


def make_packages(
    countries: Sequence[str],
    arrived_from: datetime,
    arrived_until: datetime,
    by: Person | None,
    at: datetime,
    progress: Progress | None = None,
    processes: int = 2,
) -> list[Package]:
    """One package for each country, of what arrived in [arrived_from, arrived_until); all in one pass.

    Countries that are suspended or restricted get none. Raises InputError for an unknown country or an empty span.
    """
    codes = list(dict.fromkeys(countries))
    _check(codes, arrived_from, arrived_until)
    barred = without_packages(codes, at)
    codes = [code for code in codes if code not in barred]
    if not codes:
        return []
    installation: Any = settings.INSTALLATION
    key = load_or_make(installation.keys_folder, installation.organisation)
    with workplace.held() as work:
        handling = _handling_of_batches(arrived_from, arrived_until)
        scopes = {code: _scope(code, Batches(handling), at) for code in codes}

        def alive(_rows: int) -> None:
            if progress is not None:
                progress(0, len(codes), "")

        shares = _dealt(_snapshot(frozenset(handling)), scopes, codes, work / "shares", processes, alive)
        encloses = enclosing(arrived_from, arrived_until, PURPOSE, at)
        beside = {code: encloses(code, country(code).report_language) for code in codes}
        orders = [
            _order(code, shares[code], handling, beside[code], arrived_from, arrived_until, at, installation, key)
            for code in codes
        ]
        made_in = partial(make_package_of, folder=work / "made")
        packages: list[Package] = []
        for made, order in _all_made(made_in, shares, orders, processes):
            if made is not None:
                share = shares[order.country]
                make = partial(made_in, share)
                batches = {*share.batches, *beside[order.country].batches}
                packages.append(_registered(made, order, make, batches, installation.store_folder, by, at))
            if progress is not None:
                progress(len(packages), len(codes), order.country)
        return packages


def request_packages(
    countries: Sequence[str], arrived_from: datetime, arrived_until: datetime, by: Person, at: datetime
) -> None:
    """Put the work into the queue; the same request twice is one."""
    codes = sorted(set(countries))
    _check(codes, arrived_from, arrived_until)
    barred = without_packages(codes, at)
    if len(barred) == len(codes):
        code, reason = next(iter(barred.items()))
        raise InputError(reason, field="country", excerpt=code)
    payload = {
        "countries": codes,
        "arrived_from": arrived_from.isoformat(),
        "arrived_until": arrived_until.isoformat(),
        "by": by.pk,
        "requested_at": at.isoformat(),
    }
    subject = ",".join(codes) if len(codes) < 20 else f"{len(codes)} countries"
    with transaction.atomic():
        # Another span is other work, also while this one is being done.
        jobs.enqueue(MAKE, f"{subject} {arrived_from:%Y-%m-%d}/{arrived_until:%Y-%m-%d}", payload, at=at)
        record(by.login, "package.requested", f"countries:{subject}"[:120], payload, at=at)


def run_job(claim: jobs.Claim) -> None:
    """What a worker does for a job of kind MAKE."""
    payload = claim.payload
    arrived_from, arrived_until = (datetime.fromisoformat(payload[name]) for name in ("arrived_from", "arrived_until"))
    # Of a worker that was killed, or whose disk was full, what it had made stands: nobody gets the same twice.
    requested_at = payload.get("requested_at", "9999-01-01T00:00:00+00:00")
    made = Package.objects.filter(
        arrived_from=arrived_from, arrived_until=arrived_until, created_by=payload["by"],
        created_at__gte=datetime.fromisoformat(requested_at),
    )  # fmt: skip
    done_before = set(made.values_list("country", flat=True))
    countries = [code for code in payload["countries"] if code not in done_before]

    renewed_at = datetime.now(UTC)

    def keep(done: int, total: int, _code: str) -> None:
        nonlocal renewed_at
        if datetime.now(UTC) - renewed_at < jobs.LEASE / 6:
            return
        renewed_at = datetime.now(UTC)
        jobs.renew(claim, datetime.now(UTC), done=len(done_before) + done, total=len(done_before) + total)

    make_packages(
        countries,
        arrived_from,
        arrived_until,
        Person.objects.filter(pk=payload["by"]).first(),
        datetime.now(UTC),
        keep,
    )
    jobs.finish(claim, datetime.now(UTC))


class Copy(NamedTuple):
    """What leaves when somebody takes a package."""

    name: str
    size_bytes: int
    pieces: Iterator[bytes]


@transaction.atomic
def note_fetch(package: Package, person: Person, via: str, at: datetime) -> str:
    """Record that somebody takes a package away, before the first byte leaves; gives the mark of the copy."""
    mark = copies.draw()
    Fetch.objects.create(package=package, person=person, via=via, at=at)
    took(person, Taking.Channel.PACKAGE, batches_of(package), at, reference=package.number)
    record(person.login, "package.fetched", f"package:{package.number}", {"via": via, "copy": mark}, at=at)
    return mark


def hand_out(package: Package, person: Person, via: str, at: datetime, *, is_taken: bool = True) -> Copy:
    """Somebody's copy of a package, with its mark; noted before the first byte leaves, unless only its size was asked
    for. Raises KeyMissing."""
    opener = archives.opener(package)
    mark = note_fetch(package, person, via, at) if is_taken else copies.draw()
    size, pieces = copies.with_comment(opener, copies.comment_of(mark, person.organisation.name))
    return Copy(copies.marked_name(f"tocsin-{package.number}.zip", mark), size, pieces)


def _check(codes: Sequence[str], arrived_from: datetime, arrived_until: datetime) -> None:
    if arrived_from >= arrived_until:
        raise InputError("not-a-time", field="since", excerpt=arrived_from.isoformat())
    for code in codes:
        try:
            country(code)
        except KeyError:
            raise InputError("not-a-country", excerpt=code) from None


def _handling_of_batches(arrived_from: datetime, arrived_until: datetime) -> dict[int, HandlingSet]:
    """The batches of the span that may serve this purpose, with their handling."""
    # What members sent one another is not the Centre's to make packages of: its people read those.
    arrived = Batch.objects.filter(received_at__gte=arrived_from, received_at__lt=arrived_until)
    rows = arrived.filter(terms__is_private=False).values_list("pk", "handling_set_id", "handling_set__body")
    sets: dict[int, HandlingSet] = {}
    found = {}
    for batch, number, body in rows.iterator():
        if number not in sets:
            sets[number] = HandlingSet.from_json(body)
        if PURPOSE in sets[number].purposes:
            found[batch] = sets[number]
    return found


def _scope(code: str, batches: Batches, now: datetime) -> Scope:
    scope = scope_of(viewer_of_country(code), now)
    return replace(scope, batches=scope.batches & batches, own_batches=scope.own_batches & batches)


def _snapshot(batches: frozenset[int]) -> Snapshot:
    """The files that may hold rows of these batches."""
    files = LakeFile.objects.filter(
        retired_at__isnull=True, first_batch__lte=max(batches, default=0), last_batch__gte=min(batches, default=0)
    )
    return snapshot_of(files.order_by("day", "pk"))


def _order(
    code: str,
    share: Share,
    handling: Mapping[int, HandlingSet],
    beside: Enclosing,
    arrived_from: datetime,
    arrived_until: datetime,
    at: datetime,
    installation: Any,
    key: SigningKey,
) -> Order:
    sets = {batch: handling[batch] for batch in share.batches}
    free = frozenset(batch for batch, each in sets.items() if "H2" not in each.codes and not each.exclusions)
    bound = {**sets, **beside.batches}
    previous = Package.objects.filter(country=code).order_by("-created_at", "-pk").first()
    if previous is not None and not given_out([previous], at):
        previous = None  # What changed since would tell of what was recalled or is over.
    first_end = Batch.objects.filter(pk__in=Numbers(bound)).aggregate(first=Min("expires_at"))["first"]
    return Order(
        country=code,
        number=_next_number(code, at),
        arrived_from=arrived_from,
        arrived_until=arrived_until,
        created_at=at,
        language=country(code).report_language,
        label=derived_label(list(bound.values()), at, first_end),
        centre=issuer(key, at),
        sign=key.sign,
        public_pem=key.public_pem,
        key_id=key.id,
        grades=_grades_of(share.batches),
        misp_batches=None if len(free) == len(sets) else free,
        previous=_previous(previous),
        enclosed=beside.enclosed,
        data_dates=_data_dates(),
    )


def issuer(key: SigningKey, at: datetime) -> Centre:
    """The Centre as objects name it: its number follows from its key."""
    made_at = Organisation.objects.order_by("created_at").values_list("created_at", flat=True).first()
    name: str = settings.INSTALLATION.organisation
    return Centre(name, str(uuid.uuid5(_NAMESPACE, key.public_line)), min(made_at or at, at))


def _grades_of(batches: Collection[int]) -> dict[int, str]:
    """Batch → grade, of those that have one."""
    graded = Batch.objects.filter(pk__in=Numbers(batches)).exclude(grade="").values_list("pk", "grade")
    return dict(graded.iterator())


def derived_label(sets: Sequence[HandlingSet], at: datetime, first_end: datetime | None = None) -> Label:
    """Handling of what was made of all these (DOMAIN 4.5): narrowest label, all codes, common purposes; it is kept no
    longer than the first of them."""
    if not sets:
        sets = [HandlingSet(codes=("H1",))]
    purposes = frozenset.intersection(*(frozenset(each.purposes) for each in sets))
    months = min(each.retention_months for each in sets)
    ends_on = (at + relativedelta(months=months)).date()
    if first_end is not None:
        ends_on = min(ends_on, retention.last_day_of(first_end))
    return Label(
        tlp=narrowest(each.tlp for each in sets),
        codes=tuple(sorted(frozenset().union(*(each.codes for each in sets)))),
        pap=max((each.pap for each in sets), key=PAP.index),
        purposes=tuple(sorted(purposes)),
        review_on=min((at + relativedelta(months=min(REVIEW_MONTHS, months))).date(), ends_on),
        expires_on=ends_on,
        restrictions=tuple(sorted(frozenset().union(*(each.restrictions for each in sets)))),
    )


def _next_number(code: str, at: datetime) -> str:
    start = f"{code}-{at.year}-"
    last = Package.objects.filter(number__startswith=start).order_by("-number").values_list("number", flat=True)
    taken = last.first()
    return f"{start}{int(taken.rsplit('-', 1)[1]) + 1 if taken else 1:04d}"


def _previous(package: Package | None) -> Previous | None:
    if package is None:
        return None
    return Previous(archives.opener(package), package.number, package.sha256)


def _data_dates() -> dict[str, str]:
    return {"addresses": addresses.shipped().date.isoformat()}


def _dealt(
    snapshot: Snapshot,
    scopes: Mapping[str, Scope],
    codes: Sequence[str],
    folder: Path,
    processes: int,
    alive: Callable[[int], None],
) -> dict[str, Share]:
    """The shares, dealt in processes of their own where there is much: their memory is kept while they work, and given
    back before packages are composed."""
    if snapshot.engine.is_spread and buckets.hold(snapshot.files, snapshot.engine.least_bytes):
        return spread_shares(snapshot, scopes, codes, folder, partial(alive, 0))
    if processes < 2 or not buckets.hold(snapshot.files, _MANY_BYTES):
        return deal_shares(snapshot, scopes, codes, folder, on_rows=alive)
    # Every so many-th file: neighbours are of one day and of like size.
    files = [found for start in range(processes) if (found := snapshot.files[start::processes])]
    context = multiprocessing.get_context("spawn")
    with _one_thread_each(), ProcessPoolExecutor(len(files), context, side_process.begin, (buckets.mounts(),)) as pool:
        dealing = [
            pool.submit(deal_shares, replace(snapshot, files=some, engine=EMBEDDED), scopes, codes, folder / str(place))
            for place, some in enumerate(files)
        ]
        while wait(dealing, timeout=_PATIENCE_SECONDS).not_done:
            alive(0)
        return joined_shares([each.result() for each in dealing], folder)


def _all_made(
    make: Callable[[Share, Order], Made], shares: Mapping[str, Share], orders: Sequence[Order], processes: int
) -> Iterator[tuple[Made | None, Order]]:
    """Every package, largest first, in several processes where there is enough to do.

    While none is ready, None comes every few seconds, so that whoever waits can say that the work goes on.
    """
    ordered = sorted(orders, key=lambda order: -shares[order.country].rows)
    if processes < 2 or len(ordered) < 2 or sum(share.rows for share in shares.values()) < _MANY_ROWS:
        yield from ((make(shares[order.country], order), order) for order in ordered)
        return
    with _one_thread_each():
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context, side_process.begin) as pool:
            waiting = {pool.submit(make, shares[order.country], order): order for order in ordered}
            while waiting:
                done, _ = wait(waiting, timeout=_PATIENCE_SECONDS, return_when=FIRST_COMPLETED)
                for each in done:
                    yield each.result(), waiting.pop(each)
                if not done:
                    yield None, next(iter(waiting.values()))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """New processes start with one Polars thread each: together they use as many as there are processes.

    They write texts of many megabytes into fresh memory again and again: large pages that are kept for a while
    save most of the system's time for it.
    """
    wanted = {
        "POLARS_MAX_THREADS": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "_RJEM_MALLOC_CONF": "thp:always,dirty_decay_ms:10000,narenas:1,oversize_threshold:0",
        "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
        "MALLOC_TOP_PAD_": str(1 << 26),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _registered(
    made: Made,
    order: Order,
    make: Callable[[Order], Made],
    batches: Collection[int],
    store: Path,
    by: Person | None,
    at: datetime,
) -> Package:
    """Enter the package and move its archive into the store; made anew where its number was taken meanwhile."""
    for _attempt in range(_ATTEMPTS):
        try:
            return _entered(made, order, batches, store, by, at)
        except IntegrityError:
            order = replace(order, number=_next_number(order.country, at))
            made = make(order)
    return _entered(made, order, batches, store, by, at)


@transaction.atomic
def _entered(
    made: Made, order: Order, batches: Collection[int], store: Path, by: Person | None, at: datetime
) -> Package:
    target = store / "packages" / made.country / made.path.name
    previous = Package.objects.filter(number=order.previous.number).first() if order.previous else None
    package = Package.objects.create(
        country=made.country,
        number=made.number,
        arrived_from=order.arrived_from,
        arrived_until=order.arrived_until,
        language=order.language,
        path=str(target.relative_to(store)),
        sha256=made.sha256,
        size_bytes=made.size_bytes,
        rows=made.rows,
        summary={**made.summary, "tlp": order.label.tlp.value, "alerts": kept_of(order.enclosed)},
        previous=previous,
        batches=Batches(batches).packed(),
        created_at=at,
        created_by=by,
    )
    record(
        by.login if by else "system",
        "package.made",
        f"package:{made.number}",
        {"country": made.country, "rows": made.rows, "sha256": made.sha256, "tlp": order.label.tlp.value},
        at=at,
    )
    # The row stands before the file moves: of two runs with one number, only the first gets here.
    archives.keep(made.path, target)
    return package
