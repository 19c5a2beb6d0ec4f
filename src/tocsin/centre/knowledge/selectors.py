"""Finding objects and reading what is kept of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable
from contextlib import suppress
from itertools import islice
from typing import Any

import orjson
from django.db import connection
from django.db.models import Q, QuerySet

from tocsin.centre.intake import vault
from tocsin.centre.intake.models import Delivery
from tocsin.credentials.content_keys import DataKey, KeyMissing
from tocsin.lake.objects import Body, Way, bodies_in, body_at, key_of

from .models import OBJECTS_IN_DELIVERY, STIX, Block, Copied, Object, Typed

Objects = QuerySet[Object]
IS_SEALED = Q(head__isnull=False)
FINDER = "mentions"
"""What the key is about that makes the keys of sealed objects."""
MOST_REFERENCES = 500
MOST_LINKED = 50
"""In each direction."""


def body_of(thing: Object) -> Body:
    """The bytes of an object as they came, and what was read out of them. Raises KeyMissing where it is sealed for good
    or its key is not here."""
    block = Block.objects.filter(first__lte=thing.pk).order_by("-first").values_list("first", "body")[0]
    return body_at(vault.opened(bytes(block[1]), "block"), thing.pk - block[0])


def sealed_key(finder: DataKey, key: int) -> int:
    """The key of a mention of something sealed: who has the database alone cannot try texts."""
    return finder.token(key.to_bytes(8, "little", signed=True))


def _keys(way: Way, texts: Iterable[str]) -> list[int]:
    """All keys under which something with one of these texts is entered."""
    keys = [key_of(way, text) for text in texts]
    finder = vault.known(FINDER)
    return keys if finder is None else keys + [sealed_key(finder, key) for key in keys]


def bodies_of(things: Iterable[Object]) -> dict[int, Body]:
    """The same for many, by their number."""
    return bodies_at(thing.pk for thing in things)


def bodies_at(numbers: Iterable[int]) -> dict[int, Body]:
    """The bodies of the objects with these numbers: neighbours lie in one block, which is read once."""
    found: dict[int, Body] = {}
    left = sorted(numbers)
    while left:
        first, body = Block.objects.filter(first__lte=left[-1]).order_by("-first").values_list("first", "body")[0]
        here = left[bisect_left(left, first) :]
        del left[-len(here) :]
        found |= zip(here, bodies_in(vault.opened(bytes(body), "block"), [pk - first for pk in here]), strict=True)
    return found


def places_of_types(types: Iterable[str], deliveries: Collection[int]) -> list[int]:
    """Where in these deliveries objects of these types lie, as `Typed.places`, ascending."""
    of = "(SELECT value FROM json_each(%s))"
    asked: Any = orjson.dumps(list(deliveries)).decode()
    if connection.vendor == "postgresql":
        of, asked = "(SELECT unnest(%s::bigint[]) AS value)", list(deliveries)
    each = OBJECTS_IN_DELIVERY // Typed.PLACES
    found: list[int] = []
    for kind in sorted(types):
        with connection.cursor() as cursor:
            cursor.execute(
                # In this order, which SQLite keeps to: the index is asked for each delivery.
                f"SELECT t.places FROM {of} d CROSS JOIN knowledge_typed t WHERE t.type = %s"  # noqa: S608 - no input.
                f" AND t.places >= d.value * {each} AND t.places < (d.value + 1) * {each}",
                [asked, kind],
            )
            found += [places for (places,) in cursor.fetchall()]
    return sorted(set(found))


def named(among: Objects, name: str) -> Objects:
    """Those with this name, in any letter case."""
    # Of a sealed object the database has no text to compare: the key it is found by says enough.
    return among.filter(IS_SEALED | Q(name__iexact=name), mentions__key__in=_keys(Way.NAME, [name]))


def identified(among: Objects, ids: Iterable[str]) -> Objects:
    """Those with these ids, in any version."""
    ids = list(ids)
    return among.filter(IS_SEALED | Q(object_id__in=ids), mentions__key__in=_keys(Way.ID, ids))


def may_have_namesakes(delivery: Delivery) -> bool:
    """Whether some object of a delivery may have the id of another one. Of STIX 2.1 it is known; of what is older
    nobody kept it."""
    first = delivery.pk * OBJECTS_IN_DELIVERY
    within = {"gte": first, "lt": first + OBJECTS_IN_DELIVERY}
    if Copied.objects.filter(**{f"number__{end}": number for end, number in within.items()}).exists():
        return True
    every = Object.objects.filter(**{f"pk__{end}": number for end, number in within.items()})
    return every.exclude(standard=STIX).exists()


def referring(among: Objects, target: str) -> Objects:
    """Those that refer to this id."""
    return among.filter(mentions__key__in=_keys(Way.TARGET, [target]))


def _first_referring(among: Objects, target: str) -> list[Object]:
    """The first that refer to this id. Of one key after the other: their index has them in order, and a million more
    need not be looked at."""
    found: dict[int, Object] = {}
    for key in _keys(Way.TARGET, [target]):
        found.update(
            (each.pk, each) for each in among.filter(mentions__key=key).order_by("mentions__object_id")[:MOST_LINKED]
        )
    return [found[number] for number in sorted(found)[:MOST_LINKED]]


def linked(among: Objects, thing: Object, body: Body) -> list[tuple[str, Object]]:
    """Objects that this one refers to or that refer to it, with the name of the relation."""
    outward = {target: relation for relation, target in islice(body.refs, MOST_REFERENCES)}
    found = identified(among, outward).order_by("pk")[:MOST_LINKED]
    pairs = [(outward[each.object_id], each) for each in found if each.object_id in outward]
    for each in _first_referring(among, thing.object_id):
        with suppress(KeyMissing):
            relation = next((name for name, target in body_of(each).refs if target == thing.object_id), None)
            if relation is not None:
                pairs.append((relation, each))
    return pairs
