"""An alert on its way, with a person for each part of it: what tests of alerts begin with."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import msgspec
from django.utils import timezone

from tests import people
from tests.crew import work
from tocsin.centre.alerts import publishing, services
from tocsin.centre.alerts.models import Version
from tocsin.centre.alerts.rules import State
from tocsin.core.words import Offence
from tocsin.products.alerts import locked
from tocsin.products.alerts.draft import Draft, Texts, to_json
from tocsin.products.alerts.record import AlertType, Certainty, Made, Severity, Urgency

AUTHOR, REVIEWER, LEGAL, RELEASER = "dana_analyst", "rui_reviewer", "lena_legal", "dora_dissemination"
TRANSLATOR, CHECKER = "dana_analyst", "dario_duty"
TITLES = {
    "en": "False parcel messages empty bank accounts",
    "fr": "De faux avis de colis vident les comptes",
    "es": "Falsos avisos de paquetes vacían las cuentas",
    "ar": "رسائل طرود زائفة تفرغ الحسابات المصرفية",
}
HAPPENING = {
    "en": "Messages ask for a small fee. The page that they lead to takes the bank details.",
    "fr": "Des messages demandent une petite somme. La page où ils mènent prend les données bancaires.",
    "es": "Unos mensajes piden una pequeña tasa. La página a la que llevan toma los datos bancarios.",
    "ar": "تطلب الرسائل رسمًا صغيرًا. والصفحة التي تقود إليها تأخذ البيانات المصرفية.",
}
REASONS = {"en": "Withdrawn: an error", "fr": "Retirée : une erreur", "es": "Retirada: un error", "ar": "سُحب: خطأ"}


def texts(language: str = "en", **said: Any) -> Texts:
    values: dict[str, Any] = {
        "title": TITLES[language], "happening": HAPPENING[language], "recognise": (TITLES[language],),
        "do_now": (HAPPENING[language],), "facts": HAPPENING[language],
    }  # fmt: skip
    return Texts(**{**values, **said})


def draft(**said: Any) -> Draft:
    """As an analyst would hand it in."""
    values: dict[str, Any] = {
        "type": AlertType.METHOD, "offence": Offence.FRAUD, "severity": Severity.SEVERE,
        "urgency": Urgency.IMMEDIATE, "certainty": Certainty.OBSERVED,
        "expires": timezone.now() + timedelta(days=30), "countries": ("FR", "JO"), "texts": texts(),
    }  # fmt: skip
    return Draft(**{**values, **said})


def begun(*, batches: Collection[int] = (), is_exercise: bool = False, **said: Any) -> Version:
    people.call("fleur_officer")  # Somebody has to be there who gets it.
    return services.start(
        by=people.call(AUTHOR), draft=draft(**said), at=timezone.now(), batches=batches, is_exercise=is_exercise
    )


def fresh(version: Version) -> Version:
    return Version.objects.select_related("alert").get(pk=version.pk)


def with_values(source: Texts, words: Texts) -> Texts:
    """The same words with the technical values of the source, as every translation has them."""
    for each in locked.differences(source, words):
        if each.is_fault:
            stands = getattr(words, each.field)
            more = f"{stands} {each.value}" if isinstance(stands, str) else (*stands, each.value)
            words = msgspec.structs.replace(words, **{each.field: more})
    return words


def translated(version: Version, languages: Collection[str] = ("fr", "es", "ar")) -> None:
    """Into these languages, each checked by somebody else."""
    for language in languages:
        known = version.translations.filter(language=language).first()
        words = with_values(services.content_of(version).texts, texts(language))
        made = services.translate(
            version, language, to_json(words), base=known.revision if known else 0, made=Made.HUMAN,
            by=people.call(TRANSLATOR), at=timezone.now(),
        )  # fmt: skip
        services.check(made, by=people.call(CHECKER), at=timezone.now())


def ready(version: Version, languages: Collection[str] = ("fr", "es", "ar")) -> Version:
    """Up to where it waits for its approval."""
    now = timezone.now
    if fresh(version).state == State.DRAFT:
        services.submit(version, by=people.call(AUTHOR), at=now())
    if fresh(version).state == State.QUALITY:
        services.pass_quality(version, by=people.call(REVIEWER), at=now())
    if fresh(version).state == State.LEGAL:
        services.pass_legal(version, by=people.call(LEGAL), at=now())
    translated(version, languages)
    return fresh(version)


def with_police(version: Version, languages: Collection[str] = ("fr", "es", "ar")) -> Version:
    """Until the police has it."""
    publishing.approve(ready(version, languages), by=people.call(RELEASER), at=timezone.now())
    work()
    return fresh(version)


def in_public(version: Version, languages: Collection[str] = ("fr", "es", "ar")) -> Version:
    """Until everybody has it."""
    publishing.publish_public(with_police(version, languages), by=people.call(RELEASER), at=timezone.now())
    return fresh(version)


def updated(version: Version, **said: Any) -> Version:
    """The next version, changed like this, as a draft."""
    made = services.update(version, by=people.call(AUTHOR), at=timezone.now())
    changed = msgspec.structs.replace(services.content_of(made), **said)
    return services.write(made, to_json(changed), base=1, by=people.call(AUTHOR), at=timezone.now())


def cancelled(version: Version) -> Version:
    asked = publishing.ask_cancel(version, REASONS, by=people.call(AUTHOR), at=timezone.now())
    return publishing.confirm_cancel(asked, by=people.call(RELEASER), at=timezone.now())
