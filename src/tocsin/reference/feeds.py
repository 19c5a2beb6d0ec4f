"""The catalogue of public feeds: one file each, `feeds/<provider>/<feed>.toml`, off until somebody switches it on.

A feed in a known format needs no code. What a file may say is checked here, so that a slip shows when the
catalogue is read and not when the feed first runs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tocsin.core.errors import InputError
from tocsin.core.observations import DRAFT
from tocsin.core.profiles import Profile
from tocsin.core.words import EventType, Kind, Offence, Role, Severity, Tlp

LEAST_EVERY_MINUTES = 5

_OWN = frozenset({"title", "provider", "address", "licence", "every_minutes", "note", "banner"})
_TABLES = frozenset({"columns", "types", "words", "further", "lists", "defaults"})
_PROFILE = frozenset(field.name for field in fields(Profile)) - {"name"}
_WORDS: dict[str, frozenset[str]] = {
    "kind": frozenset(Kind),
    "role": frozenset(Role),
    "peer_role": frozenset(Role),
    "type": frozenset(EventType),
    "offence": frozenset(Offence),
    "severity": frozenset(Severity),
}


@dataclass(frozen=True, slots=True)
class Feed:
    """A public source of deliveries, and how its files are read."""

    slug: str
    """provider/feed, as its file is called."""
    provider: str
    title: str
    address: str
    licence: str
    """Licence or terms, and what they allow."""
    profile: Profile
    every_minutes: int
    note: str = ""
    """What the sample holds and what to know about the feed."""
    banner: str = ""
    """Words in the remarks above the data that only this feed's files have; empty when nothing is that sure."""
    enabled: bool = False

    @property
    def is_open_to_listeners(self) -> bool:
        """Whether it is published by http alone: who sits on the way reads it, and can change it."""
        return self.address.startswith("http:")


def default_folder() -> Path:
    """The catalogue in the package; in a checkout a link leads to `feeds/` at its top."""
    return Path(str(files("tocsin"))) / "feeds"


def all_feeds(folder: Path | None = None) -> tuple[Feed, ...]:
    """Every feed of the catalogue, by slug. Raises InputError that names file and key for a wrong entry."""
    root = folder or default_folder()
    return tuple(read_feed(path, root) for path in sorted(root.glob("*/*.toml")))


@cache
def _bannered() -> tuple[Feed, ...]:
    return tuple(feed for feed in all_feeds() if feed.banner)


def feed_of_banner(remarks: str) -> Feed | None:
    """The feed whose banner stands in the remarks of a file that came without a profile, or None."""
    found = [feed for feed in _bannered() if feed.banner in remarks]
    return max(found, key=lambda feed: len(feed.banner)) if found else None


def read_feed(path: Path, root: Path) -> Feed:
    """One feed from its file."""
    slug = path.relative_to(root).with_suffix("").as_posix()
    try:
        said: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("invalid-object", position=slug, excerpt=str(error)) from error
    unknown = set(said) - _OWN - _PROFILE
    if unknown:
        raise InputError("invalid-object", position=slug, field=min(unknown))
    for key in ("title", "provider", "address", "licence", "format"):
        if not isinstance(said.get(key), str) or not said[key].strip():
            raise InputError("missing-field", position=slug, field=key)
    if urlsplit(said["address"]).scheme not in {"http", "https"}:
        raise InputError("not-a-url", position=slug, field="address", excerpt=said["address"])
    every = said.get("every_minutes")
    if not isinstance(every, int) or every < LEAST_EVERY_MINUTES:
        raise InputError("not-a-number", position=slug, field="every_minutes", excerpt=str(every))
    _check_profile(said, slug)
    profile = Profile(name=slug, **{key: said[key] for key in _PROFILE & set(said)})
    return Feed(
        slug=slug,
        provider=said["provider"],
        title=said["title"],
        address=said["address"],
        licence=said["licence"],
        profile=profile,
        every_minutes=every,
        note=said.get("note", ""),
        banner=said.get("banner", ""),
    )


def _check_profile(said: Mapping[str, Any], slug: str) -> None:
    for key in _TABLES & set(said):
        if not isinstance(said[key], dict):
            raise InputError("wrong-type", position=slug, field=key)
    if said.get("marking", "") not in {"", *Tlp}:
        raise InputError("not-a-marking", position=slug, field="marking", excerpt=said["marking"])
    for table in ("columns", "lists", "defaults", "words"):
        for draft in said.get(table, {}):
            if draft not in DRAFT:
                raise InputError("invalid-object", position=slug, field=f"{table}.{draft}")
    for word, kind in said.get("types", {}).items():
        _check_word("kind", kind, slug, f"types.{word}")
    for draft, value in said.get("defaults", {}).items():
        _check_word(draft, value, slug, f"defaults.{draft}")
    for draft, words in said.get("words", {}).items():
        for word, ours in words.items():
            _check_word(draft, ours, slug, f"words.{draft}.{word}")
    for kind in said.get("further", {}):
        if kind.strip("*"):
            _check_word("kind", kind.strip("*"), slug, f"further.{kind}")


def _check_word(draft: str, value: object, slug: str, field: str) -> None:
    allowed = _WORDS.get(draft)
    if not isinstance(value, str) or (allowed is not None and value not in allowed):
        raise InputError("invalid-object", position=slug, field=field, excerpt=str(value))
