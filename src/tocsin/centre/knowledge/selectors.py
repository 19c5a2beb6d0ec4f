"""Finding objects and reading what is kept of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import islice

from django.db.models import QuerySet

from tocsin.lake.objects import Body, Way, bodies_in, body_at, key_of

from .models import Block, Object

Objects = QuerySet[Object]
MOST_REFERENCES = 500
MOST_LINKED = 50
"""In each direction."""


def body_of(thing: Object) -> Body:
    """The bytes of an object as they came, and what was read out of them."""
    block = Block.objects.filter(first__lte=thing.pk).order_by("-first").values_list("first", "body")[0]
    return body_at(bytes(block[1]), thing.pk - block[0])


def bodies_of(things: Iterable[Object]) -> dict[int, Body]:
    """The same for many, by their number: neighbours lie in one block, which is read once."""
    found: dict[int, Body] = {}
    left = sorted(thing.pk for thing in things)
    while left:
        first, body = Block.objects.filter(first__lte=left[-1]).order_by("-first").values_list("first", "body")[0]
        here = left[bisect_left(left, first) :]
        del left[-len(here) :]
        found |= zip(here, bodies_in(bytes(body), [pk - first for pk in here]), strict=True)
    return found


def named(among: Objects, name: str) -> Objects:
    """Those with this name, in any letter case."""
    return among.filter(mentions__key=key_of(Way.NAME, name), name__iexact=name)


def identified(among: Objects, ids: Iterable[str]) -> Objects:
    """Those with these ids, in any version."""
    ids = list(ids)
    return among.filter(mentions__key__in=[key_of(Way.ID, one) for one in ids], object_id__in=ids)


def referring(among: Objects, target: str) -> Objects:
    """Those that refer to this id."""
    return among.filter(mentions__key=key_of(Way.TARGET, target))


def linked(among: Objects, thing: Object, body: Body) -> list[tuple[str, Object]]:
    """Objects that this one refers to or that refer to it, with the name of the relation."""
    outward = {target: relation for relation, target in islice(body.refs, MOST_REFERENCES)}
    pairs = [(outward[each.object_id], each) for each in identified(among, outward)[:MOST_LINKED]]
    for each in referring(among, thing.object_id)[:MOST_LINKED]:
        relation = next((name for name, target in body_of(each).refs if target == thing.object_id), None)
        if relation is not None:
            pairs.append((relation, each))
    return pairs
