"""MISP events of a university laboratory: single events, and a feed as the folder that MISP publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import md5
from typing import Any

from .drafts import Draft
from .packing import zipped
from .plan import Expected
from .story import CINDER, DAYS, HERON, KIT, REBRAND_DAY, SALT, Story, active

_Event = dict[str, Any]


def drafts(story: Story) -> Iterator[Draft]:
    for day in (7, 19, 32, REBRAND_DAY + 3, 67):
        event = _event(story, day)
        content = json.dumps({"Event": event}, ensure_ascii=False, indent=4 if day == 7 else None)
        yield Draft(
            "northfold",
            f"misp.event.{event['id']}.json",
            "misp-event",
            content.encode(),
            day,
            18,
            expected=Expected(),
            story=f"MISP event: {event['info']}",
        )
    yield _feed(story, (21, 38, 57, 71))


def _event(story: Story, day: int) -> _Event:
    about = _about(day)
    attributes = {HERON: _trojan, KIT: _kit}.get(about, _crew)(story, day)
    level = "tlp:clear" if about == KIT else "tlp:green"
    return {
        "id": str(4000 + day),
        "uuid": story.uuid(f"misp {day}"),
        "info": f"EXERCISE {about}, day {day}",
        "date": f"{story.at(day):%Y-%m-%d}",
        "timestamp": _epoch(story, day),
        "publish_timestamp": _epoch(story, day),
        "published": True,
        "analysis": "2",
        "threat_level_id": "2",
        "distribution": "3",
        "Orgc": {
            "id": "7",
            "name": "Northfold University Malware Lab (EXERCISE)",
            "uuid": story.uuid("northfold"),
        },
        "Tag": [{"name": level, "colour": "#33ff00"}, {"name": "EXERCISE", "colour": "#ffffff"}],
        "Attribute": [_attribute(story, day, place, *facts) for place, facts in enumerate(attributes)],
        "Object": [_file_object(story, day)] if about == HERON else [],
    }


def _about(day: int) -> str:
    if day % 19 == 0 or day == 71:
        return KIT
    if day in (32, 43, 57):
        return CINDER if day < REBRAND_DAY else SALT
    return HERON


def _epoch(story: Story, day: int) -> str:
    return str(int(story.at(day, 17).timestamp()))


def _attribute(story: Story, day: int, place: int, kind: str, category: str, value: str, comment: str) -> _Event:
    return {
        "id": str(day * 1000 + place),
        "uuid": story.uuid(f"attribute {day} {place} {value}"),
        "type": kind,
        "category": category,
        "value": value,
        "comment": comment,
        "to_ids": kind != "text",
        "timestamp": _epoch(story, day),
        "deleted": False,
        "distribution": "5",
    }


def _trojan(story: Story, day: int) -> list[tuple[str, str, str, str]]:
    found = []
    for server in active(story.c2_servers, day):
        found.append(("domain|ip", "Network activity", f"{server.domain}|{server.address}", "EXERCISE C2"))
        found.append(("ip-dst|port", "Network activity", f"{server.address}|{server.port}", "EXERCISE C2"))
    for sample in [sample for sample in story.samples if sample.day <= day][-6:]:
        found.append(("filename|sha256", "Payload delivery", f"{sample.name}|{sample.sha256}", "EXERCISE sample"))
        found.append(("sha1", "Payload delivery", sample.sha1, ""))
    # A name that shows as "invoice_exe.pdf" because U+202E turns the direction of what follows.
    found.append(("filename", "Payload delivery", "invoice_\u202efdp.exe", "EXERCISE bidi name"))
    found.append(("mutex", "Artifacts dropped", "Global\\GreyHeronPerch", ""))
    return found


def _kit(story: Story, day: int) -> list[tuple[str, str, str, str]]:
    pages = [page for page in story.kit_pages if abs(page.day - day) < 4]
    found = [("url", "Network activity", page.url, f"EXERCISE {page.brand}") for page in pages]
    return [*found, ("btc", "Financial fraud", story.kit_wallets[0], "EXERCISE: receives the kit's rent")]


def _crew(story: Story, day: int) -> list[tuple[str, str, str, str]]:
    servers = active(story.crew_servers, day)
    found = [("ip-dst", "Network activity", server.address, f"EXERCISE {server.domain}") for server in servers]
    found += [("btc", "Financial fraud", story.crew_wallets[0], "EXERCISE: in the ransom note")]
    found += [("btc", "Financial fraud", story.laundry_wallet, "EXERCISE: next hop of the money")]
    name = CINDER if day < REBRAND_DAY else SALT
    return [*found, ("text", "Other", story.ransom_note(name), "EXERCISE ransom note")]


def _file_object(story: Story, day: int) -> _Event:
    sample = [sample for sample in story.samples if sample.day <= day][-1]
    members = (
        ("filename", sample.name),
        ("md5", sample.md5),
        ("sha1", sample.sha1),
        ("sha256", sample.sha256),
    )
    return {
        "id": str(day),
        "uuid": story.uuid(f"object {day}"),
        "name": "file",
        "meta-category": "file",
        "template_uuid": "688c46fb-5edb-40a3-8273-1af7923e2215",
        "template_version": "24",
        "timestamp": _epoch(story, day),
        "Attribute": [
            _attribute(story, day, 500 + place, kind, "Payload delivery", value, "EXERCISE") | {"object_relation": kind}
            for place, (kind, value) in enumerate(members)
        ],
    }


def _feed(story: Story, days: tuple[int, ...]) -> Draft:
    """A feed: manifest, digests of values, one file for each event."""
    manifest, digests, members = {}, [], []
    for day in days:
        event = _event(story, day)
        members.append((f"{event['uuid']}.json", json.dumps({"Event": event}, ensure_ascii=False).encode()))
        manifest[event["uuid"]] = {
            key: event[key] for key in ("Orgc", "Tag", "info", "date", "analysis", "threat_level_id", "timestamp")
        }
        for attribute in event["Attribute"]:
            for part in attribute["value"].split("|"):
                digest = md5(part.encode(), usedforsecurity=False).hexdigest()
                digests.append(f"{digest},{event['uuid']}\n")
    members.append(("manifest.json", json.dumps(manifest, ensure_ascii=False).encode()))
    members.append(("hashes.csv", "".join(digests).encode()))
    return Draft(
        "northfold",
        "misp-feed.zip",
        "misp-feed.zip",
        zipped(members),
        min(DAYS, days[-1] + 1),
        19,
        expected=Expected(),
        story="The laboratory's MISP feed as one archive.",
    )
