"""Objects of sources as recipients get them: under our marking, and without who said it where that must not be told.

One marking definition stands for one set of conditions, so that what is relabelled alone changes alone (W34). Neither
an exclusion nor to whom something was released is ever part of it: two recipients cannot compare what they got.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from tocsin.core.words import Tlp

from .identifiers import moment_text, uuid5_text
from .order import Centre
from .stix_bundle import OWN_NAMESPACE, RELEASE_EXTENSION, extension_definition, identity, tlp_marking

RECALL_EXTENSION = "extension-definition--b0b3a1de-7a0c-4c7e-8f3b-5d9e3f1c2a64"
OBSERVABLES = frozenset(
    {
        "artifact", "autonomous-system", "directory", "domain-name", "email-addr", "email-message", "file",
        "ipv4-addr", "ipv6-addr", "mac-addr", "mutex", "network-traffic", "process", "software", "url", "user-account",
        "windows-registry-key", "x509-certificate",
    }
)  # fmt: skip
"""Types whose identifiers follow from their value (STIX 2.1 section 2.9), whoever made them."""
COMMON_KNOWLEDGE = frozenset({"attack-pattern", "course-of-action", "location", "extension-definition"})
"""Types whose identifiers are everybody's: techniques, countries, schemas."""
WITHHELD = frozenset({"marking-definition", "grouping"})
"""Markings are ours; working sets are never released (DOMAIN 3.1)."""
NEEDED = frozenset({"type", "id", "spec_version", "created", "modified"})
_ID = re.compile(r"([a-z0-9-]+)--([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\Z")
_HALF_BITS, _ROUNDS = 61, 6
_HALF = (1 << _HALF_BITS) - 1


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a recipient is told of a handling set."""

    tlp: Tlp
    codes: tuple[str, ...]
    pap: str
    purposes: tuple[str, ...]
    classification: str
    retention_months: int
    is_named: bool
    """Whether the source may be named."""
    restrictions: tuple[str, ...] = ()
    """What H3 means, in the source's words."""

    @property
    def marking_id(self) -> str:
        """The same for the same conditions, whatever else the handling set says."""
        return _marking_id(self)

    @property
    def marking_refs(self) -> list[str]:
        """What every object under these conditions refers to."""
        return [tlp_marking(self.tlp)["id"], self.marking_id]

    def _said(self) -> dict[str, Any]:
        passes_on = "H2" not in self.codes and self.tlp.rank < Tlp.AMBER_STRICT.rank
        return {
            "tlp": self.tlp.value, "handling": list(self.codes), "pap": self.pap, "purposes": list(self.purposes),
            "classification": self.classification, "retention_months": self.retention_months,
            "onward": "by-label" if passes_on else "ask-source",
            **({"restrictions": list(self.restrictions)} if self.restrictions else {}),
        }  # fmt: skip

    def shared(self, centre: Centre) -> list[dict[str, Any]]:
        """What objects under these conditions refer to, in the order in which they need one another."""
        said = self._said()
        del said["tlp"]
        marking = {
            "type": "marking-definition", "spec_version": "2.1", "id": self.marking_id,
            "created": moment_text(centre.created_at), "created_by_ref": f"identity--{centre.id}",
            "name": f"release {self.marking_id[-12:]}",
            "extensions": {RELEASE_EXTENSION: {"extension_type": "property-extension", **said}},
        }  # fmt: skip
        return [identity(centre), extension_definition(centre), tlp_marking(self.tlp), marking]


@lru_cache(maxsize=1_000)
def _marking_id(conditions: Conditions) -> str:
    return f"marking-definition--{uuid5_text(OWN_NAMESPACE.bytes, orjson.dumps(conditions._said()).decode())}"


class Identifiers:
    """Identifiers that do not lead back to their source, for everybody but us: each stands for one, both ways.

    A source that publishes its objects elsewhere would be known by them. The numbers in an identifier are exchanged for
    others under a secret, so that the same object is the same in every delivery and every reference.
    """

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(f"stix-identifiers:{secret}".encode()).digest()
        # HMAC-SHA-256, whose beginnings are made once: a third of what `hmac.digest` takes.
        padded = self._key.ljust(hashlib.sha256().block_size, b"\0")
        self._inner = hashlib.sha256(bytes(each ^ 0x36 for each in padded))
        self._outer = hashlib.sha256(bytes(each ^ 0x5C for each in padded))
        self.mark = hashlib.sha256(b"mark" + self._key).hexdigest()[:16]
        """Tells one exchange from another."""

    def sealed(self, identifier: str) -> str:
        """What stands for it; observables and common knowledge keep theirs."""
        return self._exchanged(identifier, range(_ROUNDS))

    def opened(self, identifier: str) -> str:
        """What `sealed` was given."""
        return self._exchanged(identifier, range(_ROUNDS - 1, -1, -1))

    def _exchanged(self, identifier: str, rounds: range) -> str:
        match = _ID.match(identifier)
        if match is None or match[1] in OBSERVABLES or match[1] in COMMON_KNOWLEDGE or match[1].startswith("x-mitre-"):
            return identifier
        number = int(match[2].replace("-", ""), 16)
        # All but version and variant: 48, 12 and 62 bits.
        bits = (number >> 80) << 74 | ((number >> 64) & 0xFFF) << 62 | number & ((1 << 62) - 1)
        left, right = bits >> _HALF_BITS, bits & _HALF
        mixed, kind = self._mixed, match[1]
        if rounds.step > 0:
            for turn in rounds:
                left, right = right, left ^ mixed(b"%b:%d:%d" % (kind.encode(), turn, right))
        else:
            for turn in rounds:
                left, right = right ^ mixed(b"%b:%d:%d" % (kind.encode(), turn, left)), left
        bits = left << _HALF_BITS | right
        number &= 0xF << 76 | 0x3 << 62
        number |= (bits >> 74) << 80 | ((bits >> 62) & 0xFFF) << 64 | bits & ((1 << 62) - 1)
        text = f"{number:032x}"
        return f"{match[1]}--{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _mixed(self, said: bytes) -> int:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(said)
        outer.update(inner.digest())
        return int.from_bytes(outer.digest()[:8], "big") & _HALF


def given(
    raw: bytes, conditions: Conditions, centre: Centre, identifiers: Identifiers, relabelled_at: datetime | None = None
) -> dict[str, Any] | None:
    """An object as a recipient gets it; None for what is never given.

    `relabelled_at`: since when it bears this marking, where the recipient had it under another: then it is a new
    version. Parts under a narrower marking of their own are taken out, since not every reader honours those.
    """
    body: dict[str, Any] = orjson.loads(raw)
    kind = str(body.get("type", ""))
    if "id" not in body or kind in WITHHELD or (kind == "identity" and not _may_be_given(body, conditions)):
        return None
    if not _strip(body):
        return None
    body.pop("object_marking_refs", None)
    if not conditions.is_named:
        body = _sealed(body, identifiers)
        body.pop("where_sighted_refs", None)  # Who saw something is more telling than what was seen.
        if "created_by_ref" in body:
            body["created_by_ref"] = f"identity--{centre.id}"
    body["object_marking_refs"] = conditions.marking_refs
    # Observables may leave it out; programs that look at the first object take the server for one of STIX 2.0 then.
    body.setdefault("spec_version", "2.1")
    if "modified" in body:
        body["modified"] = given_version(str(body["modified"]), relabelled_at)
    return body


def given_version(version: str, relabelled_at: datetime | None) -> str:
    """The version under which an object is given that was made then, and got another marking at that moment."""
    if relabelled_at is None or not version:
        return version
    # A marking that changed within the millisecond of its making still makes a version of its own.
    now = moment_text((relabelled_at + timedelta(milliseconds=1)).astimezone(UTC))
    return now if is_newer(now, version) else _next_version(version)


def _next_version(version: str) -> str:
    """A millisecond later: for versions of which the source wrote a moment to come."""
    return moment_text((datetime.fromisoformat(version) + timedelta(milliseconds=1)).astimezone(UTC))


def version_of(body: Mapping[str, Any]) -> str:
    """When this version was made; empty for observables, which have no versions."""
    return str(body.get("modified") or body.get("created") or "")


def is_newer(one: str, other: str) -> bool:
    """Whether one version is later than the other, however many digits the seconds have."""
    return _order(one) > _order(other)


def _order(version: str) -> tuple[str, str]:
    seconds, _, rest = version.rstrip("Z").partition(".")
    return seconds, rest.rstrip("0")


def _may_be_given(body: Mapping[str, Any], conditions: Conditions) -> bool:
    """Identities are sources, victims or persons; classes of such, as sectors are, name nobody."""
    kind = body.get("identity_class", "")
    return kind == "class" or (conditions.is_named and kind != "individual")


def _strip(body: dict[str, Any]) -> bool:
    """Take out what bears a marking of its own; whether what every object needs is still there."""
    for marked in body.pop("granular_markings", ()):
        if "marking_ref" not in marked:
            continue  # It only says in which language a part is.
        for selector in marked.get("selectors", ()):
            name = str(selector).partition(".")[0]
            if name in NEEDED or name in _NEUTRAL.get(body["type"], {}):
                return False
            body.pop(name, None)
    return True


def _sealed(value: dict[str, Any], identifiers: Identifiers) -> dict[str, Any]:
    """The same with all identifiers exchanged, in its place: most of an object is none."""
    for name, inner in value.items():
        if isinstance(inner, str):
            if name == "id" or name.endswith(("_ref", "_refs")):
                value[name] = identifiers.sealed(inner)
        elif isinstance(inner, dict):
            _sealed(inner, identifiers)
        elif isinstance(inner, list):
            value[name] = _sealed_list(inner, identifiers, name)
    return value


def _sealed_list(value: list[Any], identifiers: Identifiers, name: str) -> list[Any]:
    return [
        _sealed(each, identifiers) if isinstance(each, dict)
        else _sealed_list(each, identifiers, name) if isinstance(each, list)
        else identifiers.sealed(each) if isinstance(each, str) and (name == "id" or name.endswith(("_ref", "_refs")))
        else each
        for each in value
    ]  # fmt: skip


_NEUTRAL: dict[str, dict[str, Any]] = {
    "attack-pattern": {"name": "recalled"},
    "campaign": {"name": "recalled"},
    "course-of-action": {"name": "recalled"},
    "identity": {"name": "recalled"},
    "incident": {"name": "recalled"},
    "indicator": {"pattern": "[x-recalled:value = 'recalled']", "pattern_type": "stix", "valid_from": "{now}"},
    "infrastructure": {"name": "recalled"},
    "intrusion-set": {"name": "recalled"},
    "malware": {"is_family": False},
    "malware-analysis": {"product": "recalled", "result": "unknown"},
    "note": {"content": "recalled", "object_refs": ["{notice}"]},
    "opinion": {"opinion": "neutral", "object_refs": ["{notice}"]},
    "relationship": {"relationship_type": "related-to", "source_ref": "{notice}", "target_ref": "{notice}"},
    "report": {"name": "recalled", "published": "{now}", "object_refs": ["{notice}"]},
    "sighting": {"sighting_of_ref": "{notice}"},
    "threat-actor": {"name": "recalled"},
    "tool": {"name": "recalled"},
    "vulnerability": {"name": "recalled"},
}
"""Type → what it must have, saying nothing: required properties stay required when an object is revoked."""


def notice_id(recall: str, organisation: int) -> str:
    """The identifier of the notice of a recall to one organisation."""
    return f"recall-notice--{uuid5_text(OWN_NAMESPACE.bytes, f'{recall}|{organisation}')}"


def created_of(raw: bytes) -> str:
    """When the first version of an object was made; empty where it does not say."""
    return str(orjson.loads(raw).get("created", ""))


def recall_notice(
    identifier: str, centre: Centre, *, made_at: datetime, told_at: datetime, confirm_by: datetime, action: str,
    recalled: Sequence[tuple[str, str]],
) -> dict[str, Any]:  # fmt: skip
    """The notice of a recall, for one recipient: with what to destroy; empty `recalled` for who took none of it.

    Why it was recalled, and who else is told, is not in it.
    """
    said = {"action": action, "confirm_by": moment_text(confirm_by.astimezone(UTC)), "pass_on_to_your_users": True}
    refs = [{"ref": ref} | ({"modified": version} if version else {}) for ref, version in recalled]
    return {
        "type": "recall-notice", "spec_version": "2.1", "id": identifier,
        "created": moment_text(made_at.astimezone(UTC)), "modified": moment_text(told_at.astimezone(UTC)),
        "created_by_ref": f"identity--{centre.id}",
        "extensions": {RECALL_EXTENSION: {"extension_type": "new-sdo"}},
        **({"recalled": refs, **said} if refs else {}),
    }  # fmt: skip


def tombstone(
    kind: str, identifier: str, version: str, centre: Centre, *, created: str, notice: str, told_at: datetime
) -> dict[str, Any] | None:
    """The last version of an object that was recalled: revoked, and without content. None where its type has none."""
    if kind not in _NEUTRAL:
        return None
    now = moment_text(told_at.astimezone(UTC))
    if not is_newer(now, version):
        now = _next_version(version)
    said = {name: _filled(value, now, notice) for name, value in _NEUTRAL[kind].items()}
    return {
        "type": kind, "spec_version": "2.1", "id": identifier, "created": created or now, "modified": now,
        "created_by_ref": f"identity--{centre.id}", "revoked": True, **said,
    }  # fmt: skip


def _filled(value: Any, now: str, notice: str) -> Any:
    if isinstance(value, list):
        return [_filled(inner, now, notice) for inner in value]
    return {"{now}": now, "{notice}": notice}.get(value, value) if isinstance(value, str) else value


def recall_shared(centre: Centre) -> Iterator[dict[str, Any]]:
    """What notices refer to."""
    yield identity(centre)
    yield {
        **extension_definition(centre), "id": RECALL_EXTENSION, "name": "Notice of a recall",
        "description": "What was taken back, and until when its destruction is to be confirmed.",
        "schema": "https://tocsin.example/schemas/recall-notice.json", "extension_types": ["new-sdo"],
    }  # fmt: skip
