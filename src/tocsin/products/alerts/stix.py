"""An alert as STIX 2.1: a report, the indicators that may be published, and its texts in other languages.

Identifiers follow from the issuer and the number of the alert: an update gives the same objects with a later
`modified`, what was cancelled or no longer holds is `revoked`. A language content is bound to the version that it
translates (W22).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson

from tocsin.core.words import Kind, Tlp
from tocsin.products.identifiers import moment_text, uuid5_text
from tocsin.products.stix_bundle import TLP_IDS, observable, tlp_marking

from . import addresses
from .passages import headline, line, sections, written
from .record import Issuer, PublicEdition, PublicSign
from .words import words

NAMESPACE = uuid.UUID("5b2f0a9c-7d0e-5d3c-8a2e-3f6f0c1b9e47").bytes
FIXED = "2026-01-01T00:00:00.000Z"
"""When what stands in the bundles of all alerts was made: the same object each time."""
Object = dict[str, Any]


WITHDRAWN = "withdrawn"
"""Name and pattern of what was taken back."""


def stix_of(edition: PublicEdition) -> bytes:
    """The bundle of the public edition."""
    return bundle(edition.identifier, edition.issuer, objects_of(edition))


def objects_of(edition: PublicEdition) -> list[Object]:
    """Its objects, each once; what they refer to is among them."""
    common = common_of(edition.issuer, edition.issued, edition.sent, TLP_IDS[Tlp.CLEAR])
    origin = identity(edition.issuer)
    made: list[Object] = [origin, tlp_marking(Tlp.CLEAR)]
    shown = [] if edition.is_cancelled else list(edition.signs)
    gone = [*edition.former_signs, *(edition.signs if edition.is_cancelled else ())]
    values = list(signs_of(edition, shown, common, revoked=False))
    values += signs_of(edition, [sign for sign in gone if sign not in shown], common, revoked=True)
    locations = [location(edition.issuer, code) for code in edition.countries]
    main = report(edition, [each["id"] for each in (origin, *locations, *values)], common)
    made += [*locations, *values, main, *language_contents(edition, main, common)]
    if note := note_on_others(edition, shown, main, common):
        made.append(note)
    return list({each["id"]: each for each in made}.values())


def bundle(name: str, issuer: Issuer, objects: Iterable[Object]) -> bytes:
    made = {"type": "bundle", "id": own_id(issuer, "bundle", name), "objects": list(objects)}
    return orjson.dumps(made, option=orjson.OPT_INDENT_2) + b"\n"


def own_id(issuer: Issuer, kind: str, name: str) -> str:
    """The same for the same thing of the same issuer."""
    return f"{kind}--{uuid5_text(NAMESPACE, f'{issuer.sender}|{kind}|{name}')}"


def common_of(issuer: Issuer, created: datetime, modified: datetime, marking: str) -> Object:
    """What all objects of one version share."""
    return {
        "spec_version": "2.1",
        "created": moment_text(created),
        "modified": moment_text(modified),
        "created_by_ref": own_id(issuer, "identity", "issuer"),
        "object_marking_refs": [marking],
    }


def identity(issuer: Issuer) -> Object:
    """Who issues."""
    contact = {"contact_information": line(issuer.media_contact)} if issuer.media_contact else {}
    return {
        "type": "identity", "spec_version": "2.1", "id": own_id(issuer, "identity", "issuer"), "created": FIXED,
        "modified": FIXED, "name": line(issuer.name("en")), "identity_class": "organization", **contact,
        "object_marking_refs": [TLP_IDS[Tlp.CLEAR]],
    }  # fmt: skip


def location(issuer: Issuer, code: str) -> Object:
    own = {"type": "location", "spec_version": "2.1", "id": own_id(issuer, "location", code), "created": FIXED}
    own |= {"modified": FIXED, "created_by_ref": own_id(issuer, "identity", "issuer")}
    own |= {"name": words("en").country(code), "country": code}
    return own | {"object_marking_refs": [TLP_IDS[Tlp.CLEAR]]}


def report(edition: PublicEdition, refs: Sequence[str], common: Object) -> Object:
    """The alert itself, in its first language."""
    language = edition.texts[0].language
    page = f"{edition.issuer.origin}/{addresses.permanent(edition.number)}"
    made = {
        "type": "report", "id": own_id(edition.issuer, "report", edition.number), **common,
        "name": headline(edition, language), "description": described(edition, language),
        "report_types": ["threat-report"], "published": moment_text(edition.issued), "object_refs": list(refs),
        "labels": [f"alert-type:{edition.type.value}", f"offence:{edition.offence.value}",
                   f"severity:{edition.severity.value}", f"version:{edition.version}"],
        "lang": language,
        "external_references": [
            {"source_name": edition.issuer.sender, "external_id": edition.number, "url": page},
            {"source_name": "CAP", "external_id": edition.identifier,
             "url": f"{edition.issuer.origin}/{addresses.cap(edition.number, edition.version)}"},
            *_annexes(edition, language),
        ],
    }  # fmt: skip
    return made | ({"revoked": True} if edition.is_cancelled else {})


def _annexes(edition: PublicEdition, language: str) -> Iterator[Object]:
    """The documents beside it, each with the digest by which a program knows that it has the same."""
    for each in edition.annexes:
        title = line(edition.text(language).image_texts.get(each.name, ""))
        yield {
            "source_name": edition.issuer.sender, "description": title,
            "url": f"{edition.issuer.origin}/{addresses.annex(edition.number, each.name)}",
            "hashes": {"SHA-256": hashlib.sha256(each.body).hexdigest()},
        }  # fmt: skip


def language_contents(edition: PublicEdition, main: Object, common: Object) -> Iterator[Object]:
    """The other languages of this version of the report, and of no other."""
    contents = {
        text.language: {"name": headline(edition, text.language), "description": described(edition, text.language)}
        for text in edition.texts[1:]
    }
    if contents:
        made = {"type": "language-content", "id": own_id(edition.issuer, "language-content", edition.number), **common}
        revoked = {"revoked": True} if edition.is_cancelled else {}
        yield made | {"object_ref": main["id"], "object_modified": main["modified"], "contents": contents} | revoked


def signs_of(
    edition: PublicEdition, signs: Iterable[PublicSign], common: Object, *, revoked: bool
) -> Iterator[Object]:  # fmt: skip
    """An indicator for each value that STIX has a pattern for, a vulnerability for each CVE."""
    since = moment_text(edition.onset if edition.onset and edition.onset < edition.issued else edition.issued)
    for sign in signs:
        value = line(sign.value)
        name = {"name": value} | ({"description": line(sign.note)} if line(sign.note) else {})
        if revoked:
            name = {"name": WITHDRAWN}  # What was taken back says nothing any more: its number is enough.
        tail = name | common | ({"revoked": True} if revoked else {})
        if sign.kind is Kind.CVE:
            own = {"type": "vulnerability", "id": own_id(edition.issuer, "vulnerability", f"{edition.number}|{value}")}
            references = [{"source_name": "cve", "external_id": value.upper()}]
            yield own | tail | ({} if revoked else {"external_references": references})
        elif (made := observable(sign.kind.value, value)) is not None:
            seed = f"{edition.number}|{sign.kind.value}|{value}"
            pattern = f"[file:name = '{WITHDRAWN}']" if revoked else made[0]
            yield {
                "type": "indicator", "id": own_id(edition.issuer, "indicator", seed), **tail,
                "indicator_types": ["malicious-activity"], "pattern": pattern, "pattern_type": "stix",
                "valid_from": since, "valid_until": moment_text(edition.expires),
            }  # fmt: skip


def note_on_others(
    edition: PublicEdition, signs: Iterable[PublicSign], main: Object, common: Object
) -> Object | None:  # fmt: skip
    """The values for which STIX has no pattern, so that none is missing."""
    others = [
        f"{sign.kind.value}: {line(sign.value)}"
        for sign in signs
        if sign.kind is not Kind.CVE and observable(sign.kind.value, line(sign.value)) is None
    ]
    if not others:
        return None
    own = {"type": "note", "id": own_id(edition.issuer, "note", f"{edition.number}|signs"), **common}
    return own | {"abstract": words("en")("other_signs"), "content": "\n".join(others), "object_refs": [main["id"]]}


def described(edition: PublicEdition, language: str) -> str:
    """All that the text says, as one."""
    return "\n\n".join(map(written, sections(edition, language)))
