"""Who answers for a country: the members' bureaus with their dates, sub-bureaus, and territories.

A member is not the same as a state, and not every country code has a bureau. An installation that knows
better keeps its own directory; this table is what it starts from. Sources: NOTICE.md.
"""

from __future__ import annotations

import csv
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Member:
    """A bureau, named by the alpha-2 code of its country. A sub-bureau has a `parent`, and is no member.

    `member_from` is None where membership is older than the table's memory (September 2006).
    """

    code: str
    parent: str | None
    member_from: date | None
    member_to: date | None  # Last day.

    def is_active(self, on: date) -> bool:
        """Whether it was a member, or the sub-bureau of one, on that day."""
        return (self.member_from is None or self.member_from <= on) and (self.member_to is None or on <= self.member_to)


def members(on: date) -> tuple[Member, ...]:
    """The bureaus of all members on that day, without sub-bureaus."""
    return tuple(each for each in _bureaus().values() if each.parent is None and each.is_active(on))


def sub_bureaus(of: str | None = None) -> tuple[Member, ...]:
    """The sub-bureaus of one member, or all."""
    return tuple(each for each in _bureaus().values() if each.parent and of in {None, each.parent})


def bureau_of(country_code: str, on: date) -> Member | None:
    """The member's bureau that answers for a country or territory; None where nobody does.

    A territory with a sub-bureau gives the bureau of its member (MO -> CN): see `sub_bureau_of`.
    """
    code = territories().get(country_code, country_code)
    found = _bureaus().get(code)
    return found if found is not None and found.parent is None and found.is_active(on) else None


def sub_bureau_of(country_code: str) -> Member | None:
    """The sub-bureau in that territory, if there is one."""
    found = _bureaus().get(country_code)
    return found if found is not None and found.parent is not None else None


@cache
def territories() -> dict[str, str]:
    """Territory -> the member whose bureau answers for it, both alpha-2."""
    with (FOLDER / "territories.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: row["bureau"] for row in csv.DictReader(file)}


@cache
def _bureaus() -> dict[str, Member]:
    with (FOLDER / "members.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["code"]: Member(
                row["code"], row["parent"] or None, _last_day(row["member_from"]), _last_day(row["member_to"])
            )
            for row in csv.DictReader(file)
        }


def _last_day(text: str) -> date | None:
    """A day, or the last day of a month where only the month is known, so that nobody is told too early."""
    if not text:
        return None
    year, month, *day = map(int, text.split("-"))
    return date(year, month, day[0] if day else monthrange(year, month)[1])
