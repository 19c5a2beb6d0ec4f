"""In which fields one handling set allows more than another: what decides who may change it, and how. Pure."""

from __future__ import annotations

from collections.abc import Collection

from tocsin.core.words import Tlp

from .deriving import lets
from .sets import ATTRIBUTIONS, CLASSIFICATIONS, PAP, HandlingSet

_BY_LABEL_ALONE = {Tlp.CLEAR: 3, Tlp.GREEN: 2, Tlp.AMBER: 1}
"""How far a label goes by itself; the narrower ones go to nobody but those who are named."""


def wider_fields(new: HandlingSet, old: HandlingSet, clients: Collection[str] = ()) -> tuple[str, ...]:
    """The fields by which somebody may see, or do, more under the new set than under the old one; `clients` are the
    slugs of the bureaus. None of them: whoever may see it under the new set could under the old one."""
    bureaus = frozenset(clients)
    checks = (
        ("tlp", new.tlp.rank < old.tlp.rank),
        (
            "audience",
            (new.tlp.rank >= old.tlp.rank and _by_label(new) > _by_label(old))
            or not all(lets(old, entry, bureaus) for entry in new.audience),
        ),
        ("exclusions", not set(new.exclusions) >= set(old.exclusions)),
        ("codes", not set(new.codes) >= set(old.codes)),
        ("restrictions", not set(new.restrictions) >= set(old.restrictions)),
        ("pap", PAP.index(new.pap) < PAP.index(old.pap)),
        ("purposes", not set(new.purposes) <= set(old.purposes)),
        ("classification", CLASSIFICATIONS.index(new.classification) < CLASSIFICATIONS.index(old.classification)),
        ("attribution", ATTRIBUTIONS.index(new.attribution) < ATTRIBUTIONS.index(old.attribution)),
        ("retention_months", new.retention_months > old.retention_months),
    )
    return tuple(name for name, is_wider in checks if is_wider)


def _by_label(handling: HandlingSet) -> int:
    is_named = handling.tlp is Tlp.AMBER and bool(handling.audience)
    return 0 if is_named else _BY_LABEL_ALONE.get(handling.tlp, 0)
