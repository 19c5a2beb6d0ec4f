"""Under what stands that which is made of several things (DOMAIN 4.5), and which of them decided. Pure.

Narrower wins in every field: whoever may see what was made may see each of its parents. The order of the parents
changes nothing. Audience and purposes may be wider than a parent says where its source permitted it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from tocsin.core.words import Tlp

from .sets import ATTRIBUTIONS, CLASSIFICATIONS, PAP, PURPOSES, HandlingSet, narrowest

FIELDS = (
    "tlp", "audience", "exclusions", "codes", "restrictions", "pap", "purposes", "classification", "attribution",
    "retention_months",
)  # fmt: skip
ALL_MEMBERS = "all-members"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a source permitted when it was asked."""

    name: str
    """For people: P-2026-0007."""
    entries: frozenset[str] = frozenset()
    """To whom, beyond its label: organisation slugs, `country:FR`, `class:academia`, `all-members`."""
    purposes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Parent:
    """One of the things that something is made of."""

    name: str
    handling: HandlingSet
    grants: tuple[Grant, ...] = ()

    @property
    def purposes(self) -> frozenset[str]:
        """What its source agreed to, at once or when it was asked."""
        return frozenset(self.handling.purposes).union(*(each.purposes for each in self.grants))


@dataclass(frozen=True, slots=True)
class Decision:
    """What came out for one field."""

    field: str
    value: tuple[str, ...]
    """Words of the field; of one that has one word, that."""
    decided_by: tuple[str, ...] = ()
    """Names of the parents without which more would be allowed, in order; empty: they all say the same."""
    permitted_by: tuple[str, ...] = ()
    """Names of the grants that made it wider."""


@dataclass(frozen=True, slots=True)
class Derived:
    """All fields of what was made."""

    decisions: tuple[Decision, ...]
    handling: HandlingSet | None
    """None: the sources agree on no purpose, and it cannot be released."""

    def of(self, field: str) -> Decision:
        """What came out for this field."""
        return next(each for each in self.decisions if each.field == field)


def derive(parents: Collection[Parent], clients: Collection[str] = ()) -> Derived:
    """What holds for something made of these; `clients` are the slugs of the bureaus, who are the Centre's clients.

    Where the parents' audiences have nobody in common, it becomes TLP:AMBER+STRICT for nobody: the Centre keeps it.
    """
    among = sorted(set(parents), key=lambda parent: (parent.name, parent.handling.digest))
    if not among:
        raise ValueError("made of nothing")
    bureaus = frozenset(clients)
    purposes = frozenset.intersection(*(parent.purposes for parent in among))
    label = narrowest(parent.handling.tlp for parent in among)
    audience = _common_audience(among, bureaus, label)
    excluded = _all_of(among, lambda handling: handling.exclusions)
    if audience is None:
        label, named = narrowest((label, Tlp.AMBER_STRICT)), frozenset[str]()
    else:
        named = audience - excluded
        if audience and not named and label.rank >= Tlp.AMBER.rank:
            label = narrowest((label, Tlp.AMBER_STRICT))
    codes = _all_of(among, lambda handling: handling.codes)
    restrictions = tuple(sorted(_all_of(among, lambda handling: handling.restrictions)))
    pap = max((parent.handling.pap for parent in among), key=PAP.index)
    classification = max((parent.handling.classification for parent in among), key=CLASSIFICATIONS.index)
    attribution = max((parent.handling.attribution for parent in among), key=ATTRIBUTIONS.index)
    months = min(parent.handling.retention_months for parent in among)
    values: dict[str, tuple[str, ...]] = {
        "tlp": (label.value,), "audience": tuple(sorted(named)), "exclusions": tuple(sorted(excluded)),
        "codes": tuple(sorted(codes)), "restrictions": restrictions, "pap": (pap,),
        "purposes": tuple(sorted(purposes, key=PURPOSES.index)),
        "classification": (classification,), "attribution": (attribution,), "retention_months": (str(months),),
    }  # fmt: skip
    handling = None
    if purposes:
        handling = HandlingSet(
            tlp=label, audience=values["audience"], exclusions=values["exclusions"], codes=values["codes"],
            restrictions=restrictions, pap=pap, purposes=values["purposes"], classification=classification,
            attribution=attribution, retention_months=months,
        )  # fmt: skip
    return Derived(tuple(_decision(field, values[field], among) for field in FIELDS), handling)


def _all_of(parents: Iterable[Parent], words_of: Callable[[HandlingSet], Iterable[str]]) -> frozenset[str]:
    return frozenset().union(*(words_of(parent.handling) for parent in parents))


def _common_audience(parents: Sequence[Parent], bureaus: frozenset[str], label: Tlp) -> frozenset[str] | None:
    """Whom the label names in what is made (empty: it decides alone); None: the parents have nobody in common."""
    named = _all_of(parents, lambda handling: handling.audience)
    common = frozenset(entry for entry in named if all(lets(parent.handling, entry, bureaus) for parent in parents))
    if label.rank < Tlp.AMBER.rank:
        return common  # Beside what the label lets by itself.
    if any(parent.handling.audience and parent.handling.tlp is label for parent in parents) or label is not Tlp.AMBER:
        return common or None
    return frozenset()


def lets(handling: HandlingSet, entry: str, bureaus: frozenset[str]) -> bool:
    """Whether everybody whom the entry names may have what is under this set, once it is released."""
    if entry in handling.audience or handling.tlp is Tlp.CLEAR:
        return True
    if entry == ALL_MEMBERS or entry in bureaus:
        return handling.tlp is Tlp.GREEN or (handling.tlp is Tlp.AMBER and not handling.audience) or (
            ALL_MEMBERS in handling.audience
        )  # fmt: skip
    return False


def _decision(field: str, value: tuple[str, ...], parents: Sequence[Parent]) -> Decision:
    decided: list[str] = []
    permitted: list[str] = []
    for parent in parents:
        own = _words(parent.handling, field)
        if field == "purposes":
            is_decisive = any(not parent.purposes >= other.purposes for other in parents)
            permitted += [
                grant.name for grant in parent.grants if grant.purposes & set(value) - set(parent.handling.purposes)
            ]
        elif field in {"exclusions", "codes", "restrictions"}:
            is_decisive = bool(own) and any(set(own) - set(_words(other.handling, field)) for other in parents)
        elif field == "audience":
            is_decisive = any(own != _words(other.handling, field) for other in parents) and bool(own)
            permitted += [grant.name for grant in parent.grants if grant.entries]
        else:
            is_decisive = own == value and any(_words(other.handling, field) != value for other in parents)
        if is_decisive:
            decided.append(parent.name)
    return Decision(field, value, tuple(dict.fromkeys(decided)), tuple(sorted(set(permitted))))


def _words(handling: HandlingSet, field: str) -> tuple[str, ...]:
    value = getattr(handling, field)
    return value if isinstance(value, tuple) else (str(value),)
