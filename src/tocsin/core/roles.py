"""Who did it and who suffered: the roles of the two sides of an event, by its type.

In a report of infections the source is the victim; in a list of phishing sites it is the attacker's.
One table decides, so that no reader decides for itself. A profile's own roles come before these.
"""

from __future__ import annotations

from .words import EventType, Role

_ATTACK = (Role.ATTACKER_INFRA, Role.VICTIM)
_LISTED = (Role.ATTACKER_INFRA, Role.UNKNOWN)
_SUFFERED = (Role.VICTIM, Role.ATTACKER_INFRA)
_EXPOSED = (Role.VICTIM, Role.UNKNOWN)
_UNCLEAR = (Role.UNKNOWN, Role.UNKNOWN)

ROLES_OF_TYPE: dict[EventType, tuple[Role, Role]] = {
    EventType.SPAM: _ATTACK,
    EventType.HARMFUL_SPEECH: _UNCLEAR,
    EventType.VIOLENCE: _UNCLEAR,
    # The other side of an infection may be the command server or the sinkhole that caught it: not known here.
    EventType.INFECTED_SYSTEM: (Role.VICTIM, Role.UNKNOWN),
    EventType.C2_SERVER: _LISTED,
    EventType.MALWARE_DISTRIBUTION: _LISTED,
    EventType.MALWARE_CONFIGURATION: _LISTED,
    EventType.MALWARE: _LISTED,
    EventType.SCANNER: _ATTACK,
    EventType.SNIFFING: _ATTACK,
    EventType.SOCIAL_ENGINEERING: _ATTACK,
    EventType.IDS_ALERT: _ATTACK,
    EventType.BRUTE_FORCE: _ATTACK,
    EventType.EXPLOIT: _ATTACK,
    EventType.PRIVILEGED_ACCOUNT_COMPROMISE: _SUFFERED,
    EventType.UNPRIVILEGED_ACCOUNT_COMPROMISE: _SUFFERED,
    EventType.APPLICATION_COMPROMISE: _SUFFERED,
    EventType.SYSTEM_COMPROMISE: _SUFFERED,
    EventType.BURGLARY: _SUFFERED,
    # Machines that take part in a flood are as a rule somebody's hacked or abused machines.
    EventType.DDOS: (Role.COMPROMISED_THIRD_PARTY, Role.VICTIM),
    EventType.DOS: _ATTACK,
    EventType.MISCONFIGURATION: _EXPOSED,
    EventType.SABOTAGE: _SUFFERED,
    EventType.OUTAGE: _EXPOSED,
    EventType.UNAUTHORISED_ACCESS: _SUFFERED,
    EventType.UNAUTHORISED_MODIFICATION: _SUFFERED,
    EventType.DATA_LOSS: _SUFFERED,
    EventType.DATA_LEAK: _SUFFERED,
    EventType.UNAUTHORISED_USE: _UNCLEAR,
    EventType.COPYRIGHT: _UNCLEAR,
    EventType.MASQUERADE: _ATTACK,
    EventType.PHISHING: _ATTACK,
    # An exposure: its owner is the one who may suffer and must be told.
    EventType.WEAK_CRYPTO: _EXPOSED,
    EventType.DDOS_AMPLIFIER: _EXPOSED,
    EventType.POTENTIALLY_UNWANTED_ACCESSIBLE: _EXPOSED,
    EventType.INFORMATION_DISCLOSURE: _EXPOSED,
    EventType.VULNERABLE_SYSTEM: _EXPOSED,
    EventType.BLACKLIST: _LISTED,
    EventType.UNDETERMINED: _UNCLEAR,
    EventType.OTHER: _UNCLEAR,
    EventType.TEST: _UNCLEAR,
}
"""Type → (role of the source, role of the other side). Reports name the sender as the source."""

SYNONYMS: dict[str, EventType] = {
    # IntelMQ before its version 2 and 3.
    "backdoor": EventType.SYSTEM_COMPROMISE,
    "botnet-drone": EventType.INFECTED_SYSTEM,
    "infected-device": EventType.INFECTED_SYSTEM,
    "c&c": EventType.C2_SERVER,
    "c2": EventType.C2_SERVER,
    "c2server": EventType.C2_SERVER,
    "command-and-control": EventType.C2_SERVER,
    "compromised": EventType.SYSTEM_COMPROMISE,
    "defacement": EventType.UNAUTHORISED_MODIFICATION,
    "dga-domain": EventType.C2_SERVER,
    "dga": EventType.C2_SERVER,
    "dropzone": EventType.MALWARE_DISTRIBUTION,
    "ransomware": EventType.INFECTED_SYSTEM,
    "vulnerable-service": EventType.VULNERABLE_SYSTEM,
    "vulnerable-client": EventType.VULNERABLE_SYSTEM,
    "unauthorized-command": EventType.APPLICATION_COMPROMISE,
    "unauthorized-login": EventType.SYSTEM_COMPROMISE,
    "unauthorized-use-of-resources": EventType.UNAUTHORISED_USE,
    "unauthorized-information-access": EventType.UNAUTHORISED_ACCESS,
    "unauthorized-information-modification": EventType.UNAUTHORISED_MODIFICATION,
    "leak": EventType.DATA_LEAK,
    "proxy": EventType.OTHER,
    "tor": EventType.OTHER,
    "unknown": EventType.UNDETERMINED,
    # Other ways to write the same.
    "bot": EventType.INFECTED_SYSTEM,
    "bots": EventType.INFECTED_SYSTEM,
    "infection": EventType.INFECTED_SYSTEM,
    "infected": EventType.INFECTED_SYSTEM,
    "botnet": EventType.INFECTED_SYSTEM,
    "cnc": EventType.C2_SERVER,
    "botnet-cc": EventType.C2_SERVER,
    "malware-hosting": EventType.MALWARE_DISTRIBUTION,
    "payload-delivery": EventType.MALWARE_DISTRIBUTION,
    "malware-download": EventType.MALWARE_DISTRIBUTION,
    "port-scan": EventType.SCANNER,
    "scan": EventType.SCANNER,
    "scanning": EventType.SCANNER,
    "bruteforce": EventType.BRUTE_FORCE,
    "brute-force-attack": EventType.BRUTE_FORCE,
    "login-attack": EventType.BRUTE_FORCE,
    "denial-of-service": EventType.DOS,
    "distributed-denial-of-service": EventType.DDOS,
    "phish": EventType.PHISHING,
    "blocklist": EventType.BLACKLIST,
    "amplifier": EventType.DDOS_AMPLIFIER,
    "vulnerability": EventType.VULNERABLE_SYSTEM,
}
"""Other words for a type, lower case with hyphens."""


def event_type(word: str) -> EventType | None:
    """The type that a word stands for, in any of the usual spellings; None when it stands for none."""
    name = word.strip().lower().replace(" ", "-").replace("_", "-")
    try:
        return EventType(name)
    except ValueError:
        return SYNONYMS.get(name)


def source_role(event: EventType | str | None) -> Role:
    """Role of the source of an event of this type; UNKNOWN where the type does not decide it."""
    return _roles(event)[0]


def peer_role(event: EventType | str | None) -> Role:
    """Role of the other side (the destination) of an event of this type."""
    return _roles(event)[1]


def _roles(event: EventType | str | None) -> tuple[Role, Role]:
    known = event_type(event) if isinstance(event, str) else event
    return ROLES_OF_TYPE[known] if known is not None else _UNCLEAR
