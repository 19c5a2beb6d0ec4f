"""The pages of one alert: in each language, the one that offers all, its earlier versions, and what is left when it was
cancelled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.products.alerts import addresses
from tocsin.products.alerts.file import File
from tocsin.products.alerts.record import LANGUAGES, Made, PublicEdition, Text
from tocsin.products.alerts.signs import defanged

from .entries import lead_of, require_public, whole_seconds
from .frame import Frame, native_name, paragraphs, said, same_in, say_of, script_data, texts, up_from

COUNTRIES_SHOWN = 12
Linked = Callable[[PublicEdition, str], bytes]


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the site; gone: it is answered with 410."""

    file: File
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """An alert as it stands: its newest version, those before it, and what else is published of the newest."""

    newest: PublicEdition
    earlier: Sequence[PublicEdition] = ()
    """All of them, oldest first."""
    others: Collection[str] = ()
    """Addresses of its other outputs, to link those that are there."""


def pages_of(frame: Frame, published: Published, now: datetime, linked: Linked | None = None) -> Iterator[Page]:
    """Every page of an alert. Raises ValueError for what is not for the public."""
    newest = published.newest
    for each in (newest, *published.earlier):
        require_public(each)
    languages = languages_of(published)
    if newest.is_cancelled:
        yield from _gone(frame, published, languages)
        return
    for language in languages:
        facts = _alert(frame, newest, language, now, published.others)
        if linked is not None:
            facts["linked_data"] = script_data(linked(newest, language))
        where = same_in(languages, lambda each: addresses.page(newest.number, each))
        path = where[language]
        yield Page(_page(frame, path, language, facts, newest, where))
    yield Page(_permanent(frame, newest, languages))
    for old in published.earlier:
        for language in languages:
            where = same_in(languages, lambda each, old=old: addresses.old_page(old.number, each, old.version))
            facts = _alert(frame, old, language, now, ())
            facts |= {"is_old": said(language, "is_old", version=old.version), "is_expired": False}
            yield Page(_page(frame, where[language], language, facts, newest, where))


def languages_of(published: Published) -> tuple[str, ...]:
    """Those of the site, and whatever else one of the versions came in."""
    found = [each for edition in (published.newest, *published.earlier) for each in edition.languages]
    return tuple(dict.fromkeys((*LANGUAGES, *found)))


def _page(
    frame: Frame, path: str, language: str, facts: dict[str, Any], newest: PublicEdition, where: dict[str, str]
) -> File:
    text = facts["text"]
    is_own = language == text.language
    # Who searches is led to the newest version, in a language that it really came in.
    canonical = addresses.page(newest.number, language if is_own else newest.text(language).language)
    facts["is_listed"] = is_own and path == canonical
    return frame.page(
        path, "alert.html", language, title=text.title, description=facts["lead"], alternates=where,
        hreflang=[(each, frame.absolute(addresses.page(newest.number, each))) for each in newest.languages],
        canonical=canonical, fallback=addresses.permanent(newest.number), **facts,
    )  # fmt: skip


def _alert(
    frame: Frame, edition: PublicEdition, language: str, now: datetime, others: Collection[str]
) -> dict[str, Any]:
    """What the template of an alert shows."""
    say, text, number = say_of(language), edition.text(language), edition.number
    is_own = text.language == language
    card = addresses.card(number, text.language, "png")
    return {
        "alert": edition,
        "text": text,
        "text_direction": "rtl" if text.is_right_to_left else "ltr",
        "lead": lead_of(text.happening) or text.title,
        "kind": say(f"type.{edition.type.value}"),
        "severity": say(f"severity.{edition.severity.value}"),
        "offence": say(f"offence.{edition.offence.value}"),
        "offence_path": addresses.listing(language, "crime", edition.offence.value),
        "kind_path": addresses.listing(language, "kind", edition.type.value.lower()),
        "times": _times(edition, language),
        "expires_at": whole_seconds(edition.expires),
        "is_expired": now >= edition.expires,
        "is_old": "",
        "countries": [(say.country(code), addresses.country(language, code)) for code in edition.countries],
        "countries_shown": COUNTRIES_SHOWN,
        "world_path": addresses.listing(language, "world"),
        "happening": paragraphs(text.happening),
        "at_risk": paragraphs(text.at_risk),
        "if_victim": paragraphs(text.if_victim),
        "made": _made(edition, text, language, is_own),
        "reason": _reason(edition, language) if edition.version > 1 else "",
        "images": [
            {"path": addresses.image(number, each.name), "width": each.width, "height": each.height,
             "text": text.image_texts.get(each.name, "")}
            for each in edition.images
        ],
        "annexes": [
            (addresses.annex(number, each.name), text.image_texts.get(each.name, ""), each.pages)
            for each in edition.annexes
        ],
        "annexes_title": say("annexes"),
        "signs": [(defanged(each.value, each.kind), kind_name(each.kind.value, language), each.note)
                  for each in edition.signs],
        "earlier": [
            (say("version", number=each.version), say.moment(each.sent),
             addresses.old_page(number, language, each.version))
            for each in reversed(edition.earlier)
        ],
        "version": say("version", number=edition.version),
        "forms": _forms(edition, text.language, others),
        "kit": addresses.kit(number) if addresses.kit(number) in others else "",
        "image": frame.absolute(card) if card in others else "",
        "address": frame.absolute(addresses.page(number, language)),
        "short_address": frame.absolute(addresses.permanent(number)),
        "victim_path": addresses.standing(language, "victim"),
        "hit": f"{frame.follow.hit}?alert={number}&language={language}" if frame.follow.hit else "",
        "tell_us": said(language, "tell_us", issuer=frame.issuer.name(language)),
        "issued_by": said(language, "issued_by", issuer=frame.issuer.name(language)),
        "linked_data": "",
    }  # fmt: skip


def _times(edition: PublicEdition, language: str) -> list[tuple[str, str, str]]:
    say = say_of(language)
    found = [("issued", edition.issued)]
    if edition.version > 1:
        found.append(("updated", edition.sent))
    found.append(("expires", edition.expires))
    return [(say(name), whole_seconds(at), say.moment(at)) for name, at in found]


def _made(edition: PublicEdition, text: Text, language: str, is_own: bool) -> str:
    """What readers are told of the language they read it in; nothing of what was written or checked in it."""
    if not is_own:
        return said(language, "not_in_language") if language in LANGUAGES else native_name(text.language)
    return say_of(language)(f"made.{text.made.value}") if text.made in {Made.MACHINE, Made.HUMAN} else ""


def _reason(edition: PublicEdition, language: str) -> str:
    reasons = edition.reasons
    return reasons.get(language) or reasons.get("en") or next(iter(reasons.values()), "")


def kind_name(kind: str, language: str) -> str:
    """What a technical value is called."""
    return texts(language).get(f"kind.{kind}") or kind.upper().replace("-", " ")


def _forms(edition: PublicEdition, language: str, others: Collection[str]) -> dict[str, list[tuple[str, str, str]]]:
    """Other forms of it that are published: for people and for programs; name, address, and its signature's."""
    number, word = edition.number, texts(language)
    people = [
        (word["form_pdf"], addresses.document(number, language)),
        (word["form_card"], addresses.card(number, language, "png")),
        (word["form_text"], addresses.plain(number, language)),
        (word["form_sms"], addresses.short(number, language)),
    ]
    programs = [
        ("CAP 1.2", addresses.cap(number)), ("STIX 2.1", addresses.stix(number)),
        ("JSON-LD", addresses.linked_data(number, language)),
    ]  # fmt: skip
    return {
        name: [
            (label, path, path + addresses.SIGNATURE if path + addresses.SIGNATURE in others else "")
            for label, path in forms
            if path in others
        ]
        for name, forms in (("people", people), ("programs", programs))
    }


def _permanent(frame: Frame, edition: PublicEdition, languages: Sequence[str]) -> File:
    """The page at the address that names no language."""
    number = edition.number
    first = edition.text("en").language
    return frame.page(
        addresses.permanent(number), "permanent.html", first, title=edition.text(first).title,
        description=lead_of(edition.text(first).happening), is_listed=False, number=number,
        kind_class=edition.type.value,
        choices=[
            {"code": each, "name": native_name(each), "path": addresses.page(number, each),
             "title": edition.text(each).title, "direction": say_of(each).direction,
             "text_language": edition.text(each).language}
            for each in languages if edition.has(each)
        ],
        alternates=same_in(edition.languages, lambda each: addresses.page(number, each)),
        canonical=addresses.permanent(number), fallback=addresses.permanent(number), linked_data="", image="",
    )  # fmt: skip


def _gone(frame: Frame, published: Published, languages: Sequence[str]) -> Iterator[Page]:
    """What stands at each of its addresses once it was cancelled: that it was, since when, and why."""
    newest = published.newest
    number = newest.number
    versions = [each.version for each in newest.earlier]
    for language in languages:
        where = same_in(languages, lambda each: addresses.page(number, each))
        yield Page(_gone_page(frame, newest, where[language], language, where), is_gone=True)
        for version in versions:
            old = same_in(languages, lambda each, version=version: addresses.old_page(number, each, version))
            yield Page(_gone_page(frame, newest, old[language], language, old), is_gone=True)
    where = same_in(languages, lambda each: addresses.page(number, each))
    yield Page(_gone_page(frame, newest, addresses.permanent(number), "en", where), is_gone=True)


def _gone_page(frame: Frame, edition: PublicEdition, path: str, language: str, where: dict[str, str]) -> File:
    order = [language, *(each for each in LANGUAGES if each != language)]
    said_in = [
        {"code": each, "direction": say_of(each).direction, "name": native_name(each), "w": texts(each),
         "title": edition.text(each).title, "title_language": edition.text(each).language,
         "reason": paragraphs(edition.reasons.get(each, "") or _reason(edition, each)),
         "reason_language": each if edition.reasons.get(each) else "",
         "time": say_of(each).moment(edition.sent)}
        for each in order
    ]  # fmt: skip
    return frame.page(
        path, "cancelled.html", language, title=f"{texts(language)['cancelled']}: {edition.text(language).title}",
        description=texts(language)["is_cancelled"], is_listed=False, alternates=where, said=said_in,
        number=edition.number, sent_at=whole_seconds(edition.sent), fallback=addresses.permanent(edition.number),
        linked_data="", image="",
        list_path=up_from(path) + addresses.listing(language),
    )  # fmt: skip
