"""Draft observations out of STIX objects: indicators with plain patterns, observables, observed data, sightings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from tocsin.core.grading import EXTENSION, grade_in_stix, tags_of
from tocsin.core.patterns import Comparison, hash_kind
from tocsin.core.profiles import Profile
from tocsin.core.reading import Rows, draft_frame
from tocsin.core.words import EventType, Kind, Role, Unit
from tocsin.formats._stix2_fast import View
from tocsin.formats._stix2_rules import Object
from tocsin.formats._stix2_whole import Whole

BATCH_ROWS = 40_000
COLUMNS = (
    "position", "first_at", "last_at", "count", "kind", "value", "role", "type", "malware", "actor", "label",
    "confidence", "port", "protocol", "peer", "peer_port", "tags", "note",
)  # fmt: skip

VALUES: dict[str, tuple[str, Kind]] = {
    "ipv4-addr": ("value", Kind.IPV4),
    "ipv6-addr": ("value", Kind.IPV6),
    "domain-name": ("value", Kind.DOMAIN),
    "url": ("value", Kind.URL),
    "email-addr": ("value", Kind.EMAIL),
    "mac-addr": ("value", Kind.MAC),
    "mutex": ("name", Kind.MUTEX),
    "autonomous-system": ("number", Kind.ASN),
    "windows-registry-key": ("key", Kind.REGISTRY_KEY),
    "hostname": ("value", Kind.DOMAIN),
    "cryptocurrency-wallet": ("value", Kind.WALLET),
    "phone-number": ("value", Kind.PHONE),
    "user-agent": ("value", Kind.USER_AGENT),
    "bank-account": ("iban", Kind.IBAN),
    "payment-card": ("card_number", Kind.CARD),
}
HASHED = {"file": None, "artifact": None, "x509-certificate": Kind.CERTIFICATE}

ROLES: dict[str, Role] = {
    # Benign, anomalous and anonymising values accuse nobody: unknown is the careful reading.
    "compromised": Role.COMPROMISED_THIRD_PARTY,
    "benign": Role.UNKNOWN,
    "anonymization": Role.UNKNOWN,
    "anomalous-activity": Role.UNKNOWN,
    "malicious-activity": Role.ATTACKER_INFRA,
    "attribution": Role.ATTACKER_INFRA,
}
"""Words of the indicator type vocabulary; where several are given, the first of this order that is given counts."""
ROLE_ORDER = ("compromised", "malicious-activity", "attribution", "benign", "anonymization", "anomalous-activity")

TYPES: dict[str, EventType] = {
    "c2": EventType.C2_SERVER,
    "c&c": EventType.C2_SERVER,
    "command-and-control": EventType.C2_SERVER,
    "command and control": EventType.C2_SERVER,
    "botnet-cc": EventType.C2_SERVER,
    "c2-server": EventType.C2_SERVER,
    "phishing": EventType.PHISHING,
    "malware-distribution": EventType.MALWARE_DISTRIBUTION,
    "payload-delivery": EventType.MALWARE_DISTRIBUTION,
    "exploit-kit": EventType.MALWARE_DISTRIBUTION,
    "scanner": EventType.SCANNER,
    "scanning": EventType.SCANNER,
    "brute-force": EventType.BRUTE_FORCE,
    "bruteforce": EventType.BRUTE_FORCE,
    "ddos": EventType.DDOS,
    "spam": EventType.SPAM,
    "scam": EventType.MASQUERADE,
    "exploit": EventType.EXPLOIT,
    "exfiltration": EventType.DATA_LEAK,
}
FILES = frozenset({Kind.MD5, Kind.SHA1, Kind.SHA224, Kind.SHA256, Kind.SHA384, Kind.SHA512, Kind.SSDEEP, Kind.TLSH})
Row = tuple[object, ...]
Times = tuple[str | None, str | None, str | None]


def role_of(item: Any) -> Role | None:
    """Role by the indicator types (2.1) or labels (2.0); None where they say nothing."""
    said = item.indicator_types or item.labels
    if said is not None:
        if len(said) == 1:
            return ROLES.get(said[0])
        for word in ROLE_ORDER:
            if word in said:
                return ROLES[word]
    return None


def type_of(item: Any, kind: Kind) -> EventType | None:
    """Type of event by labels, types and kill-chain phases, where they are clear."""
    for said in (item.labels, item.indicator_types):
        if said is not None:
            for word in said:
                found = TYPES.get(word) or TYPES.get(word.lower())
                if found is not None:
                    return found
    if item.kill_chain_phases is not None and kind not in FILES:
        for phase in item.kill_chain_phases:
            if phase["phase_name"] in PHASES:
                return PHASES[phase["phase_name"]]
    return EventType.MALWARE if kind in FILES else None


PHASES = {
    "command-and-control": EventType.C2_SERVER,
    "c2": EventType.C2_SERVER,
    "delivery": EventType.MALWARE_DISTRIBUTION,
}


class RowBatches:
    """Rows gathered by their marking, handed out by the ten thousand."""

    __slots__ = ("by_marking", "count", "default_role", "default_type", "frames", "full", "whole")

    def __init__(self, whole: Whole, profile: Profile) -> None:
        self.whole = whole
        self.default_role: str = profile.defaults.get("role", Role.ATTACKER_INFRA)
        self.default_type = profile.defaults.get("type")
        self.by_marking: dict[str | None, list[Row]] = {}
        self.frames: dict[str | None, list[pl.DataFrame]] = {}
        self.count = 0
        self.full = False

    def add(self, marking: str | None, row: Row) -> None:
        rows = self.by_marking.get(marking)
        if rows is None:
            rows = self.by_marking[marking] = []
        rows.append(row)
        self.count += 1
        if self.count >= BATCH_ROWS:
            self.full = True

    def add_frames(self, frame: pl.DataFrame) -> None:
        """Rows as columns, with their `marking`."""
        for (marking,), rows in frame.group_by("marking", maintain_order=True):
            self.frames.setdefault(marking, []).append(rows.drop("marking"))
        self.count += frame.height
        self.full = self.count >= BATCH_ROWS

    def flush(self) -> Iterator[Rows]:
        """The rows so far, one frame for each marking; columns that nothing filled are left out."""
        batches, self.by_marking, self.count, self.full = self.by_marking, {}, 0, False
        frames, self.frames = self.frames, {}
        for marking in dict.fromkeys((*batches, *frames)):
            rows = batches.get(marking, ())
            columns = {name: values for name, values in zip(COLUMNS, zip(*rows)) if name == "position" or any(values)}
            parts = ([draft_frame(columns)] if rows else []) + frames.get(marking, [])
            frame = parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal")
            if not frame["position"].is_sorted():
                frame = frame.sort("position", maintain_order=True)
            yield Rows(frame, marking, Unit.OBJECT)

    def indicator(self, item: Any, position: int, marking: str | None, plain: Sequence[Comparison]) -> None:
        """One row for each comparison, and one more for each sighting of the indicator."""
        role = role_of(item)
        labels = item.labels
        name = item.name
        malware, actor = None, None
        if self.whole.indicates:
            family, target = self.whole.target_of(item.id)
            if family in {"malware", "tool"}:
                malware = target
            elif family:
                actor = target
            name = target or name
        confidence = item.confidence
        common = (
            malware, actor, name or first_own(labels),
            None if confidence is None else str(confidence), None, None, None, None,
            "; ".join((*(labels or ()), *_graded(item))) or None, None,
        )  # fmt: skip
        said = self.default_role if role is None else role
        for kind, value, _ in plain:
            where = (kind, value, said, type_of(item, kind) or self.default_type)
            self.add(marking, (position, item.valid_from, None, None, *where, *common))
            if self.whole.sightings:
                for first, last, count in self.whole.sightings.get(item.id, ()):
                    self.add(marking, (position, first, last, count, *where, *common))

    def seen(self, item: Any, position: int, marking: str | None) -> None:
        """Rows of an observable, or of the observables inside an observed-data object."""
        nothing: Times = (None, None, None)
        if item.type != "observed-data":
            times = self.whole.observed.get(item.id, nothing) if self.whole.observed else nothing
            found = VALUES.get(item.type)
            if type(item) is View:
                pairs = values_of(item.item)
            else:
                pairs = [] if found is None else _value(item, found)
            self._add(pairs, position, marking, times, {}, item.name)
            return
        if item.objects is None:
            return
        times = (item.first_observed, item.last_observed, str(item.number_observed))
        sides = _sides(item.objects)
        for key, inner in item.objects.items():
            side = sides.get(key, {})
            note = inner.get("name") if inner["type"] == "file" else None
            self._add(values_of(inner), position, marking, times, side, note)

    def _add(
        self,
        pairs: list[tuple[Kind, str]],
        position: int,
        marking: str | None,
        times: Times,
        side: dict[str, str],
        note: str | None,
    ) -> None:
        for kind, value in pairs:
            self.add(
                marking,
                (
                    position,
                    *times,
                    kind,
                    value,
                    Role.UNKNOWN,
                    None,
                    None,
                    None,
                    None,
                    None,
                    side.get("port"),
                    side.get("protocol"),
                    side.get("peer"),
                    side.get("peer_port"),
                    None,
                    note,
                ),
            )


def first_own(labels: list[str] | None) -> str | None:
    """The first label that is neither of the standard's vocabulary nor a marking."""
    own = (word for word in labels or () if word not in ROLES and word[:3].lower() != "tlp")
    return next(own, None)


def _graded(item: Any) -> tuple[str, ...]:
    """The grade of an object's extension as tags: only objects that are read whole have one."""
    if type(item) is not View or EXTENSION not in (item.extensions or ()):
        return ()
    grade = grade_in_stix(item.item)
    return tags_of(grade) if grade else ()


def _value(item: Any, found: tuple[str, Kind]) -> list[tuple[Kind, str]]:
    value = getattr(item, found[0])
    return values_of({"type": item.type, found[0]: value}) if value else []


def values_of(item: Object) -> list[tuple[Kind, str]]:
    """(kind, value) pairs that an observable states."""
    kind = item["type"]
    found = VALUES.get(kind)
    if found is not None:
        value = item.get(found[0])
        if value is None or value == "":
            return []
        if (kind == "ipv4-addr" or kind == "ipv6-addr") and "/" in value:
            address, _, bits = value.partition("/")
            whole = bits == ("32" if kind == "ipv4-addr" else "128")
            return [(found[1], address) if whole else (Kind.NETWORK, value)]
        return [(found[1], str(value))]
    if kind in HASHED:
        hashes: dict[str, Any] = item.get("hashes", {})
        named = [(HASHED[kind] or hash_kind(name), digest) for name, digest in hashes.items()]
        pairs = [(one, digest) for one, digest in named if one is not None]
        if not pairs and kind == "file" and item.get("name"):
            return [(Kind.FILENAME, item["name"])]
        return pairs
    if kind == "user-account":
        login = item.get("account_login") or item.get("user_id")
        return [(Kind.ACCOUNT, login)] if login else []
    return []


def _sides(objects: dict[str, Object]) -> dict[str, dict[str, str]]:
    """Port, protocol and other side of each address that a network-traffic object of the container names."""
    found: dict[str, dict[str, str]] = {}
    for item in objects.values():
        if item["type"] != "network-traffic":
            continue
        protocols = item.get("protocols", [])
        for mine, other in (("dst", "src"), ("src", "dst")):
            key, peer = item.get(f"{mine}_ref"), objects.get(item.get(f"{other}_ref", ""), {})
            side = {"protocol": protocols[-1] if protocols else "", "peer": str(peer.get("value", ""))}
            side |= {"port": str(item.get(f"{mine}_port", "")), "peer_port": str(item.get(f"{other}_port", ""))}
            if key is not None:
                found.setdefault(key, {name: value for name, value in side.items() if value})
    return found
