"""Words of agreements and of their defaults, as people read them."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

STATES: dict[str, str | Promise] = {
    "explored": _("Explored"),
    "vetting": _("Vetting"),
    "negotiated": _("Negotiated"),
    "signed": _("Signed"),
    "active": _("Active"),
    "suspended": _("Suspended"),
    "terminated": _("Terminated"),
}

NOT_ADMITTED: dict[str, str | Promise] = {
    "account-closed": _("Your account was closed. Ask who manages the people of your organisation."),
    "second-look": _("Your account waits until a second person at the Centre has made sure that it is yours."),
    "organisation-closed": _("The access of your organisation is closed. Ask the Centre."),
    "authorisation-withdrawn": _("Your bureau has withdrawn the authorisation of your unit. Ask your bureau."),
    "seat-not-begun": _("Your seat at the Centre has not begun yet."),
    "seat-over": _("Your seat at the Centre has ended."),
    "employer-closed": _(
        "The access of your employer is closed, and with it that of whom it seconded. Ask the Centre."
    ),
    "not-confirmed": _("Nobody confirmed your access this year. Ask who manages the people of your organisation."),
    "country-suspended": _("Your country takes part no longer: its access is suspended. Ask your bureau's head."),
}
"""Why somebody who proved who it is may not come in; see `admission.refusal_of`."""

CLASSES: dict[str, str | Promise] = {
    "law-enforcement": _("Law enforcement"),
    "public-body": _("Public body"),
    "private": _("Private sector"),
    "academia": _("Academia"),
}

ROLES: dict[str, str | Promise] = {
    "analyst": _("Analyst"),
    "reviewer": _("Reviewer"),
    "dissemination": _("Dissemination officer"),
    "legal": _("Legal officer"),
    "translator": _("Translator"),
    "auditor": _("Auditor"),
    "data-protection": _("Data-protection officer"),
    "duty": _("Duty officer"),
    "administrator": _("Administrator"),
    "partnership": _("Partnership officer"),
    "victim-desk": _("Victim desk"),
    "commission": _("Independent commission"),
    "officer": _("Officer"),
    "head": _("Head of bureau"),
    "access-manager": _("Access manager"),
    "investigator": _("Investigator"),
    "manager": _("Manager"),
}

CLASSIFICATIONS: dict[str, str | Promise] = {
    "official-use": _("For official use only"),
    "restricted": _("Restricted"),
    "confidential": _("Confidential"),
}

LANGUAGES: dict[str, str | Promise] = {
    "ar": _("Arabic"),
    "zh": _("Chinese"),
    "en": _("English"),
    "fr": _("French"),
    "de": _("German"),
    "hi": _("Hindi"),
    "id": _("Indonesian"),
    "it": _("Italian"),
    "ja": _("Japanese"),
    "ko": _("Korean"),
    "fa": _("Persian"),
    "pt": _("Portuguese"),
    "ru": _("Russian"),
    "es": _("Spanish"),
    "tr": _("Turkish"),
    "uk": _("Ukrainian"),
}

REVIEWS: dict[str, tuple[str, str, str | Promise]] = {
    "fresh": ("circle-check", "good", _("Confirmed")),
    "new": ("circle-check", "good", _("New account")),
    "soon": ("clock", "accent", _("To be confirmed soon")),
    "overdue": ("alert-triangle", "warn", _("Overdue")),
    "lapsed": ("lock", "bad", _("Access ended: not confirmed")),
}
"""How the yearly confirmation of a person stands → icon, tone, label."""

COUNTRY_STATUSES: dict[str, tuple[str, str, str | Promise]] = {
    "active": ("circle-check", "good", _("Active")),
    "supervised": ("eye", "accent", _("Supervised")),
    "restricted": ("player-pause", "warn", _("Restricted")),
    "suspended": ("lock", "bad", _("Suspended")),
}
"""Status of a country → icon, tone, label."""

COUNTRY_EFFECTS: dict[str, str | Promise] = {
    "active": _("It takes part without restriction."),
    "supervised": _("It reads as before. What it hands over waits for a check by the Centre before others see it."),
    "restricted": _("It reads as before. It hands nothing over, and no new package is made for it."),
    "suspended": _(
        "Nobody of its bureau, units and sub-bureaus comes in, by page, key or TAXII. What comes in its name is "
        "refused, and no package is made for it. What it excluded stays excluded."
    ),
}

STANDINGS: dict[str, tuple[str, str, str | Promise]] = {
    "prepared": ("hourglass", "accent", _("In preparation")),
    "not-begun": ("clock", "accent", _("Not begun yet")),
    "in-force": ("circle-check", "good", _("In force")),
    "vetting-lapsed": ("alert-triangle", "bad", _("Vetting lapsed")),
    "suspended": ("player-pause", "bad", _("Suspended")),
    "expired": ("lock", "bad", _("Agreement expired")),
    "terminated": ("circle-x", "bad", _("Terminated")),
    "none": ("circle-dashed", "bad", _("No agreement")),
}
"""Standing → icon, tone, label."""

STEPS: dict[str, str | Promise] = {
    "vetting": _("Begin the vetting"),
    "negotiated": _("Note as negotiated"),
    "signed": _("Note as signed"),
    "active": _("Put into force"),
    "suspended": _("Suspend"),
    "terminated": _("Terminate"),
}
"""What a button says that takes the agreement there."""

MISSING: dict[str, str | Promise] = {
    "vetting": _("The vetting must be passed, and hold today."),
    "term": _("The first day must be said, and the last day may not lie before it."),
    "not-over": _("Its last day is past: prepare a new agreement."),
    "signature-centre": _("Who signed for the Centre, and when."),
    "signature-partner": _("Who signed for the partner, and when."),
    "key-ceremony": _("The fingerprint of the partner's key, compared in a second way; or that it uses the page only."),
    "security-contact": _("A security contact of the partner."),
    "second-person": _("Another person than the one who passed the vetting must put it into force."),
}

BASES: dict[str, str | Promise] = {
    "taken-over": _("Taken over from before agreements were kept here: nobody vetted it here."),
    "public": _("A public source: its own terms of use hold, nobody signs."),
    "exercise": _("An invented partner of the demonstration."),
}

DATA_TYPES: dict[str, str | Promise] = {
    "indicators": _("Technical signs of attacks"),
    "victim-data": _("Who is affected: infected and attacked systems"),
    "malware": _("Malware and its analysis"),
    "analysis": _("Reports and assessments"),
    "referrals": _("Referrals of suspected offences"),
    "vulnerabilities": _("Vulnerabilities"),
}

VETTING: dict[str, tuple[str | Promise, str | Promise]] = {
    "ownership": (_("Ownership"), _("Who owns and who controls the organisation.")),
    "jurisdiction": (_("Jurisdiction"), _("Whose law and whose courts it is subject to.")),
    "conflicts": (_("Conflicts of interest"), _("What it sells to whom, and cases it is part of.")),
    "security": (_("Security"), _("How it protects what it keeps and sends.")),
    "human_rights": (_("Human rights"), _("What is known of its conduct and that of its owners.")),
}
"""Part of the vetting → its name, and what is looked at."""

DEFAULTS: dict[str, str | Promise] = {
    "tlp": _("Sharing label"),
    "codes": _("Handling codes"),
    "restrictions": _("Restriction of its own (H3)"),
    "pap": _("What may be done with it (PAP)"),
    "purposes": _("Purposes"),
    "classification": _("Classification"),
    "attribution": _("Whether the source may be named"),
    "retention_months": _("How long it is kept, in months"),
    "grade": _("Grade of the source and of what it says"),
}
"""Field of a handling set → what it is about."""

PARTS: dict[str, str | Promise] = {
    "terms": _("Terms"),
    "vetting": _("Vetting"),
    "signatures": _("Signatures"),
    "security": _("Key and security contact"),
    "defaults": _("What holds without a label"),
}
"""Part of an agreement that is filled in → heading."""

TLP: dict[str, str | Promise] = {
    "TLP:CLEAR": _("Everybody may have it."),
    "TLP:GREEN": _("The community may have it, the public may not."),
    "TLP:AMBER": _("Those who receive it, and their clients as far as these need it."),
    "TLP:AMBER+STRICT": _("Only the organisations that receive it."),
    "TLP:RED": _("Only the persons who are named."),
}

CODES: dict[str, str | Promise] = {
    "H0": _("Used only to prevent and to fight crime."),
    "H1": _("Not used in court before the source agreed."),
    "H2": _("Not passed on before the source agreed."),
    "H3": _("With a restriction of its own, to be read before it is opened."),
}

PAP: dict[str, str | Promise] = {
    "PAP:CLEAR": _("Anything may be done with it."),
    "PAP:GREEN": _("It may be used for blocking; no contact with the systems of the attacker."),
    "PAP:AMBER": _("Only passive look-ups that the attacker cannot notice."),
    "PAP:RED": _("Nothing that anybody outside could notice."),
}

PURPOSES: dict[str, str | Promise] = {
    "PROTECT": _("Protect those who are affected"),
    "INVESTIGATE": _("Investigate"),
    "ANALYSE": _("Analyse"),
    "TRAIN": _("Train"),
}

ATTRIBUTIONS: dict[str, str | Promise] = {
    "may": _("The source may be named."),
    "must": _("The source must be named."),
    "must-not": _("The source is not named."),
}
