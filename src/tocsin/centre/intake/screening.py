"""What the gate of articles 2 and 3 looks at in a delivery: that in which people write. Runs in the sandbox.

Titles, names, descriptions, remarks, tags and the text of documents are looked at, and what is stated as sector, type
or offence. Values are not: a host name is no prose, and a feed of a million rows is not held for one.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Any

import orjson
import polars as pl

from tocsin.core.reading import Heading, Proposal, Rows, Thing, Things
from tocsin.handling import triggers
from tocsin.handling.triggers import Found

FINDS_OF_TRIGGER = 8
"""So many places of a trigger are kept for the officer; the first alone decides."""
PROSE_COLUMNS = ("note", "tags", "label", "offence", "type", "actor", "malware")
PROSE_KEYS = frozenset(
    {
        "abstract", "comment", "comments", "content", "description", "short_description", "explanation", "goals",
        "info", "name", "objective", "opinion", "statement", "summary", "title", "text", "primary_motivation",
        "secondary_motivations", "motivations", "resource_level", "notes", "note", "message", "subject", "msg",
        "details",
    }
)  # fmt: skip
SECTOR_KEYS = frozenset(
    {"sectors", "sector", "targeted-sector", "targeted_sectors", "target-category", "cfr-target-category",
     "suspected-victims", "cfr-type-of-incident", "cfr-suspected-state-sponsor"}
)  # fmt: skip
"""Keys of objects that say whom somebody aimed at, whatever the value."""
OBJECT_KEYS = (
    "first-name", "first_name", "last-name", "last_name", "full-name", "full_name", "surname", "cardholder",
    "passport", "individual", "national-id", "national_id", "card-number", "card_number", "iban", "customer", "victim",
)  # fmt: skip
"""What stands in an object that may hold somebody's data."""
TEXT_TYPES = frozenset({"text", "comment", "other", "campaign-name", "target-org", "target-location", "threat-actor"})
"""Types of a MISP attribute whose value people write."""
SECTOR_TAG = re.compile(r"(?i)(?:sector|target)[^=:]*[=:]")
XML_PROSE = re.compile(rb"(?is)<(?:\w+:)?(?:title|description|short_description|name|comment)\b[^>]*>(.*?)</")
XML_MARK = re.compile(r"<[^>]*>")
MACHINE_FORMATS = frozenset({"shadowserver", "zeek", "n6", "idea", "idmef", "intelmq", "cleanmx", "arff"})
OFFENCE_KEY = re.compile(r"(?i)offen[cs]e|crime|charge|infraction|d[eé]l(?:it|ito)|جريم|تهم")
NOT_WRITTEN = frozenset({"external_references", "references", "refs", "Galaxy", "GalaxyCluster"})
"""Parts of an object that quote others: a bibliography says nothing of what was handed over."""
_TOLD = PROSE_KEYS | SECTOR_KEYS
DEPTH_MOST = 60
TEXT_LETTERS = 2_000_000
SHORT_LETTERS = 200
REMEMBERED_MOST = 50_000
"""Short texts that were looked at already: feeds repeat them."""


class Screening:
    """Takes what readers yield, before it is used, and remembers where triggers stand."""

    def __init__(self) -> None:
        self.is_machine = False
        """Whether what is read is the table of a machine, whose further columns hold no sentences of people."""
        self.found: dict[str, list[Found]] = {}
        self.full: set[str] = set()
        """Triggers of which enough was found."""
        self.done: set[tuple[str, str]] = set()

    def look(self, item: object, worth: pl.DataFrame | None = None) -> None:
        """Look at one item of a reader; `worth` is `worth_a_look` of its objects where somebody asked before."""
        match item:
            case Rows():
                self._columns(item.frame)
            case Thing():
                self._text("name", item.name)
                for label in (*item.labels, *item.aliases):
                    self._tag(label)
                self._body(item.raw)
            case Things():
                self._objects(item.frame, worth_a_look(item.frame) if worth is None else worth)
            case Heading():
                self._text("title", item.title)
                self._text("text", item.text)
            case Proposal():
                self._text("text", item.context)

    @property
    def finds(self) -> list[dict[str, Any]]:
        """Plain values, in the order of the triggers."""
        return [dataclasses.asdict(each) for trigger in sorted(self.found) for each in self.found[trigger]]

    def _columns(self, frame: pl.DataFrame) -> None:
        for name in PROSE_COLUMNS:
            if name not in frame.columns or frame.schema[name] != pl.String:
                continue
            texts = frame[name].drop_nulls().unique(maintain_order=True)
            if name == "tags":
                for text in texts.filter(texts.str.contains(SECTOR_TAG.pattern)):
                    for tag in text.split("; "):
                        self._tag(tag)
            if name == "type":
                for text in texts.head(1000):
                    self.keep(triggers.triggers_of_type(text.strip().lower(), name))
            for text in _promising(texts):
                self._text(name, text)
        if "extra" in frame.columns and not self.is_machine:
            self._extra(frame["extra"].drop_nulls())

    def _extra(self, texts: pl.Series) -> None:
        """Columns that have no place of their own: what reads as a sentence, and what names an offence."""
        for text in _promising(texts):
            try:
                facts = orjson.loads(text)
            except ValueError:
                continue
            for key, value in facts.items() if isinstance(facts, dict) else ():
                if isinstance(value, str) and (" " in value.strip() or OFFENCE_KEY.search(key)):
                    self._text(key, value)

    def _objects(self, frame: pl.DataFrame, worth: pl.DataFrame) -> None:
        for text in _promising(frame["name"].drop_nulls().unique(maintain_order=True)):
            self._text("name", text)
        labels = frame["labels"].drop_nulls().unique(maintain_order=True)
        tags = labels.str.split("\n").explode().drop_nulls().unique(maintain_order=True)
        for tag in tags.filter(tags.str.contains(SECTOR_TAG.pattern)):
            self._tag(tag)
        for tag in _promising(tags):
            self._tag(tag)
        bodies = worth["raw"]
        stated = bodies.str.contains_any([f'"{key}"' for key in sorted(SECTOR_KEYS)])
        for body in bodies.filter(stated | _is_promising(bodies)):
            self._body(body.encode())

    def _body(self, raw: bytes) -> None:
        """The written parts of an object: of JSON by their keys, of XML by their elements."""
        if raw[:1] == b"<":
            for part in XML_PROSE.findall(raw):
                self._text("description", XML_MARK.sub(" ", part.decode("utf-8", "replace")))
            return
        written = _written(json_of(raw))
        for key, text, is_sector in written:
            if is_sector:
                self.keep(triggers.triggers_of_sector(text, key))
        prose = [(key, text) for key, text, is_sector in written if not is_sector]
        for number in triggers.promising([text for _key, text in prose]):
            self._text(*prose[number])

    def _tag(self, tag: str) -> None:
        if SECTOR_TAG.match(tag) or SECTOR_TAG.search(tag.partition("=")[0] + "="):
            value = tag.rpartition("=")[2] if "=" in tag else tag.rpartition(":")[2]
            self.keep(triggers.triggers_of_sector(value.strip('" '), "tag"))
        self._text("tag", tag)

    def _text(self, field: str, text: str) -> None:
        text = text[:TEXT_LETTERS]
        if (field, text) in self.done:
            return
        if len(text) <= SHORT_LETTERS:
            if len(self.done) >= REMEMBERED_MOST:
                self.done.clear()
            self.done.add((field, text))
        self.keep(triggers.triggers_in(text, field, self.full))

    def keep(self, found: Iterable[Found]) -> None:
        """Remember places, as far as there are not enough of their trigger."""
        for each in found:
            kept = self.found.setdefault(each.trigger, [])
            if len(kept) < FINDS_OF_TRIGGER and each not in kept:
                kept.append(each)
            if len(kept) >= FINDS_OF_TRIGGER:
                self.full.add(each.trigger)


@lru_cache(maxsize=1)
def json_of(raw: bytes) -> Any:
    """What an object's bytes say; None where they are no JSON. One object passes several who look at it, one by one."""
    try:
        return orjson.loads(raw)
    except ValueError:
        return None


def worth_a_look(frame: pl.DataFrame) -> pl.DataFrame:
    """`marking` and `raw` (as text) of the objects in which there may be a trigger or somebody's data.

    One pass over all bodies for both: each costs as much as all else that is looked at in them.
    """
    bodies = frame.select("marking", pl.col("raw").cast(pl.String, strict=False)).drop_nulls("raw")
    return bodies.filter(pl.col("raw").str.contains(_worth()))


@cache
def _worth() -> str:
    stated = "|".join(f'"{re.escape(key)}"' for key in sorted(SECTOR_KEYS))
    return rf"{_promise()}|{stated}|(?i-u:{'|'.join(map(re.escape, OBJECT_KEYS))})"


def _is_promising(texts: pl.Series) -> pl.Series:
    """Whether anything can be found: plain letters hold a core, others are looked at one by one."""
    return texts.str.contains(_promise())


@cache
def _promise() -> str:
    """One expression for all cores: a pass of its own for each question costs more than what it is asked for."""
    cores = "|".join(re.escape(core) for core in triggers.cores() if core.isascii())
    return rf"(?i-u:{cores})|[^\x00-\x7f]|\\u"


def _promising(texts: pl.Series) -> Iterator[str]:
    yield from texts.filter(_is_promising(texts))


def _written(body: Any) -> list[tuple[str, str, bool]]:
    """(key, text, whether it names a sector) for what people write in an object, however deep."""
    found: list[tuple[str, str, bool]] = []
    _gather(body, "", found, 0)
    return found


def _gather(body: Any, key: str, found: list[tuple[str, str, bool]], depth: int) -> None:
    # Most texts of an object stand under keys that nobody writes prose in: those cost a look at their key alone.
    if depth > DEPTH_MOST:
        return
    if isinstance(body, dict):
        kind, value = body.get("type"), body.get("value")
        if isinstance(kind, str) and kind in TEXT_TYPES and isinstance(value, str):
            found.append(("value", value, False))
        for name, inner in body.items():
            if name in NOT_WRITTEN:
                continue
            if isinstance(inner, dict | list) or (name in _TOLD and isinstance(inner, str)):
                _gather(inner, name, found, depth + 1)
    elif isinstance(body, list):
        for inner in body:
            _gather(inner, key, found, depth + 1)
    elif isinstance(body, str) and body and key in _TOLD:
        found.append((key, body, key in SECTOR_KEYS))
