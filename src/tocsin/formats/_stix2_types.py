"""`problem`: which rule of STIX 2.0 or 2.1 one decoded object breaks, if any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tocsin.formats._stix2_rules import (
    CUSTOM_20,
    CUSTOM_21,
    ID,
    SEEN_IDS,
    SEEN_TIMES,
    TLP_1,
    TYPE,
    Check,
    Object,
    Problem,
    Rules,
    anything,
    boolean,
    identifier,
    later_or_equal,
    rules,
    time,
)
from tocsin.formats._stix2_tables import (
    CUSTOM_RULES_20,
    CUSTOM_RULES_21,
    ENCRYPTION,
    NOT_SIGHTED,
    OBSERVABLES_20,
    SCO_21,
    TYPES_20,
    TYPES_21,
)


def version_of(item: Object) -> str:
    """2.1 or 2.0, as STIX 2.1 section 3.2 has it: without `spec_version`, observables are 2.1, the rest 2.0."""
    stated = item.get("spec_version")
    if stated is None:
        return "2.1" if item.get("type") in SCO_21 else "2.0"
    return "2.1" if stated == "2.1" else "2.0"


def problem(item: Any, version: str = "") -> Problem | None:
    """The first rule of the standard that this object breaks, but for its pattern; None when it breaks none."""
    if type(item) is not dict:
        return "not-an-object", ""
    kind = item.get("type")
    if type(kind) is not str:
        return ("missing-field" if kind is None else "wrong-type"), "type"
    is_21 = (version or version_of(item)) == "2.1"
    found = TYPES_21.get(kind) if is_21 else TYPES_20.get(kind)
    if found is None:
        if not TYPE(kind):
            return "invalid-object", "type"
        found = CUSTOM_RULES_21 if is_21 else CUSTOM_RULES_20
    wrong = _properties(item, found, CUSTOM_21 if is_21 else CUSTOM_20)
    if wrong is not None:
        return wrong
    for needed in found.required:
        if needed not in item:
            return "missing-field", min(found.required - item.keys())
    name = item["id"]
    if type(name) is not str or not (match := ID(name)):
        return "not-an-id", "id"
    if match[1] != kind and (is_21 or found is not CUSTOM_RULES_20):
        return "not-an-id", "id"
    if is_21 and item.get("spec_version", "2.1") != "2.1":
        return "invalid-object", "spec_version"
    modified = item.get("modified")
    created = item.get("created", modified)
    if type(modified) is str and modified != created and not later_or_equal(modified, str(created)):
        return "invalid-object", "modified"
    if "granular_markings" in item and (wrong := _selectors(item)):
        return wrong
    special = _SPECIAL.get(kind)
    return special(item, is_21) if special is not None else None


def _properties(item: Object, found: Rules, custom: Check) -> Problem | None:
    """The first property that is not what its type says. This loop is the hot one: two memories are inlined."""
    checks, times, known_ids = found.checks, SEEN_TIMES, SEEN_IDS
    key = ""
    try:
        for key, value in item.items():
            check = checks.get(key)
            if check is str:
                if type(value) is not str:
                    return "wrong-type", key
            elif check is time:
                if value not in times and not time(value):
                    return _reason(key, value, check), key
            elif check is identifier:
                if value not in known_ids and not identifier(value):
                    return _reason(key, value, check), key
            elif check is None:
                if not custom(key) and key != "id":
                    return "invalid-object", key[:80]
                if value is None:
                    return "wrong-type", key
            elif check is not anything and not check(value):
                return _reason(key, value, check), key
    except (TypeError, AttributeError, ValueError):
        return "wrong-type", key
    return None


def _reason(key: str, value: object, check: object) -> str:
    if value is None or isinstance(value, bool) or check is boolean:
        return "wrong-type"
    if key.endswith(("_ref", "_refs")):
        return "not-an-id"
    if type(value) is str and "--" not in value and getattr(check, "__name__", "") == "time":
        return "not-a-time"
    return "invalid-object"


def _selectors(item: Object) -> Problem | None:
    """Granular markings must select what is there."""
    for marking in item["granular_markings"]:
        for selector in marking["selectors"]:
            node: Any = item
            for step in selector.split("."):
                if step[0] == "[" and type(node) is list and int(step[1:-1]) < len(node):
                    node = node[int(step[1:-1])]
                elif type(node) is dict and step in node:
                    node = node[step]
                else:
                    return "invalid-object", "granular_markings"
    return None


def _order(item: Object, first: str, last: str, strict: bool = False) -> Problem | None:
    earlier, later = item.get(first), item.get(last)
    if type(earlier) is not str or type(later) is not str or (earlier != later and later_or_equal(later, earlier)):
        return None
    return ("invalid-object", last) if strict or earlier != later else None


def _indicator(item: Object, is_21: bool) -> Problem | None:
    return _order(item, "valid_from", "valid_until", strict=is_21)


def _seen(item: Object, is_21: bool) -> Problem | None:
    return _order(item, "first_seen", "last_seen")


def _malware(item: Object, is_21: bool) -> Problem | None:
    if is_21 and item["is_family"] and "name" not in item:
        return "missing-field", "name"
    return _seen(item, is_21)


def _malware_analysis(item: Object, is_21: bool) -> Problem | None:
    return None if "result" in item or "analysis_sco_refs" in item or not is_21 else ("missing-field", "result")


def _location(item: Object, is_21: bool) -> Problem | None:
    if ("latitude" in item) != ("longitude" in item):
        return "missing-field", "longitude" if "latitude" in item else "latitude"
    if "precision" in item and "latitude" not in item:
        return "missing-field", "latitude"
    return None if item.keys() & {"region", "country", "latitude"} or not is_21 else ("missing-field", "region")


def _relationship(item: Object, is_21: bool) -> Problem | None:
    for name in ("source_ref", "target_ref"):
        if item[name].startswith(("bundle--", "relationship--", "sighting--", "marking-definition--")):
            return "not-an-id", name
    return _order(item, "start_time", "stop_time", strict=True)


def _sighting(item: Object, is_21: bool) -> Problem | None:
    if item["sighting_of_ref"].startswith(NOT_SIGHTED):
        return "not-an-id", "sighting_of_ref"
    return _seen(item, is_21)


def _observed_data(item: Object, is_21: bool) -> Problem | None:
    wrong = _order(item, "first_observed", "last_observed")
    if wrong is not None:
        return wrong
    objects = item.get("objects")
    if is_21 and (objects is None) == ("object_refs" not in item):
        return "missing-field", "object_refs"
    if objects is None:
        return None
    return container(objects)


def _marking(item: Object, is_21: bool) -> Problem | None:
    if item["id"] in item.get("object_marking_refs", ()):
        return "invalid-object", "object_marking_refs"
    kind, content = item.get("definition_type"), item.get("definition")
    if kind is None or content is None:
        return None if "extensions" in item else ("missing-field", "definition" if kind else "definition_type")
    if kind == "statement" and type(content.get("statement")) is not str:
        return "missing-field", "definition.statement"
    if kind == "tlp":
        label = content.get("tlp")
        if type(label) is not str or TLP_1.get(label) != item["id"]:
            return "not-a-marking", "definition"
        if not later_or_equal("2017-01-20T00:00:00.000Z", item["created"]) or len(content) > 1:
            return "not-a-marking", "created"
    return None


def _bundle(item: Object, is_21: bool) -> Problem | None:
    return None if type(item.get("objects", [])) is list else ("wrong-type", "objects")


_Special = Callable[[Object, bool], Problem | None]
_SPECIAL: dict[str, _Special] = {
    "indicator": _indicator,
    "malware": _malware,
    "malware-analysis": _malware_analysis,
    "location": _location,
    "relationship": _relationship,
    "sighting": _sighting,
    "observed-data": _observed_data,
    "marking-definition": _marking,
    "campaign": _seen,
    "infrastructure": _seen,
    "intrusion-set": _seen,
    "threat-actor": _seen,
    "bundle": _bundle,
}


# Observables.


def _artifact(item: Object, is_21: bool) -> Problem | None:
    if ("payload_bin" in item) == ("url" in item):
        return "missing-field", "payload_bin"
    if "url" in item and "hashes" not in item:
        return "missing-field", "hashes"
    if "encryption_algorithm" in item and is_21 and not ENCRYPTION(item["encryption_algorithm"]):
        return "invalid-object", "encryption_algorithm"
    return (
        ("invalid-object", "decryption_key")
        if "decryption_key" in item and "encryption_algorithm" not in item
        else None
    )


def _file(item: Object, is_21: bool) -> Problem | None:
    if "hashes" not in item and "name" not in item:
        return "missing-field", "hashes"
    if not is_21 and not item.get("is_encrypted") and item.keys() & {"encryption_algorithm", "decryption_key"}:
        return "invalid-object", "is_encrypted"
    return None


def _traffic(item: Object, is_21: bool) -> Problem | None:
    if "src_ref" not in item and "dst_ref" not in item:
        return "missing-field", "src_ref"
    if item.get("is_active") and "end" in item:
        return "invalid-object", "is_active"
    return _order(item, "start", "end")


def _email(item: Object, is_21: bool) -> Problem | None:
    parts, multipart = item.get("body_multipart"), item["is_multipart"]
    if ("body" in item and multipart) or (parts is not None and not multipart):
        return "invalid-object", "is_multipart"
    return None if parts is None or type(parts) is list else ("wrong-type", "body_multipart")


def _certificate(item: Object, is_21: bool) -> Problem | None:
    for name, value in item.get("x509_v3_extensions", {}).items():
        if name.startswith("private_key_usage_period_") and not TIMES(value):
            return "not-a-time", name
    return None


def _any_of(*names: str) -> _Special:
    def check(item: Object, is_21: bool) -> Problem | None:
        return None if item.keys() & set(names) else ("missing-field", names[0])

    return check


def _registry(item: Object, is_21: bool) -> Problem | None:
    values = item.get("values", [])
    if type(values) is not list or not all(type(value) is dict for value in values):
        return "wrong-type", "values"
    return None


TIMES: Check = rules("time:t", "").checks["time"]
_SPECIAL |= {
    "artifact": _artifact,
    "file": _file,
    "network-traffic": _traffic,
    "email-message": _email,
    "x509-certificate": _certificate,
    "windows-registry-key": _registry,
    "process": lambda item, is_21: None if len(item) > 3 - 2 * (not is_21) else ("missing-field", "pid"),
    "user-account": lambda item, is_21: None if len(item) > 3 - 2 * (not is_21) else ("missing-field", "user_id"),
}

_REFERS_TO: dict[str, tuple[str, ...]] = {
    "parent_directory_ref": ("directory",),
    "contains_refs": ("file", "directory"),
    "resolves_to_refs": ("ipv4-addr", "ipv6-addr", "domain-name", "mac-addr"),
    "belongs_to_refs": ("autonomous-system",),
    "belongs_to_ref": ("user-account",),
    "from_ref": ("email-addr",),
    "sender_ref": ("email-addr",),
    "to_refs": ("email-addr",),
    "cc_refs": ("email-addr",),
    "bcc_refs": ("email-addr",),
    "raw_email_ref": ("artifact",),
    "content_ref": ("artifact",),
    "creator_user_ref": ("user-account",),
    "binary_ref": ("file",),
    "opened_connection_refs": ("network-traffic",),
    "parent_ref": ("process",),
    "child_refs": ("process",),
}


def container(objects: Any) -> Problem | None:
    """What is wrong with the embedded observables of an observed-data object (2.0, and 2.1 as it still allows)."""
    if type(objects) is not dict or not objects:
        return "wrong-type", "objects"
    for key, item in objects.items():
        where = f"objects.{key[:40]}"
        if type(item) is not dict:
            return "wrong-type", where
        kind = item.get("type")
        if type(kind) is not str:
            return "missing-field", f"{where}.type"
        found = OBSERVABLES_20.get(kind)
        if found is None:
            if not TYPE(kind):
                return "invalid-object", f"{where}.type"
            continue
        wrong = _properties(item, found, CUSTOM_20) or _embedded(item, kind, found, objects)
        if wrong is not None:
            return wrong[0], f"{where}.{wrong[1]}"
    return None


def _embedded(item: Object, kind: str, found: Rules, objects: Object) -> Problem | None:
    if not item.keys() >= found.required:
        return "missing-field", min(found.required - item.keys())
    for name in (*found.one, *found.many):
        if name in item and not _refers(item[name], name, objects):
            return "not-an-id", name
    archive = item.get("extensions", {}).get("archive-ext")
    if archive is not None:
        inside = archive.get("contains_refs")
        if inside is not None and not all(objects.get(key, {}).get("type") == "file" for key in inside):
            return "not-an-id", "extensions.archive-ext.contains_refs"
    special = _SPECIAL.get(kind)
    return special(item, False) if special is not None else None


def _refers(value: Any, name: str, objects: Object) -> bool:
    allowed = _REFERS_TO.get(name, ())
    for key in [value] if type(value) is str else value:
        target = objects.get(key)
        if target is None:
            continue
        kind = target.get("type") if type(target) is dict else None
        if allowed and kind not in allowed and not str(kind).startswith("x-"):
            return False
    return True
