"""What type of data a delivery holds, and whether its source's agreement covers that.

What somebody sends is known once it is read. So that nothing of another type is ever used, this is asked between
reading and commit, for every door alike: what is not agreed on is set aside whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tocsin.centre.members import agreements
from tocsin.core.words import VICTIM_LIKE, Role

from .models import Delivery
from .reading import parts_of

REASON = "data-type-not-agreed"
NOT_ASKED = "data-types"
"""Stands among `Delivery.passes` where this is not asked."""
BY_FORMAT = {"goaml": "referrals", "csaf": "vulnerabilities"}
"""Formats that hold one type of data whatever is in them."""
BY_OBJECT = {"malware-analysis": "malware", "vulnerability": "vulnerabilities"}
"""Types of objects that are more than the context of an indicator, when a delivery holds nothing else."""
_AFFECTED = {role.value for role in VICTIM_LIKE} - {Role.UNKNOWN.value}


def types_of(outcome: dict[str, Any], work: Path) -> set[str]:
    """Words of `agreement_states.DATA_TYPES` for what a reading made of a delivery."""
    if outcome["format"] in BY_FORMAT:
        return {BY_FORMAT[outcome["format"]]}
    if "roles" in outcome:  # Read together with others: its parts are theirs, too.
        roles, objects = set(outcome["roles"]), set(outcome["kinds"])
    else:
        roles = {role for frame in parts_of(outcome, "tallies", work) for role in frame["role"].unique()}
        objects = {kind for frame in parts_of(outcome, "things", work) for kind in frame["type"].unique()}
    found = set()
    if roles & _AFFECTED:
        found.add("victim-data")
    if roles - _AFFECTED or (objects - BY_OBJECT.keys()):
        found.add("indicators")
    if not found:
        found.update(BY_OBJECT[kind] for kind in objects)
    if "malware-analysis" in objects:
        found.add("malware")
    if outcome["documents"] or outcome["proposals"]:
        found.add("analysis")
    return found


def not_agreed(delivery: Delivery, outcome: dict[str, Any], work: Path) -> list[str]:
    """The types of data in it that its source's agreement does not list; empty: it may be used.

    What the Centre draws from an earlier delivery was looked at when that one came.
    """
    if NOT_ASKED in delivery.passes:
        return []
    agreed = agreements.data_types_of(delivery.organisation, delivery.received_at)
    if not agreed:
        return []
    return sorted(types_of(outcome, work) - agreed)
