"""The public site as it is made of what was published: pages of an alert, pages and feeds that all of them share."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from tocsin.centre.audit import keys
from tocsin.core.errors import InputError
from tocsin.credentials import alert_signatures
from tocsin.products.alerts import addresses, feeds
from tocsin.products.alerts.file import File
from tocsin.products.alerts.linked_data import linked_data
from tocsin.products.alerts.record import LANGUAGES, Message, PublicEdition
from tocsin.reference.reporting import OWN_FILE, Reporting, of_data, reporting

from . import editions, files
from .models import Alert, PublicFile, Version
from .public import alert_pages, machine, site
from .public.entries import Entry, entry_of, unpack
from .public.frame import Follow, Frame

log = logging.getLogger(__name__)
CAP_DIGEST = Mapping[str, tuple[str, int]]
"""Address of a CAP message → digest and length of what lies there."""
SERVICE = "/alert-service"
"""Where the portal takes what the public sends."""
_ENTRIES = "data/alerts-"


def frame() -> Frame:
    """What pages are made of beside the alerts."""
    made: Any = settings.INSTALLATION
    service = f"{made.public_origin.rstrip('/')}{SERVICE}"
    return Frame(
        editions.issuer(), _languages(), _reporting(Path(made.home) / OWN_FILE),
        Follow(
            mail=f"{service}/mail/" if made.mail else "", push=f"{service}/push/", webhook=f"{service}/webhook/",
            hit=f"{service}/report/",
        ),
    )  # fmt: skip


def _reporting(own: Path) -> Reporting:
    """What ships and what the installation says instead. A fault in its file holds back no warning, and takes back no
    correction: until it is mended all stays as it was published last."""
    try:
        return reporting(own)
    except InputError as error:
        log.warning("%s is not used: %s", own.name, error.excerpt)
    row = PublicFile.objects.filter(path=addresses.REPORTING, is_gone=False).first()
    if row is None:
        return reporting()
    try:
        return of_data(msgspec.json.decode(files.read(row.sha256)))
    except (FileNotFoundError, files.Damaged):
        return reporting()


def _languages() -> tuple[str, ...]:
    """The product's own, and any other that a published alert came in."""
    found = PublicFile.objects.filter(is_gone=False).exclude(language__in=["", *LANGUAGES]).order_by("language")
    return (*LANGUAGES, *found.values_list("language", flat=True).distinct())


def _stands(shown: Frame) -> bool:
    """Whether style, scripts and all that pages lean on are published as this version of the software has them."""
    mark = machine.mark_of(shown)
    return PublicFile.objects.filter(path=mark.path, sha256=files.digest_of(mark.body)).exists()


def pages_of(
    edition: PublicEdition, before: Sequence[PublicEdition], others: Collection[str], at: datetime
) -> tuple[list[File], dict[str, File]]:
    """The pages of an alert, and what is left where something is gone: address → what says so."""
    shown = alert_pages.Published(edition, before, others)
    made = list(alert_pages.pages_of(frame(), shown, at, linked_data))
    gone = {each.file.path: each.file for each in made if each.is_gone}
    if edition.is_cancelled:
        gone |= _gone_files(edition, {each.language: each for each in gone.values()})
    return [each.file for each in made if not each.is_gone], gone


def _gone_files(edition: PublicEdition, by_language: Mapping[str, File]) -> dict[str, File]:
    """Every file of an earlier version says why it is gone; messages that later ones refer to stay, with signatures and
    lists, since programs check by them what was cancelled."""
    left = PublicFile.objects.filter(alert__number=edition.number).exclude(path__in=list(_kept(edition)))
    fallback = by_language.get("en") or next(iter(by_language.values()))
    return {path: by_language.get(language, fallback) for path, language in left.values_list("path", "language")}


def _kept(edition: PublicEdition) -> set[str]:
    number = edition.number
    caps = [addresses.cap(number, each.version) for each in edition.earlier]
    lists = [addresses.manifest(number, each.version) for each in edition.earlier]
    return {*caps, *lists, *(f"{each}{addresses.SIGNATURE}" for each in (*caps, *lists))}


def others_of(number: str) -> list[str]:
    """Addresses of what is published of an alert beside its pages."""
    found = PublicFile.objects.filter(alert__number=number, is_gone=False, path__startswith=f"{number}/")
    return list(found.values_list("path", flat=True))


def shared_files(edition: PublicEdition | None, caps: CAP_DIGEST, at: datetime) -> list[File]:
    """Pages and feeds that many alerts share, as they are with this edition; all of them where the site is new, or
    where no edition is given."""
    known = _entries()
    every = dict(known)
    if edition is not None:
        every[edition.number] = entry_of(edition)
    shown = frame()
    if edition is not None and (further := [each for each in edition.languages if each not in shown.languages]):
        shown = replace(shown, languages=(*shown.languages, *further))
    is_whole = edition is None or not known or not _stands(shown)
    if is_whole or edition is None:
        found = [*site.all_pages(shown, every.values(), at), *_keys(at)]
    else:
        found = list(site.pages_changed(shown, every.values(), {edition.number}, known, at))
    return [*found, *_feeds(edition, caps, is_whole=is_whole)]


def _entries() -> dict[str, Entry]:
    """What lists know of each alert, by number."""
    rows = PublicFile.objects.filter(path__startswith=_ENTRIES, path__endswith=".json").values_list("sha256", flat=True)
    try:
        return {each.number: each for digest in rows for each in unpack(files.read(digest))}
    except (FileNotFoundError, files.Damaged):  # What lies there is derived from versions alone.
        public = Alert.objects.filter(pk__in=Version.objects.exclude(public_at=None).values("alert")).order_by("pk")
        newest = (editions.published(each)[-1] for each in public.iterator(chunk_size=50))
        return {each.number: entry_of(each) for each in newest}


def _keys(at: datetime) -> list[File]:
    folder = keys.folder()
    own = keys.alert_key(at, editions.issuer().name("en"))
    known = alert_signatures.published(keys.signing_key(), own, folder)
    return [File(f"{addresses.KEYS}{name}", media_type, body) for name, media_type, body in known]


def _feeds(edition: PublicEdition | None, caps: CAP_DIGEST, *, is_whole: bool) -> list[File]:
    rows = list(Version.objects.exclude(public_at=None).order_by("public_at", "pk").values_list("pk", "public_at"))
    is_new = edition is not None and not _is_known(edition)
    count = len(rows) + is_new
    shown = feeds.newest_of(count)
    places = [
        place
        for place, (pk, _) in enumerate(rows)
        if edition is not None and edition.is_cancelled and pk in _own(edition)
    ]
    archives = list(feeds.archives_of(count)) if is_whole else feeds.touched(len(rows), count, places)
    start = min([feeds.place_of(each).start for each in archives], default=shown.start)
    some = [pk for pk, _ in rows[start:]]
    found = [_entry(each, caps) for each in _in_turn(some)]
    if is_new and edition is not None:
        found.append(feeds.Entry(edition, *_cap(edition, caps)))
    cancelled = Version.objects.filter(message=Message.CANCEL.value).exclude(public_at=None)
    ends = {str(number): at for number, at in cancelled.values_list("alert__number", "public_at") if at is not None}
    log = feeds.Log(editions.issuer(), LANGUAGES, found, start=start, total=count, cancelled=ends)
    return list(feeds.feeds_of(log, archives))


def _is_known(edition: PublicEdition) -> bool:
    made = Version.objects.filter(alert__number=edition.number, number=edition.version)
    return made.exclude(public_at=None).exists()


def _own(edition: PublicEdition) -> set[int]:
    return set(Version.objects.filter(alert__number=edition.number).values_list("pk", flat=True))


def _in_turn(numbers: Sequence[int]) -> list[PublicEdition]:
    """These versions as they were published, in that order."""
    found = {each.pk: each for each in Version.objects.filter(pk__in=numbers).select_related("alert")}
    by_alert: dict[int, dict[int, PublicEdition]] = {}
    for each in found.values():
        if each.alert_id not in by_alert:
            by_alert[each.alert_id] = {one.version: one for one in editions.published(each.alert)}
    return [by_alert[found[pk].alert_id][found[pk].number] for pk in numbers]


def _entry(edition: PublicEdition, caps: CAP_DIGEST) -> feeds.Entry:
    return feeds.Entry(edition, *_cap(edition, caps))


def _cap(edition: PublicEdition, caps: CAP_DIGEST) -> tuple[str, int]:
    path = addresses.cap(edition.number, edition.version)
    if path in caps:
        return caps[path]
    # Of a message that was taken away nothing is said: what lies there now is a notice.
    rows = PublicFile.objects.filter(path=path, is_gone=False)
    return rows.values_list("sha256", "size").first() or ("", 0)
