"""The catalogue of feeds: every entry is sound, and reads its recorded sample as expected."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from tocsin import formats
from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Rejection, Rows, Source
from tocsin.reference.feeds import Feed, all_feeds, feed_of_banner, read_feed

GOLDEN = Path(__file__).parents[1] / "golden" / "feeds"
FEEDS = {feed.slug: feed for feed in all_feeds()}
READABLE = {"delimited": "delimited", "plain-list": "plain_list"}


def test_the_catalogue_is_large_enough_and_off() -> None:
    assert len(FEEDS) >= 36
    assert not any(feed.enabled for feed in FEEDS.values())


@pytest.mark.parametrize("slug", FEEDS)
def test_reads_its_sample(slug: str) -> None:
    feed = FEEDS[slug]
    if feed.profile.format not in READABLE:
        assert feed.profile.format == "misp"
        return
    case = GOLDEN / slug
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    values, rows, rejected = _read(feed, case / "input.sample")
    assert rejected == []
    assert rows == expected["rows"]
    assert values == expected["values"]


def test_no_sample_is_left_over() -> None:
    assert {path.parent.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("input.sample")} <= set(FEEDS)


def _read(feed: Feed, path: Path) -> tuple[list[str], int, list[Rejection]]:
    reader = import_module(f"tocsin.formats.{READABLE[feed.profile.format]}").FORMAT
    values: list[str] = []
    rejected = []
    rows = 0
    for item in reader.read(Source(path.name, path=path), feed.profile):
        if isinstance(item, Rows):
            values += item.frame["value"].to_list()
            rows += item.frame.height
        elif isinstance(item, Rejection):
            rejected.append(item)
    return values, rows, rejected


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("colour = 'red'", "colour"),
        ("every_minutes = 1", "every_minutes"),
        ("marking = 'TLP:WHITE'", "marking"),
        ("[defaults]\nrole = 'VILLAIN'", "defaults.role"),
        ("[columns]\ncolour = 1", "columns.colour"),
        ("[types]\nmd5 = 'digest'", "types.md5"),
        ("address = 'ftp://feed.example/x'", "address"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, change: str, field: str) -> None:
    said = {
        "title": "'T'",
        "provider": "'P'",
        "address": "'https://feed.example/x'",
        "licence": "'CC0'",
        "format": "'delimited'",
        "every_minutes": "60",
    }
    key = change.split(" = ")[0]
    lines = [f"{name} = {value}" for name, value in said.items() if name != key]
    path = tmp_path / "p" / "f.toml"
    path.parent.mkdir()
    path.write_text("\n".join([*lines, change]))
    with pytest.raises(InputError) as caught:
        read_feed(path, tmp_path)
    assert caught.value.field == field
    assert caught.value.position == "p/f"


@pytest.mark.parametrize("slug", [slug for slug, feed in FEEDS.items() if feed.banner])
def test_a_feeds_file_without_its_profile_is_told_by_its_banner(slug: str) -> None:
    case = GOLDEN / slug
    head = (case / "input.sample").read_bytes()
    found = feed_of_banner(head.decode())
    assert found is not None
    assert found.slug == slug
    reader = formats.by_name(FEEDS[slug].profile.format)
    items = list(reader.read(Source("upload.txt", content=head), Profile()))
    frames = [item.frame for item in items if isinstance(item, Rows)]
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    assert [value for frame in frames for value in frame["value"]] == expected["values"]
    assert {role for frame in frames for role in frame["role"]} == {FEEDS[slug].profile.defaults["role"]}
