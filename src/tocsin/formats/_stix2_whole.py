"""What one must know of a whole STIX delivery before its objects are read: its markings and what indicates what.

Objects are told apart once, and of each its type alone is looked at: only those that define markings, say what an
indicator indicates, or observe something are read twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from tocsin.core.errors import InputError
from tocsin.core.reading import Heading, Source
from tocsin.core.words import Tlp
from tocsin.formats._json import array_batches, blank_colons, documents
from tocsin.formats._json_outline import OUTLINED_BYTES, outline
from tocsin.formats._stix2_rules import Object

MARKINGS: dict[str, Tlp] = {
    # TLP 1.0, STIX 2.1 section 7.2.1.4; white became CLEAR in TLP 2.0.
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
    # TLP 2.0, extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d.
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": Tlp.CLEAR,
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": Tlp.GREEN,
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": Tlp.AMBER,
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": Tlp.AMBER_STRICT,
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": Tlp.RED,
}
LABEL = re.compile(r"\s*tlp[:_ -]*(white|clear|green|amber\s*[+_ -]?\s*strict|amber|red)(?![a-z0-9])", re.IGNORECASE)
TLP_STARTS = frozenset({"tlp", "TLP", "Tlp"})
CHUNK_BYTES = 4 << 20
KEPT_BYTES, PLAIN_BYTES = 64 << 20, 16 << 20
"""Objects that were told apart are kept of no larger deliveries; of those that tell nothing, of smaller ones."""
KEPT_RELATIONS = 500_000
"""Beyond that many relations in one delivery the rest stays unresolved, to bound memory."""


def label_of(text: object) -> Tlp | None:
    """TLP:X in any spelling, also with words after it as in copyright statements; None when it is none."""
    if type(text) is not str:
        return None
    found = LABEL.match(text)
    if found is None:
        return None
    word = found[1].lower()
    if word.startswith("amber") and "strict" in word:
        return Tlp.AMBER_STRICT
    return Tlp.CLEAR if word == "white" else Tlp[word.upper()]


@dataclass(slots=True)
class Whole:
    """Markings and relations of one delivery."""

    markings: dict[str, Tlp] = field(default_factory=lambda: dict(MARKINGS))
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Malware or actor id → (type, name)."""
    indicates: dict[str, str] = field(default_factory=dict)
    """Indicator id → id of the malware or actor it indicates."""
    observed: dict[str, tuple[str | None, str | None, str | None]] = field(default_factory=dict)
    """Observable id → first and last time it was observed and how often."""
    sightings: dict[str, list[tuple[str | None, str | None, str | None]]] = field(default_factory=dict)
    """Indicator id → first time, last time and count of each of its sightings."""
    blanks: bool = False
    """Whether white space stands before a colon anywhere in the delivery."""
    heading: Heading = field(default_factory=Heading)
    split: list[list[bytes]] = field(default_factory=list)
    """All objects, where they are told apart already and are not too many to be kept."""

    @property
    def is_plain(self) -> bool:
        """Whether all was told apart and nothing has to be known of it."""
        learned = self.names or self.indicates or self.observed or self.sightings or len(self.markings) > len(MARKINGS)
        return bool(self.split) and not (learned or self.blanks)

    def marking_of(self, item: Any) -> str | None:
        """The narrowest known label of a checked object; None when it has none that is known."""
        found = []
        if item.object_marking_refs is not None:
            found = [self.markings[ref] for ref in item.object_marking_refs if ref in self.markings]
        if item.labels is not None:
            for text in item.labels:
                if text[:3] in TLP_STARTS and (label := label_of(text)) is not None:
                    found.append(label)
        if not found:
            return None
        return found[0].value if len(found) == 1 else max(found, key=lambda label: label.rank).value

    def target_of(self, indicator: str) -> tuple[str, str]:
        """(type, name) of what an indicator indicates; empty when nothing is said."""
        return self.names.get(self.indicates.get(indicator, ""), ("", ""))

    def learn_bytes(self, raw: bytes) -> None:
        try:
            self.learn(orjson.loads(raw))
        except orjson.JSONDecodeError:
            return  # The reader reports it.

    def learn(self, item: Any) -> None:
        """Take what is needed from one object; broken objects teach nothing."""
        if type(item) is not dict or type(item.get("id")) is not str:
            return
        kind = item.get("type")
        if kind == "marking-definition":
            label = _defined(item)
            if label is not None:
                self.markings.setdefault(item["id"], label)
        elif kind == "relationship":
            source, target = item.get("source_ref"), item.get("target_ref")
            told = item.get("relationship_type") == "indicates" and len(self.indicates) < KEPT_RELATIONS
            if told and type(source) is str and type(target) is str and source.startswith("indicator--"):
                self.indicates.setdefault(source, target)
        elif kind == "observed-data":
            self._learn_observed(item)
        elif kind == "sighting":
            self._learn_sighting(item)
        elif kind in NAMED and type(item.get("name")) is str and len(self.names) < KEPT_RELATIONS:
            self.names[item["id"]] = (kind, item["name"])

    def _learn_observed(self, item: Object) -> None:
        refs, count = item.get("object_refs"), item.get("number_observed")
        if type(refs) is list and len(self.observed) < KEPT_RELATIONS:
            times = (_text(item.get("first_observed")), _text(item.get("last_observed")), str(count or 1))
            for ref in refs:
                if type(ref) is str:
                    self.observed.setdefault(ref, times)

    def _learn_sighting(self, item: Object) -> None:
        ref = item.get("sighting_of_ref")
        if type(ref) is str and ref.startswith("indicator--") and len(self.sightings) < KEPT_RELATIONS:
            times = (_text(item.get("first_seen")), _text(item.get("last_seen")), str(item.get("count") or 1))
            if times[0] or times[1]:
                self.sightings.setdefault(ref, []).append((times[0] or times[1], times[1], times[2]))


def _text(value: object) -> str | None:
    return value if type(value) is str else None


WORDS = (b'"definition_type"', b'"tlp_2_0"', b'"indicates"', b'"observed-data"', b'"sighting"')
"""One of them stands in every object that others have to know, those that are NAMED aside."""
NAMED = frozenset({"malware", "tool", "threat-actor", "intrusion-set", "campaign"})
NAMED_BYTES = tuple(f'"{name}"'.encode() for name in sorted(NAMED))


def _defined(item: Object) -> Tlp | None:
    """The label that a marking definition stands for."""
    content = item.get("definition")
    texts: list[object] = [item.get("name"), item.get("definition_type")]
    if type(content) is dict:
        tlp = content.get("tlp")
        texts = [f"tlp:{tlp}" if tlp else None, content.get("statement"), *texts]
    extensions = item.get("extensions")
    if type(extensions) is dict:
        for part in extensions.values():
            if type(part) is dict and "tlp_2_0" in part:
                texts.insert(0, f"tlp:{part['tlp_2_0']}")
    return next((label for text in texts if (label := label_of(text)) is not None), None)


class _Head(msgspec.Struct):
    """What of an object tells whether others have to know it."""

    type: str = ""
    id: str | None = None
    name: str | None = None
    relationship_type: str = ""


_HEAD = msgspec.json.Decoder(_Head).decode
_LEARNED = frozenset({"observed-data", "sighting"})
_BY_WORDS = {"marking-definition": WORDS[:2], None: (*WORDS, *NAMED_BYTES)}
"""Of which types, None being what has no head, only those tell in which one of the words stands."""


def look_over(source: Source) -> Whole:
    """Read a delivery once over and learn what its objects need to know of one another."""
    whole = Whole()
    with source.open() as stream:
        seen = outline(stream.read(OUTLINED_BYTES))
    if seen.kind == "object" and "objects" not in seen.keys and "id" in seen.keys:
        _look_for_words(source, whole)
        return whole
    with source.open() as stream:
        tail = b""
        while not whole.blanks and (chunk := stream.read(CHUNK_BYTES)):
            whole.blanks = blank_colons(tail + chunk)
            tail = chunk[-1:]
    held, is_kept, is_telling = 0, source.size_bytes <= KEPT_BYTES, False
    try:
        with source.open() as stream:
            for raws in array_batches(stream, "objects"):
                is_telling = _learn_by_heads(raws, whole) or is_telling
                if is_kept:
                    whole.split.append(raws)
                    held += sum(map(len, raws))
                if is_kept and held > PLAIN_BYTES and not is_telling:
                    whole.split, is_kept = [], False
    except InputError:
        whole.split = []  # The reader meets the same fault and reports it.
    if not whole.indicates:
        whole.names.clear()  # Nobody asks.
    return whole


def _learn_by_heads(raws: list[bytes], whole: Whole) -> bool:
    """Learn from the objects whose head tells that something is to be learned; where there is none, from words. Whether
    there was any."""
    try:
        heads: list[_Head | None] = list(map(_HEAD, raws))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        heads = [_head_of(raw) for raw in raws]
    is_telling = False
    for raw, head in zip(raws, heads):
        kind = None if head is None else head.type
        if head is not None and kind in NAMED:
            if head.id is not None and head.name is not None and len(whole.names) < KEPT_RELATIONS:
                whole.names[head.id] = (head.type, head.name)
        elif (
            kind in _LEARNED
            or (head is not None and head.relationship_type == "indicates")
            or (kind in _BY_WORDS and any(word in raw for word in _BY_WORDS[kind]))
        ):
            whole.learn_bytes(raw)
            is_telling = True
    return is_telling


def _head_of(raw: bytes) -> _Head | None:
    try:
        return _HEAD(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _look_for_words(source: Source, whole: Whole) -> None:
    """The same for objects that stand one after the other: they are told apart only where a telling word occurs."""
    wanted = _wanted(source, whole)
    if not wanted:
        return
    wanted += NAMED_BYTES if b'"indicates"' in wanted else ()
    try:
        with source.open() as stream:
            for _, raw in documents(stream):
                if any(word in raw for word in wanted):
                    whole.learn_bytes(raw)
    except InputError:
        return  # The reader meets the same fault and reports it.


def _wanted(source: Source, whole: Whole) -> tuple[bytes, ...]:
    """Which of the telling words occur anywhere in the delivery; notes whether blanks stand before colons."""
    found: set[bytes] = set()
    tail = b""
    with source.open() as stream:
        while chunk := stream.read(CHUNK_BYTES):
            text = tail + chunk
            whole.blanks = whole.blanks or blank_colons(text)
            found |= {word for word in WORDS if word not in found and word in text}
            tail = chunk[-32:]
    return tuple(word for word in WORDS if word in found)
