"""Thousands of STIX objects at once: decoded together, checked and turned into things and rows column by column.

Only plain objects go this way, those whose every property the typed structures know. The rest is named to the
caller, who looks at it one by one. A test holds both ways together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from operator import methodcaller
from typing import Any

import msgspec
import numpy as np
import polars as pl

from tocsin.core.patterns import single_comparisons
from tocsin.core.reading import LINK_COLUMNS, THING_COLUMNS, Thing, Things
from tocsin.core.words import EventType, Kind
from tocsin.formats._json import blank_colons
from tocsin.formats._stix2_columns import LISTS, Column, unlike, unlike_lists, unlike_own
from tocsin.formats._stix2_fast import AS_TUPLE, MORE, NOT_RELATED, decoders
from tocsin.formats._stix2_rows import FILES, VALUES, RowBatches, first_own, role_of, type_of
from tocsin.formats._stix2_rules import later_or_equal
from tocsin.formats._stix2_tables import SCO_21
from tocsin.formats._stix2_whole import Whole

CHECKED_OBJECTS, COUNTED_OBJECTS = 2_000, 128
"""So few at once that their columns, and their bytes, stay in the memory and the cache of those before."""
NAMES = ("name", "value", "key", "path", "abstract")
Said = tuple[str | None, str, str | None, str | None, str | None, str | None]
"""Marking, searchable words, role, type of event, own label, tags."""
NOTHING_SAID: Said = (None, "", None, None, None, None)


def decoded(raws: list[bytes]) -> list[Any]:
    """Each object in its structure; None for those that the typed decoders do not know."""
    later, earlier = decoders(bare=True)
    try:
        # Nearly always all are of one version, so the first tells it.
        return list(map(later if b'"spec_version"' in raws[0] else earlier, raws))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return [_decoded_one(raw) for raw in raws]


def _decoded_one(raw: bytes) -> Any:
    later, earlier = decoders(bare=True)
    try:
        return later(raw) if b'"spec_version"' in raw else earlier(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


class Group:
    """Good objects of one type: their places among the objects decoded together, and their columns."""

    __slots__ = ("absent", "columns", "items", "places", "structure")

    def __init__(self, structure: Any, places: list[int], items: list[Any]) -> None:
        self.structure, self.places, self.items = structure, places, items
        self.columns: dict[str, Column] = dict(zip(structure.__struct_fields__, zip(*map(AS_TUPLE, items))))
        self.absent = dict.fromkeys(structure.required, 0)
        self.absent |= {name: values.count(None) for name, values in self.columns.items() if name not in self.absent}
        """How many of the objects do not have a property."""

    def without(self, bad: set[int]) -> Group:
        kept = [row for row in range(len(self.places)) if row not in bad]
        return Group(self.structure, [self.places[row] for row in kept], [self.items[row] for row in kept])

    def column(self, name: str) -> Column | None:
        """The values of a property; None where no object has it."""
        return None if self.absent.get(name, len(self.places)) == len(self.places) else self.columns[name]

    def keys(self) -> int:
        """How many keys these objects hold, their type included."""
        nones = sum(self.absent.values())
        phases = self.column("kill_chain_phases") or ()
        return len(self.places) * (len(self.columns) + 1) - nones + 2 * sum(len(some) for some in phases if some)

    def bad_rows(self) -> set[int]:
        """Those that break a rule, or may: of their own properties and between them."""
        structure, columns = self.structure, self.columns
        bad = set(unlike_own(columns["id"], structure.type))
        times = _differing(columns, [name for name, form in structure.checked.items() if form == "time"])
        for name, form in structure.checked.items():
            if self.absent[name] == len(self.places) or (form == "time" and name not in times):
                continue
            if form in LISTS:
                bad |= unlike_lists(columns[name], LISTS[form])
            else:
                bad.update(unlike(columns[name], form))
        if structure.is_21 and structure.type not in SCO_21 and self.absent["spec_version"]:
            bad |= {row for row, value in enumerate(columns["spec_version"]) if value is None}
        created, modified = columns.get("created"), columns.get("modified")
        if modified is not None and modified != created:
            pairs = enumerate(zip(modified, created or ()))
            bad |= {row for row, (late, early) in pairs if late and late != early and not later_or_equal(late, early)}
        more = MORE.get(structure.type)
        if more is not None and self._concerns(structure.type):
            bad |= {row for row, item in enumerate(self.items) if row not in bad and not more(item)}
        return bad

    def _concerns(self, kind: str) -> bool:
        """Whether the rules between properties of this type can be broken at all."""
        if kind == "malware" and self.absent["name"]:
            return True
        if kind == "relationship":
            ends = chain(self.columns["source_ref"], self.columns["target_ref"])
            return self.column("stop_time") is not None or any(map(methodcaller("startswith", NOT_RELATED), ends))
        return kind not in LATER or self.column(LATER[kind]) is not None


LATER = {"indicator": "valid_until", "malware": "last_seen", "threat-actor": "last_seen", "campaign": "last_seen",
         "intrusion-set": "last_seen", "infrastructure": "last_seen"}  # fmt: skip
"""Types of which one only needs to know that the second moment does not come before the first."""


def _differing(columns: dict[str, Column], names: list[str]) -> set[str]:
    """Those of the columns that do not just repeat another: producers give one moment three times."""
    seen: list[Column] = []
    found = set()
    for name in names:
        if columns[name] not in seen:
            seen.append(columns[name])
            found.add(name)
    return found


def _own_keys_only(groups: list[Group], raws: list[bytes]) -> list[Group]:
    """The groups without objects that hold a key twice, or whose keys cannot simply be counted.

    Counting in all the bytes at once suffices nearly always.
    """
    kept = raws
    if sum(len(group.places) for group in groups) < len(raws):
        kept = [raws[place] for group in groups for place in group.places]
    found_keys = 0
    for start in range(0, len(kept), COUNTED_OBJECTS):
        text = np.frombuffer(b",".join(kept[start : start + COUNTED_OBJECTS]), np.uint8)
        before, colons = text[:-1], text[1:] == 58
        found_keys += int(np.count_nonzero(colons & (before == 34)))
        if (colons & (before <= 32)).any():
            break
    else:
        if found_keys == sum(group.keys() for group in groups):
            return groups
    found = []
    for group in groups:
        bad = set()
        for row, (place, item) in enumerate(zip(group.places, group.items)):
            raw = raws[place]
            if raw.count(b'":') != Group(group.structure, [place], [item]).keys() or blank_colons(raw):
                bad.add(row)
        found.append(group.without(bad) if bad else group)
    return found


def checked(raws: list[bytes]) -> list[Group]:
    """The plain ones among these objects that break no rule, patterns aside, by type."""
    items = decoded(raws)
    by_structure: dict[Any, list[int]] = {}
    for place, structure in enumerate(map(type, items)):
        by_structure.setdefault(structure, []).append(place)
    by_structure.pop(type(None), None)
    groups = [
        Group(structure, places, [items[place] for place in places]) for structure, places in by_structure.items()
    ]
    groups = [group.without(bad) if (bad := group.bad_rows()) else group for group in groups]
    groups = _own_keys_only([group for group in groups if group.places], raws)
    return [group for group in groups if group.places]


def surely_valid(raws: list[bytes]) -> np.ndarray:
    """For each object whether nothing more need be looked at: it follows the standard, its pattern included."""
    sure = np.zeros(len(raws), dtype=bool)
    for start in range(0, len(raws), CHECKED_OBJECTS):
        for group in checked(raws[start : start + CHECKED_OBJECTS]):
            places = group.places
            if group.structure.type == "indicator":
                kinds, _ = single_comparisons(group.columns["pattern"])
                told = zip(places, kinds, group.column("pattern_type") or repeat(None))
                places = [place for place, one, language in told if one or language not in {"stix", None}]
            sure[start + np.array(places, np.intp)] = True
    return sure


class Bulk:
    """Things and rows of plain objects as columns."""

    def __init__(self, whole: Whole, batches: RowBatches) -> None:
        self.whole, self.batches = whole, batches
        self.said: dict[tuple[Any, ...], Said] = {}

    def take(self, raws: list[bytes], first: int) -> Gathered:
        """What the plain ones among these objects give; `first` is the position of the first of them."""
        gathered = Gathered()
        for group in checked(raws):
            self._group(group, raws, first, gathered)
        taken = gathered.columns["place"]
        gathered.left = sorted(set(range(len(raws))).difference(taken)) if len(taken) < len(raws) else []
        return gathered

    def _group(self, group: Group, raws: list[bytes], first: int, gathered: Gathered) -> None:
        said = self._words(group)
        kind = group.structure.type
        if kind == "indicator":
            plain, rows = self._indicators(group, first, said)
            if len(plain) < len(group.places):
                group = group.without(set(range(len(group.places))).difference(plain))
                if not group.places:
                    return
                said = self._words(group)
            self.batches.add_frames(rows)
        elif kind in VALUES or (kind == "observed-data" and group.column("objects") is not None):
            for place, item, words in zip(group.places, group.items, said):
                self.batches.seen(item, first + place, words[0])
        gathered.add(group, raws, first, said)

    def _words(self, group: Group) -> list[Said]:
        """What markings, labels, types and aliases say of each object; the same words mean the same."""
        names = ["object_marking_refs", "labels", "aliases"]
        if group.structure.type == "indicator":
            names.append("indicator_types")
        some = [group.column(name) for name in names]
        if not any(some):
            return [NOTHING_SAID] * len(group.places)
        keys = list(zip(*[_tuples(values, len(group.places)) for values in some]))
        if len(self.said) > 10_000:
            self.said.clear()
        for key, item in dict(zip(keys, group.items)).items():
            if key not in self.said:
                self.said[key] = self._say(key, item)
        return [self.said[key] for key in keys]

    def _say(self, key: tuple[Any, ...], item: Any) -> Said:
        words = "\n".join((*(key[1] or ()), *(key[2] or ())))
        role, kind = role_of(item), type_of(item, Kind.OTHER)
        tags = "; ".join(item.labels) if item.labels else None
        said = self.batches.default_role if role is None else role
        kind_said = None if kind is None else str(kind)
        return self.whole.marking_of(item), words, str(said), kind_said, first_own(item.labels), tags

    def _indicators(self, group: Group, first: int, said: list[Said]) -> tuple[list[int], pl.DataFrame]:
        """Which of the indicators state one plain value, and their rows."""
        columns = group.columns
        markings, _, roles, types, own, tags = zip(*said)
        roles = tuple(str(self.batches.default_role) if role is None else role for role in roles)
        names = [name or label for name, label in zip(columns["name"], own)]
        confidence = (
            [None if one is None else str(one) for one in columns["confidence"]] if "confidence" in columns else None
        )
        stix = columns["pattern_type"] if "pattern_type" in columns else ["stix"] * len(names)
        kinds, values = single_comparisons(columns["pattern"])
        text = pl.String
        frame = pl.DataFrame(
            {
                "position": [first + place for place in group.places],
                "first_at": columns["valid_from"], "role": roles, "said": types,
                "label": names, "confidence": confidence or [None] * len(names), "tags": tags, "marking": markings,
                "stix": stix, "at": range(len(names)), "kind": kinds, "value": values,
            },
            schema={
                "position": pl.Int64, "first_at": text, "role": text, "said": text, "label": text,
                "confidence": text, "tags": text, "marking": text, "stix": text, "at": pl.Int64,
                "kind": text, "value": text,
            },
        )  # fmt: skip
        addresses = pl.col("kind").is_in([Kind.IPV4.value, Kind.IPV6.value])
        plain = frame.filter(
            pl.col("kind").is_not_null()
            & (pl.col("stix") == "stix")
            & ~(addresses & pl.col("value").str.contains("/", literal=True))
        )
        plain = self._without_more(plain, group)
        default = self.batches.default_type
        by_kind = (
            pl.when(pl.col("kind").is_in([kind.value for kind in FILES]))
            .then(pl.lit(EventType.MALWARE.value))
            .otherwise(pl.lit(None if default is None else str(default), dtype=text))
        )
        rows = plain.select(
            "position", "first_at", "kind", "value", "role",
            pl.coalesce("said", by_kind).alias("type"), "label", "confidence", "tags", "marking",
        )  # fmt: skip
        return plain["at"].to_list(), rows

    def _without_more(self, frame: pl.DataFrame, group: Group) -> pl.DataFrame:
        """Without those of which more is to be said: phases, what they indicate, their sightings."""
        more = set()
        phases = group.column("kill_chain_phases")
        if phases is not None:
            more |= {row for row, some in enumerate(phases) if some is not None}
        if self.whole.indicates or self.whole.sightings:
            known = self.whole.indicates.keys() | self.whole.sightings.keys()
            more |= {row for row, name in enumerate(group.columns["id"]) if name in known}
        return frame.filter(~pl.col("at").is_in(list(more))) if more else frame


class Gathered:
    """Columns of things and links, in no order until they are all there."""

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {name: [] for name in ("place", *THING_COLUMNS)}
        self.links: tuple[list[int], list[str], list[str]] = ([], [], [])
        self.left: list[int] = []
        """Places of the objects that were not taken."""

    def add(self, group: Group, raws: list[bytes], first: int, said: list[Said]) -> None:
        columns, places, structure, count = group.columns, group.places, group.structure, len(group.places)
        version = group.column("modified") or group.column("created")
        revoked = group.column("revoked")
        new: dict[str, Iterable[Any]] = {
            "place": places,
            "standard": repeat("stix-2.1" if structure.is_21 else "stix-2.0", count),
            "type": repeat(structure.type, count),
            "object_id": columns["id"],
            "version": repeat("", count) if version is None else version,
            "name": _names(group),
            "labels": [words[1] for words in said],
            "pattern": _texts(group, "pattern"),
            "valid_from": _texts(group, "valid_from"),
            "valid_until": _texts(group, "valid_until"),
            "revoked": repeat(False, count) if revoked is None else [one is True for one in revoked],
            "raw": [raws[place] for place in places],
            "position": [first + place for place in places],
            "marking": [words[0] for words in said],
        }
        for name, values in new.items():
            self.columns[name].extend(values)
        self._add_links(group)

    def _add_links(self, group: Group) -> None:
        structure, places, columns = group.structure, group.places, group.columns
        if structure.type == "relationship":
            self._links(places, columns["relationship_type"], columns["target_ref"])
            self._links(places, "source", columns["source_ref"])
            self._links(places, "target", columns["target_ref"])
            one, many = ("created_by_ref",), ("object_marking_refs",)
        else:
            one, many = structure.one, structure.many
        for name in one:
            values = group.column(name)
            if values is not None and None in values:
                pairs = [(place, value) for place, value in zip(places, values) if value is not None]
                self._links([place for place, _ in pairs], name, [value for _, value in pairs])
            elif values is not None:
                self._links(places, name, values)
        for name in many:
            lists = group.column(name)
            if lists is not None:
                pairs = [(place, value) for place, some in zip(places, lists) if some for value in some]
                self._links([place for place, _ in pairs], name, [value for _, value in pairs])

    def _links(self, places: Sequence[int], relations: str | Sequence[str], targets: Sequence[str]) -> None:
        self.links[0].extend(places)
        self.links[1].extend([relations] * len(places) if isinstance(relations, str) else relations)
        self.links[2].extend(targets)

    def add_thing(self, place: int, thing: Thing) -> None:
        """One that was looked at alone."""
        words = "\n".join((*thing.labels, *thing.aliases, *thing.external_ids))
        values = (
            *(place, thing.standard, thing.type, thing.id, thing.version, thing.name, words, thing.pattern),
            *(thing.valid_from, thing.valid_until, thing.revoked, thing.raw, thing.position, thing.marking),
        )
        for column, value in zip(self.columns.values(), values):
            column.append(value)
        self._links([place] * len(thing.refs), [name for name, _ in thing.refs], [target for _, target in thing.refs])

    def things(self) -> Things:
        """All of them in file order."""
        frame = pl.DataFrame(self.columns, schema={"place": pl.Int64, **THING_COLUMNS}).sort("place")
        links = pl.DataFrame(dict(zip(LINK_COLUMNS, self.links)), schema=LINK_COLUMNS)
        links = links.sort("thing", maintain_order=True)
        places = frame["place"].to_numpy()
        rows = pl.Series("thing", np.searchsorted(places, links["thing"].to_numpy()), dtype=pl.Int64)
        return Things(frame.drop("place"), links.with_columns(rows))


def _tuples(values: Column | None, count: int) -> Iterable[Any]:
    if values is None:
        return repeat(None, count)
    return [None if some is None else tuple(some) for some in values] if None in values else map(tuple, values)


def _texts(group: Group, name: str) -> Iterable[str]:
    values = group.column(name)
    if values is None:
        return repeat("", len(group.places))
    return [one or "" for one in values] if None in values else values


def _names(group: Group) -> Iterable[str]:
    """What each object is called, by the first property that says so."""
    some = [values for name in NAMES if (values := group.column(name)) is not None]
    if not some:
        return repeat("", len(group.places))
    if len(some) == 1:
        return [one or "" for one in some[0]]
    return [next(filter(None, each), "") for each in zip(*some)]
