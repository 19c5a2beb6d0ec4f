"""Alerts of the demonstration: two are published in four languages, one waits for its review.

Each goes the whole way through the services that the pages call, with a person for each part of it. Running it again
adds nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.centre.alerts.models import Version
    from tocsin.products.alerts.draft import Draft, Texts

AUTHOR, REVIEWER, LEGAL, RELEASER = "ines", "rosalind", "lucia", "delphine"
TRANSLATOR, CHECKER = "youssef", "henrik"
LANGUAGES = ("en", "fr", "es", "ar")
WAITING_TITLE = "EXERCISE: Calls in the name of the bank"


def begin(at: datetime) -> list[Version]:
    """Write, review, clear and translate them, and send them to the police; a worker reads what that hands in."""
    from tocsin.centre.alerts import publishing, services
    from tocsin.centre.alerts.models import Alert

    if Alert.objects.exists():
        return []
    found = []
    for said in _told().values():
        version = services.start(by=_person(AUTHOR), draft=_draft(said, at), at=at)
        services.submit(version, by=_person(AUTHOR), at=at)
        services.pass_quality(version, by=_person(REVIEWER), at=at)
        services.pass_legal(version, by=_person(LEGAL), at=at)
        _translate(version, said, at)
        version.refresh_from_db()
        found.append(publishing.approve(version, by=_person(RELEASER), at=at))
    _leave_one_waiting(at)
    return found


def finish(versions: list[Version], at: datetime) -> None:
    """Let the public read what the police has."""
    from tocsin.centre.alerts import publishing

    for each in versions:
        each.refresh_from_db()
        publishing.publish_public(each, by=_person(RELEASER), at=at)


def _leave_one_waiting(at: datetime) -> None:
    """For the reviewer's desk."""
    import msgspec

    from tocsin.centre.alerts import services

    said = dict(_told())["parcels"]
    draft = _draft(said, at)
    texts = msgspec.structs.replace(draft.texts, title=WAITING_TITLE)
    made = services.start(by=_person(AUTHOR), draft=msgspec.structs.replace(draft, texts=texts), at=at)
    services.submit(made, by=_person(AUTHOR), at=at)


def _told() -> dict[str, dict[str, Any]]:
    import tocsin.exercise

    path = Path(tocsin.exercise.__file__).with_name("alerts.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _draft(said: Mapping[str, Any], at: datetime) -> Draft:
    from tocsin.core.words import Offence
    from tocsin.products.alerts.draft import Draft
    from tocsin.products.alerts.record import AlertType, Certainty, Severity, Urgency

    return Draft(
        type=AlertType(said["type"]), offence=Offence(said["offence"]), severity=Severity(said["severity"]),
        urgency=Urgency(said["urgency"]), certainty=Certainty(said["certainty"]),
        countries=tuple(said["countries"]), techniques=tuple(said["techniques"]),
        expires=at + timedelta(days=said["days"]), texts=_texts(said["en"]),
    )  # fmt: skip


def _texts(said: Mapping[str, Any]) -> Texts:
    from tocsin.products.alerts.draft import texts_of

    return texts_of(said)


def _translate(version: Version, said: Mapping[str, Any], at: datetime) -> None:
    from tocsin.centre.alerts import services
    from tocsin.products.alerts.record import Made

    for language in LANGUAGES[1:]:
        made = services.translate(
            version, language, said[language], base=0, made=Made.HUMAN, by=_person(TRANSLATOR), at=at
        )
        services.check(made, by=_person(CHECKER), at=at)


def _person(login: str) -> Any:
    from tocsin.centre.members.models import Person

    return Person.objects.select_related("organisation").get(login=login)
