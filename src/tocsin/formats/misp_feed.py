"""What lies beside the events of a MISP feed: manifest.json and hashes.csv.

Both only point to events. A manifest that names events which are not there stops nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source, Thing
from tocsin.core.words import Unit

from . import _json, _misp, _records
from ._records import text_of

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
UUID = re.compile(_UUID)
HASH_LINE = re.compile(rf"(?:{_UUID}[,|][0-9a-fA-F]{{32}}|[0-9a-fA-F]{{32}}[,|]{_UUID})")
MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """A thing for each event that the manifest names; of hashes.csv only how many values it lists."""
    with source.open() as stream:
        first = stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if first == b"{":
        yield from _manifest(source)
    else:
        yield from _hashes(source)


def _manifest(source: Source) -> Iterator[Item]:
    raw = _json.text_of(source.read_all(256 << 20))
    tree = _json.decode(raw)
    entries = MEMBERS.decode(raw) if isinstance(tree, dict) else {}
    yield Heading(title="MISP feed manifest", report_type="manifest")
    for place, (uuid, part) in enumerate(entries.items(), start=1):
        data = bytes(part)
        value = _records.tree(data, place)
        if isinstance(value, Rejection):
            yield value
            continue
        if not UUID.fullmatch(uuid):
            yield Rejection(place, Unit.OBJECT, "not-an-id", excerpt=uuid[:80])
            continue
        tags = value.get("Tag")
        names = [
            tag["name"]
            for tag in (tags if isinstance(tags, list) else [])
            if isinstance(tag, dict) and isinstance(tag.get("name"), str)
        ]
        said = _misp.meanings(tuple(names))
        yield Thing(
            standard="misp-feed",
            type="manifest-entry",
            id=f"misp-feed:{uuid.lower()}",
            raw=data,
            position=place,
            version=text_of(value.get("timestamp")) or "",
            name=(text_of(value.get("info")) or "")[:500],
            labels=said.names,
            refs=(("event", uuid.lower()),),
            marking=said.marking,
        )


def _hashes(source: Source) -> Iterator[Item]:
    good = 0
    with source.open() as stream:
        for number, line in enumerate(stream, start=1):
            text = line.decode("utf-8", "replace").strip()
            if not text:
                continue
            if HASH_LINE.fullmatch(text):
                good += 1
            else:
                yield Rejection(number, Unit.LINE, "unsupported-record", excerpt=text[:80])
    # Digests of values are no digests of files: they must never become rows.
    yield Heading(title="MISP feed: digests of the values of its events", report_type="hashes", text=f"{good} digests")


def recognise(sample: Sample) -> int:
    """A manifest's members are named by event ids; each line of hashes.csv is a digest and an event id."""
    head = sample.head
    seen = _records.outline(head[:65536])
    if seen.kind == "object":
        keys = list(seen.keys)[:20]
        named = sum(UUID.fullmatch(name) is not None for name in keys) * 2 > len(keys)
        return 92 if named and (b'"Orgc"' in head or b'"info"' in head) else 0
    if seen.kind:
        return 0
    lines = [line.strip() for line in head[:4096].decode("latin-1").splitlines()[:20] if line.strip()]
    whole = lines[:-1] if len(head) > 4096 else lines
    good = sum(HASH_LINE.fullmatch(line) is not None for line in whole)
    return 92 if good * 2 > len(whole) else 0


FORMAT = Format(
    name="misp-feed",
    title="MISP feed: manifest and digests",
    recognise=recognise,
    read=read,
    media_types=("application/json", "text/csv"),
    extensions=(".json", ".csv"),
)
