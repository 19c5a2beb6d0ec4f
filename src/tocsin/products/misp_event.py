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

from tocsin.core.words import VICTIM_LIKE, Tlp

from .identifiers import uuid5_text
from .order import Order
from .values import Value, Values

NAMESPACE = uuid.UUID("5f0b8a1c-2a8f-5d55-9a38-1f0f2b7d6c02")
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


def write_misp(path: Path, values: Values, order: Order) -> int:
    """Write the event; give the number of attributes."""
    event = misp_event(values, order)
    path.write_bytes(orjson.dumps(event))
    return len(event["Event"]["Attribute"])


def misp_event(values: Values, order: Order) -> dict[str, Any]:
    """The event as MISP's JSON. Numbers are strings there."""
    label = order.label
    text = f"Country package {order.number}"
    if values.left_out:
        text += f" ({len(values.shown)} of {values.total} values)"
    home = order.countries
    allowed = [value for value in values.shown if value["role"] not in _VICTIMS or value["country"] in home]
    organisation = {"uuid": order.centre.id, "name": order.centre.name}
    return {
        "Event": {
            "uuid": _uuid(order, order.number),
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
            "Attribute": [_attribute(value, order) for value in allowed],
        }
    }


def _attribute(value: Value, order: Order) -> dict[str, Any]:
    kind, category = TYPES.get(value["kind"], ("other", "Other"))
    if kind == "btc" and not value["value"].startswith(("1", "3", "bc1")):
        kind, category = "other", "Other"
    tags = [{"name": f'tocsin:role="{value["role"]}"'}]
    tags += [{"name": f'rsit:event-type="{name}"'} for name in value["types"]]
    tags += [{"name": f'tocsin:malware="{name}"'} for name in value["malware"]]
    return {
        "uuid": _uuid(order, f"{value['kind']}|{value['value']}|{value['role']}"),
        "type": kind,
        "category": category,
        "value": value["value"],
        # Victims and bystanders are never fed to blocking rules.
        "to_ids": value["role"] == "ATTACKER_INFRA",
        "distribution": "5",
        "timestamp": _seconds(order.created_at),
        "first_seen": _moment(value["first_at"]),
        "last_seen": _moment(value["last_at"]),
        "comment": f"{value['role']}, seen {value['sightings']} times",
        "Tag": tags,
    }


def _uuid(order: Order, seed: str) -> str:
    return uuid5_text(NAMESPACE.bytes, f"{order.centre.id}|{order.country}|{seed}")


def _seconds(moment: datetime) -> str:
    return str(int(moment.timestamp()))


def _moment(moment: object) -> str:
    assert isinstance(moment, datetime)
    return moment.isoformat(timespec="microseconds")
