"""Machine-to-machine events: IntelMQ JSON lines, n6 JSON, XARF abuse reports."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

from .drafts import Draft
from .packing import gzipped, zipped
from .plan import Expected, Outcome, moment_text
from .story import HERON, KIT, Story, active
from .tables import refused, victims

_NORTH = ("DK", "SE", "NO", "FI", "EE", "LV")
_EAST = ("PL", "CZ", "SK", "HU", "RO", "BG", "UA")


def drafts(story: Story) -> Iterator[Draft]:
    for day in (22, 51, 74):
        yield _intelmq(story, day)
    for day in (26, 46, 68):
        yield _n6(story, day)
    for number, day in enumerate((16, 36, 54, 83)):
        yield _abuse_report(story, number, day)
    yield _abuse_reports(story, 60)


def _intelmq(story: Story, day: int) -> Draft:
    """Events of a CERT's own IntelMQ; the last two lines were cut and mistyped on the way."""
    random = story.random(f"intelmq {day}")
    lines = []
    people = victims(story, f"intelmq {day}", _NORTH, 180)
    for address, country in people:
        server = active(story.c2_servers, day)[0] if active(story.c2_servers, day) else story.c2_servers[-1]
        moment = story.at(day) - timedelta(minutes=int(random.integers(20, 1_400)))
        event = {
            "classification.identifier": "greyheron",
            "classification.taxonomy": "malicious-code",
            "classification.type": "infected-system",
            "comment": "EXERCISE",
            "destination.fqdn": server.domain,
            "destination.ip": server.address,
            "destination.port": server.port,
            "feed.name": "Skagen sensor (EXERCISE)",
            "feed.provider": "Skagen CERT",
            "malware.name": "greyheron",
            "protocol.transport": "tcp",
            "source.geolocation.cc": country,
            "source.ip": address,
            "source.port": int(random.integers(1024, 65536)),
            "time.observation": moment_text(moment + timedelta(minutes=5)),
            "time.source": moment_text(moment),
            "tlp": "AMBER",
        }
        lines.append(json.dumps(event, sort_keys=True))
    lines.append(
        json.dumps(
            {
                "comment": "EXERCISE",
                "source.ip": "127.0.0.1",
                "classification.type": "infected-system",
                "time.source": moment_text(story.at(day)),
            }
        )
    )
    lines.append('{"comment": "EXERCISE", "source.ip": "19')
    return Draft(
        "skagen",
        f"events-{day}.jsonl",
        "intelmq-jsonl",
        ("\n".join(lines) + "\n").encode(),
        day,
        12,
        expected=refused(len(people), {"not-public": 1, "not-json": 1}),
        story="Infected machines in the north, with the C2 server that each called.",
    )


def _n6(story: Story, day: int) -> Draft:
    """Events in the form of the n6 platform: a JSON array, addresses in a list."""
    random = story.random(f"n6 {day}")
    events: list[dict[str, Any]] = []
    for address, country in victims(story, f"n6 {day}", _EAST, 150):
        event_id = random.bytes(16).hex()
        events.append(
            {
                "id": event_id,
                "rid": random.bytes(16).hex(),
                "source": "exercise.sensor",
                "restriction": "need-to-know",
                "confidence": "high",
                "category": "bots",
                "time": moment_text(story.at(day) - timedelta(minutes=int(random.integers(20, 1_400)))),
                "name": "greyheron",
                "address": [{"ip": address, "cc": country}],
                "dport": 443,
                "proto": "tcp",
            }
        )
    rows = len(events)
    for page in [page for page in story.kit_pages if page.day == day and page.language in {"en", "fr"}]:
        events.append(
            {
                "id": random.bytes(16).hex(),
                "rid": random.bytes(16).hex(),
                "source": "exercise.sensor",
                "restriction": "public",
                "confidence": "medium",
                "category": "phish",
                "time": moment_text(story.at(day, 2)),
                "name": "postboxer EXERCISE",
                "url": page.url,
                "fqdn": page.domain,
            }
        )
        rows += 1
    content = json.dumps(events, ensure_ascii=False, indent=1).encode()
    return Draft(
        "amber",
        f"n6-report-{day}.json.gz",
        "n6-json.gz",
        gzipped([content]),
        day,
        13,
        expected=refused(rows, {}),
        story="Bots and phishing pages in the east of Europe.",
    )


def _report(story: Story, topic: str, day: int, facts: dict[str, Any]) -> dict[str, Any]:
    organisation = {
        "org": "Kestrel Hosting Abuse Desk (EXERCISE)",
        "contact": "abuse@kestrel-hosting.example",
        "domain": "kestrel-hosting.example",
    }
    payload = f"EXERCISE evidence for {topic}".encode()
    return {
        "xarf_version": "4.2.0",
        "report_id": story.uuid(f"xarf {topic}"),
        "timestamp": story.text_at(day, 9),
        "reporter": organisation,
        "sender": organisation,
        "evidence_source": "automated_scan",
        "evidence": [
            {
                "content_type": "text/plain",
                "description": "EXERCISE",
                "payload": base64.b64encode(payload).decode(),
                "hash": "sha256:" + sha256(payload).hexdigest(),
            }
        ],
        "tags": ["EXERCISE"],
        **facts,
    }


def _abuse_report(story: Story, number: int, day: int) -> Draft:
    server = (active(story.c2_servers, day) or story.c2_servers[-1:])[0]
    page = next(page for page in story.kit_pages if page.day >= day)
    botnet = {
        "category": "infrastructure",
        "type": "botnet",
        "source_identifier": server.address,
        "malware_family": HERON,
        "c2_server": server.domain,
        "compromise_evidence": "C2 traffic",
        "first_seen": story.text_at(server.from_day),
        "last_seen": story.text_at(day, 8),
    }
    phishing = {
        "category": "content",
        "type": "phishing",
        "source_identifier": server.address,
        "url": page.url,
        "target_brand": page.brand,
    }
    report = _report(story, f"report {day}", day, phishing if number % 2 else botnet)
    return Draft(
        "kestrel",
        f"abuse-{report['report_id'][:8]}.json",
        "xarf-4",
        json.dumps(report, ensure_ascii=False).encode(),
        day,
        9,
        30,
        expected=Expected(),
        story="One complaint about a server that the hosting company passes on.",
    )


def _abuse_reports(story: Story, day: int) -> Draft:
    """Eight complaints in one archive, the way a ticket system exports them."""
    members = []
    for number, page in enumerate([page for page in story.kit_pages if page.day < day][-8:], 1):
        facts = {
            "category": "content",
            "type": "phishing",
            "source_identifier": story.crew_servers[3].address,
            "url": page.url,
            "target_brand": f"{page.brand} ({KIT})",
        }
        report = _report(story, f"bundle {number}", day, facts)
        members.append((f"tickets/{number:03}.json", json.dumps(report, ensure_ascii=False).encode()))
    members.append(("tickets/README.md", b"# EXERCISE\n\nExport of the ticket system.\n"))
    return Draft(
        "kestrel",
        "tickets.zip",
        "zip-of-xarf",
        zipped(members),
        day,
        16,
        expected=Expected(Outcome.ACCEPTED),
        story="Eight complaints in one archive.",
    )
