"""All that programs read of one version of an alert, and the list of its files that is signed.

What is made here is not signed yet: `credentials.alert_signatures` signs CAP messages inside, and every file beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import orjson

from tocsin.core.errors import InputError

from . import addresses
from .cap import message_of
from .cap_rules import problems
from .cap_xml import parsed, schema_fault, write_cap
from .faults import faults
from .file import CAP, JSON, LINKED_DATA, PLAIN, STIX, File
from .linked_data import linked_data
from .plain import plain_text, short_message
from .record import PublicEdition
from .stix import stix_of

__all__ = ["File", "cap_of", "files_of", "manifest_of", "require_publishable", "site_list"]


def files_of(edition: PublicEdition, printed: Iterable[File] = ()) -> Iterator[File]:
    """The files of this version. `printed`: those made elsewhere that CAP offers, such as PDF documents and cards.

    The CAP message comes once, under the address of its version: what lies at the address of the newest is the same
    signed bytes. Raises InputError, before anything is made, for an edition that cannot be published.
    """
    require_publishable(edition)
    number = edition.number
    yield File(addresses.cap(number, edition.version), CAP, cap_of(edition, printed))
    yield File(addresses.stix(number), STIX, stix_of(edition))
    for language in edition.languages:
        yield File(addresses.linked_data(number, language), LINKED_DATA, linked_data(edition, language), language)
        yield File(addresses.plain(number, language), PLAIN, plain_text(edition, language).encode(), language)
        yield File(addresses.short(number, language), PLAIN, short_message(edition, language).encode(), language)


def require_publishable(edition: PublicEdition) -> None:
    """Raises InputError that names the language and field of the first fault."""
    if found := faults(edition):
        first = found[0]
        raise InputError("invalid-object", position=first.language, field=first.field, excerpt=first.told("en"))


def cap_of(edition: PublicEdition, printed: Iterable[File] = ()) -> bytes:
    """The CAP message, valid by the schema of OASIS and by the rules of those who pass warnings on.

    Raises InputError where it is not: then nothing is published.
    """
    message = message_of(edition, printed)
    if found := problems(message):
        raise InputError("invalid-object", field="CAP", excerpt="; ".join(found)[:300])
    body = write_cap(message)
    if fault := schema_fault(parsed(body)):
        raise InputError("invalid-object", field="CAP", excerpt=fault)
    return body


def manifest_of(edition: PublicEdition, files: Iterable[File], key_id: str = "", before: bytes = b"") -> File:
    """The digests of all files of a version, as they are published. Its signature proves them all, long after.

    Pages are not among them: they are made anew when the site changes around them, and have signatures of their own.
    `before`: the manifest of the version before, whose digest ties the two together.
    """
    made = {
        "manifest": 1,
        "number": edition.number,
        "version": edition.version,
        "identifier": edition.identifier,
        "message": edition.message.value,
        "sent": edition.sent.isoformat(),
        "expires": edition.expires.isoformat(),
        "languages": edition.languages,
        "key_id": key_id,
        "files": {
            file.path: {"sha256": hashlib.sha256(file.body).hexdigest(), "size_bytes": len(file.body)}
            for file in sorted(files, key=lambda each: each.path)
            if not file.media_type.startswith("text/html")
        },
        **({"before": {"sha256": hashlib.sha256(before).hexdigest()}} if before else {}),
    }
    body = orjson.dumps(made, option=orjson.OPT_INDENT_2) + b"\n"
    return File(addresses.manifest(edition.number, edition.version), JSON, body)


def site_list(origin: str, files: Mapping[str, tuple[str, int]], at: datetime) -> File:
    """The SHA-256 and size of all files of a site, by their paths in its folder: its signature proves those without one
    of their own, and tells what is missing or was added."""
    made = {
        "manifest": 1,
        "site": origin,
        "made": at.isoformat(),
        "files": {path: {"sha256": digest, "size_bytes": size} for path, (digest, size) in sorted(files.items())},
    }
    return File(addresses.SITE_LIST, JSON, orjson.dumps(made, option=orjson.OPT_INDENT_2) + b"\n")
