"""What public programs ask of a CAP message beyond its schema, and whether its blocks agree (W37). Pure.

The rules are the strictest of CAP 1.2 itself, of the profiles of aggregators (Google Public Alerts, IPAWS, CAP-AU) and
of the World Meteorological Organization's checker, as far as they can hold for a warning of cybercrime.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from .cap import LONGEST_AREA_NAME, LONGEST_HEADLINE, Area, Info, Message

EQUAL = ("urgency", "severity", "certainty", "expires")
"""What a reader of one language must be told as a reader of any other."""
EQUAL_TOO = ("onset", "effective", "categories", "event_codes", "response_types")
LONGEST_EVENT = 34
_NAME = re.compile(r"[^\s,<&]+")
_PAIR = re.compile(r"(-?\d{1,2}(?:\.\d+)?),(-?\d{1,3}(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two blocks that tell their readers different things."""

    field: str
    first: str
    first_value: str
    second: str
    second_value: str

    def __str__(self) -> str:
        return f"{self.field}: {self.first} says {self.first_value}, {self.second} says {self.second_value}"


_ABSOLUTE = re.compile(r"https://\S|http://(?:127\.0\.0\.1|localhost|\[::1\])[:/]")


def disagreements(
    blocks: Iterable[tuple[str, Mapping[str, object]]], names: Sequence[str] = EQUAL
) -> list[Disagreement]:
    """Language and fields of each block, as they came in → where one says something else than the first (W37).

    A field that a block leaves out says nothing; that is not the same as another's value.
    """
    given = list(blocks)
    found = []
    for name in names:
        if not given:
            break
        first, facts = given[0]
        said = _said(facts.get(name))
        for language, others in given[1:]:
            if (other := _said(others.get(name))) != said:
                found.append(Disagreement(name, first, said, language, other))
    return found


def facts_of(info: Info) -> tuple[str, dict[str, object]]:
    """A block as `disagreements` takes it."""
    return info.language, {name: getattr(info, name) for name in (*EQUAL, *EQUAL_TOO)}


def problems(message: Message) -> list[str]:
    """Each rule that the message breaks, in plain words; nothing where it keeps all."""
    return [*_of_message(message), *(each for info in message.infos for each in _of_info(info, message))]


def _of_message(message: Message) -> Iterator[str]:
    for name in ("identifier", "sender"):
        if not _NAME.fullmatch(getattr(message, name)):
            yield f"{name} must have no spaces, commas, < and &"
    if message.scope == "Public" and message.status != "Actual":
        yield f"status {message.status} in a public message"
    if message.scope == "Restricted" and not message.restriction:
        yield "a restricted message must say its restriction"
    if message.message_type in {"Update", "Cancel"} and not message.references:
        yield f"{message.message_type} must refer to the messages before it"
    if message.message_type == "Alert" and message.references:
        yield "Alert refers to earlier messages"
    if any(one >= other for one, other in pairwise([*(each.sent for each in message.references), message.sent])):
        yield "earlier messages must stand in their order, before this one"
    if not message.infos:
        yield "a public message must have a block"
    languages = [info.language for info in message.infos]
    if len(set(languages)) < len(languages):
        yield "a language has two blocks"
    for each in disagreements(map(facts_of, message.infos), (*EQUAL, *EQUAL_TOO)):
        yield f"blocks must agree: {each}"


def _of_info(info: Info, message: Message) -> Iterator[str]:
    where = f"block {info.language}: "
    for name in ("event", "headline", "description", "instruction", "web", "sender_name", "expires", "effective"):
        if not getattr(info, name):
            yield f"{where}{name} is missing"
    if len(info.event) > LONGEST_EVENT:
        yield f"{where}event is longer than {LONGEST_EVENT} characters"
    if len(info.headline) > LONGEST_HEADLINE:
        yield f"{where}headline is longer than {LONGEST_HEADLINE} characters"
    if info.headline and info.headline.casefold() == info.description.casefold():
        yield f"{where}headline and description say the same"
    if "Unknown" in {info.urgency, info.severity, info.certainty}:
        yield f"{where}urgency, severity and certainty must be known"
    if info.expires and info.expires <= message.sent:
        yield f"{where}it is over before it is sent"
    if info.onset and info.expires and info.onset >= info.expires:
        yield f"{where}it is over before it begins"
    if info.web and not is_absolute(info.web):
        yield f"{where}web must be an absolute address of https"
    if "Assess" in info.response_types:
        yield f"{where}responseType Assess is not for the public"
    for resource in info.resources:
        if not is_absolute(resource.uri) or not re.fullmatch(r"[0-9a-f]{40}", resource.digest):
            yield f"{where}resource {resource.description[:40]} needs an address and a SHA-1 digest"
    if not info.areas:
        yield f"{where}area is missing"
    for area in info.areas:
        yield from (f"{where}area {area.description}: {each}" for each in _of_area(area))


def _of_area(area: Area) -> Iterator[str]:
    if not area.description or len(area.description) > LONGEST_AREA_NAME:
        yield f"its name must have 1 to {LONGEST_AREA_NAME} characters"
    if not (area.polygons or area.circles or area.geocodes):
        yield "it needs a polygon, a circle or a geocode"
    for polygon in area.polygons:
        corners = polygon.split(" ")
        if len(corners) < 4 or corners[0] != corners[-1]:
            yield "a polygon must be closed and have at least three corners"
        if not all(map(_is_place, corners)):
            yield "a polygon is written as latitude,longitude latitude,longitude …"
    for circle in area.circles:
        place, _, radius = circle.partition(" ")
        if not _is_place(place) or not re.fullmatch(r"\d+(\.\d+)?", radius) or float(radius) <= 0:
            yield "a circle is written as latitude,longitude radius"


def _is_place(text: str) -> bool:
    found = _PAIR.fullmatch(text)
    return bool(found) and abs(float(found[1])) <= 90 and abs(float(found[2])) <= 180 if found else False


def _said(value: object) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, str) and "T" in value:  # The same moment may be written with another offset.
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, tuple | list):
        return (
            ", ".join("=".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in value) or "nothing"
        )
    return str(value)


def is_absolute(address: str) -> bool:
    """Whether it leads there from anywhere, and over https; but for this very machine, where things are tried out."""
    return _ABSOLUTE.match(address) is not None
