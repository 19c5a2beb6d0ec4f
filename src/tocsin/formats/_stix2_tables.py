"""The object types of STIX 2.0 and 2.1 as tables: which properties they have, of what type, which they need."""

from __future__ import annotations

from tocsin.formats._stix2_rules import (
    EXTENSION_TYPES,
    Rules,
    id_of,
    ids_of,
    integer,
    number,
    one_of,
    rules,
    some_of,
)

_BASE = (
    "type! spec_version! id!:* created!:t created_by_ref:I labels:L external_references object_marking_refs "
    "granular_markings extensions"
)
_SDO = _BASE + " modified!:t revoked:b confidence lang"
_SCO = "type! spec_version id!:* object_marking_refs granular_markings defanged:b extensions"
_SEEN = " first_seen:t last_seen:t"
_TWO_0 = (
    "type! id!:* created!:t modified!:t created_by_ref:I revoked:b labels:L external_references "
    "object_marking_refs granular_markings"
)

_OPINIONS = one_of("strongly-disagree", "disagree", "neutral", "agree", "strongly-agree")
ENCRYPTION = one_of("AES-256-GCM", "ChaCha20-Poly1305", "mime-type-indicated")

SDO_21: dict[str, Rules] = {
    "attack-pattern": rules("name! description aliases:L kill_chain_phases", _SDO),
    "campaign": rules("name! description aliases:L objective" + _SEEN, _SDO),
    "course-of-action": rules("name! description action:*", _SDO),
    "grouping": rules("name description context! object_refs!:R", _SDO),
    "identity": rules("name! description roles:L identity_class sectors:L contact_information", _SDO),
    "incident": rules("name! description", _SDO),
    "indicator": rules(
        "name description indicator_types:L pattern! pattern_type! pattern_version valid_from!:t valid_until:t "
        "kill_chain_phases",
        _SDO,
    ),
    "infrastructure": rules("name! description infrastructure_types:L aliases:L kill_chain_phases" + _SEEN, _SDO),
    "intrusion-set": rules(
        "name! description aliases:L goals:L resource_level primary_motivation secondary_motivations:L" + _SEEN,
        _SDO,
    ),
    "location": rules(
        "name description latitude:* longitude:* precision:* region country administrative_area city "
        "street_address postal_code",
        _SDO,
        latitude=number(-90, 90),
        longitude=number(-180, 180),
        precision=number(0),
    ),
    "malware": rules(
        "name description malware_types:L is_family!:b aliases:L kill_chain_phases operating_system_refs:R "
        "architecture_execution_envs:L implementation_languages:L capabilities:L sample_refs:R" + _SEEN,
        _SDO,
        operating_system_refs=ids_of("software"),
        sample_refs=ids_of("artifact", "file"),
    ),
    "malware-analysis": rules(
        "product! version host_vm_ref:I operating_system_ref:I installed_software_refs:R "
        "configuration_version modules:L analysis_engine_version analysis_definition_version submitted:t "
        "analysis_started:t analysis_ended:t result_name result analysis_sco_refs:R sample_ref:I",
        _SDO,
        host_vm_ref=id_of("software"),
        operating_system_ref=id_of("software"),
        installed_software_refs=ids_of("software"),
        sample_ref=id_of("file", "network-traffic", "artifact"),
    ),
    "note": rules("abstract content! authors:L object_refs!:R", _SDO),
    "observed-data": rules(
        "first_observed!:t last_observed!:t number_observed!:i objects:D object_refs:R",
        _SDO,
        number_observed=integer(1, 999_999_999),
    ),
    "opinion": rules("explanation authors:L opinion!:* object_refs!:R", _SDO, opinion=_OPINIONS),
    "report": rules("name! description report_types:L published!:t object_refs!:R", _SDO),
    "threat-actor": rules(
        "name! description threat_actor_types:L aliases:L roles:L goals:L sophistication resource_level "
        "primary_motivation secondary_motivations:L personal_motivations:L" + _SEEN,
        _SDO,
    ),
    "tool": rules("name! description tool_types:L aliases:L kill_chain_phases tool_version", _SDO),
    "vulnerability": rules("name! description", _SDO),
}
OTHER_21: dict[str, Rules] = {
    "relationship": rules("relationship_type! description source_ref!:I target_ref!:I start_time:t stop_time:t", _SDO),
    "sighting": rules(
        "description count:i sighting_of_ref!:I observed_data_refs:R where_sighted_refs:R summary:b" + _SEEN,
        _SDO,
        count=integer(0, 999_999_999),
        observed_data_refs=ids_of("observed-data"),
        where_sighted_refs=ids_of("identity", "location"),
    ),
    "marking-definition": rules("name definition_type definition:D", _BASE),
    "language-content": rules("object_ref!:I object_modified:t contents!:C", _SDO),
    "extension-definition": rules(
        "name! description schema! version! extension_types!:* extension_properties:L created_by_ref!:I",
        _SDO,
        extension_types=some_of(*EXTENSION_TYPES),
    ),
    "bundle": rules("objects:* spec_version:* id!:*", "type!"),
}

# Observables; `{I}` and `{R}` are references: identifiers in 2.1, keys of the same container in 2.0.
_OBSERVABLES = {
    "artifact": "mime_type payload_bin:B url hashes:H encryption_algorithm:s decryption_key",
    "autonomous-system": "number!:i name rir",
    "directory": "path! path_enc {created}:t {modified}:t {accessed}:t contains_refs:R",
    "domain-name": "value! resolves_to_refs:R",
    "email-addr": "value! display_name belongs_to_ref:I",
    "email-message": "is_multipart!:b date:t content_type from_ref:I sender_ref:I to_refs:R cc_refs:R bcc_refs:R "
    "message_id subject received_lines:L additional_header_fields:D body body_multipart:* raw_email_ref:I",
    "file": "hashes:H size:c name name_enc magic_number_hex:X mime_type {created}:t {modified}:t {accessed}:t "
    "parent_directory_ref:I contains_refs:R content_ref:I",
    "ipv4-addr": "value!:4 resolves_to_refs:R belongs_to_refs:R",
    "ipv6-addr": "value!:6 resolves_to_refs:R belongs_to_refs:R",
    "mac-addr": "value!",
    "mutex": "name!",
    "network-traffic": "start:t end:t is_active:b src_ref:I dst_ref:I src_port:p dst_port:p protocols!:L "
    "src_byte_count:c dst_byte_count:c src_packets:c dst_packets:c ipfix:D src_payload_ref:I dst_payload_ref:I "
    "encapsulates_refs:R encapsulated_by_ref:I",
    "process": "is_hidden:b pid:i {created_time}:t cwd command_line environment_variables:D "
    "opened_connection_refs:R creator_user_ref:I {image_ref}:I parent_ref:I child_refs:R",
    "software": "name! cpe swid languages:L vendor version",
    "url": "value!",
    "user-account": "user_id credential account_login account_type display_name is_service_account:b "
    "is_privileged:b can_escalate_privs:b is_disabled:b account_created:t account_expires:t "
    "{credential_changed}:t account_first_login:t account_last_login:t",
    "windows-registry-key": "key values:* {modified_time}:t creator_user_ref:I number_of_subkeys:c",
    "x509-certificate": "is_self_signed:b hashes:H version serial_number signature_algorithm issuer "
    "validity_not_before:t validity_not_after:t subject subject_public_key_algorithm "
    "subject_public_key_modulus subject_public_key_exponent:i x509_v3_extensions:D",
}
_NAMES_21 = {
    "created": "ctime", "modified": "mtime", "accessed": "atime", "created_time": "created_time",
    "image_ref": "image_ref", "credential_changed": "credential_last_changed", "modified_time": "modified_time",
}  # fmt: skip
_NAMES_20 = {
    **_NAMES_21, "created": "created", "modified": "modified", "accessed": "accessed", "created_time": "created",
    "image_ref": "binary_ref", "credential_changed": "password_last_changed", "modified_time": "modified",
}  # fmt: skip
_EXTRA_20 = {
    "file": " is_encrypted:b encryption_algorithm decryption_key",
    "process": " name arguments:L",
}
SCO_21: dict[str, Rules] = {
    name: rules(text.format(**_NAMES_21).replace(":I", ":J").replace(":R", ":S"), _SCO)
    for name, text in _OBSERVABLES.items()
}


def _rules_20(name: str, text: str) -> Rules:
    text = text.format(**_NAMES_20).replace(":I", ":s").replace(":R", ":L") + _EXTRA_20.get(name, "")
    return rules(text, "type! extensions")


OBSERVABLES_20: dict[str, Rules] = {name: _rules_20(name, text) for name, text in _OBSERVABLES.items()}

_SDO_20 = {
    "attack-pattern": "name! description kill_chain_phases",
    "campaign": "name! description aliases:L objective" + _SEEN,
    "course-of-action": "name! description action:*",
    "identity": "name! description identity_class! sectors:L contact_information",
    "indicator": "labels!:L name description pattern! valid_from!:t valid_until:t kill_chain_phases",
    "intrusion-set": "name! description aliases:L goals:L resource_level primary_motivation "
    "secondary_motivations:L" + _SEEN,
    "malware": "labels!:L name! description kill_chain_phases",
    "report": "labels!:L name! description published!:t object_refs!:R",
    "threat-actor": "labels!:L name! description aliases:L roles:L goals:L sophistication resource_level "
    "primary_motivation secondary_motivations:L personal_motivations:L",
    "tool": "labels!:L name! description kill_chain_phases tool_version",
    "vulnerability": "name! description",
}
SDO_20: dict[str, Rules] = {name: rules(text, _TWO_0) for name, text in _SDO_20.items()} | {
    "observed-data": rules(
        "first_observed!:t last_observed!:t number_observed!:i objects!:D",
        _TWO_0,
        number_observed=integer(1, 999_999_999),
    )
}
OTHER_20: dict[str, Rules] = {
    "relationship": rules("relationship_type! description source_ref!:I target_ref!:I", _TWO_0),
    "sighting": rules(
        "count:i sighting_of_ref!:I observed_data_refs:R where_sighted_refs:R summary:b" + _SEEN,
        _TWO_0,
        count=integer(0, 999_999_999),
        observed_data_refs=ids_of("observed-data"),
        where_sighted_refs=ids_of("identity"),
    ),
    "marking-definition": rules(
        "type! id!:* created!:t created_by_ref:I external_references object_marking_refs granular_markings "
        "definition_type! definition!:D",
        "",
    ),
    "bundle": rules("objects:* spec_version:* id!:*", "type!"),
}
TYPES_21 = {**SDO_21, **OTHER_21, **SCO_21}
TYPES_20 = {**SDO_20, **OTHER_20}
CUSTOM_RULES_21 = rules("modified:t revoked:b confidence lang", _BASE.replace("created!", "created"))
CUSTOM_RULES_20 = rules("", _TWO_0)
NOT_SIGHTED = ("bundle--", "marking-definition--", "relationship--", "sighting--", "language-content--",
               "extension-definition--", *(f"{name}--" for name in SCO_21))  # fmt: skip
