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
    "duty": _("Duty officer"),
    "administrator": _("Administrator"),
    "partnership": _("Partnership officer"),
    "victim-desk": _("Victim desk"),
    "officer": _("Officer"),
    "head": _("Head of bureau"),
    "manager": _("Manager"),
}
