"""Words of redacted versions, as people read them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .guard import LeaksError

GROUPS: dict[str, str | Promise] = {
    "times": _("When and how often it was seen"),
    "names": _("Malware, actor and the source's own name"),
    "network": _("Network, port, protocol and host name"),
    "address": _("Web address that belongs to it"),
    "other-side": _("The other side"),
    "countries": _("Countries that the source states"),
    "weight": _("Severity and confidence"),
    "free-text": _("Remarks, tags and references"),
}
"""Columns of rows that are taken out together, as `cutting.COLUMN_GROUPS` has them."""

REFUSALS: dict[str, str | Promise] = {
    "not-allowed": _("Your roles do not allow this."),
    "nothing-chosen": _("Choose at least one object. What you may not see cannot be chosen."),
    "nothing-taken-out": _("Take at least one field out, or replace a text: else nothing is redacted."),
    "no-reason": _("Say why: a reason is kept with this step."),
    "too-short": _("A text that is replaced has at least three characters: a shorter one stands in too many places."),
    "too-many-rows": _("These are too many rows for a redacted version. Ask the source for a smaller delivery."),
    "no-common-purpose": _("Its parts serve no common purpose: redact each by itself, or ask the source."),
    "leaks": _(
        "What is left still holds something that must not be read: it is listed above. Take it out as well, or write "
        "something else."
    ),
    "origin-closed": _("What it was made of is hidden from you, or gone: it stays closed."),
}

WHY: dict[str, str | Promise] = {
    "victim": _("A victim's value"),
    "personal": _("Data about a person"),
    "restricted": _("A value of something that its readers may not see"),
    "source": _("The name of a source that is not to be named"),
    "removed": _("It was taken out elsewhere"),
    "unreadable": _("It could not be read to its end"),
    "position": _("A picture that says where it was taken"),
    "not-publishable": _("A sign that may not be made public"),
}
"""Why a find must not be read, as `handling.leaks.Secret` has it."""

WRITTEN: dict[str, str | Promise] = {
    "digits": _("in other digits"),
    "wide": _("in other forms of its letters"),
    "invisible": _("with invisible marks in it"),
    "defanged": _("defanged"),
    "broken": _("over the end of a line"),
    "encoded": _("encoded"),
    "network": _("as the network around it"),
    "spelling": _("spelt otherwise"),
}
"""How it is written, as `handling.disguises.Written` has it."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A find, as a person reads it."""

    field: str
    language: str
    why: str
    value: str
    """Only where the reader knows it; else empty."""
    written: list[str]


def leaks_of(found: LeaksError) -> list[Leak]:
    """What was found, in the reader's language."""
    return [
        Leak(each.place.field, each.place.language, str(WHY[each.why.value]), value,
             [str(WRITTEN[way.value]) for way in sorted(each.written)])
        for each, value in zip(found.findings, found.shown, strict=True)
    ]  # fmt: skip
