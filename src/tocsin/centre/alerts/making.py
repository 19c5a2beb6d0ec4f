"""The files of a publication: what each output makes of an edition, the pages, and the signatures of all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from tocsin.centre.audit import keys
from tocsin.credentials import SigningKey, alert_signatures
from tocsin.products.alerts import addresses, outputs, printed
from tocsin.products.alerts.file import ATOM, CAP, JSON, RSS, File
from tocsin.products.alerts.record import PublicEdition

from . import editions, files, site
from .models import Alert, PublicFile

SIGNATURE = "application/octet-stream"
SIGNED = frozenset({CAP, ATOM, RSS})


@dataclass
class Made:
    """What a publication puts on the public site."""

    files: list[File] = field(default_factory=list)
    gone: dict[str, File] = field(default_factory=dict)
    """Address → what says there why it is gone."""


def own_files(edition: PublicEdition) -> list[File]:
    """What is made of the edition alone, unsigned."""
    found = list(printed.files_of(edition))
    return [*found, *outputs.files_of(edition, found)]


def made_of(edition: PublicEdition, at: datetime) -> Made:
    """All files of this version, signed; and what is left at the addresses of what it takes away."""
    own = own_files(edition)
    there = [*(each.path for each in own), addresses.cap(edition.number)]
    there += [each + addresses.SIGNATURE for each in there]
    pages, gone = site.pages_of(edition, _with_what_stands(edition), there, at)
    return Made(signed([*own, *pages], edition, at), gone)


def pages_again(edition: PublicEdition, at: datetime) -> Made:
    """The pages alone, as they are at that moment."""
    pages, gone = site.pages_of(edition, _with_what_stands(edition), site.others_of(edition.number), at)
    return Made([*pages, *_beside(pages)], gone)


def _beside(pages: Iterable[File]) -> list[File]:
    key = keys.signing_key()
    return [_signature(each, key) for each in pages]


def shared_files(edition: PublicEdition | None, own: Iterable[File], at: datetime) -> list[File]:
    """Pages and feeds that many alerts share, as they are with this edition and its own files."""
    caps = {
        each.path: (hashlib.sha256(each.body).hexdigest(), len(each.body)) for each in own if each.media_type == CAP
    }
    return signed(site.shared_files(edition, caps, at), None, at)


def _with_what_stands(edition: PublicEdition) -> list[PublicEdition]:
    """Earlier versions, of whose values only those are shown that the newest one names: the others were taken back."""
    return [
        replace(each, signs=tuple(sign for sign in each.signs if sign in edition.signs)) for each in _before(edition)
    ]


def _before(edition: PublicEdition) -> list[PublicEdition]:
    if edition.version == 1:
        return []
    known = editions.published(Alert.objects.get(number=edition.number))
    return [each for each in known if each.version < edition.version]


def signed(unsigned: Iterable[File], edition: PublicEdition | None, at: datetime) -> list[File]:
    """The same files with their signatures: CAP messages have theirs inside as well, a version has a list of all."""
    key = keys.signing_key()
    own = keys.alert_key(at, editions.issuer().name("en"))
    found = [
        replace(each, body=alert_signatures.sign_cap(each.body, own)) if each.media_type == CAP else each
        for each in unsigned
    ]
    if edition is not None:
        found += [replace(each, path=addresses.cap(edition.number)) for each in found if each.media_type == CAP]
        found.append(outputs.manifest_of(edition, found, key.id, _list_before(edition)))
    return [*found, *(_signature(each, key) for each in found if edition is not None or _says_something(each))]


def _list_before(edition: PublicEdition) -> bytes:
    """The list of the version before: each names the digest of the one before it."""
    if not edition.earlier:
        return b""
    # Not simply one number less: a version that was dropped, or that the police alone had, has no list.
    path = addresses.manifest(edition.number, edition.earlier[-1].version)
    row = PublicFile.objects.filter(path=path, is_gone=False).first()
    return files.read(row.sha256) if row else b""


def list_of_site(listed: Mapping[str, tuple[str, int]], at: datetime) -> list[File]:
    """The signed list of a copy of the site: path in its folder → SHA-256 and size of each file. It proves those that
    have no signature of their own."""
    made = outputs.site_list(editions.issuer().origin, listed, at)
    return [made, _signature(made, keys.signing_key())]


def _says_something(file: File) -> bool:
    """Whether a file that no single alert owns is signed: feeds and data are, lists and drawings only lead to them."""
    return file.media_type in SIGNED or (file.media_type == JSON and not file.language)


def _signature(file: File, key: SigningKey) -> File:
    path = f"{file.path}index.html" if file.path.endswith("/") else file.path
    return File(f"{path}{addresses.SIGNATURE}", SIGNATURE, key.sign(file.body), file.language)
