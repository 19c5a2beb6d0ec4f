"""What an alert rests on: under what that stands, what of it nobody else may read, and what it lets the public read.

It asks the lake and the objects without regard to anybody's own rights, since the alert must not tell its readers of
what its author may not see either. Nothing that is gathered here is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import polars as pl

from tocsin.centre.analysis.lookups import snapshot
from tocsin.centre.intake import lake_keys
from tocsin.centre.intake.models import Batch, Delivery, LakeFile
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import bodies_at
from tocsin.centre.members.models import Organisation
from tocsin.centre.permissions.rules import PUBLIC, day_of
from tocsin.centre.permissions.selectors import grants_for
from tocsin.core.words import VICTIM_LIKE, Kind, Role, Tlp
from tocsin.credentials.content_keys import KeyMissing
from tocsin.handling import Derived, HandlingSet, Parent, default_set, derive, narrowest
from tocsin.handling.leaks import Protected, Secret
from tocsin.handling.sets import PAP, PURPOSES
from tocsin.lake.questions.extract import holdings_of, values_under
from tocsin.lake.questions.lookup import Asked, Sight, lookup
from tocsin.lake.scope import Batches, Scope, Snapshot
from tocsin.products.alerts.draft import Draft
from tocsin.reference import warnings

from .models import Version
from .selectors import content_of

MOST_HOLDERS = 5_000
"""Parts of deliveries, the newest, in which it is looked up exactly where a value stands. Of one that is in more the
index says whether anybody suffered there, over all of them."""
AT_A_TIME = 20_000
"""Protected values that are held as objects at one time, and objects that are read at one time."""
EVERYDAY = frozenset({
    "public-dns", "cdn", "cloud", "top-site", "security-vendor", "sinkhole", "crawler", "scanner", "mail-provider",
    "url-shortener", "empty-hash", "known-file", "certificate-authority", "academic", "bank", "government",
    "common-service", "own-address", "shared-host", "health",
})  # fmt: skip
"""Groups of warning lists that hold what everybody uses: an alert that named it would have half the world blocked."""
PERSONS = frozenset({"individual"})
NAMED_CLASSES = PERSONS | {"organization", "system"}
OWN_WORDS = "the Centre's own label"


@dataclass(frozen=True, slots=True)
class Holding:
    """What is known of one value over all that is held."""

    roles: frozenset[str] = frozenset()
    batches: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Resting:
    """The batches of a version, sorted by how they stand."""

    open: frozenset[int] = frozenset()
    gone: frozenset[int] = frozenset()
    """Recalled or over, and what was taken out of the open ones."""
    narrower: frozenset[int] = frozenset()
    """Others of the same deliveries that reach fewer readers."""
    sets: Mapping[int, HandlingSet] = field(default_factory=dict)
    deliveries: frozenset[int] = frozenset()

    @property
    def all(self) -> frozenset[int]:
        return self.open | self.gone | self.narrower


def batches_of(version: Version) -> list[Batch]:
    """The parts it rests on, whatever became of them."""
    found = Batch.objects.filter(alert_grounds__version=version).select_related(
        "handling_set", "delivery__organisation"
    )
    return list(found.order_by("pk"))


def derived_of(version: Version, at: datetime) -> Derived:
    """What holds for the police edition: of all that it rests on, narrowed by its own label (DOMAIN 4.5).

    An alert that rests on nothing stands under what its label says, and the Centre's own agreement where that is
    silent.
    """
    draft, resting = content_of(version), batches_of(version)
    sets: dict[str, Parent] = {}
    for each in reversed(resting):
        handling = HandlingSet.from_json(each.handling_set.body)
        grants = grants_for(each.delivery, day_of(at)).get(handling.digest, ())
        known = sets.get(handling.digest)
        if known is None or set(grants) != set(known.grants):
            # Two deliveries under one set: what one source permitted does not hold for the other.
            sets[f"{handling.digest}{'+' if known else ''}"] = Parent(
                f"{each.delivery.name} · {each.pk}", handling, grants
            )
    return derive([*sets.values(), _own_words(draft, [each.handling for each in sets.values()])], _bureaus())


def _own_words(draft: Draft, parents: Collection[HandlingSet]) -> Parent:
    """The label that the draft lays down, as one more parent: it can narrow and never widen."""
    if not parents:
        centre = Organisation.objects.filter(is_centre=True).first()
        body = default_set(centre.defaults if centre else {}, None)[0].as_json()
        return Parent(OWN_WORDS, HandlingSet.from_json({**body, "attribution": "may", **draft.label}))
    widest = {
        "tlp": narrowest(each.tlp for each in parents).value, "codes": (), "pap": PAP[0], "purposes": PURPOSES,
        "attribution": "may", "retention_months": 60,
    }  # fmt: skip
    return Parent(
        OWN_WORDS, HandlingSet.from_json({**widest, **{name: each for name, each in draft.label.items() if each}})
    )


def _bureaus() -> set[str]:
    return set(Organisation.objects.filter(is_bureau=True).values_list("slug", flat=True))


def resting_of(version: Version, at: datetime) -> Resting:
    """The version's batches as they stand at that moment, with what is narrower beside them."""
    batches = batches_of(version)
    numbers = {each.pk for each in batches}
    parted = Batch.objects.filter(parted_from__in=numbers).exclude(hidden_at=None).values_list("pk", flat=True)
    closed = {each.pk for each in batches if _is_gone(each, at)}
    sets = {each.pk: HandlingSet.from_json(each.handling_set.body) for each in batches}
    deliveries = {each.delivery_id for each in batches}
    widest = min((each.tlp.rank for number, each in sets.items() if number not in closed), default=0)
    beside = Batch.objects.filter(delivery__in=deliveries).exclude(pk__in=numbers).select_related("handling_set")
    narrower = set()
    for each in beside:
        own = HandlingSet.from_json(each.handling_set.body)
        if own.tlp.rank > widest or own.exclusions or own.audience or own.restrictions:
            narrower.add(each.pk)
    return Resting(
        frozenset(numbers - closed), frozenset(closed | set(parted)), frozenset(narrower - set(parted)), sets,
        frozenset(deliveries),
    )  # fmt: skip


def _is_gone(batch: Batch, at: datetime) -> bool:
    return (batch.hidden_at is not None and batch.hidden_at <= at) or batch.expires_at <= at


def closed_among(version: Version, at: datetime) -> list[int]:
    """Those of its batches that nobody sees any more."""
    return [each.pk for each in batches_of(version) if _is_gone(each, at)]


def protected_values(resting: Resting) -> Iterator[list[Protected]]:
    """Every value of the lake that its texts must not hold, some thousands at a time.

    Who has no known role counts as a victim (DOMAIN 4.9), unless another row of what the alert rests on knows better.
    What attacks is protected as well: it is published as a sign that everybody agreed to, or not at all.
    """
    if not resting.all:
        return
    rows = values_under(snapshot_of(resting.all), Batches(resting.all))
    rows = rows.filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
    known = pl.col("role").is_in([each.value for each in Role if each not in VICTIM_LIKE])
    reasons = rows.group_by("value").agg(
        pl.col("kind").drop_nulls().first(),
        pl.col("role").eq(Role.VICTIM.value).any().alias("suffered"),
        (known & pl.col("batch").is_in(sorted(resting.open))).any().alias("shown"),
        pl.col("role").is_in([each.value for each in VICTIM_LIKE]).all().alias("unknown"),
    )
    why = (
        pl.when(pl.col("suffered") | (pl.col("unknown") & ~pl.col("shown"))).then(pl.lit(Secret.VICTIM.value))
        .when(~pl.col("shown")).then(pl.lit(Secret.RESTRICTED.value))
        .otherwise(pl.lit(Secret.NOT_PUBLISHABLE.value))
    )  # fmt: skip
    for part in reasons.select("value", "kind", why.alias("why")).sort("value").iter_slices(AT_A_TIME):
        yield [Protected(value, Secret(reason), kind_of(kind)) for value, kind, reason in part.iter_rows()]


def is_everyday(kind: Kind, value: str) -> bool:
    return any(each.group in EVERYDAY for each in warnings.explain(kind, value))


def kind_of(word: str | None) -> Kind | None:
    return Kind(word) if word in set(Kind) else None


def snapshot_of(batches: Collection[int]) -> Snapshot:
    """The files that may hold rows of these batches."""
    files = LakeFile.objects.filter(retired_at=None, first_batch__lte=max(batches), last_batch__gte=min(batches))
    return lake_keys.snapshot_of(files.order_by("pk"))


def protected_names(resting: Resting) -> Iterator[list[Protected]]:
    """Whom the objects beside it name: who was attacked, people, makers that are not named, and things of which only
    narrower or recalled parts speak."""
    yield _sources(resting)
    for delivery in sorted(resting.deliveries):
        yield from _identities(delivery, resting)
    closed = resting.gone | resting.narrower
    if closed:
        things = Object.objects.filter(batch__in=closed).exclude(type__in=["relationship", "marking-definition"])
        left = _names(Object.objects.filter(batch__in=resting.open))
        yield [Protected(name, Secret.RESTRICTED) for name in sorted(_names(things) - left)]


def _names(things: Iterable[Object]) -> set[str]:
    return {each.name for each in things if each.name}


def _sources(resting: Resting) -> list[Protected]:
    """Organisations that must not be named: whose handling set says so, and whom one of them excludes."""
    numbers = [number for number, handling in resting.sets.items() if handling.attribution == "must-not"]
    silent = Delivery.objects.filter(batches__in=numbers, organisation__is_centre=False)
    excluded = {entry for handling in resting.sets.values() for entry in handling.exclusions if ":" not in entry}
    others = Organisation.objects.filter(slug__in=excluded, is_centre=False)
    names = {*silent.values_list("organisation__name", flat=True).distinct(), *others.values_list("name", flat=True)}
    return [Protected(name, Secret.SOURCE) for name in sorted(names)]


def _identities(delivery: int, resting: Resting) -> Iterator[list[Protected]]:
    """People, whoever was attacked, and unnamed makers among the objects of a delivery."""
    things = Object.objects.filter(delivery=delivery)
    bonds = things.filter(type="relationship").order_by("pk")
    attacked = {
        str(each.get("target_ref")) for each in _said(bonds) if each.get("relationship_type") == "targets"
    }  # fmt: skip
    is_silent = any(
        each.attribution == "must-not" for number, each in resting.sets.items() if number // 1000 == delivery
    )
    made: list[Protected] = []
    for each in _said(things.filter(type="identity").order_by("pk")):
        name, group = each.get("name"), each.get("identity_class")
        if not isinstance(name, str) or not name.strip():
            continue
        if str(each.get("id")) in attacked and group in NAMED_CLASSES:
            made.append(Protected(name, Secret.VICTIM))
        elif group in PERSONS:
            made.append(Protected(name, Secret.PERSONAL))
        elif is_silent and group in NAMED_CLASSES:
            made.append(Protected(name, Secret.SOURCE))
        if len(made) >= AT_A_TIME:
            yield made
            made = []
    yield made


def _said(things: Any) -> Iterator[dict[str, Any]]:
    """What these objects say, a slab at a time; what is sealed for good says nothing any more."""
    numbers = list(things.values_list("pk", flat=True))
    for first in range(0, len(numbers), AT_A_TIME):
        try:
            bodies = bodies_at(numbers[first : first + AT_A_TIME])
        except KeyMissing:
            continue
        for body in bodies.values():
            try:
                said = orjson.loads(body.raw)
            except orjson.JSONDecodeError:
                continue
            if isinstance(said, dict):
                yield said


def holdings(values: Collection[tuple[Kind, str]]) -> dict[str, Holding]:
    """What all that is held says of these values, whoever handed it over: their roles, and where they stand."""
    files = snapshot()
    if not files.files or not values:
        return {}
    every = Batches(list(Batch.objects.filter(purged_at=None).values_list("pk", flat=True)))
    sight = Sight(Scope(every, all_victims=True))
    holders: set[int] = set()
    suffered: set[str] = set()
    for _kind, value in values:
        found = lookup(files, sight, Asked((value,)), most_rows=0)
        holders |= set(sorted(found.by_batch, reverse=True)[:MOST_HOLDERS])
        if len(found.by_batch) > MOST_HOLDERS and found.by_role.get(Role.VICTIM.value):
            suffered.add(value)
    if not holders:
        return {}
    rows = holdings_of(snapshot_of(holders), Batches(holders), [value for _kind, value in values])
    made: dict[str, Holding] = {}
    for value, batches, roles in (
        rows.group_by("value").agg(pl.col("batch").unique(), pl.col("role").unique()).iter_rows()
    ):
        made[value] = Holding(frozenset(roles), frozenset(batches))
    for value in suffered:
        known = made.get(value, Holding())
        made[value] = Holding(known.roles | {Role.VICTIM.value}, known.batches)
    return made


def agreed_by(batches: Collection[int], at: datetime) -> set[int]:
    """Those of these batches whose source agreed that everybody reads what stands in them, and acts on it freely:
    TLP:CLEAR and PAP:CLEAR, or a permission in force that names the public."""
    found = set()
    listed = Batch.objects.filter(pk__in=list(batches)).alive(at).select_related("handling_set", "delivery")
    for each in listed:
        handling = HandlingSet.from_json(each.handling_set.body)
        if handling.pap != PAP[0] or handling.exclusions:
            continue
        grants = () if handling.tlp is Tlp.CLEAR else grants_for(each.delivery, day_of(at)).get(handling.digest, ())
        if handling.tlp is Tlp.CLEAR or any(PUBLIC in grant.entries for grant in grants):
            found.add(each.pk)
    return found
