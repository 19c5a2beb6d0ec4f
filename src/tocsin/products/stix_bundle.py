"""A share's values as a STIX 2.1 bundle: indicators for what attacks, observed data for what suffered.

Observables have the deterministic identifiers of STIX 2.1 section 2.9; our own objects have identifiers made of the
Centre, the country and the value, so that a value which returns in the next package is the same object, newer.
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from tocsin.core.grading import EXTENSION, grade_of, stix_confidence, stix_extension, tags_of
from tocsin.core.words import VICTIM_LIKE, Tlp

from .identifiers import moment_text, uuid5_text
from .order import Centre, Order
from .values import Value, Values, warned

SCO_NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
OWN_NAMESPACE = uuid.UUID("c3f1a5ee-6c0d-5b2e-9a53-6d2a3d1c7f10")
_SCO, _OWN = SCO_NAMESPACE.bytes, OWN_NAMESPACE.bytes
RELEASE_EXTENSION = "extension-definition--9f3c9f6e-5f0e-4a2b-8a54-6f7a8f0f8d21"
TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
TLP_IDS = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
_TLP_CREATED = "2022-10-01T00:00:00.000Z"
_VICTIMS = {role.value for role in VICTIM_LIKE}
_HOSTILE = {"ATTACKER_INFRA", "COMPROMISED_THIRD_PARTY"}
_OBSERVABLES = {
    "ipv4": ("ipv4-addr", "value"),
    "ipv6": ("ipv6-addr", "value"),
    "domain": ("domain-name", "value"),
    "url": ("url", "value"),
    "email": ("email-addr", "value"),
    "mac": ("mac-addr", "value"),
    "mutex": ("mutex", "name"),
    "filename": ("file", "name"),
    "registry-key": ("windows-registry-key", "key"),
    "account": ("user-account", "account_login"),
}
"""Kind → type of the observable and its property."""
_HASHES = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512", "ssdeep": "SSDEEP", "tlsh": "TLSH"}
_HASH_ID_ORDER = ("MD5", "SHA-1", "SHA-256", "SHA-512")
_MOST_OBSERVED = 999_999_999


def write_stix(path: Path, values: Values, order: Order) -> int:
    """Write the bundle; give the number of objects."""
    bundle_id = _own_id("bundle", order, order.number)
    head = b'{"type":"bundle","id":"%s","objects":[\n' % bundle_id.encode()
    objects = stix_objects(values, order)
    path.write_bytes(head + ",\n".join(objects).encode() + b"\n]}\n")
    return len(objects)


def stix_objects(values: Values, order: Order) -> list[str]:
    """The objects of the bundle as JSON, each identifier once."""
    frame = _Frame(order)
    frame.objects.extend(map(_json, frame.heads()))
    for value in values.shown:
        frame.add(value)
    frame.objects.append(_json(frame.note(values)))
    return frame.objects


def identity(centre: Centre) -> dict[str, Any]:
    """Who issues, as an object."""
    created = moment_text(centre.created_at)
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": f"identity--{centre.id}",
        "created": created,
        "modified": created,
        "name": centre.name,
        "identity_class": "organization",
    }


def tlp_marking(tlp: Tlp) -> dict[str, Any]:
    """The marking of the label, as FIRST defined it."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": TLP_IDS[tlp],
        "created": _TLP_CREATED,
        "name": tlp.value,
        "extensions": {
            TLP_EXTENSION: {
                "extension_type": "property-extension",
                "tlp_2_0": tlp.value.removeprefix("TLP:").lower(),
            }
        },
    }


def extension_definition(centre: Centre) -> dict[str, Any]:
    """What our own part of a marking means."""
    created = moment_text(centre.created_at)
    return {
        "type": "extension-definition",
        "spec_version": "2.1",
        "id": RELEASE_EXTENSION,
        "created": created,
        "modified": created,
        "created_by_ref": f"identity--{centre.id}",
        "name": "Conditions of a release",
        "description": "Handling codes, purposes, onward rule, review and expiry of what is handed over.",
        "schema": "https://tocsin.example/schemas/release-marking.json",
        "version": "1.0.0",
        "extension_types": ["property-extension"],
    }


class _Frame:
    """What all objects of one bundle share. Objects that come by the thousand are written as text, not as objects."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.home = order.countries
        self.centre_id = f"identity--{order.centre.id}"
        self.country_id = _own_id("identity", order, "country")
        self.release_id = _own_id("marking-definition", order, order.number)
        self.created = moment_text(order.centre.created_at)
        self.modified = moment_text(order.created_at)
        self.objects: list[str] = []
        self.observables: set[str] = set()
        self.families: dict[str, str] = {}
        self.labels: dict[tuple[str | None, ...], str] = {}
        self.graded: dict[tuple[int | str | None, ...], str] = {}
        self.graded_once = False
        self.markings = [TLP_IDS[order.label.tlp], self.release_id]
        self.seed = f"{order.centre.id}|{order.country}|"
        self.tail = _json(self.common()).removeprefix("{")
        """The end of every object of our own."""

    def common(self) -> dict[str, Any]:
        return {
            "spec_version": "2.1",
            "created": self.created,
            "modified": self.modified,
            "created_by_ref": self.centre_id,
            "object_marking_refs": self.markings,
        }

    def own_id(self, kind: str, seed: str) -> str:
        return f"{kind}--{uuid5_text(_OWN, f'{self.seed}{kind}|{seed}')}"

    def heads(self) -> Iterator[dict[str, Any]]:
        """Identities, the TLP label, our release marking and the definition of its extension."""
        order, label = self.order, self.order.label
        yield identity(order.centre)
        yield {
            "type": "identity",
            "spec_version": "2.1",
            "id": self.country_id,
            "created": self.created,
            "modified": self.created,
            "created_by_ref": self.centre_id,
            "name": order.country,
            "identity_class": "group",
        }
        yield tlp_marking(label.tlp)
        yield extension_definition(order.centre)
        yield {
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": self.release_id,
            "created": self.modified,
            "created_by_ref": self.centre_id,
            "name": f"release {order.number}",
            "extensions": {
                RELEASE_EXTENSION: {
                    "extension_type": "property-extension",
                    "handling": list(label.codes),
                    **({"restrictions": list(label.restrictions)} if label.restrictions else {}),
                    "pap": label.pap,
                    "purposes": list(label.purposes),
                    "onward": "ask-source",
                    "review": label.review_on.isoformat(),
                    "expiry": label.expires_on.isoformat(),
                }
            },
        }

    def add(self, value: Value) -> None:
        """Add the objects of one value: nothing where STIX has no form for it, or where it is a victim elsewhere."""
        kind, text, role = value["kind"], value["value"], value["role"]
        if role in _VICTIMS and value["country"] not in self.home:
            return
        made = observable(kind, text)
        if made is None:
            return
        pattern, target, body = made
        if target not in self.observables:
            self.observables.add(target)
            self.objects.append(body)
        seed = f"{kind}|{text}|{role}"
        # What a warning list holds is told, and never offered as a rule: a poisoned feed would block half the world.
        if role in _HOSTILE and not warned(value):
            self._add_indicator(value, pattern, target, seed)
        else:
            self._add_observed(value, target, seed)

    def _add_indicator(self, value: Value, pattern: str, target: str, seed: str) -> None:
        name = self.own_id("indicator", seed)
        kind = "compromised" if value["role"] == "COMPROMISED_THIRD_PARTY" else "malicious-activity"
        sure = self._graded(value)
        self.objects.append(
            f'{{"type":"indicator","id":"{name}","name":{_json(value["value"])},"description":{_json(_facts(value))},'
            f'"pattern":{_json(pattern)},"pattern_type":"stix","valid_from":"{_moment(value["first_at"])}",'
            f'"indicator_types":["{kind}"],"labels":{self._labels(value)},{sure}{self.tail}'
        )
        self._add_relation("based-on", name, target)
        for family in value["malware"]:
            self._add_relation("indicates", name, self._malware(family))

    def _add_observed(self, value: Value, target: str, seed: str) -> None:
        name = self.own_id("observed-data", seed)
        first, last = _moment(value["first_at"]), _moment(value["last_at"])
        count = max(1, min(value["sightings"], _MOST_OBSERVED))
        self.objects.append(
            f'{{"type":"observed-data","id":"{name}","first_observed":"{first}","last_observed":"{last}",'
            f'"number_observed":{count},"object_refs":["{target}"],"labels":{self._labels(value)},'
            f"{self._graded(value, numbered=False)}{self.tail}"
        )
        if value["role"] not in _VICTIMS:
            return
        for family in value["malware"]:
            malware = self._malware(family)
            sighting = self.own_id("sighting", f"{seed}|{family}")
            self.objects.append(
                f'{{"type":"sighting","id":"{sighting}","first_seen":"{first}","last_seen":"{last}","count":{count},'
                f'"sighting_of_ref":"{malware}","observed_data_refs":["{name}"],'
                f'"where_sighted_refs":["{self.country_id}"],{self.tail}'
            )

    def _add_relation(self, kind: str, source: str, target: str) -> None:
        name = self.own_id("relationship", f"{kind}|{source}|{target}")
        self.objects.append(
            f'{{"type":"relationship","id":"{name}","relationship_type":"{kind}","source_ref":"{source}",'
            f'"target_ref":"{target}",{self.tail}'
        )

    def _labels(self, value: Value) -> str:
        lists = [f"warning-list:{group}" for group in warned(value)]
        words = (value["role"], *value["types"], None, *value["grades"], None, *lists)
        if words not in self.labels:
            own = (value["role"].lower().replace("_", "-"), *value["types"])
            # Several sources graded it: their tags together would read as one grade that nobody gave.
            tags = tags_of(grade_of(value["grades"][0])) if len(value["grades"]) == 1 else ()
            self.labels[words] = _json((*own, *tags, *lists))
        return self.labels[words]

    def _graded(self, value: Value, *, numbered: bool = True) -> str:
        """Its confidence, and the grades as they were given beside it with what the number loses."""
        seat = (numbered, value["confidence"], *value["grades"])
        if seat not in self.graded:
            grades = [grade_of(text) for text in value["grades"]]
            said = [number for grade in grades if (number := stix_confidence(grade)[0]) is not None]
            number = max(said, default=value["confidence"]) if numbered else None
            text = "" if number is None else f'"confidence":{number},'
            if grades:
                if not self.graded_once:
                    self.graded_once = True
                    self.objects.append(_json(self._grade_definition()))
                text += f'"extensions":{_json({EXTENSION: stix_extension(grades)})},'
            self.graded[seat] = text
        return self.graded[seat]

    def _grade_definition(self) -> dict[str, Any]:
        return {
            "type": "extension-definition", "spec_version": "2.1", "id": EXTENSION, "created": self.created,
            "modified": self.created, "created_by_ref": self.centre_id, "name": "Grades as given",
            "description": "How sources graded themselves and what they say: 4x4, 3x5x2 or Admiralty, as given. The"
            " confidence is the number of the most credible one; lost_in_confidence names what it does not say.",
            "schema": "https://tocsin.example/schemas/grades.json", "version": "1.0.0",
            "extension_types": ["property-extension"],
        }  # fmt: skip

    def _malware(self, name: str) -> str:
        """The identifier of a family, whose object is added where it is named first."""
        if name not in self.families:
            own = {"type": "malware", "id": self.own_id("malware", name)}
            body = own | {"name": name, "is_family": True, "malware_types": ["unknown"]} | self.common()
            self.families[name] = own["id"]
            self.objects.append(_json(body))
        return self.families[name]

    def note(self, values: Values) -> dict[str, Any]:
        """What the bundle is, and what it leaves out."""
        order = self.order
        text = f"Country package {order.number}: {len(values.shown)} of {values.total} distinct values."
        if values.left_out:
            text += (
                f" {values.left_out} values are not in this bundle: the newest and most seen come first, at most"
                f" {order.values_cap}. All are in observations.parquet."
            )
        own = {"type": "note", "id": self.own_id("note", order.number)}
        return own | {"content": text, "object_refs": [self.country_id]} | self.common()


def _facts(value: Value) -> str:
    where = f", AS{value['asn']}" if value["asn"] else ""
    where += f", {value['network']}" if value["network"] else ""
    country = f" in {value['country']}" if value["country"] else ""
    return f"{value['role']}{country}{where}. Seen {value['sightings']} times until {_moment(value['last_at'])}."


def _moment(text: str) -> str:
    """RFC 3339 with milliseconds."""
    return f"{text[:23]}Z"


def _json(body: object) -> str:
    return orjson.dumps(body).decode()


def observable(kind: str, value: str) -> tuple[str, str, str] | None:
    """STIX pattern, identifier and JSON of a value's observable; None for kinds that STIX has no observable for."""
    if kind == "network":
        try:
            kind = f"ipv{ipaddress.ip_network(value, strict=False).version}"
        except ValueError:
            return None
    elif kind == "mac":
        value = value.lower().replace("-", ":")
    elif kind == "asn":
        digits = value.upper().removeprefix("AS")
        if not digits.isdigit():
            return None
        return f"[autonomous-system:number = {digits}]", *_sco("autonomous-system", f'"number":{int(digits)}')
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    if kind in _OBSERVABLES:
        name, field = _OBSERVABLES[kind]
        return f"[{name}:{field} = '{quoted}']", *_sco(name, f'"{field}":{_json(value)}')
    if kind in _HASHES:
        name = _HASHES[kind]
        # Only the four usual digests take part in the identifier; others give a random one, here made of the value.
        seed = None if name in _HASH_ID_ORDER else f"{name}|{value}"
        return f"[file:hashes.'{name}' = '{quoted}']", *_sco("file", f'"hashes":{{"{name}":{_json(value)}}}', seed)
    return None


def _sco(kind: str, content: str, seed: str | None = None) -> tuple[str, str]:
    """Identifier and JSON of an observable; its content is in canonical JSON (RFC 8785)."""
    name = f"{kind}--{uuid5_text(_SCO, seed or f'{{{content}}}')}"
    return name, f'{{"type":"{kind}","spec_version":"2.1","id":"{name}",{content}}}'


def _own_id(kind: str, order: Order, seed: str) -> str:
    name = f"{order.centre.id}|{order.country}|{kind}|{seed}"
    return f"{kind}--{uuid5_text(_OWN, name)}"
