"""Words of alerts, as the Centre's people and those who propose read them."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from tocsin.products.alerts.words import words

from .rules import Act, State

Label = str | Promise
STATES: dict[str, tuple[str, str, Label]] = {
    "draft": ("file-text", "", _("In draft")),
    "quality-review": ("list-check", "accent", _("Quality review")),
    "legal-review": ("scale", "accent", _("Legal review")),
    "translation": ("language", "accent", _("Translation")),
    "approval": ("shield-check", "accent", _("Approval")),
    "sending": ("hourglass", "accent", _("On its way to the police")),
    "published-police": ("shield", "good", _("Published to the police")),
    "published-public": ("world", "good", _("Published to everybody")),
    "updated": ("rotate", "", _("Replaced by a later version")),
    "cancelled": ("circle-x", "bad", _("Cancelled")),
    "expired": ("clock", "", _("Expired")),
    "dropped": ("trash", "", _("Given up")),
}
"""State → icon, tone, label."""
STAGES = (State.DRAFT, State.QUALITY, State.LEGAL, State.TRANSLATION, State.APPROVAL, State.POLICE, State.PUBLIC)
"""What is drawn as steps, in the order in which a version goes through them."""

TYPES: dict[str, tuple[str, str]] = {
    "METHOD": ("bug", "purple"), "IMMINENT": ("flame", "orange"), "PERSON": ("user", "green"),
    "PREVENTION": ("shield", "blue"),
}  # fmt: skip
"""Type → icon, colour. Its name is one of the words that outputs use."""
TYPE_HINTS: dict[str, Label] = {
    "METHOD": _("How a crime is done, and how to recognise it."),
    "IMMINENT": _("Something dangerous happens now. It may go out in one language; the others follow within 24 hours."),
    "PERSON": _("Somebody to be watched for. For the police alone, never public."),
    "PREVENTION": _("Advice, without a case behind it. It may go to the public alone."),
}
ACTS: dict[str, Label] = {
    "start": _("Began it"),
    Act.WRITE: _("Wrote"),
    Act.SUBMIT: _("Handed it in"),
    Act.QUALITY_PASSED: _("Passed its quality"),
    Act.LEGAL_PASSED: _("Passed it as to the law"),
    Act.RETURN: _("Sent it back"),
    Act.TRANSLATE: _("Wrote a translation"),
    Act.CHECK: _("Checked a translation"),
    Act.APPROVE: _("Approved it for the police"),
    Act.PUBLISH: _("Published it to everybody"),
    Act.UPDATE: _("Began the next version"),
    Act.CANCEL: _("Asked that it is cancelled"),
    Act.CONFIRM_CANCEL: _("Cancelled it"),
    Act.KEEP: _("Took back that it is to be cancelled"),
    Act.DROP: _("Gave it up"),
    "published-police": _("The police edition went out"),
    "replaced": _("A later version replaced it"),
    "expire": _("Its time was over"),
    "blocked": _("Publication was refused: something in it must not be public"),
    "returned-by-recall": _("Taken back by a recall"),
}
"""What was done, as a step says it."""
MADE: dict[str, tuple[str, str, Label]] = {
    "original": ("file-text", "", _("Original")),
    "machine": ("robot", "warn", _("By a machine")),
    "human": ("user", "", _("By a person, not checked")),
    "checked": ("circle-check", "good", _("Checked")),
}
URGENCIES: dict[str, Label] = {
    "Immediate": _("Act at once"), "Expected": _("Act within the hour"), "Future": _("Act in the near future"),
    "Past": _("No longer necessary"), "Unknown": _("Not known"),
}  # fmt: skip
CERTAINTIES: dict[str, Label] = {
    "Observed": _("Observed"), "Likely": _("Likely: more than half"), "Possible": _("Possible: half or less"),
    "Unlikely": _("Unlikely"), "Unknown": _("Not known"),
}  # fmt: skip
LIKELIHOODS: dict[str, Label] = {
    "almost-no-chance": _("Almost no chance (0–5 %)"), "very-unlikely": _("Very unlikely (5–20 %)"),
    "unlikely": _("Unlikely (20–45 %)"), "roughly-even": _("Roughly even chance (45–55 %)"),
    "likely": _("Likely (55–80 %)"), "very-likely": _("Very likely (80–95 %)"),
    "almost-certain": _("Almost certain (95–100 %)"),
}  # fmt: skip
CONFIDENCES: dict[str, Label] = {
    "low": _("Low"), "moderate": _("Moderate"),
    "high": _("High"),
}  # fmt: skip
ROLES: dict[str, Label] = {
    "ATTACKER_INFRA": _("Attacker's infrastructure"), "COMPROMISED_THIRD_PARTY": _("Compromised third party"),
    "VICTIM": _("Victim"), "SINKHOLE": _("Sinkhole"), "HONEYPOT": _("Honeypot"),
    "SECURITY_SERVICE": _("Security service"), "UNKNOWN": _("Role not known"),
}  # fmt: skip
FIELDS: dict[str, Any] = {
    "type": _("Type"), "offence": _("Offence"), "severity": _("Severity"), "urgency": _("Urgency"),
    "certainty": _("Certainty"), "onset": _("Since"), "expires": _("Valid until"),
    "countries": _("Countries concerned"),
    "techniques": _("Techniques (ATT&CK)"), "language": _("Language of the source text"), "title": _("Title"),
    "happening": _("What is happening"), "at_risk": _("Who is at risk"), "recognise": _("How to recognise it"),
    "do_now": _("What to do now"), "if_victim": _("If you are a victim"), "image_texts": _("Texts of images"),
    "reason": _("What this update changes"), "bottom_line": _("Bottom line"), "facts": _("Facts"),
    "assessment": _("Assessment"), "likelihood": _("Likelihood"), "confidence": _("Confidence"), "tasks": _("Tasks"),
    "never": _("What not to do"), "questions": _("Questions to the recipient"), "contact": _("Contact"),
    "answer_by": _("Answer by"), "indicators": _("Indicators"), "persons": _("Persons"), "images": _("Images"),
    "is_public": _("A public edition is wanted"), "is_for_police": _("A police edition is wanted"),
    "label": _("Label"), "tlp": _("Sharing label"), "audience": _("Narrower audience"),
    "exclusions": _("Left out"), "embargo_until": _("Embargo until"), "text": _("Text"), "owner": _("Who"),
    "due": _("Due"), "languages": _("Languages"),
}  # fmt: skip
PARTS: dict[str, Label] = {
    "author": _("You wrote in this version, so its review, its clearance and its release are for others."),
    "quality": _("You passed its quality, so the other stages are for others."),
    "legal": _("You cleared it as to the law, so the other stages are for others."),
}
"""Why the rule of four people keeps somebody from an act."""
FAULTS: dict[str, Label] = {
    "missing": _("is missing"), "changed": _("was changed"), "digits": _("stands in digits that nobody can copy"),
    "added": _("is not in the source"),
}  # fmt: skip
CANCEL_REASONS: dict[str, Label] = {
    "source-correction": _("Its source corrected it"), "error": _("It held an error"),
    "over": _("The danger is over"), "withdrawn": _("Its source withdrew it"),
    "replaced": _("Another alert replaces it"),
}  # fmt: skip
CONCERNS: dict[str, Label] = {
    "victim": _("Since it was published, somebody handed over that a value in it belongs to a victim."),
    "agreement": _("A source no longer agrees that the public reads a value in it."),
    "narrower": _("Something that it rests on was put under a narrower label."),
}
CONCERNS_DONE: dict[str, Label] = {
    "narrowed": _("The value was taken off the public edition at once, with an update that says so."),
    "withheld": _("All of it was taken off the public site at once, and a new draft was begun."),
    "police-closed": _("The police edition was closed at once, and the next version was begun as a draft."),
    "nothing": _("It still stands. Decide whether it is updated or cancelled."),
}  # fmt: skip
PROPOSALS: dict[str, tuple[str, str, Label]] = {
    "open": ("hourglass", "warn", _("With the Centre")),
    "taken": ("circle-check", "good", _("Taken up")),
    "refused": ("circle-x", "", pgettext_lazy("state", "Refused")),
}


def field_name(path: str) -> str:
    """`texts.recognise.2` as people read it."""
    parts = path.split(".")
    known = next((part for part in parts if part in FIELDS), "")
    name = str(FIELDS[known]) if known else path
    return f"{name} {parts[-1]}" if parts[-1].isdigit() else name


def word(kind: str, value: object) -> str:
    """The name of a type, severity or offence, in the reader's language, as outputs of alerts use it."""
    if kind == "offence" and value == "none":
        return gettext("None named yet")
    try:
        return words((get_language() or "en")[:2])(f"{kind}.{value}")
    except KeyError:
        return str(value)


def language_name(code: str) -> str:
    """A language in the reader's language; its tag where nobody knows a name."""
    from babel import Locale, UnknownLocaleError

    try:
        found = Locale.parse(code, sep="-").get_display_name((get_language() or "en")[:2])
    except (UnknownLocaleError, ValueError):
        return code
    return str(found or code)
