"""Words of releases and standing orders, as people read them."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REFUSALS: dict[str, str | Promise] = {
    "not-allowed": _("Your roles do not allow this."),
    "same-person": _("You took the first step yourself: the second one is for another person."),
    "submitter": _("You handed this over yourself: another person releases it."),
    "of-the-source": _("You belong to its source: people of the Centre who do not decide on it."),
    "not-proved": _("Prove first who you are, then decide again."),
    "nothing-waits": _("Nothing of this waits: it was released, hidden or set aside."),
    "relabelled": _("Its handling changed after it was proposed. Refuse it or have it withdrawn, and propose it anew."),
    "ask-source": _("Ask the source: its label or handling code does not let it go there without permission."),
    "no-common-purpose": _("Its parts serve no common purpose: propose each by itself, or ask the sources."),
    "wider": _("An organisation is named that the handling set keeps this from."),
    "nobody": _("Nobody would get it: choose a wider audience, or leave it with the Centre."),
    "term": _("An order ends after it begins, within a year, and not before today."),
    "no-reason": _("Say why: a reason is kept with this step."),
    "leaks": _("What it says holds something that must not be read. The page of the redacted version says where."),
    "order-stopped": _("This order was stopped. Draw up a new one."),
}

REASONS: dict[str, tuple[str, str, str | Promise]] = {
    "source": ("upload", "good", _("It is the source")),
    "centre": ("building-bank", "good", _("The Centre itself")),
    "named": ("user", "good", _("The source named the person")),
    "addressed": ("mail", "good", _("The source named it as an addressee")),
    "label": ("circle-check", "good", _("The label lets it go there")),
    "permitted": ("circle-check", "good", _("Its source permitted it, or its bureau passed it on")),
    "not-signed-in": ("circle-x", "", _("It reads nothing at all")),
    "suspended": ("player-pause", "bad", _("Its country's bureau is suspended")),
    "hidden": ("eye", "bad", _("It is hidden")),
    "expired": ("clock", "bad", _("It expired")),
    "excluded": ("shield-lock", "bad", _("The source excluded it. Nobody outside this page may learn that")),
    "not-released": ("hourglass", "warn", _("It is not released")),
    "not-in-release": ("filter", "", _("The release does not name it")),
    "private": ("shield-lock", "", _("It is between members: the Centre's people do not read it")),
    "clearance": ("lock", "warn", _("Its people are not cleared for this classification")),
    "ceiling": ("key", "warn", _("The key in hand does not read this label")),
    "employer": ("users", "warn", _("The employer of seconded people may not have it")),
    "label-forbids": ("flag", "warn", _("The label does not let it go there")),
}
"""Reason of the gate → icon, tone, sentence."""

STATES: dict[str, tuple[str, str, str | Promise]] = {
    "waits": ("hourglass", "warn", _("Waits")),
    "proposed": ("user", "accent", _("Proposed")),
    "released": ("circle-check", "good", _("Released")),
    "refused": ("circle-x", "bad", _("Refused")),
    "withdrawn": ("rotate", "", _("Withdrawn")),
}

STANDINGS: dict[str, tuple[str, str, str | Promise]] = {
    "half-signed": ("hourglass", "warn", _("Waits for the second signature")),
    "to-come": ("clock", "accent", _("Not begun yet")),
    "in-force": ("circle-check", "good", _("In force")),
    "stopped": ("player-pause", "bad", _("Stopped")),
    "ended": ("lock", "", _("Ended")),
}
"""How an order stands → icon, tone, label."""
