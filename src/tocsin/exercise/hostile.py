"""Files that no installation may take: each is small, does no harm on its own, and ends in quarantine."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .drafts import Draft
from .packing import zipped
from .plan import Expected, Outcome
from .story import Story


def drafts(story: Story) -> Iterator[Draft]:
    yield _bad(
        "alba",
        "laughs.ioc",
        "xml-bomb",
        _entity_bomb(),
        39,
        "xml-entities",
        "An XML file whose entities would grow to gigabytes.",
    )
    yield _bad(
        "tallis",
        "samples-all.zip",
        "zip-bomb",
        _zip_bomb(),
        49,
        "archive-bomb",
        "An archive of some kilobytes that would unpack to one gigabyte.",
    )
    escape = zipped([(f"{'../' * up}tmp/exercise.txt", b"EXERCISE\n") for up in (2, 4, 8)])
    yield _bad(
        "kestrel",
        "evidence.zip",
        "zip-traversal",
        escape,
        56,
        "archive-path",
        "An archive whose every path leads outside it.",
    )
    yield _unmapped(story)
    yield _bad("cedar", "feed.csv", "empty", b"", 33, "empty-file", "An empty file: a script failed silently.")
    bundle = f'{{"type": "bundle", "id": "bundle--{story.uuid("deep")}", "objects": [{{"x_note": "EXERCISE", "x_deep": '
    deep = bundle.encode() + b"[" * 60_000 + b"]" * 60_000 + b"}]}"
    yield _bad(
        "skagen",
        "nested.json",
        "json-deep",
        deep,
        65,
        "too-deep",
        "A bundle with an object that is nested sixty thousand deep.",
    )
    yield _cut_short(story)


def _bad(organisation: str, name: str, kind: str, content: bytes, day: int, reason: str, story: str) -> Draft:
    return Draft(
        organisation,
        name,
        kind,
        content,
        day,
        20,
        30,
        expected=Expected(Outcome.QUARANTINED, reason, rows=0),
        story=story,
    )


def _entity_bomb() -> bytes:
    levels = ['<!ENTITY a0 "EXERCISE">']
    levels += [f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 10)]
    head = '<?xml version="1.0"?>\n<!DOCTYPE ioc [\n' + "\n".join(levels) + "\n]>\n"
    return (head + '<ioc xmlns="http://schemas.mandiant.com/2010/ioc"><description>&a9;</description></ioc>').encode()


def _zip_bomb() -> bytes:
    """Archives in an archive: their deflated zeros deflate once more, so that kilobytes hold a gigabyte."""
    zeros = bytes(64 << 20)
    inner = zipped([(f"EXERCISE-{number}.bin", zeros) for number in range(2)])
    return zipped([("EXERCISE.txt", b"EXERCISE\n"), *((f"part-{number}.zip", inner) for number in range(8))])


def _unmapped(story: Story) -> Draft:
    """A report type that nobody has mapped: who is the victim in it is not known, so it may not be guessed."""
    day = 78
    lines = ['"timestamp","protocol","src_ip","src_port","src_asn","src_geo","dst_ip","dst_port","infection","tag"']
    lines += [
        f'"{story.at(day):%Y-%m-%d %H:%M:%S}","tcp","{server.address}",443,,"{server.country}",,,"","EXERCISE"'
        for server in story.c2_servers[:12]
    ]
    name = f"{story.at(day):%Y-%m-%d}-event4_teapot_gossip-exercise.csv"
    return _bad(
        "polar",
        name,
        "shadowserver-csv",
        ("\n".join(lines) + "\n").encode(),
        day,
        "unmapped-report-type",
        "A new report type: whose addresses these are, victims' or attackers', nobody has said yet.",
    )


def _cut_short(story: Story) -> Draft:
    """A bundle whose end is missing; what stands before the cut is whole and can be used."""
    stamp = story.text_at(50)
    nodes = [
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": f"indicator--{story.uuid(f'cut {number}')}",
            "created": stamp,
            "modified": stamp,
            "name": "EXERCISE",
            "pattern": f"[domain-name:value = '{server.domain}']",
            "pattern_type": "stix",
            "valid_from": stamp,
        }
        for number, server in enumerate(story.c2_servers)
    ]
    whole = json.dumps({"type": "bundle", "id": f"bundle--{story.uuid('cut')}", "objects": nodes})
    kept = whole[: len(whole) * 2 // 3]
    return Draft(
        "sakura",
        "sakura-52.json",
        "stix-2.1",
        kept.encode(),
        52,
        20,
        expected=Expected(Outcome.ACCEPTED_WITH_REJECTIONS, rejections={"truncated": 1}, things=kept.count('Z"}')),
        story="A bundle that ends in the middle: the line broke.",
    )
