"""Words for people: reasons, answers, channels."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REASONS: dict[str, str | Promise] = {
    "source-withdrawal": _("The source withdraws it"),
    "wrong-data": _("The data are wrong"),
    "wrong-recipients": _("It reached somebody who should not have it"),
    "legal": _("A legal ground"),
    "court-order": _("A court ordered it"),
}

SHOWN_REASONS: dict[str, str | Promise] = {
    **REASONS,
    "relabelled": _("It has a stricter label now"),
    "wrong-country": _("It was given to the wrong country"),
}
"""With what nobody chooses: a new label recalls it from those whom it leaves out, a correction from a country."""

ACTIONS: dict[str, str | Promise] = {
    "destroy": _("Destroy it"),
    "correct": _("Undo what was done with it; a corrected version follows"),
}

STATES: dict[str, str | Promise] = {
    "informed": _("Answer awaited"),
    "nothing-taken": _("Took nothing"),
    "destroyed": _("Destroyed"),
    "corrected": _("Corrected"),
    "objected": _("Kept under a legal duty"),
}

TONES = {"informed": "warn", "objected": "warn"}
"""State → the tone of its badge; the others are done."""

UNDO_ANSWERS: dict[str, str | Promise] = {
    "done": _("Undone"),
    "not-applicable": _("Nothing had to be undone"),
}

UNDO_STATES: dict[str, str | Promise] = {"open": _("To be undone"), **UNDO_ANSWERS}

REMAKES: dict[str, str | Promise] = {
    "open": _("Reopened, being made anew"),
    "made": _("Made anew"),
    "nothing-left": _("Nothing is left for this country"),
}

KINDS: dict[str, str | Promise] = {"object": _("Object"), "value": _("Value")}
