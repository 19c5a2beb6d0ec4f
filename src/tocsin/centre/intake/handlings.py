"""Under which handling set a part of a delivery comes: what was said of it, inside and outside, and what was agreed."""

from __future__ import annotations

from typing import Any

from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet as Handling
from tocsin.handling import default_set, narrowest, tlp_of

from .models import Delivery


def handling_of(delivery: Delivery, outcome: dict[str, Any], marking: str | None) -> tuple[Handling, tuple[str, ...]]:
    """What holds for the part of a delivery that bears this label, and the names of the defaults in it."""
    if delivery.under is not None:
        return Handling.from_json(delivery.under.body), ()
    profile_label = tlp_of(str(delivery.profile.get("marking", "")))
    stated = tlp_of(marking or "") or _label_of(delivery, outcome, profile_label) or profile_label
    said = {**delivery.organisation.defaults, **delivery.stated_handling}
    handling, by_default = default_set(said, stated)
    least = tlp_of(delivery.least_marking)
    if least is not None and least.rank > handling.tlp.rank:
        return default_set(said, least)
    return handling, by_default


def _label_of(delivery: Delivery, outcome: dict[str, Any], profile_label: Tlp | None) -> Tlp | None:
    """The label of what bears none itself: of what was said when it was handed over and what its files say, the
    narrower. A file that says nothing has what would hold without the others."""
    stated, in_files = tlp_of(delivery.stated_marking or ""), tlp_of(outcome["marking"] or "")
    if in_files is None:
        return stated
    unsaid = stated or default_set(delivery.organisation.defaults, profile_label)[0].tlp
    return narrowest([in_files, *([unsaid] if stated or outcome["is_partly_labelled"] else [])])
