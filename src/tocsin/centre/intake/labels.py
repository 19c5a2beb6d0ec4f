"""Plain names of what deliveries are made of: kinds of values, columns of a table, what is filled in by default."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tocsin.centre.members.labels import DEFAULTS

__all__ = ["CLASSES", "COLUMNS", "DEFAULTS", "FAULTS", "KINDS", "UNITS", "WARNING_GROUPS", "kind_label"]

KINDS: dict[str, str | Promise] = {
    "ipv4": _("IPv4 address"),
    "ipv6": _("IPv6 address"),
    "network": _("Network"),
    "asn": _("Autonomous system"),
    "domain": _("Domain name"),
    "url": _("Web address"),
    "email": _("E-mail address"),
    "md5": _("MD5 digest"),
    "sha1": _("SHA-1 digest"),
    "sha224": _("SHA-224 digest"),
    "sha256": _("SHA-256 digest"),
    "sha384": _("SHA-384 digest"),
    "sha512": _("SHA-512 digest"),
    "ssdeep": _("Fuzzy hash (ssdeep)"),
    "tlsh": _("Fuzzy hash (TLSH)"),
    "imphash": _("Import hash"),
    "filename": _("File name"),
    "wallet": _("Wallet address"),
    "phone": _("Telephone number"),
    "iban": _("IBAN"),
    "card": _("Payment card number"),
    "cve": _("Vulnerability (CVE)"),
    "mutex": _("Mutex"),
    "registry-key": _("Registry key"),
    "user-agent": _("User agent"),
    "account": _("Account"),
    "mac": _("MAC address"),
    "ja3": _("JA3 fingerprint"),
    "jarm": _("JARM fingerprint"),
    "certificate": _("Certificate"),
    "organisation": _("Organisation"),
    "name": pgettext_lazy("of an actor or malware", "Name"),
    "other": pgettext_lazy("kind", "Other value"),
}

COLUMNS: dict[str, str | Promise] = {
    "value": _("The value itself"),
    "kind": _("What sort of value it is"),
    "first_at": _("When it was seen first"),
    "last_at": _("When it was seen last"),
    "count": _("How often it was seen"),
    "role": _("Role: attacker, victim, …"),
    "type": _("Type of event"),
    "offence": _("Offence"),
    "malware": _("Malware family"),
    "actor": _("Threat actor"),
    "label": _("The source's own name for it"),
    "severity": _("Severity"),
    "confidence": _("How sure the source is"),
    "stated_country": _("Country where the value is"),
    "target_country": _("Country that was aimed at"),
    "attacker_country": _("Country where the attacker is believed to be"),
    "registrant_country": _("Country of the registrant"),
    "asn": _("Number of the autonomous system"),
    "network": _("Network that holds the address"),
    "port": pgettext_lazy("of a connection", "Port"),
    "protocol": _("Protocol"),
    "hostname": _("Host name"),
    "url": _("Web address that belongs to it"),
    "peer": _("The other side's address"),
    "peer_role": _("The other side's role"),
    "peer_port": _("The other side's port"),
    "peer_country": _("The other side's country"),
    "tags": _("Tags"),
    "note": _("Remark"),
    "reference": _("Where the source says more"),
}
"""Draft columns that a person may choose for a column of a table."""

UNITS: dict[str, str | Promise] = {
    "line": pgettext_lazy("of a file", "Line"),
    "row": pgettext_lazy("of a table", "Row"),
    "object": _("Object"),
    "attribute": _("Attribute"),
    "page": pgettext_lazy("of a document", "Page"),
    "part": pgettext_lazy("of a delivery", "Part"),
    "byte": _("Byte"),
    "file": pgettext_lazy("in a delivery", "File"),
}

CLASSES: dict[str, str | Promise] = {
    "private": _("Private sector"),
    "public-body": _("Public body"),
    "academia": _("Academia"),
    "law-enforcement": _("Law enforcement"),
}

WARNING_GROUPS: dict[str, str | Promise] = {
    "public-dns": _("Public name server"),
    "cdn": _("Content delivery network"),
    "cloud": _("Cloud provider"),
    "top-site": _("Widely visited site"),
    "security-vendor": _("Security company"),
    "sinkhole": _("Sinkhole"),
    "crawler": _("Search engine"),
    "scanner": _("Research scanner"),
    "mail-provider": _("Mail provider"),
    "disposable-mail": _("Disposable mail"),
    "dynamic-dns": _("Dynamic DNS"),
    "url-shortener": _("Link shortener"),
    "vpn": _("VPN provider"),
    "tor-exit": _("Tor exit"),
    "bogon": _("Not routed on the internet"),
    "reserved-name": _("Reserved name"),
    "empty-hash": _("Digest of an empty file"),
    "known-file": _("Known harmless file"),
    "certificate-authority": _("Certificate authority"),
    "academic": _("University"),
    "bank": _("Bank"),
    "government": _("Government"),
    "common-service": _("Common service"),
    "parking": _("Parked domain"),
    "own-address": _("Service that shows one's own address"),
    "shared-host": _("Shared hosting"),
    "phishing-exercise": _("Phishing exercise"),
    "health": _("Health service"),
    "company": _("Company"),
    "contact-address": _("Contact address"),
}
"""Groups of warning lists: why a value may be harmless although somebody reported it."""

TRIGGERS: dict[str, str | Promise] = {
    "speech": _("Offence of speech, association, insult, religion or false news"),
    "institution": _("Victim or target: government, military, election, media, NGO or faith group"),
    "state-attribution": _("Attribution to a State, an army or a party"),
    "conflict": _("Conflict area"),
    "person": _("Politician, journalist, activist, lawyer or refugee"),
}
"""Triggers of articles 2 and 3, as the legal officer reads them."""

CHECKLIST: dict[str, tuple[str | Promise, str | Promise]] = {
    "offence": (
        _("Nature of the offence and facts"),
        _("What was done, to whom, and which ordinary crime is it? Is the ordinary crime the stronger part?"),
    ),
    "persons": (_("Status of persons"), _("Is anybody named for an office, a profession, a belief or a flight?")),
    "source": (_("Identity of the source"), _("Who sent it, in which function, with what interest?")),
    "countries": (_("Position of other countries"), _("Would other members take it for ordinary crime, too?")),
    "duties": (
        _("Duties of international law"),
        _("Treaties, refugee status, sanctions and human rights that bear on it."),
    ),
    "neutrality": (_("Effect on neutrality"), _("What would it look like if it became known that we used it?")),
    "context": (_("Context"), _("What goes on in the countries concerned: an election, a conflict, a trial?")),
}
"""Question → its heading and what it means."""

PERSONAL: dict[str, str | Promise] = {
    "name": _("Names of persons"),
    "email": _("E-mail addresses"),
    "phone": _("Telephone numbers"),
    "iban": _("Bank accounts"),
    "card": _("Payment cards"),
    "national-id": _("Numbers of identity papers or of social security"),
}
"""People's data that a scan finds, in the order in which it is shown."""

ANSWERS: dict[str, str | Promise] = {
    "relabel": _("They are people's data: a stricter label holds for all of it"),
    "withdraw": _("They are people's data: the delivery is withdrawn"),
    "attackers": _("They are the attackers' own values, not those of victims or customers"),
}
"""What a source may answer when it is asked."""


def kind_label(word: str) -> str:
    """The kind in the reader's language; the word itself where there is no label."""
    return str(KINDS.get(word, word))


STAGES: dict[str, tuple[str, str, str | Promise]] = {
    "in-hand": ("hourglass", "", _("In hand: not read yet, or under review")),
    "not-used": ("lock", "", _("Nothing of it is used")),
    "waits-for-release": ("clock", "accent", _("Waits for release")),
    "released": ("circle-check", "good", _("Released")),
    "partly-released": ("circle-check", "accent", _("Released in part")),
    "recalled": ("rotate", "warn", _("Recalled")),
    "nothing-in-it": ("circle-dashed", "", _("Nothing in it to release")),
}
"""Where a delivery stands, as its source reads it → icon, tone, label."""

FAULTS: dict[str, tuple[str | Promise, str | Promise]] = {
    "observations missing": (
        _("The file is missing."),
        _("Make it again from its deliveries: tocsin lake mend."),
    ),
    "observations changed": (
        _("The file is not what was registered: it was changed, cut short or damaged."),
        _("Make it again from its deliveries: tocsin lake mend. Then see whether the disk is sound."),
    ),
    "original missing": (
        _("The delivery as it was received is missing."),
        _("Ask its source to send the same bytes again, or take the file from a backup."),
    ),
    "original changed": (
        _("The delivery is not what was received: it was changed, cut short or damaged."),
        _("Set it aside with tocsin lake mend, then ask its source to send the same bytes again."),
    ),
    "public missing": (
        _("A file of the public site is missing, and cannot be made anew."),
        _("Take the file from a backup, or publish the alert again."),
    ),
    "public changed": (
        _("A file of the public site was changed, cut short or damaged, and cannot be made anew."),
        _("Take the file from a backup, or publish the alert again. Then see whether the disk is sound."),
    ),
    "unopenable": (
        _("It is sealed with a key that is not here."),
        _("Put the keys of this installation back. A file of another installation is to be replaced from a backup."),
    ),
    "index": (
        _("What look-ups need beside it does not belong to it, and could not be made anew."),
        _("See whether the disk has room, and verify again: tocsin lake verify."),
    ),
    "twice": (
        _("The same rows are registered twice: they are counted twice."),
        _("Tell those who look after the software, with the log of acts of that day."),
    ),
    "rows": (
        _("It does not have as many rows as were committed."),
        _("Take the store and the database from the same backup."),
    ),
    "unregistered": (
        _("Nobody knows this file: it is not registered."),
        _("See where it comes from, and remove it. Housekeeping removes files of observations by itself."),
    ),
}
"""Word of `verification.Fault`, with the kind of file where that matters → what is wrong, what to do."""


def fault_label(kind: str, fault: str) -> tuple[str | Promise, str | Promise]:
    """What is wrong with a file of the store, and what to do."""
    return FAULTS.get(f"{kind} {fault}") or FAULTS[fault]
