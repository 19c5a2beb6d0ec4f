"""Words of `core.words` and of the models, as people read them. Keys are never shown where a label exists."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

ROLES: dict[str, tuple[str, str, str | Promise]] = {
    "ATTACKER_INFRA": ("flame", "bad", _("Attacker's infrastructure")),
    "COMPROMISED_THIRD_PARTY": ("bug", "warn", _("Compromised third party")),
    "VICTIM": ("user", "accent", _("Victim")),
    "SINKHOLE": ("target", "", _("Sinkhole")),
    "HONEYPOT": ("radar-2", "", _("Honeypot")),
    "SECURITY_SERVICE": ("shield-check", "good", _("Security service")),
    "UNKNOWN": ("help", "", _("Role not known")),
}
"""Word → icon, tone, label."""

STATES: dict[str, tuple[str, str, str | Promise]] = {
    "received": ("hourglass", "", pgettext_lazy("state", "Received")),
    "parsed": ("circle-check", "good", pgettext_lazy("state", "Read")),
    "quarantined": ("shield-lock", "bad", pgettext_lazy("state", "Quarantined")),
    "duplicate": ("copy", "", pgettext_lazy("state", "Duplicate")),
    "open": ("circle-dashed", "warn", pgettext_lazy("state", "Open")),
    "accepted": ("circle-check", "good", pgettext_lazy("state", "Accepted")),
    "refused": ("circle-x", "", pgettext_lazy("state", "Refused")),
    "decided": ("circle-check", "good", pgettext_lazy("state", "Decided")),
    "waiting": ("hourglass", "", pgettext_lazy("state", "Waiting")),
    "running": ("rotate", "accent", pgettext_lazy("state", "Running")),
    "done": ("circle-check", "good", pgettext_lazy("state", "Done")),
    "failed": ("alert-triangle", "bad", pgettext_lazy("state", "Failed")),
}

TYPES: dict[str, str | Promise] = {
    "spam": _("Spam"),
    "harmful-speech": _("Harmful speech"),
    "violence": _("Violence"),
    "infected-system": _("Infected system"),
    "c2-server": _("Command-and-control server"),
    "malware-distribution": _("Malware distribution"),
    "malware-configuration": _("Malware configuration"),
    "malware": _("Malware"),
    "scanner": _("Scanning"),
    "sniffing": _("Interception"),
    "social-engineering": _("Social engineering"),
    "ids-alert": _("Intrusion alert"),
    "brute-force": _("Password guessing"),
    "exploit": _("Exploitation"),
    "privileged-account-compromise": _("Compromised administrator account"),
    "unprivileged-account-compromise": _("Compromised account"),
    "application-compromise": _("Compromised application"),
    "system-compromise": _("Compromised system"),
    "burglary": _("Burglary"),
    "ddos": _("Distributed denial of service"),
    "dos": _("Denial of service"),
    "misconfiguration": _("Misconfiguration"),
    "sabotage": _("Sabotage"),
    "outage": _("Outage"),
    "unauthorised-information-access": _("Unauthorised access to data"),
    "unauthorised-information-modification": _("Unauthorised change of data"),
    "data-loss": _("Data loss"),
    "data-leak": _("Data leak"),
    "unauthorised-use-of-resources": _("Unauthorised use of resources"),
    "copyright": _("Copyright infringement"),
    "masquerade": _("Impersonation"),
    "phishing": _("Phishing"),
    "weak-crypto": _("Weak encryption"),
    "ddos-amplifier": _("Open amplifier"),
    "potentially-unwanted-accessible": _("Exposed service"),
    "information-disclosure": _("Disclosed information"),
    "vulnerable-system": _("Vulnerable system"),
    "blacklist": _("Listed elsewhere"),
    "undetermined": _("Undetermined"),
    "other": pgettext_lazy("type", "Other"),
    "test": _("Test"),
}

VIA: dict[str, str | Promise] = {
    "page": _("Upload page"),
    "api": _("API"),
    "taxii": _("TAXII"),
    "feed": _("Feed"),
    "command": _("Command line"),
}

CLASSES: dict[str, str | Promise] = {
    "law-enforcement": _("Law enforcement"),
    "public-body": _("Public body"),
    "private": _("Private sector"),
    "academia": _("Academia"),
}

PERSON_ROLES: dict[str, str | Promise] = {
    "analyst": _("Analyst"),
    "reviewer": _("Reviewer"),
    "legal": _("Legal officer"),
    "auditor": _("Auditor"),
    "duty": _("Duty officer"),
    "administrator": _("Administrator"),
    "partnership": _("Partnership officer"),
    "victim-desk": _("Victim desk"),
    "officer": _("Officer"),
    "head": _("Head of bureau"),
    "manager": _("Manager"),
}

ACTIONS: dict[str, str | Promise] = {
    "country.decided": _("Decided a country"),
    "country.networks-read": _("Read a country's networks"),
    "country.recast": _("Moved rows to their country"),
    "delivery.duplicate": _("Handed over what was there already"),
    "delivery.original-fetched": _("Fetched an original delivery"),
    "delivery.parsed": _("Read a delivery"),
    "delivery.quarantined": _("Put a delivery into quarantine"),
    "delivery.read-again": _("Had a delivery read again"),
    "delivery.received": _("Handed over a delivery"),
    "delivery.refused-fetched": _("Fetched refused records to mend"),
    "delivery.rejections-fetched": _("Fetched the list of refused records"),
    "feed.off": _("Switched a feed off"),
    "feed.on": _("Switched a feed on"),
    "feed.run": _("Had a feed fetched"),
    "installation.founded": _("Founded the installation"),
    "key.added": _("Made a key"),
    "key.revoked": _("Revoked a key"),
    "lake.compacted": _("Tidied the observation files"),
    "lake.joined": _("Joined observation files"),
    "log.exported": _("Took entries out of the log"),
    "log.verified": _("Verified the log"),
    "lookup": _("Looked something up"),
    "object.fetched": _("Fetched an object"),
    "observations.read": _("Read observations by program"),
    "organisation.added": _("Added an organisation"),
    "organisation.changed": _("Changed an organisation"),
    "package.fetched": _("Fetched a country package"),
    "package.made": _("Made a country package"),
    "package.requested": _("Asked for a country package"),
    "password.changed": _("Changed a password"),
    "person.added": _("Added a person"),
    "person.password-reset": _("Reset a password"),
    "preferences.changed": _("Changed preferences"),
    "profile.saved": _("Saved a column map"),
    "proposals.accepted": _("Accepted proposals"),
    "proposals.refused": _("Refused proposals"),
    "sign-in": _("Signed in"),
    "sign-in.failed": _("Failed to sign in"),
    "sign-out": _("Signed out"),
    "watch.added": _("Began to watch a value"),
    "watch.stopped": _("Ended a standing query"),
}
"""What was done, as a reader of the log of acts sees it."""
