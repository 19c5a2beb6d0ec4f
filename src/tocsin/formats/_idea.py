"""Categories of security alerts that IDEA and IDMEF share, and how a node of an alert becomes rows."""

from __future__ import annotations

from tocsin.core.words import EventType

CATEGORIES: dict[str, EventType] = {
    "abusive.spam": EventType.SPAM,
    "abusive.harassment": EventType.HARMFUL_SPEECH,
    "abusive.child": EventType.VIOLENCE,
    "abusive.sexual": EventType.HARMFUL_SPEECH,
    "abusive.violence": EventType.VIOLENCE,
    "malware": EventType.MALWARE,
    "recon.scanning": EventType.SCANNER,
    "recon.sniffing": EventType.SNIFFING,
    "recon.socialengineering": EventType.SOCIAL_ENGINEERING,
    "recon.searching": EventType.SCANNER,
    "recon": EventType.SCANNER,
    "attempt.exploit": EventType.EXPLOIT,
    "attempt.login": EventType.BRUTE_FORCE,
    "attempt.newsignature": EventType.EXPLOIT,
    "attempt": EventType.EXPLOIT,
    "intrusion.admincompromise": EventType.PRIVILEGED_ACCOUNT_COMPROMISE,
    "intrusion.usercompromise": EventType.UNPRIVILEGED_ACCOUNT_COMPROMISE,
    "intrusion.appcompromise": EventType.APPLICATION_COMPROMISE,
    "intrusion.botnet": EventType.INFECTED_SYSTEM,
    "intrusion": EventType.SYSTEM_COMPROMISE,
    "availability.dos": EventType.DOS,
    "availability.ddos": EventType.DDOS,
    "availability.sabotage": EventType.SABOTAGE,
    "availability.outage": EventType.OUTAGE,
    "availability": EventType.DOS,
    "information.unauthorizedaccess": EventType.UNAUTHORISED_ACCESS,
    "information.unauthorizedmodification": EventType.UNAUTHORISED_MODIFICATION,
    "information": EventType.UNAUTHORISED_ACCESS,
    "fraud.unauthorizedusage": EventType.UNAUTHORISED_USE,
    "fraud.copyright": EventType.COPYRIGHT,
    "fraud.masquerade": EventType.MASQUERADE,
    "fraud.phishing": EventType.PHISHING,
    "fraud.scam": EventType.SOCIAL_ENGINEERING,
    "fraud": EventType.SOCIAL_ENGINEERING,
    "vulnerable.open": EventType.POTENTIALLY_UNWANTED_ACCESSIBLE,
    "vulnerable.config": EventType.MISCONFIGURATION,
    "vulnerable.system": EventType.VULNERABLE_SYSTEM,
    "vulnerable": EventType.VULNERABLE_SYSTEM,
    "anomaly": EventType.OTHER,
    "suspicious": EventType.UNDETERMINED,
    "other": EventType.OTHER,
    "test": EventType.TEST,
}
"""IDEA category, whole or its first part → type of event. Source: the IDEA classification (CESNET)."""

_WORDS = (
    ("port scan", EventType.SCANNER),
    ("portscan", EventType.SCANNER),
    ("scan", EventType.SCANNER),
    ("probe", EventType.SCANNER),
    ("ping of death", EventType.DOS),
    ("ping-of-death", EventType.DOS),
    ("teardrop", EventType.DOS),
    ("ddos", EventType.DDOS),
    ("denial of service", EventType.DOS),
    ("brute", EventType.BRUTE_FORCE),
    ("login", EventType.BRUTE_FORCE),
    ("overflow", EventType.EXPLOIT),
    ("exploit", EventType.EXPLOIT),
    ("phf", EventType.EXPLOIT),
    ("phish", EventType.PHISHING),
    ("spam", EventType.SPAM),
    ("botnet", EventType.INFECTED_SYSTEM),
)


def type_of(category: str) -> EventType | None:
    """Type of an IDEA category; its first part decides where the whole is not known."""
    name = category.strip().lower()
    return CATEGORIES.get(name) or CATEGORIES.get(name.partition(".")[0])


def type_of_text(text: str) -> EventType:
    """Type that the words of an alert's title point to; an alert of an intrusion sensor otherwise."""
    lower = text.lower()
    return next((found for word, found in _WORDS if word in lower), EventType.IDS_ALERT)
