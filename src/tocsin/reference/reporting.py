"""Where people report a cybercrime, by country: what ships, and what an installation says instead.

Source of each channel and the day on which it was seen stand beside it. What is not known is not said.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from tocsin.core.errors import InputError

from .countries import country

FOLDER = Path(__file__).parent
_FIELDS = frozenset({"country", "name", "address", "telephone", "mail", "source", "seen"})


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to report."""

    name: str
    source: str
    seen: date
    address: str = ""
    """https."""
    telephone: str = ""
    mail: str = ""

    @property
    def dialled(self) -> str:
        """The number as a telephone dials it."""
        return "".join(sign for sign in self.telephone if sign.isdigit() or sign == "+")


@dataclass(frozen=True, slots=True)
class Reporting:
    """All that is known."""

    channels: Mapping[str, tuple[Channel, ...]] = field(default_factory=dict)
    """By country."""
    emergency: Mapping[str, str] = field(default_factory=dict)

    def of(self, code: str) -> tuple[Channel, ...]:
        return self.channels.get(code, ())


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
    return Reporting({**shipped.channels, **said.channels}, {**shipped.emergency, **said.emergency})


@cache
def _shipped() -> Reporting:
    return _read(tomllib.loads((FOLDER / "reporting.toml").read_text(encoding="utf-8")))


def _read(said: Mapping[str, Any]) -> Reporting:
    channels: dict[str, list[Channel]] = {}
    for each in said.get("channel", ()):
        if unknown := set(each) - _FIELDS:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        code = country(each["country"]).code
        facts = {name: value for name, value in each.items() if name != "country"}
        channel = Channel(**facts)
        if type(channel.seen) is not date:
            raise ValueError(f"{code}: seen is a day, as 2026-11-23")
        if channel.address and not channel.address.startswith("https://"):
            raise ValueError(f"{code}: the address does not begin with https://")
        if not (channel.address or channel.telephone or channel.mail):
            raise ValueError(f"{code}: neither an address nor a number")
        channels.setdefault(code, []).append(channel)
    emergency = {country(code).code: number for number, codes in said.get("emergency", {}).items() for code in codes}
    return Reporting({code: tuple(found) for code, found in channels.items()}, emergency)
