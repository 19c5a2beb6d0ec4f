"""A share's values as one MISP event, with the sharing rules of DOMAIN section 3.4.

Only batches that their source allows to go on to MISP take part; the caller names them. AMBER goes to a sharing
group of the recipient alone, which the importing side chooses: distribution 0 until then, never wider.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from tocsin.core.grading import grade_of, tags_of
from tocsin.core.words import VICTIM_LIKE, Tlp

from .identifiers import uuid5_text
from .order import Order
from .values import Value, Values, warned

NAMESPACE = uuid.UUID("5f0b8a1c-2a8f-5d55-9a38-1f0f2b7d6c02")
_NAMESPACE = NAMESPACE.bytes
DISTRIBUTION = {Tlp.CLEAR: "3", Tlp.GREEN: "1"}
_VICTIMS = {role.value for role in VICTIM_LIKE}

TYPES: dict[str, tuple[str, str]] = {
    "ipv4": ("ip-src", "Network activity"),
    "ipv6": ("ip-src", "Network activity"),
    "network": ("ip-src", "Network activity"),
    "asn": ("AS", "Network activity"),
    "domain": ("domain", "Network activity"),
    "url": ("url", "Network activity"),
    "email": ("email", "Network activity"),
    "md5": ("md5", "Payload delivery"),
    "sha1": ("sha1", "Payload delivery"),
    "sha224": ("sha224", "Payload delivery"),
    "sha256": ("sha256", "Payload delivery"),
    "sha384": ("sha384", "Payload delivery"),
    "sha512": ("sha512", "Payload delivery"),
    "ssdeep": ("ssdeep", "Payload delivery"),
    "tlsh": ("tlsh", "Payload delivery"),
    "imphash": ("imphash", "Payload delivery"),
    "filename": ("filename", "Payload delivery"),
    "phone": ("phone-number", "Financial fraud"),
    "iban": ("iban", "Financial fraud"),
    "card": ("cc-number", "Financial fraud"),
    "wallet": ("btc", "Financial fraud"),
    "cve": ("vulnerability", "External analysis"),
    "mutex": ("mutex", "Artifacts dropped"),
    "registry-key": ("regkey", "Persistence mechanism"),
    "user-agent": ("user-agent", "Network activity"),
    "mac": ("mac-address", "Network activity"),
    "ja3": ("ja3-fingerprint-md5", "Network activity"),
    "jarm": ("jarm-fingerprint", "Network activity"),
}
"""Kind → MISP type and category. Kinds without one travel as `other`."""
_OTHER = ("other", "Other")


def write_misp(path: Path, values: Values, order: Order) -> int:
    """Write the event; give the number of attributes."""
    attributes = list(misp_attributes(values, order))
    head = orjson.dumps({"Event": misp_event(values, order)}).removesuffix(b"}}")
    path.write_bytes(head + b',"Attribute":[' + ",\n".join(attributes).encode() + b"]}}")
    return len(attributes)


def misp_event(values: Values, order: Order) -> dict[str, Any]:
    """The event as MISP's JSON, without its attributes. Numbers are strings there."""
    label = order.label
    text = f"Country package {order.number}"
    if values.left_out:
        text += f" ({len(values.shown)} of {values.total} values)"
    organisation = {"uuid": order.centre.id, "name": order.centre.name}
    return {
        "uuid": uuid5_text(_NAMESPACE, _prefix(order) + order.number),
        "info": text,
        "date": order.created_at.date().isoformat(),
        "timestamp": _seconds(order.created_at),
        "analysis": "2",
        "threat_level_id": "2",
        "published": False,
        "distribution": DISTRIBUTION.get(label.tlp, "0"),
        "Orgc": organisation,
        "Org": organisation,
        "Tag": [
            {"name": f"tlp:{label.tlp.value.removeprefix('TLP:').lower()}"},
            {"name": label.pap},
            {"name": f'tocsin:country="{order.country}"'},
        ],
    }


def misp_attributes(values: Values, order: Order) -> list[str]:
    """The attributes as JSON: there are thousands of one form, so they are written as text."""
    home = order.countries
    seconds = _seconds(order.created_at)
    prefix = _prefix(order)
    attributes: list[str] = []
    tags: dict[tuple[object, ...], str] = {}
    for value in values.shown:
        role, text = value["role"], value["value"]
        if role in _VICTIMS and value["country"] not in home:
            continue
        kind, category = _type(value)
        words = (role, *value["types"], None, *value["malware"], None, *value["grades"])
        if words not in tags:
            tags[words] = _json(_tags(value))
        # Victims and bystanders are never fed to blocking rules, nor what a warning list holds.
        lists = warned(value)
        to_ids = "true" if role == "ATTACKER_INFRA" and not lists else "false"
        said = f"; on warning lists: {', '.join(lists)}" if lists else ""
        name = uuid5_text(_NAMESPACE, f"{prefix}{value['kind']}|{text}|{role}")
        attributes.append(
            f'{{"uuid":"{name}","type":"{kind}",'
            f'"category":"{category}","value":{_json(text)},"to_ids":{to_ids},"distribution":"5",'
            f'"timestamp":"{seconds}","first_seen":"{value["first_at"]}+00:00","last_seen":"{value["last_at"]}+00:00",'
            f'"comment":"{role}, seen {value["sightings"]} times{said}","Tag":{tags[words]}}}'
        )
    return attributes


def _type(value: Value) -> tuple[str, str]:
    kind, category = TYPES.get(value["kind"], _OTHER)
    if kind == "btc" and not value["value"].startswith(("1", "3", "bc1")):
        return _OTHER
    return kind, category


def _tags(value: Value) -> list[dict[str, str]]:
    return [
        {"name": f'tocsin:role="{value["role"]}"'},
        *({"name": f'rsit:event-type="{name}"'} for name in value["types"]),
        *({"name": f'tocsin:malware="{name}"'} for name in value["malware"]),
        *({"name": name} for name in _grade_tags(value["grades"])),
    ]


def _grade_tags(grades: list[str]) -> tuple[str, ...]:
    """One grade as tags that are read back as it; several as what each of them was, for people to weigh."""
    if len(grades) == 1:
        return tags_of(grade_of(grades[0]))
    return tuple(f'tocsin:graded="{text}"' for text in grades)


def _prefix(order: Order) -> str:
    """What the names of all identifiers of one event begin with."""
    return f"{order.centre.id}|{order.country}|"


def _seconds(moment: datetime) -> str:
    return str(int(moment.timestamp()))


def _json(body: object) -> str:
    return orjson.dumps(body).decode()
