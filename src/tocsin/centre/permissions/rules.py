"""Who asks, who passes on, who answers, and how narrow an answer is. Pure: words in, a reason for refusal out.

A source alone permits what its label does not. Nobody answers in its place, however long it is silent.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet, Reason
from tocsin.handling.sets import PAP

PUBLIC = "class:public"
"""Entry of an audience: everybody reads these values in an alert. It opens nothing to anybody who comes in here."""
LONGEST_TERM = timedelta(days=366)
REMIND_EVERY = timedelta(days=3)
"""An unanswered request is put before the source again after so long."""
MOST_REMINDERS = 3
ENDS_SOON = timedelta(days=14)


class State(StrEnum):
    """How a request stands."""

    WITH_CENTRE = "with-centre"
    """A bureau asked, and the Centre has not passed it on yet."""
    ASKED = "asked"
    GRANTED = "granted"
    REFUSED = "refused"
    DECLINED = "declined"
    """The Centre did not pass it on."""
    CANCELLED = "cancelled"
    """Who asked wants it no longer."""
    WITHDRAWN = "withdrawn"
    """The source took its permission back."""
    ENDED = "ended"
    """Its last day is over."""


OPEN = (State.WITH_CENTRE, State.ASKED)


class Refusal(StrEnum):
    """Why a request or an answer is not taken."""

    NOT_ALLOWED = "not-allowed"
    NOTHING_CHOSEN = "nothing-chosen"
    NOTHING_ASKED = "nothing-asked"
    OWN_SOURCE = "own-source"
    RED = "red"
    OTHERS_UNITS = "others-units"
    PERSON = "person"
    TERM = "term"
    NO_REASON = "no-reason"
    WIDER_THAN_ASKED = "wider-than-asked"
    EXCLUDED = "excluded"
    LABEL_BINDS = "label-binds"
    """A bureau may not pass it on by itself: its source has to be asked."""
    NOBODY = "nobody"
    PUBLIC_STANDING = "public-standing"
    PUBLIC_PAP = "public-pap"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for, or permitted."""

    audience: frozenset[str]
    """To whom: organisation slugs, `country:FR`, `class:academia`, `all-members`."""
    purposes: frozenset[str]
    is_standing: bool
    """Not for these things alone: also for what the source hands over later under the same handling set."""
    until: date
    """The last day, which counts whole in UTC."""


def day_of(at: datetime) -> date:
    """The day of this moment in UTC, by which permissions and orders begin and end."""
    return at.astimezone(UTC).date()


def refusal_of_wish(wish: Wish, sets: Collection[HandlingSet], today: date) -> Refusal | None:
    """Why nobody can ask this of a source; the sets are those of what is asked about."""
    if not sets:
        return Refusal.NOTHING_CHOSEN
    if any(each.tlp is Tlp.RED for each in sets):
        return Refusal.RED
    if any(entry.startswith("person:") for entry in wish.audience):
        return Refusal.PERSON
    if PUBLIC in wish.audience:
        if wish.is_standing:
            return Refusal.PUBLIC_STANDING
        if any(each.pap != PAP[0] for each in sets):
            return Refusal.PUBLIC_PAP
    beyond = any(wish.purposes - set(each.purposes) for each in sets)
    if not wish.audience and not beyond:
        return Refusal.NOTHING_ASKED
    return None if today <= wish.until <= today + LONGEST_TERM else Refusal.TERM


def refusal_of_bureau(wish: Wish, units: Collection[str]) -> Refusal | None:
    """Why a bureau may not ask this: it asks for units of its own, by name, each time anew."""
    if not wish.audience:
        return Refusal.NOTHING_ASKED
    return None if wish.audience <= set(units) and not wish.is_standing else Refusal.OTHERS_UNITS


def refusal_of_answer(answer: Wish, asked: Wish, sets: Collection[HandlingSet], today: date) -> Refusal | None:
    """Why the source's permission cannot stand: it is the whole of what was asked for, or less."""
    if not answer.audience <= asked.audience or not answer.purposes <= asked.purposes:
        return Refusal.WIDER_THAN_ASKED
    if (answer.is_standing and not asked.is_standing) or answer.until > asked.until:
        return Refusal.WIDER_THAN_ASKED
    if answer.until < today:
        return Refusal.TERM
    if asked.audience and not answer.audience:
        return Refusal.NOTHING_CHOSEN
    if not answer.audience and not answer.purposes:
        return Refusal.NOTHING_CHOSEN
    if any(answer.audience & set(each.exclusions) for each in sets):
        return Refusal.EXCLUDED
    return None


def is_passable(handling: HandlingSet, has_it: Reason) -> bool:
    """Whether a bureau may pass something on to units of its own without asking anybody (W01b).

    A label up to TLP:AMBER covers the clients of who received it; AMBER+STRICT and RED do not, and H2 says the
    contrary. What the bureau itself has by a permission, that permission bounds (`has_it`: as the gate explains it).
    """
    by_label = handling.tlp in {Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER} and "H2" not in handling.codes
    return by_label and has_it in {Reason.ADDRESSED, Reason.LABEL}


def refusal_of_units(chosen: Collection[str], units: Collection[str]) -> Refusal | None:
    """Why something is not passed on to these: a bureau names units of its own."""
    if not chosen:
        return Refusal.NOTHING_CHOSEN
    return None if set(chosen) <= set(units) else Refusal.OTHERS_UNITS
