"""The handling set: what a source laid down for what it handed over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

import orjson

from tocsin.core.errors import InputError
from tocsin.core.words import Tlp

HANDLING_CODES = ("H0", "H1", "H2", "H3")  # SIENA handling codes.
PURPOSES = ("PROTECT", "INVESTIGATE", "ANALYSE", "TRAIN")
PAP = ("PAP:CLEAR", "PAP:GREEN", "PAP:AMBER", "PAP:RED")
CLASSIFICATIONS = ("official-use", "restricted", "confidential")
ATTRIBUTIONS = ("may", "must", "must-not")

LONGEST_RESTRICTION = 1_000

OLD_TLP = {"WHITE": Tlp.CLEAR, "AMBER-STRICT": Tlp.AMBER_STRICT, "AMBER_STRICT": Tlp.AMBER_STRICT}


def tlp_of(text: str) -> Tlp | None:
    """The TLP 2.0 label that a text means; TLP 1's WHITE is CLEAR; None when it is no label.

    Source: FIRST TLP 2.0, August 2022; TLP 1 is read, never written.
    """
    word = text.strip().upper().removeprefix("TLP").lstrip(":= _-").replace(" ", "").strip('"')
    if word in OLD_TLP:
        return OLD_TLP[word]
    try:
        return Tlp(f"TLP:{word}")
    except ValueError:
        return None


def narrowest(labels: Iterable[Tlp]) -> Tlp:
    """The most restrictive of some labels; CLEAR when there are none."""
    return max(labels, key=lambda label: label.rank, default=Tlp.CLEAR)


@dataclass(frozen=True, slots=True)
class HandlingSet:
    """Six fields that bind a batch. Compared by content; checked when built; raises InputError."""

    tlp: Tlp = Tlp.AMBER
    audience: tuple[str, ...] = ()
    """Who may have it beyond what the label says: organisation slugs, `country:FR`, `all-members`; empty: by label."""
    exclusions: tuple[str, ...] = ()
    """Who may never have it nor learn that it exists: `country:XC`, `class:private`, organisation slugs. Beats every
    grant, and reaches whatever stands below and whom it seconded."""
    codes: tuple[str, ...] = ("H2",)
    restrictions: tuple[str, ...] = ()
    """What H3 means here, in the source's own words: whoever opens it reads them first. Of several sources each has its
    own."""
    pap: str = "PAP:AMBER"
    purposes: tuple[str, ...] = ("PROTECT",)
    classification: str = "official-use"
    attribution: str = "must-not"
    retention_months: int = 12

    def __post_init__(self) -> None:
        checks = (
            ("codes", set(self.codes) <= set(HANDLING_CODES)),
            ("restrictions", all(each.strip() and len(each) <= LONGEST_RESTRICTION for each in self.restrictions)),
            ("restrictions", not self.restrictions or "H3" in self.codes),
            ("pap", self.pap in PAP),
            ("purposes", bool(self.purposes) and set(self.purposes) <= set(PURPOSES)),
            ("classification", self.classification in CLASSIFICATIONS),
            ("attribution", self.attribution in ATTRIBUTIONS),
            ("retention_months", 0 < self.retention_months <= 60),
            ("audience", not set(self.audience) & set(self.exclusions)),
            # RED and STRICT name their readers: "all members" beside them would contradict the label.
            ("audience", self.tlp.rank < Tlp.AMBER_STRICT.rank or "all-members" not in self.audience),
        )
        for name, holds in checks:
            if not holds:
                raise InputError("invalid-object", field=name, excerpt=str(getattr(self, name)))
        for name in ("audience", "exclusions", "codes", "restrictions", "purposes"):
            object.__setattr__(self, name, tuple(sorted(set(getattr(self, name)))))

    def as_json(self) -> dict[str, object]:
        """Plain values, for storage; `from_json` reads them back. Without a restriction none is named: sets from before
        there were any keep their identity."""
        return {
            name: list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Tlp) else value
            for name in self.__slots__
            if (value := getattr(self, name)) or name != "restrictions"
        }

    @classmethod
    def from_json(cls, body: Mapping[str, object]) -> HandlingSet:
        """The set that `as_json` wrote; unknown names are an error."""
        known = {field.name for field in fields(cls)}
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in body.items()}
        if set(values) - known:
            raise InputError("invalid-object", field=", ".join(sorted(set(values) - known)))
        if "tlp" in values:
            values["tlp"] = Tlp(str(values["tlp"]))
        return cls(**values)  # type: ignore[arg-type]

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON: equal sets are one."""
        return hashlib.sha256(orjson.dumps(self.as_json(), option=orjson.OPT_SORT_KEYS)).hexdigest()


def require_said(handling: HandlingSet) -> None:
    """Raises InputError for what nobody may lay down: H3 without the words that it stands for, which nobody could keep
    to, and a label without any limit (TLP:CLEAR) beside a limit. A file that says CLEAR under an agreement that
    excludes somebody is read all the same: the exclusion holds."""
    if "H3" in handling.codes and not handling.restrictions:
        raise InputError("restriction-missing", field="restrictions")
    if handling.tlp is Tlp.CLEAR:
        limits = {"exclusions": handling.exclusions, "classification": handling.classification != CLASSIFICATIONS[0]}
        for name in (name for name, is_limit in limits.items() if is_limit):
            raise InputError("invalid-object", field=name, excerpt=f"{handling.tlp}, {getattr(handling, name)}")


TOLD_TOGETHER = frozenset({"codes", "restrictions", "tlp", "exclusions", "classification"})
"""Fields of which one may forbid what another says: `require_said` is asked where one of them is laid down."""


def default_set(agreement: Mapping[str, object], stated: Tlp | None) -> tuple[HandlingSet, tuple[str, ...]]:
    """The set for a batch: what it states, else the agreement's defaults, else the house's (DOMAIN 2.4).

    Returns the set and the names of the fields that were filled in by default, to be shown back to the source.
    """
    house = HandlingSet().as_json()
    # The agreement's usual grade stands beside these; it binds nobody, so it is no field of the set.
    body = {**house, **{name: value for name, value in agreement.items() if name != "grade"}}
    applied = [name for name in body if name not in {"exclusions", "audience"}]
    if stated is not None:
        body["tlp"] = str(stated)
        applied.remove("tlp")
    return HandlingSet.from_json(body), tuple(sorted(applied))
