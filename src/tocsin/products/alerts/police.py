"""The police edition of an alert: as a STIX 2.1 bundle, a MISP event and a table. Pure.

Persons are in none of them: whoever may read about them does so on a page, and no file carries them on. Values of
whoever suffered are in none either. The objects of one alert have the same identifiers in every version.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from typing import Any

import orjson

from tocsin.core.errors import InputError
from tocsin.core.grading import EXTENSION, grade_of, stix_confidence, stix_extension, tags_of
from tocsin.core.words import VICTIM_LIKE, Offence, Role, Tlp
from tocsin.products.identifiers import moment_text, uuid5_text
from tocsin.products.misp_event import DISTRIBUTION, NAMESPACE, TYPES
from tocsin.products.order import Centre
from tocsin.products.stix_bundle import OWN_NAMESPACE, RELEASE_EXTENSION, TLP_IDS, identity, observable, tlp_marking
from tocsin.products.text_safety import cell

from .draft import Indicator, Task, Texts
from .record import AlertType, Certainty, Made, Message, Severity, Urgency

ALERT_EXTENSION = "extension-definition--b4a2c7f1-6d1e-4f0a-8c53-9d7e1f6a2b90"
"""Under this key a report says what STIX has no field for."""
ATTACK = "https://attack.mitre.org/techniques/"
COLUMNS = ("kind", "value", "role", "grade", "valid_until", "note")
_OWN = OWN_NAMESPACE.bytes


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under what it stands, without who is left out of it: that is told to nobody."""

    tlp: Tlp
    pap: str
    codes: tuple[str, ...]
    purposes: tuple[str, ...]
    restrictions: tuple[str, ...] = ()
    has_exclusions: bool = False


@dataclass(frozen=True, slots=True)
class PoliceEdition:
    """One version of an alert for the police of those countries that it is open to. Moments are UTC."""

    number: str
    version: int
    message: Message
    type: AlertType
    offence: Offence
    severity: Severity
    urgency: Urgency
    certainty: Certainty
    issued: datetime
    """When the first version was sent."""
    sent: datetime
    expires: datetime | None
    language: str
    texts: Mapping[str, Texts]
    """Language → words; that of `language` is always there, others only where they stand for these very words."""
    made: Mapping[str, Made]
    """How each of them came to be."""
    centre: Centre
    conditions: Conditions
    onset: datetime | None = None
    countries: tuple[str, ...] = ()
    techniques: Mapping[str, str] = field(default_factory=dict)
    """ATT&CK identifier → name, where it is known."""
    likelihood: str = ""
    confidence: str = ""
    contact: str = ""
    answer_by: datetime | None = None
    indicators: tuple[Indicator, ...] = ()
    persons_count: int = 0
    is_exercise: bool = False

    @property
    def text(self) -> Texts:
        return self.texts[self.language]

    @property
    def told(self) -> tuple[Indicator, ...]:
        """The values that a file may carry: nobody's who suffered, or may have."""
        return tuple(each for each in self.indicators if each.role not in VICTIM_LIKE)


def stix_bundle(edition: PoliceEdition) -> bytes:
    """The bundle. Of an exercise no value is an object of its own, so that nobody ever takes it for a finding."""
    objects = list(_Bundle(edition).objects())
    bundle = {"type": "bundle", "id": _id(edition, "bundle", str(edition.version)), "objects": objects}
    return orjson.dumps(bundle, option=orjson.OPT_INDENT_2) + b"\n"


def tombstone(number: str, issued: datetime, gone_at: datetime, centre: Centre) -> bytes:
    """The report of an alert that was taken back, as a version that says so and nothing else: a program that keeps the
    report learns that it is gone."""
    report = {
        "type": "report", "spec_version": "2.1", "id": _own(centre, number, "report", ""),
        "created": moment_text(issued), "modified": moment_text(max(gone_at, issued)),
        "created_by_ref": f"identity--{centre.id}", "revoked": True, "name": number, "report_types": ["threat-report"],
        "published": moment_text(issued), "object_refs": [f"identity--{centre.id}"],
    }  # fmt: skip
    bundle_id = _own(centre, number, "bundle", f"gone|{moment_text(gone_at)}")
    bundle = {"type": "bundle", "id": bundle_id, "objects": [identity(centre), report]}
    return orjson.dumps(bundle, option=orjson.OPT_INDENT_2) + b"\n"


class _Bundle:
    """What the objects of one bundle share."""

    def __init__(self, edition: PoliceEdition) -> None:
        self.edition = edition
        self.created, self.modified = moment_text(edition.issued), moment_text(edition.sent)
        self.maker = f"identity--{edition.centre.id}"
        self.release = _id(edition, "marking-definition", str(edition.version))
        self.report = _id(edition, "report", "")

    def objects(self) -> Iterator[dict[str, Any]]:
        edition = self.edition
        yield identity(edition.centre)
        yield tlp_marking(edition.conditions.tlp)
        yield self._extension(RELEASE_EXTENSION, "Conditions of a release", "release-marking",
                              "Handling codes, purposes, onward rule and expiry of what is handed over.")  # fmt: skip
        yield self._extension(ALERT_EXTENSION, "Alert", "alert",
                              "What an alert says that a report has no field for.")  # fmt: skip
        yield self._marking()
        inner: list[dict[str, Any]] = []
        if not edition.is_exercise:
            inner += [made for each in edition.told if (made := self._indicator(each)) is not None]
        inner += [self._technique(number, name) for number, name in sorted(edition.techniques.items())]
        inner += [self._action(place, each) for place, each in enumerate(edition.text.tasks, 1)]
        if any(EXTENSION in each.get("extensions", {}) for each in inner):
            yield self._extension(EXTENSION, "Grades as given", "grades",
                                  "How sources graded themselves and what they say, as given.")  # fmt: skip
        yield from inner
        report = self._report([each["id"] for each in inner])
        yield report
        if edition.text.assessment:
            yield self._note()
        for language in sorted(edition.texts):
            if language != edition.language:
                yield self._translation(language)

    def _common(self, kind: str, seed: str = "") -> dict[str, Any]:
        return {
            "type": kind, "spec_version": "2.1", "id": _id(self.edition, kind, seed), "created": self.created,
            "modified": self.modified, "created_by_ref": self.maker,
            "object_marking_refs": [TLP_IDS[self.edition.conditions.tlp], self.release],
        }  # fmt: skip

    def _extension(self, number: str, name: str, schema: str, description: str) -> dict[str, Any]:
        made_at = moment_text(self.edition.centre.created_at)
        return {
            "type": "extension-definition", "spec_version": "2.1", "id": number, "created": made_at,
            "modified": made_at, "created_by_ref": self.maker, "name": name, "description": description,
            "schema": f"https://tocsin.example/schemas/{schema}.json", "version": "1.0.0",
            "extension_types": ["property-extension"],
        }  # fmt: skip

    def _marking(self) -> dict[str, Any]:
        said = self.edition.conditions
        body: dict[str, Any] = {
            "extension_type": "property-extension", "handling": list(said.codes), "pap": said.pap,
            "purposes": list(said.purposes), "onward": "ask-source",
        }  # fmt: skip
        if said.restrictions:
            body["restrictions"] = list(said.restrictions)
        if self.edition.expires is not None:
            body["expiry"] = self.edition.expires.date().isoformat()
        return {
            "type": "marking-definition", "spec_version": "2.1", "id": self.release, "created": self.modified,
            "created_by_ref": self.maker, "name": f"{self.edition.number} v{self.edition.version}",
            "extensions": {RELEASE_EXTENSION: body},
        }  # fmt: skip

    def _report(self, refs: Sequence[str]) -> dict[str, Any]:
        edition, text = self.edition, self.edition.text
        labels = ["alert", edition.type.value.lower(), edition.type.colour, edition.offence.value]
        if edition.is_exercise:
            labels.insert(0, "exercise")
        made = self._common("report") | {
            "name": _headed(edition, text), "description": _described(text), "lang": edition.language,
            "report_types": ["threat-report"], "published": self.modified, "labels": labels,
            # A report refers to something (STIX 2.1, 4.16): one without values refers to who made it.
            "object_refs": [self.maker, *refs], "extensions": {ALERT_EXTENSION: self._facts()},
        }  # fmt: skip
        if edition.message is Message.CANCEL:
            made["revoked"] = True
        return made

    def _facts(self) -> dict[str, Any]:
        edition = self.edition
        said: dict[str, Any] = {
            "extension_type": "property-extension", "number": edition.number, "version": edition.version,
            "message": edition.message.value, "alert_type": edition.type.value, "colour": edition.type.colour,
            "offence": edition.offence.value, "severity": edition.severity.value, "urgency": edition.urgency.value,
            "certainty": edition.certainty.value, "exercise": edition.is_exercise, "countries": list(edition.countries),
            "onset": _moment(edition.onset), "expires": _moment(edition.expires), "likelihood": edition.likelihood,
            "confidence": edition.confidence, "contact": edition.contact, "answer_by": _moment(edition.answer_by),
            "persons": edition.persons_count or None, **_words_of(edition.text),
            "made": {language: each.value for language, each in sorted(edition.made.items())},
        }  # fmt: skip
        if edition.is_exercise:
            said["values"] = [_told(each) for each in edition.told]
        return {name: value for name, value in said.items() if value not in (None, "", [], {})}

    def _indicator(self, each: Indicator) -> dict[str, Any] | None:
        """A value as something to look for; None for kinds that STIX has no pattern for, which the table has."""
        made = observable(each.kind.value, each.value)
        if made is None:
            return None
        found = self._common("indicator", f"{each.kind.value}|{each.value}") | {
            "name": each.value, "pattern": made[0], "pattern_type": "stix", "valid_from": self.created,
            "indicator_types": [_TYPES.get(each.role, "benign")], "labels": [each.role.value.lower().replace("_", "-")],
        }  # fmt: skip
        if each.note:
            found["description"] = each.note
        until = each.valid_until or self.edition.expires
        if until is not None and until > self.edition.issued:
            found["valid_until"] = moment_text(until)
        if each.grade:
            try:
                grade = grade_of(each.grade)
            except InputError:
                return found
            number, _lost = stix_confidence(grade)
            found["labels"] += tags_of(grade)
            found["extensions"] = {EXTENSION: stix_extension([grade])}
            if number is not None:
                found["confidence"] = number
        return found

    def _technique(self, number: str, name: str) -> dict[str, Any]:
        reference = {"source_name": "mitre-attack", "external_id": number, "url": ATTACK + number.replace(".", "/")}
        return self._common("attack-pattern", number) | {"name": name or number, "external_references": [reference]}

    def _action(self, place: int, task: Task) -> dict[str, Any]:
        said = [task.text]
        said += [task.owner] if task.owner else []
        said += [f"{moment_text(task.due)}"] if task.due else []
        name = task.text if len(task.text) <= 120 else f"{task.text[:119]}…"
        return self._common("course-of-action", str(place)) | {"name": name, "description": "\n".join(said)}

    def _note(self) -> dict[str, Any]:
        """The assessment, apart from the facts; likelihood and confidence each in a line of its own."""
        edition = self.edition
        said = [edition.text.assessment]
        said += [f"Likelihood: {edition.likelihood}."] if edition.likelihood else []
        said += [f"Confidence: {edition.confidence}."] if edition.confidence else []
        return self._common("note", "assessment") | {
            "abstract": "Assessment", "content": "\n\n".join(said), "lang": edition.language,
            "object_refs": [self.report],
        }  # fmt: skip

    def _translation(self, language: str) -> dict[str, Any]:
        """The words in another language, bound to this very version of the report (W22)."""
        text = self.edition.texts[language]
        said = {
            "name": _headed(self.edition, text), "description": _described(text),
            "extensions": {ALERT_EXTENSION: _words_of(text)},
        }  # fmt: skip
        return self._common("language-content", language) | {
            "object_ref": self.report, "object_modified": self.modified, "contents": {language: said},
        }  # fmt: skip


_TYPES: Mapping[Role, str] = {
    Role.ATTACKER_INFRA: "malicious-activity", Role.COMPROMISED_THIRD_PARTY: "compromised",
}  # fmt: skip


def misp_event(edition: PoliceEdition) -> bytes:
    """The event, its attributes by role: who was hacked is told, and never offered as a rule to block.

    What stands under H2 or leaves somebody out does not go on to MISP (DOMAIN 3.4): then there are no attributes.
    """
    said = edition.conditions
    may_go = "H2" not in said.codes and not said.has_exclusions
    prefix = f"{edition.centre.id}|{edition.number}|"
    seconds = str(int(edition.sent.timestamp()))
    maker = {"uuid": edition.centre.id, "name": edition.centre.name}
    tags = [f"tlp:{said.tlp.value.removeprefix('TLP:').lower()}", said.pap, f'tocsin:alert="{edition.number}"']
    tags += [f'misp-galaxy:mitre-attack-pattern="{name or number} - {number}"'
             for number, name in sorted(edition.techniques.items())]  # fmt: skip
    tags += ["exercise"] if edition.is_exercise else []
    event = {
        "uuid": uuid5_text(NAMESPACE.bytes, prefix), "info": _headed(edition, edition.text),
        "date": edition.issued.date().isoformat(), "timestamp": seconds, "analysis": "2", "threat_level_id": "2",
        "published": False, "distribution": DISTRIBUTION.get(said.tlp, "0"), "Orgc": maker, "Org": maker,
        "Tag": [{"name": each} for each in tags],
        "Attribute": [_attribute(edition, each, prefix, seconds) for each in edition.told] if may_go else [],
    }  # fmt: skip
    return orjson.dumps({"Event": event}, option=orjson.OPT_INDENT_2) + b"\n"


def _attribute(edition: PoliceEdition, each: Indicator, prefix: str, seconds: str) -> dict[str, Any]:
    kind, category = TYPES.get(each.kind.value, ("other", "Other"))
    return {
        "uuid": uuid5_text(NAMESPACE.bytes, f"{prefix}{each.kind.value}|{each.value}"), "type": kind,
        "category": category, "value": each.value, "distribution": "5", "timestamp": seconds,
        "to_ids": each.role is Role.ATTACKER_INFRA and not edition.is_exercise,
        "comment": f"{each.role.value}. {each.note}".strip(), "Tag": [{"name": f'tocsin:role="{each.role.value}"'}],
    }  # fmt: skip


def table(edition: PoliceEdition) -> bytes:
    """The values as CSV, for whoever has no better tool: no cell is a formula."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for each in edition.told:
        row = _told(each)
        writer.writerow([cell(str(row.get(name, ""))) for name in COLUMNS])
    return text.getvalue().encode("utf-8-sig")


def _told(each: Indicator) -> dict[str, str]:
    return {
        "kind": each.kind.value, "value": each.value, "role": each.role.value, "grade": each.grade,
        "valid_until": _moment(each.valid_until) or "", "note": each.note,
    }  # fmt: skip


def _headed(edition: PoliceEdition, text: Texts) -> str:
    return f"EXERCISE: {text.title}" if edition.is_exercise else text.title


def _described(text: Texts) -> str:
    return "\n\n".join(each for each in (text.bottom_line, text.facts or text.happening) if each)


def _words_of(text: Texts) -> dict[str, Any]:
    """What the police reads of a text, in one language."""
    said: dict[str, Any] = {
        "bottom_line": text.bottom_line, "facts": text.facts or text.happening, "assessment": text.assessment,
        "tasks": [_task(each) for each in text.tasks], "never": list(text.never), "questions": list(text.questions),
        "reason": text.reason,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value}


def _task(each: Task) -> dict[str, str]:
    said = {"text": each.text, "owner": each.owner, "due": _moment(each.due) or ""}
    return {name: value for name, value in said.items() if value}


def _moment(at: datetime | None) -> str | None:
    return None if at is None else moment_text(at)


def _id(edition: PoliceEdition, kind: str, seed: str) -> str:
    return _own(edition.centre, edition.number, kind, seed)


def _own(centre: Centre, number: str, kind: str, seed: str) -> str:
    return f"{kind}--{uuid5_text(_OWN, f'{centre.id}|{number}|{kind}|{seed}')}"
