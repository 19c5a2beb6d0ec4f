"""The words of MISP: its attribute types, categories and tags, and what they mean to us.

Sources: the MISP core format (draft-dulaunoy-misp-core-format) and the MISP taxonomies and galaxies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from tocsin.core.grading import MISP_NUMBERS, WORDED_CONFIDENCE
from tocsin.core.roles import event_type
from tocsin.core.words import EventType, Role


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ADDRESS = "address"
"""Stands for ipv4, ipv6 or network: the value decides."""

KINDS: dict[str, str] = {
    **{name: name for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")},
    **{name: name for name in ("ssdeep", "tlsh", "imphash", "filename", "domain", "url", "email", "mutex")},
    **{name: name for name in ("iban", "user-agent")},
    **dict.fromkeys(("ip-src", "ip-dst"), ADDRESS),
    **dict.fromkeys(("hostname", "onion-address"), "domain"),
    **dict.fromkeys(("email-src", "email-dst", "email-reply-to", "target-email"), "email"),
    **dict.fromkeys(("whois-registrant-email", "dns-soa-email"), "email"),
    **dict.fromkeys(("btc", "dash", "xmr"), "wallet"),
    **{f"x509-fingerprint-{name}": "certificate" for name in ("md5", "sha1", "sha256")},
    **dict.fromkeys(("phone-number", "prtn", "whois-registrant-phone"), "phone"),
    **dict.fromkeys(
        ("eppn", "target-user", "github-username", "twitter-id", "jabber-id", "bank-account-nr"), "account"
    ),
    "regkey": "registry-key",
    "email-attachment": "filename",
    "AS": "asn",
    "vulnerability": "cve",
    "ja3-fingerprint-md5": "ja3",
    "jarm-fingerprint": "jarm",
    "mac-address": "mac",
    "cc-number": "card",
    "target-org": "organisation",
    **dict.fromkeys(
        _words(
            """
            uri pdb windows-service-name windows-service-displayname windows-scheduled-task authentihash vhash
            impfuzzy pehash telfhash cdhash hassh-md5 hasshserver-md5 favicon-mmh3 mobile-application-id
            chrome-extension-id edge-extension-id target-machine sha512/224 sha512/256 sha3-224 sha3-256
            sha3-384 sha3-512
            """
        ),
        "other",
    ),
    "named pipe": "other",
}
"""MISP attribute type → Kind."""

PAIRS: dict[str, tuple[str, str]] = {
    **{f"filename|{name}": ("filename", kind) for name, kind in KINDS.items() if kind == name},
    **{
        f"filename|{name}": ("filename", "other")
        for name in _words(
            "authentihash vhash impfuzzy pehash sha512/224 sha512/256 sha3-224 sha3-256 sha3-384 sha3-512"
        )
    },
    "malware-sample": ("filename", "md5"),
    "domain|ip": ("domain", ADDRESS),
    "regkey|value": ("registry-key", ""),
    "ip-src|port": (ADDRESS, "port"),
    "ip-dst|port": (ADDRESS, "port"),
    "hostname|port": ("domain", "port"),
}
"""Composite types → kind of the left and of the right part; "port" and "" are facts about the left one."""

SILENT: frozenset[str] = _words(
    """
    email-subject email-body float git-commit-id http-method snort suricata bro zeek community-id dom-hash
    pattern-in-file pattern-in-traffic pattern-in-memory filename-pattern pgp-public-key pgp-private-key
    ssh-fingerprint yara stix2-pattern sigma gene kusto-query mime-type identity-card-number cookie cpe
    weakness attachment link comment text hex other process-state target-location target-external bic aba-rtn
    bin threat-actor campaign-name campaign-id malware-type whois-registrant-name whois-registrant-org
    whois-registrar whois-creation-date size-in-bytes counter integer datetime port mac-eui-64
    email-dst-display-name email-src-display-name email-header email-x-mailer email-mime-boundary
    email-thread-index email-message-id github-repository github-organisation dkim dkim-signature first-name
    middle-name last-name full-name date-of-birth place-of-birth gender passport-number passport-country
    passport-expiration redress-number nationality visa-number issue-date-of-the-visa primary-residence
    country-of-residence special-service-request frequent-flyer-number travel-details payment-details
    place-port-of-original-embarkation place-port-of-clearance place-port-of-onward-foreign-destination
    passenger-name-record-locator-number azure-application-id cortex boolean uuid anonymised
    """
)
"""Types that say something about the event but name no value to look up: they stay in the kept event."""

PAYLOAD_CATEGORIES = frozenset(
    {"Payload delivery", "Payload installation", "Artifacts dropped", "Antivirus detection", "Payload type"}
)
ATTACK_CATEGORIES = PAYLOAD_CATEGORIES | {
    *("Network activity", "Persistence mechanism", "External analysis", "Financial fraud", "Attribution")
}
_FILE_KINDS = _words("md5 sha1 sha224 sha256 sha384 sha512 ssdeep tlsh imphash mutex")
_NETWORK_KINDS = frozenset({ADDRESS, "domain", "url"})
_VICTIM_OBJECTS = frozenset({"victim", "target-system", "compromised-host"})
_VICTIM_RELATIONS = frozenset({"to", "cc", "bcc", "victim", "victim-ip", "target", "targeted-email"})


@lru_cache(maxsize=4096)
def role_of(kind: str, category: str, to_ids: bool, relation: str = "", object_name: str = "") -> Role:
    """Role of an attribute's value. What is not said to be the attacker's is unknown, never guessed."""
    if (
        category == "Targeting data"
        or kind.startswith("target-")
        or object_name in _VICTIM_OBJECTS
        or relation in _VICTIM_RELATIONS
    ):
        return Role.VICTIM
    if kind == "email-dst" and not (to_ids and category == "Network activity"):
        return Role.VICTIM  # The recipient of a mail, unless it is named as a drop box.
    if to_ids and category in ATTACK_CATEGORIES and not kind.startswith("whois-"):
        return Role.ATTACKER_INFRA
    return Role.UNKNOWN


@lru_cache(maxsize=1024)
def type_of(kind: str, category: str, to_ids: bool) -> str | None:
    """Type of event that an attribute's kind and category say by themselves."""
    if not to_ids or category not in PAYLOAD_CATEGORIES:
        return None
    if kind in _FILE_KINDS:
        return EventType.MALWARE.value
    return EventType.MALWARE_DISTRIBUTION.value if kind in _NETWORK_KINDS else None


@dataclass(frozen=True, slots=True)
class Use:
    """What an attribute of one type, category and place is used for."""

    kind: str = ""
    """Empty: no row."""
    right_kind: str = ""
    composite: bool = False
    role: Role = Role.UNKNOWN
    type: str | None = None
    fault: str = ""


@lru_cache(maxsize=8192)
def use_of(name: str, category: str, to_ids: bool, relation: str, object_name: str) -> Use:
    """What becomes of an attribute of this type; `fault` is a reason code where the type is not known."""
    role = role_of(name, category, to_ids, relation, object_name)
    if name in KINDS:
        return Use(KINDS[name], role=role, type=type_of(KINDS[name], category, to_ids))
    if name in PAIRS:
        return Use(*PAIRS[name], composite=True, role=role)
    if name in SILENT:
        return Use()
    return Use(fault="not-a-kind" if name else "missing-field")


@dataclass(frozen=True, slots=True)
class Tags:
    """What the tags of an event or attribute say. Empty fields: nothing said."""

    names: tuple[str, ...] = ()
    marking: str | None = None
    unknown_marking: str = ""
    malware: str | None = None
    actor: str | None = None
    type: str | None = None
    role: Role | None = None
    confidence: str | None = None
    severity: str | None = None
    ids: tuple[str, ...] = ()
    """ATT&CK ids and CVE numbers among them."""

    text: str | None = None
    """The names in one line."""


_MARKINGS = {
    "white": "TLP:CLEAR",
    "clear": "TLP:CLEAR",
    "green": "TLP:GREEN",
    "amber": "TLP:AMBER",
    "amber+strict": "TLP:AMBER+STRICT",
    "red": "TLP:RED",
}
_ORDER = {name: place for place, name in enumerate(("CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"))}
_MALWARE_GALAXIES = _words(
    """
    tool malpedia ransomware banker rat botnet stealer backdoor android cryptominers exploit-kit tds
    mitre-malware mitre-tool mitre-enterprise-attack-malware mitre-mobile-attack-malware
    mitre-enterprise-attack-tool
    mitre-ics-software
    """
)
_ACTOR_GALAXIES = _words(
    """
    threat-actor microsoft-activity-group mitre-intrusion-set 360net mitre-enterprise-attack-intrusion-set
    mitre-mobile-attack-intrusion-set mitre-ics-groups
    """
)
_TYPE_TAXONOMIES = _words("rsit ecsirt circl europol-event europol-incident enisa cert-xlm kill-chain common-taxonomy")
_CONFIDENCE = {
    'misp:confidence-level="completely-confident"': "100",
    'misp:confidence-level="usually-confident"': "75",
    'misp:confidence-level="fairly-confident"': "50",
    'misp:confidence-level="rarely-confident"': "25",
    'misp:confidence-level="unconfident"': "0",
    **{f'admiralty-scale:information-credibility="{digit}"': str(n) for digit, n in MISP_NUMBERS.items()},
    **{
        f'estimative-language:confidence-in-analytic-judgment="{word}"': str(n) for word, n in WORDED_CONFIDENCE.items()
    },
}
_ROLES = {
    'adversary:infrastructure-type="sinkhole"': Role.SINKHOLE,
    'adversary:infrastructure-status="sinkholed"': Role.SINKHOLE,
    'adversary:infrastructure-status="compromised"': Role.COMPROMISED_THIRD_PARTY,
    'adversary:infrastructure-status="own-and-operated"': Role.ATTACKER_INFRA,
    "sinkhole": Role.SINKHOLE,
    "honeypot": Role.HONEYPOT,
    "victim": Role.VICTIM,
}
_PLAIN_TYPES = {
    "command and control": "c2-server",
    "botnet-c2": "c2-server",
    'adversary:infrastructure-type="c2"': "c2-server",
    "c2": "c2-server",
    "c&c": "c2-server",
    "phishing": "phishing",
    "scam": "social-engineering",
    "malware": "malware",
}


@lru_cache(maxsize=65536)
def meaning(name: str) -> Tags:
    """What one tag says."""
    plain = name.strip()
    lower = plain.lower()
    named = Tags(names=(plain,))
    if lower.startswith("tlp:"):
        label = _MARKINGS.get(lower[4:].strip().replace("-strict", "+strict").replace(" ", ""))
        return replace(named, marking=label) if label else replace(named, unknown_marking=plain)
    if lower in _CONFIDENCE:
        return replace(named, confidence=_CONFIDENCE[lower])
    if lower in _ROLES:
        return replace(named, role=_ROLES[lower])
    if lower in _PLAIN_TYPES:
        return replace(named, type=_PLAIN_TYPES[lower])
    space, _, rest = plain.partition(":")
    predicate, _, quoted = rest.partition("=")
    value = quoted.strip().strip('"')
    if space.lower() == "misp-galaxy" and value:
        return _galaxy_meaning(named, predicate.strip().lower(), value)
    if space.lower() in _TYPE_TAXONOMIES:
        word = value or predicate
        found = event_type(word) or event_type(_PLAIN_TYPES.get(word.lower(), ""))
        if found is EventType.INFECTED_SYSTEM:
            found = EventType.MALWARE  # The incident was an infection; its attributes are what infected.
        return replace(named, type=found.value) if found else named
    return named


def _galaxy_meaning(named: Tags, galaxy: str, value: str) -> Tags:
    stem, dash, last = value.rpartition(" - ")
    numbered = bool(dash) and last[1:2].isdigit()
    name = stem if numbered else value
    ids = (last,) if numbered else ()
    if galaxy in _MALWARE_GALAXIES:
        return replace(named, malware=name, ids=ids)
    if galaxy in _ACTOR_GALAXIES:
        return replace(named, actor=name, ids=ids)
    return replace(named, ids=ids)


def narrowest(*markings: str | None) -> str | None:
    """The narrowest of some labels: what holds several parts may go no further than any of them."""
    return max((label for label in markings if label), key=lambda label: _ORDER[label[4:]], default=None)


@lru_cache(maxsize=16384)
def meanings(names: tuple[str, ...]) -> Tags:
    """What several tags say together: the narrowest marking holds, otherwise the first that says anything."""
    names = tuple(dict.fromkeys(name.strip() for name in names))
    found = [meaning(name) for name in names]
    markings = [item.marking for item in found if item.marking]

    def first(field: str) -> str | None:
        return next((getattr(item, field) for item in found if getattr(item, field)), None)

    return Tags(
        names=names,
        text="; ".join(names) or None,
        marking=narrowest(*markings),
        unknown_marking=first("unknown_marking") or "",
        malware=first("malware"),
        actor=first("actor"),
        type=first("type"),
        role=next((item.role for item in found if item.role), None),
        confidence=first("confidence"),
        ids=tuple(dict.fromkeys(code for item in found for code in item.ids)),
    )


@lru_cache(maxsize=16384)
def joined(own: Tags, outer: Tags) -> Tags:
    """An attribute's own tags with its event's: its own words come first, but the narrower marking holds."""
    names = tuple(dict.fromkeys((*outer.names, *own.names)))
    return Tags(
        names=names,
        text="; ".join(names) or None,
        marking=narrowest(own.marking, outer.marking),
        malware=own.malware or outer.malware,
        actor=own.actor or outer.actor,
        type=own.type or outer.type,
        role=own.role or outer.role,
        confidence=own.confidence or outer.confidence,
        severity=own.severity or outer.severity,
        ids=tuple(dict.fromkeys((*own.ids, *outer.ids))),
    )
