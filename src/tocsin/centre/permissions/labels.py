"""Words of audiences and permissions, as people read them."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tocsin.centre.members.models import Organisation
from tocsin.reference.countries import country

from .rules import PUBLIC

STATES: dict[str, tuple[str, str, str | Promise]] = {
    "with-centre": ("hourglass", "warn", _("With the Centre")),
    "asked": ("hourglass", "warn", _("The source is asked")),
    "granted": ("circle-check", "good", _("Permitted")),
    "refused": ("circle-x", "bad", _("The source refused")),
    "declined": ("circle-x", "bad", _("Not passed on")),
    "cancelled": ("rotate", "", _("Wanted no longer")),
    "withdrawn": ("player-pause", "bad", _("Taken back by the source")),
    "ended": ("lock", "", _("Its last day is over")),
}
"""How a request stands → icon, tone, label."""

REFUSALS: dict[str, str | Promise] = {
    "not-allowed": _("Your roles do not allow this, or it is for another organisation to decide."),
    "nothing-chosen": _("Choose at least one of those that are named."),
    "nothing-asked": _("Name to whom it should go, or a purpose that its source did not agree to."),
    "own-source": _("You are its source: change its label instead."),
    "red": _("TLP:RED is for the persons whom its source named: no permission changes that. Ask for another label."),
    "others-units": _("A bureau asks for units of its own, by name, and for one item each time."),
    "person": _("A permission names organisations, countries or classes, never persons."),
    "term": _("The last day is today at the earliest, and in a year at the latest."),
    "no-reason": _("Say why: a reason is kept with this step."),
    "wider-than-asked": _("This goes further than what was asked. Permit the whole of it, or less."),
    "nobody": _("None of those that are named may come in now: they are closed, or their country is suspended."),
    "excluded": _("You excluded one of them yourself. Leave it out, or change the exclusion first."),
    "public-standing": _(
        "The public is permitted what is there, never what comes later. Ask without what comes later."
    ),
    "public-pap": _("What everybody reads everybody acts on: its source has to set PAP:CLEAR first."),
    "label-binds": _("Its label or a handling code keeps it with you: ask its source for your units."),
}

FIELDS: dict[str, str | Promise] = {
    "tlp": _("Sharing label"),
    "audience": _("Whom the source named"),
    "exclusions": _("Whom the source excluded"),
    "codes": _("Handling codes"),
    "restrictions": _("Restriction of its own (H3)"),
    "pap": _("What may be done with it (PAP)"),
    "purposes": _("Purposes"),
    "classification": _("Classification"),
    "attribution": _("Naming the source"),
    "retention_months": _("Kept for"),
}
"""The fields of a handling set, in the order of `handling.deriving.FIELDS`."""

CLASSES: dict[str, str | Promise] = {
    "law-enforcement": _("All law enforcement"),
    "public-body": _("All public bodies"),
    "private": _("The whole private sector"),
    "academia": _("All of academia"),
}


PUBLIC_NAME = _("The public, in an alert: exactly these values")


def entry_names(entries: Iterable[str]) -> list[str]:
    """An audience in words, as the reader's language has them."""
    listed = list(entries)
    names = dict(Organisation.objects.filter(slug__in=listed).values_list("slug", "name"))
    return [_name(entry, names) for entry in listed]


def _name(entry: str, names: dict[str, str]) -> str:
    kind, _colon, word = entry.partition(":")
    if entry == "all-members":
        return str(_("All member bureaus"))
    if entry == PUBLIC:
        return str(PUBLIC_NAME)
    if kind == "class":
        return str(CLASSES.get(word, word))
    if kind == "country":
        try:
            name = country(word).name(get_language() or "en")
        except KeyError:
            name = word
        return str(_("Everybody in %(country)s")) % {"country": name}
    return names.get(entry, word or entry)
