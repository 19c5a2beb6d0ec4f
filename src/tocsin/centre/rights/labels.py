"""Words for people: what is asked, where it stands, how it was answered."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

KINDS: dict[str, str | Promise] = {
    "access": _("To know what is held on me"),
    "correction": _("To have something corrected"),
    "deletion": _("To have something deleted"),
}

STATES: dict[str, str | Promise] = {
    "received": _("Proof of identity awaited"),
    "examined": _("Being examined"),
    "answered": _("Answered"),
}

TONES = {"received": "", "examined": "warn", "answered": "good"}

ANSWERS: dict[str, str | Promise] = {
    "neither": _("Neither confirm nor deny"),
    "disclosed": _("Tell, with the authority of the sources"),
    "inadmissible": _("Not admissible"),
}

ACTS: dict[str, str | Promise] = {
    "received": _("Received"),
    "identified": _("Identity proved"),
    "searched": _("Searched the holdings"),
    "ordered-correction": _("Ordered a correction"),
    "ordered-deletion": _("Ordered a deletion"),
    "answered": _("Answered"),
    "letter": _("Took the letter out"),
}

FINDS: dict[str, str | Promise] = {
    "rows": _("Observations"),
    "documents": _("Documents"),
    "objects": _("Objects"),
    "proposals": _("Proposals"),
    "titles": _("Names of files"),
}
