"""The closed lists of words that rows, rules and pages share, each with its source.

Texts for people (in four languages) live in the message catalogues, keyed by these words.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What sort of value an observation is about."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    NETWORK = "network"
    ASN = "asn"
    DOMAIN = "domain"
    URL = "url"
    EMAIL = "email"
    MD5 = "md5"
    SHA1 = "sha1"
    SHA224 = "sha224"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"
    SSDEEP = "ssdeep"
    TLSH = "tlsh"
    IMPHASH = "imphash"
    FILENAME = "filename"
    WALLET = "wallet"
    PHONE = "phone"
    IBAN = "iban"
    CARD = "card"
    CVE = "cve"
    MUTEX = "mutex"
    REGISTRY_KEY = "registry-key"
    USER_AGENT = "user-agent"
    ACCOUNT = "account"
    MAC = "mac"
    JA3 = "ja3"
    JARM = "jarm"
    CERTIFICATE = "certificate"
    ORGANISATION = "organisation"
    OTHER = "other"


HASH_KINDS = {
    Kind.MD5: 32,
    Kind.SHA1: 40,
    Kind.SHA224: 56,
    Kind.SHA256: 64,
    Kind.SHA384: 96,
    Kind.SHA512: 128,
    Kind.IMPHASH: 32,
    Kind.JA3: 32,
    Kind.JARM: 62,
}
"""Kinds that are hexadecimal digests, with their number of digits."""
OF_PERSONS = frozenset({Kind.EMAIL, Kind.PHONE, Kind.IBAN, Kind.CARD, Kind.ACCOUNT})
"""Kinds that lead to somebody rather than to a machine."""


class Role(StrEnum):
    """What the value did or suffered. UNKNOWN is treated as VICTIM wherever something is published."""

    ATTACKER_INFRA = "ATTACKER_INFRA"
    COMPROMISED_THIRD_PARTY = "COMPROMISED_THIRD_PARTY"
    VICTIM = "VICTIM"
    SINKHOLE = "SINKHOLE"
    HONEYPOT = "HONEYPOT"
    SECURITY_SERVICE = "SECURITY_SERVICE"
    UNKNOWN = "UNKNOWN"


VICTIM_LIKE = frozenset({Role.VICTIM, Role.UNKNOWN})
"""Roles whose rows only the country concerned, the Centre's victim desk and the source may read."""


class EventType(StrEnum):
    """Type of event: the Reference Security Incident Taxonomy, version 1003, second level (as IntelMQ writes it)."""

    SPAM = "spam"
    HARMFUL_SPEECH = "harmful-speech"
    VIOLENCE = "violence"
    INFECTED_SYSTEM = "infected-system"
    C2_SERVER = "c2-server"
    MALWARE_DISTRIBUTION = "malware-distribution"
    MALWARE_CONFIGURATION = "malware-configuration"
    MALWARE = "malware"
    SCANNER = "scanner"
    SNIFFING = "sniffing"
    SOCIAL_ENGINEERING = "social-engineering"
    IDS_ALERT = "ids-alert"
    BRUTE_FORCE = "brute-force"
    EXPLOIT = "exploit"
    PRIVILEGED_ACCOUNT_COMPROMISE = "privileged-account-compromise"
    UNPRIVILEGED_ACCOUNT_COMPROMISE = "unprivileged-account-compromise"
    APPLICATION_COMPROMISE = "application-compromise"
    SYSTEM_COMPROMISE = "system-compromise"
    BURGLARY = "burglary"
    DDOS = "ddos"
    DOS = "dos"
    MISCONFIGURATION = "misconfiguration"
    SABOTAGE = "sabotage"
    OUTAGE = "outage"
    UNAUTHORISED_ACCESS = "unauthorised-information-access"
    UNAUTHORISED_MODIFICATION = "unauthorised-information-modification"
    DATA_LOSS = "data-loss"
    DATA_LEAK = "data-leak"
    UNAUTHORISED_USE = "unauthorised-use-of-resources"
    COPYRIGHT = "copyright"
    MASQUERADE = "masquerade"
    PHISHING = "phishing"
    WEAK_CRYPTO = "weak-crypto"
    DDOS_AMPLIFIER = "ddos-amplifier"
    POTENTIALLY_UNWANTED_ACCESSIBLE = "potentially-unwanted-accessible"
    INFORMATION_DISCLOSURE = "information-disclosure"
    VULNERABLE_SYSTEM = "vulnerable-system"
    BLACKLIST = "blacklist"
    UNDETERMINED = "undetermined"
    OTHER = "other"
    TEST = "test"


class Offence(StrEnum):
    """Offence family: the Common Taxonomy for Law Enforcement and CSIRTs, mapped to the Budapest Convention.

    `ransomware` stands on its own although the treaty knows it as extortion by data and system interference.
    """

    ILLEGAL_ACCESS = "illegal-access"  # Article 2
    ILLEGAL_INTERCEPTION = "illegal-interception"  # Article 3
    DATA_INTERFERENCE = "data-interference"  # Article 4
    SYSTEM_INTERFERENCE = "system-interference"  # Article 5
    MISUSE_OF_DEVICES = "misuse-of-devices"  # Article 6
    FORGERY = "computer-related-forgery"  # Article 7
    FRAUD = "computer-related-fraud"  # Article 8
    CHILD_ABUSE_MATERIAL = "child-abuse-material"  # Article 9
    COPYRIGHT = "copyright-infringement"  # Article 10
    RANSOMWARE = "ransomware"
    MONEY_LAUNDERING = "money-laundering"
    NONE = "none"  # An exposure, a weakness: nothing that somebody is guilty of.


OFFENCE_OF_TYPE: dict[EventType, Offence] = {
    EventType.SPAM: Offence.FRAUD,
    EventType.INFECTED_SYSTEM: Offence.ILLEGAL_ACCESS,
    EventType.C2_SERVER: Offence.MISUSE_OF_DEVICES,
    EventType.MALWARE_DISTRIBUTION: Offence.MISUSE_OF_DEVICES,
    EventType.MALWARE_CONFIGURATION: Offence.MISUSE_OF_DEVICES,
    EventType.MALWARE: Offence.MISUSE_OF_DEVICES,
    EventType.SCANNER: Offence.ILLEGAL_ACCESS,
    EventType.SNIFFING: Offence.ILLEGAL_INTERCEPTION,
    EventType.SOCIAL_ENGINEERING: Offence.FRAUD,
    EventType.BRUTE_FORCE: Offence.ILLEGAL_ACCESS,
    EventType.EXPLOIT: Offence.ILLEGAL_ACCESS,
    EventType.IDS_ALERT: Offence.ILLEGAL_ACCESS,
    EventType.PRIVILEGED_ACCOUNT_COMPROMISE: Offence.ILLEGAL_ACCESS,
    EventType.UNPRIVILEGED_ACCOUNT_COMPROMISE: Offence.ILLEGAL_ACCESS,
    EventType.APPLICATION_COMPROMISE: Offence.ILLEGAL_ACCESS,
    EventType.SYSTEM_COMPROMISE: Offence.ILLEGAL_ACCESS,
    EventType.BURGLARY: Offence.ILLEGAL_ACCESS,
    EventType.DDOS: Offence.SYSTEM_INTERFERENCE,
    EventType.DOS: Offence.SYSTEM_INTERFERENCE,
    EventType.SABOTAGE: Offence.SYSTEM_INTERFERENCE,
    EventType.UNAUTHORISED_ACCESS: Offence.ILLEGAL_ACCESS,
    EventType.UNAUTHORISED_MODIFICATION: Offence.DATA_INTERFERENCE,
    EventType.DATA_LEAK: Offence.ILLEGAL_ACCESS,
    EventType.UNAUTHORISED_USE: Offence.ILLEGAL_ACCESS,
    EventType.COPYRIGHT: Offence.COPYRIGHT,
    EventType.MASQUERADE: Offence.FORGERY,
    EventType.PHISHING: Offence.FRAUD,
}
"""The offence that a type of event points to when nobody said more; types not listed point to none."""


class Severity(StrEnum):
    """Severity as Shadowserver publishes it."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0 labels, never translated (FIRST, August 2022), from widest to narrowest."""

    CLEAR = "TLP:CLEAR"
    GREEN = "TLP:GREEN"
    AMBER = "TLP:AMBER"
    AMBER_STRICT = "TLP:AMBER+STRICT"
    RED = "TLP:RED"

    @property
    def rank(self) -> int:
        """0 for CLEAR up to 4 for RED; STRICT is narrower than AMBER, never equal to it."""
        return list(Tlp).index(self)


class Basis(StrEnum):
    """How the country of a row was found."""

    AGREED = "agreed"  # Two claims or more agree.
    SINGLE = "single"  # Only one claim exists.
    CONFLICT = "conflict"  # Claims differ: to review, to neither country by itself.
    REVIEWED = "reviewed"  # A person decided.
    NONE = "none"  # Nobody claims anything.


class Unit(StrEnum):
    """What a position inside a delivery counts."""

    LINE = "line"
    ROW = "row"
    OBJECT = "object"
    ATTRIBUTE = "attribute"
    PAGE = "page"
    PART = "part"
    BYTE = "byte"
    FILE = "file"
