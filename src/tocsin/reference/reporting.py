"""Where people report a cybercrime, by country: what ships, and what an installation says instead.

Source of each channel and the day on which it was seen stand beside it. What is not known is not said. These are the
addresses that frightened people press: one that is not plainly what it seems to be is refused, in the own file as well.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tocsin.core.errors import InputError

from .countries import LANGUAGES, country

FOLDER = Path(__file__).parent
OWN_FILE = "reporting.toml"
"""Name of the installation's own, beside its settings."""
_NAMES = tuple(f"name_{language}" for language in LANGUAGES)
_TEXTS = frozenset({"name", "source", "address", "telephone", "mail", "checked_by", *_NAMES})
_FIELDS = frozenset({"country", "kind", "seen", "languages", "checked", "checked_on", *_TEXTS})
_HOST = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])", re.ASCII)
_PATH = re.compile(r"[!#-;=?-\[\]_a-z~]*", re.ASCII)
"""Signs of an address after its host: no spaces, quotes, angle brackets, nor letters that look like others."""
_TELEPHONE = re.compile(r"[+*#]?[0-9](?:[0-9 ()-]{0,22}[0-9])?", re.ASCII)
_MAIL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
LONGEST = 200


class Kind(StrEnum):
    """For what a channel is there; the order is that of a country's page."""

    CYBERCRIME = "cybercrime"
    FRAUD = "fraud"
    INCIDENT = "incident"
    CHILD_ABUSE = "child-abuse"


_ORDER = {kind: place for place, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to report."""

    name: str
    """What it calls itself."""
    source: str
    """The address of the page where it was found."""
    seen: date
    address: str = ""
    """https."""
    telephone: str = ""
    mail: str = ""
    kind: Kind = Kind.CYBERCRIME
    names: Mapping[str, str] = field(default_factory=dict)
    """What it is, by language, where its own name does not say that to whoever reads another one."""
    languages: tuple[str, ...] = ()
    """Those it is known to serve."""
    checked: bool = False
    """Whether the source is the operator's own page."""
    checked_on: date | None = None
    """When somebody of this installation asked the operator, or tried it."""
    checked_by: str = ""
    """Who did. Told to officers alone."""

    @property
    def dialled(self) -> str:
        """The number as a telephone dials it, as part of an address."""
        return quote("".join(sign for sign in self.telephone if sign.isdigit() or sign in "+*#"), safe="+*")

    @property
    def host(self) -> str:
        """The host of its address, which is what a reader should recognise."""
        return urlsplit(self.address).hostname or ""

    @property
    def source_host(self) -> str:
        return urlsplit(self.source).hostname or self.source


@dataclass(frozen=True, slots=True)
class Reporting:
    """All that is known."""

    channels: Mapping[str, tuple[Channel, ...]] = field(default_factory=dict)
    """By country, in the order of their kinds."""
    emergency: Mapping[str, str] = field(default_factory=dict)

    def of(self, code: str) -> tuple[Channel, ...]:
        return self.channels.get(code, ())

    def all(self) -> Iterator[tuple[str, Channel]]:
        """Country and channel, in the order of the countries' codes."""
        for code in sorted(self.channels):
            for each in self.channels[code]:
                yield code, each


def reporting(own: Path | None = None) -> Reporting:
    """What ships, and of each country that the installation's own file names what that says.

    Raises InputError("not-a-setting") for a file that is not of this form.
    """
    shipped = _shipped()
    if own is None or not own.is_file():
        return shipped
    try:
        said = _read(tomllib.loads(own.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("not-a-setting", position=str(own), excerpt=str(error)[:200]) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("not-a-setting", position=str(own), field="channel", excerpt=str(error)[:200]) from error
    return Reporting(
        {code: found for code, found in {**shipped.channels, **said.channels}.items() if found},
        {code: number for code, number in {**shipped.emergency, **said.emergency}.items() if number},
    )


def as_data(found: Reporting) -> dict[str, Any]:
    """The same as a document for programs; who checked a channel is not in it."""
    rows = []
    for code, each in found.all():
        row = {
            "country": code, "kind": each.kind.value, "name": each.name, "names": dict(each.names),
            "address": each.address, "telephone": each.telephone, "mail": each.mail, "languages": list(each.languages),
            "source": each.source, "seen": each.seen.isoformat(), "is_operators_own": each.checked,
            "checked_on": each.checked_on.isoformat() if each.checked_on else "",
        }  # fmt: skip
        rows.append({name: value for name, value in row.items() if value or value is False})
    return {"channels": rows, "emergency": dict(sorted(found.emergency.items()))}


def of_data(document: Mapping[str, Any]) -> Reporting:
    """Back from `as_data`."""
    numbers: dict[str, list[str]] = {}
    for code, number in document["emergency"].items():
        numbers.setdefault(number, []).append(code)
    return _read({"channel": [_row_of(each) for each in document["channels"]], "emergency": numbers})


def _row_of(said: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: value for name, value in said.items() if name not in {"names", "is_operators_own", "checked_on"}}
    row |= {f"name_{language}": text for language, text in said.get("names", {}).items()}
    row |= {"seen": date.fromisoformat(said["seen"]), "checked": said["is_operators_own"]}
    if "checked_on" in said:
        row |= {"checked_on": date.fromisoformat(said["checked_on"]), "checked_by": "-"}
    return row


@cache
def _shipped() -> Reporting:
    return _read(tomllib.loads((FOLDER / "reporting.toml").read_text(encoding="utf-8")))


def _read(said: Mapping[str, Any]) -> Reporting:
    if unknown := set(said) - {"channel", "emergency", "without"}:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    channels: dict[str, list[Channel]] = {country(code).code: [] for code in said.get("without", ())}
    for each in said.get("channel", ()):
        code = country(each["country"]).code
        try:
            channel = _channel(each)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{code}: {_said(error)}") from error
        channels.setdefault(code, []).append(channel)
    emergency: dict[str, str] = {}
    for number, codes in said.get("emergency", {}).items():
        if number and not (number.isascii() and number.isdigit() and len(number) <= len("0000000")):
            raise ValueError(f"{number}: an emergency number has digits alone")
        for code in codes:
            if country(code).code in emergency:
                raise ValueError(f"{code}: two emergency numbers")
            emergency[code] = number
    ordered = {code: tuple(sorted(found, key=lambda each: _ORDER[each.kind])) for code, found in channels.items()}
    return Reporting(ordered, emergency)


def _said(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def _channel(said: Mapping[str, Any]) -> Channel:
    if unknown := set(said) - _FIELDS:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    for name in _TEXTS & set(said):
        _require_plain(name, said[name])
    facts = {name: value for name, value in said.items() if name != "country" and name not in _NAMES}
    made = Channel(**{
        **facts, "kind": Kind(said.get("kind", Kind.CYBERCRIME)), "languages": tuple(said.get("languages", ())),
        "names": {name.removeprefix("name_"): said[name] for name in _NAMES if name in said},
    })  # fmt: skip
    if type(made.seen) is not date or type(made.checked_on) not in {date, type(None)}:
        raise ValueError("seen and checked_on are days, as 2026-11-23")
    if type(made.checked) is not bool:
        raise ValueError("checked is true or false")
    if bool(made.checked_on) != bool(made.checked_by):
        raise ValueError("checked_on and checked_by go together")
    if any(not _LANGUAGE.fullmatch(each) for each in made.languages):
        raise ValueError("languages are codes, as fr")
    _require_ways(made)
    return made


def _require_plain(name: str, text: object) -> None:
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        raise ValueError(f"{name} is no text of 1 to {LONGEST} signs")
    if _UNSEEN.search(text):
        raise ValueError(f"{name} has signs that nobody sees")


def _require_ways(channel: Channel) -> None:
    """Raises ValueError for a way that leads nowhere, or elsewhere than it seems."""
    if not (channel.address or channel.telephone or channel.mail):
        raise ValueError("neither an address nor a number")
    if channel.address and not _is_address(channel.address):
        raise ValueError("the address is no https:// address of a host by its name")
    if "://" in channel.source and not _is_address(channel.source):
        raise ValueError("the source is no https:// address of a host by its name")
    if channel.telephone and not _TELEPHONE.fullmatch(channel.telephone):
        raise ValueError("the telephone number has other signs than digits, spaces, +, *, # and -")
    if channel.mail:
        name, _, host = channel.mail.partition("@")
        if not (_MAIL.fullmatch(name) and _HOST.fullmatch(host)):
            raise ValueError("the mail address is none")


def _is_address(text: str) -> bool:
    """Whether a reader who sees the host knows where it leads: https, a name in plain letters, no port, no sign-in."""
    host, mark, path = text.removeprefix("https://").partition("/")
    return text.startswith("https://") and bool(_HOST.fullmatch(host)) and bool(_PATH.fullmatch(mark + path))
