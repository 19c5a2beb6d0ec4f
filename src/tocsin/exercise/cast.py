"""Who takes part in the exercise: invented organisations and people. Any likeness is chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .plan import Organisation, OrganisationClass, Person

_LAW = OrganisationClass.LAW_ENFORCEMENT
_PUBLIC = OrganisationClass.PUBLIC_BODY
_PRIVATE = OrganisationClass.PRIVATE
_ACADEMIA = OrganisationClass.ACADEMIA

_HERON = {"malware": "Grey Heron", "label": "greyheron"}
_C2_LIST = {"role": "ATTACKER_INFRA", "type": "c2-server", **_HERON}
_PHISHING = {"role": "ATTACKER_INFRA", "type": "phishing", "label": "PostBoxer"}

_BANK_COLUMNS: Mapping[str, Any] = {
    "format": "delimited",
    "delimiter": ";",
    "header": True,
    "day_first": True,
    "time_zone": "Europe/Madrid",
    "columns": {
        "first_at": "Fecha y hora",
        "value": "IP del cliente",
        "port": "Puerto",
        "stated_country": "País",
        "note": "Observación",
        "tags": "Marca",
    },
    "defaults": {"kind": "ipv4", "role": "VICTIM", "type": "infected-system", **_HERON},
}
_TELECOM_COLUMNS: Mapping[str, Any] = {
    "format": "delimited",
    "delimiter": "|",
    "header": True,
    "columns": {
        "first_at": "when (utc)",
        "value": "cust addr #1",
        "stated_country": "ctry",
        "severity": "sev!",
        "peer": "talks to",
        "peer_port": "talks to port",
        "note": "free text / remarks",
        "tags": "lbl",
    },
    "defaults": {
        "kind": "ipv4",
        "role": "VICTIM",
        "type": "infected-system",
        "peer_role": "ATTACKER_INFRA",
        **_HERON,
    },
}
_PAYMENT_COLUMNS: Mapping[str, Any] = {
    "format": "delimited",
    "delimiter": "\t",
    "header": True,
    "columns": {
        "first_at": "data",
        "value": "endereço da carteira",
        "stated_country": "país",
        "label": "grupo",
        "note": "nota",
        "tags": "marca",
    },
    "defaults": {"kind": "wallet", "role": "ATTACKER_INFRA", "type": "other", "offence": "money-laundering"},
}


def _plain(kind: str, defaults: Mapping[str, str], **more: Any) -> Mapping[str, Any]:
    values = {"kind": kind, **defaults} if kind else dict(defaults)
    return {"defaults": values, **more}


ORGANISATIONS: tuple[Organisation, ...] = (
    Organisation(
        "centre",
        "Tocsin Fusion Centre (EXERCISE)",
        OrganisationClass.CENTRE,
        "SG",
        "duty@centre.example",
        purposes=("PROTECT", "INVESTIGATE", "ANALYSE", "TRAIN"),
    ),
    Organisation(
        "polar",
        "Polar Sinkhole Foundation (EXERCISE)",
        _PRIVATE,
        "NL",
        "feeds@polar-sinkhole.example",
        handling=("H0",),
        purposes=("PROTECT", "INVESTIGATE"),
    ),
    Organisation(
        "meridian",
        "Meridian Threat Labs (EXERCISE)",
        _PRIVATE,
        "US",
        "intel@meridian-labs.example",
        purposes=("PROTECT", "INVESTIGATE", "ANALYSE"),
        profiles={"c2-addresses": _plain("", _C2_LIST), "c2-domains": _plain("", _C2_LIST)},
    ),
    Organisation(
        "kestrel",
        "Kestrel Hosting Abuse Desk (EXERCISE)",
        _PRIVATE,
        "DE",
        "abuse@kestrel-hosting.example",
        tlp="TLP:GREEN",
        handling=("H0",),
        profiles={"blocklist": _plain("", {"role": "ATTACKER_INFRA", "type": "blacklist"})},
    ),
    Organisation(
        "almendra",
        "Banco Almendra Fraud Desk (EXERCISE)",
        _PRIVATE,
        "ES",
        "fraude@banco-almendra.example",
        handling=("H1", "H2"),
        profiles={"clientes": _BANK_COLUMNS},
    ),
    Organisation(
        "tallis",
        "Tallis Mail Security (EXERCISE)",
        _PRIVATE,
        "GB",
        "reports@tallis-mail.example",
        tlp="TLP:GREEN",
        handling=("H0",),
        purposes=("PROTECT", "INVESTIGATE"),
        profiles={"phishing-urls": _plain("", _PHISHING), "phishing-domains": _plain("", _PHISHING)},
    ),
    Organisation(
        "lumenbay",
        "Lumen Bay Malware Exchange (EXERCISE)",
        _PRIVATE,
        "CH",
        "exchange@lumen-bay.example",
        tlp="TLP:CLEAR",
        handling=("H0",),
        purposes=("PROTECT", "INVESTIGATE", "ANALYSE", "TRAIN"),
    ),
    Organisation(
        "orchard",
        "Orchard Telecom (EXERCISE)",
        _PRIVATE,
        "IN",
        "soc@orchard-telecom.example",
        profiles={"customers": _TELECOM_COLUMNS},
    ),
    Organisation(
        "skagen",
        "Skagen Computer Emergency Team (EXERCISE)",
        _PUBLIC,
        "DK",
        "cert@skagen-cert.example",
        handling=("H0",),
        purposes=("PROTECT", "INVESTIGATE"),
    ),
    Organisation(
        "amber",
        "Amber Coast Incident Exchange (EXERCISE)",
        _PUBLIC,
        "PL",
        "n6@amber-coast.example",
        tlp="TLP:GREEN",
        handling=("H0",),
    ),
    Organisation(
        "cedar",
        "Cedar Gate Cyber Emergency Centre (EXERCISE)",
        _PUBLIC,
        "MA",
        "cert@cedar-gate.example",
        profiles={"notes": {"defaults": {"role": "ATTACKER_INFRA"}}},
    ),
    Organisation(
        "alba",
        "Alba Bay Cyber Police Unit (EXERCISE)",
        _LAW,
        "IT",
        "cyber@alba-police.example",
        tlp="TLP:AMBER",
        handling=("H1",),
        purposes=("INVESTIGATE", "PROTECT"),
    ),
    Organisation(
        "porto",
        "Polícia Digital do Porto Novo (EXERCISE)",
        _LAW,
        "BR",
        "intel@policia-digital.example",
        handling=("H1", "H2"),
        purposes=("INVESTIGATE",),
        profiles={"carteiras": _PAYMENT_COLUMNS},
    ),
    Organisation(
        "azure",
        "Port Azure Police Cyber Section (EXERCISE)",
        _LAW,
        "AU",
        "cyber@port-azure.example",
        handling=("H1",),
        purposes=("INVESTIGATE", "PROTECT"),
    ),
    Organisation(
        "northfold",
        "Northfold University Malware Lab (EXERCISE)",
        _ACADEMIA,
        "CA",
        "lab@northfold.example",
        tlp="TLP:GREEN",
        handling=("H0",),
        purposes=("PROTECT", "ANALYSE", "TRAIN"),
    ),
    Organisation(
        "clairval",
        "Institut Clairval (EXERCISE)",
        _ACADEMIA,
        "FR",
        "recherche@clairval.example",
        purposes=("PROTECT", "ANALYSE"),
    ),
    Organisation(
        "sakura",
        "Sakura Ridge Institute (EXERCISE)",
        _ACADEMIA,
        "JP",
        "team@sakura-ridge.example",
        tlp="TLP:GREEN",
        handling=("H0",),
        purposes=("PROTECT", "ANALYSE", "TRAIN"),
        profiles={"sample-digests": _plain("", {"role": "ATTACKER_INFRA", "type": "malware", **_HERON})},
    ),
)

_PEOPLE: tuple[tuple[str, str, str, str, str, str], ...] = (
    # username, name, role, language, country, organisation
    ("ines", "Ines Tamsin", "analyst", "en", "", "centre"),
    ("youssef", "Youssef Qandil", "analyst", "ar", "", "centre"),
    ("rosalind", "Rosalind Ferreby", "reviewer", "en", "", "centre"),
    ("thibault", "Thibault Orsenne", "reviewer", "fr", "", "centre"),
    ("lucia", "Lucía Bermeja", "legal-officer", "es", "", "centre"),
    ("leila", "Leila Zeroual", "translator", "ar", "", "centre"),
    ("henrik", "Henrik Solvang", "duty-officer", "en", "", "centre"),
    ("amina", "Amina Lazreg", "duty-officer", "fr", "", "centre"),
    ("admin", "Dagny Wroclav", "administrator", "en", "", "centre"),
    ("samir", "Samir Haddadin", "auditor", "en", "", "centre"),
    ("polar-ops", "Maarten Veldhoek", "partner-analyst", "en", "NL", "polar"),
    ("meridian-intel", "Cassidy Thornwell", "partner-analyst", "en", "US", "meridian"),
    ("kestrel-abuse", "Jolanda Brückmoor", "partner-analyst", "en", "DE", "kestrel"),
    ("almendra-fraude", "Ramiro Castañal", "partner-analyst", "es", "ES", "almendra"),
    ("tallis-reports", "Imogen Harkwell", "partner-analyst", "en", "GB", "tallis"),
    ("skagen-cert", "Birgitte Klitmark", "partner-analyst", "en", "DK", "skagen"),
    ("cedar-cert", "Samira Bouarfa", "partner-analyst", "ar", "MA", "cedar"),
    ("alba-police", "Ottavio Serralta", "partner-analyst", "en", "IT", "alba"),
    ("porto-policia", "Joana Ribamar", "partner-analyst", "es", "BR", "porto"),
    ("northfold-lab", "Quentin Ashgrove", "partner-analyst", "en", "CA", "northfold"),
    ("clairval-recherche", "Maëlle Garance", "partner-analyst", "fr", "FR", "clairval"),
    ("bureau-fr", "Capucine Delorval", "bureau-officer", "fr", "FR", ""),
    ("bureau-ma", "Idriss Tazarine", "bureau-officer", "ar", "MA", ""),
    ("bureau-br", "Caetano Miragem", "bureau-officer", "es", "BR", ""),
    ("bureau-mx", "Ximena Olvido", "bureau-officer", "es", "MX", ""),
    ("bureau-sg", "Wei Ling Tanjong", "bureau-officer", "en", "SG", ""),
    ("bureau-ke", "Wanjiru Mokoro", "bureau-officer", "en", "KE", ""),
    ("bureau-eg", "Nadia Sahlawi", "bureau-officer", "ar", "EG", ""),
    ("bureau-sn", "Ousmane Ndiagor", "bureau-officer", "fr", "SN", ""),
    ("bureau-jp", "Haruka Minase", "bureau-officer", "en", "JP", ""),
    ("delphine", "Delphine Marchessac", "dissemination-officer", "fr", "", "centre"),
    ("noor", "Noor Abendroth", "partnership-officer", "en", "", "centre"),
    ("commission", "Aurelio Santcliment", "commission-secretary", "es", "", "centre"),
    ("head-fr", "Bastien Lormanoir", "bureau-head", "fr", "FR", ""),
    ("head-ma", "Salma Oukachane", "bureau-head", "ar", "MA", ""),
    ("meridian-lead", "Theodora Vanlindt", "partner-manager", "en", "US", "meridian"),
)

PEOPLE: tuple[Person, ...] = tuple(
    Person(username, name, role, language, country, organisation, f"{username}@people.example")
    for username, name, role, language, country, organisation in _PEOPLE
)
