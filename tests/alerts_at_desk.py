"""Alerts at the desk for tests: a draft that may be handed in, an alert, a proposal, and the four people of its way."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from tocsin.centre.alerts import services
from tocsin.centre.alerts.models import Alert, Proposal, Translation, Version
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.numbers import drawn_number
from tocsin.core.words import Kind, Offence, Role
from tocsin.products.alerts.draft import Draft, Indicator, Task, Texts, draft_of, to_json
from tocsin.products.alerts.record import AlertType, Certainty, Made, Severity, Urgency

from . import builders, people

TITLES = {"en": "False parcel messages steal card data", "fr": "De faux messages de colis volent des données de carte",
          "es": "Mensajes falsos de paquetes roban datos de tarjetas",
          "ar": "رسائل طرود زائفة تسرق بيانات البطاقات"}  # fmt: skip


def draft_of_alert(**said: object) -> Draft:
    """What an alert says that may be handed in."""
    texts = Texts(
        title=TITLES["en"],
        happening="Criminals send messages about a parcel. The link leads to a false page.",
        at_risk="Everybody who waits for a parcel.", recognise=("The sender is a private number.",),
        do_now=("Do not open the link.", "Call your bank if you did."), if_victim="Tell the police.",
        bottom_line="A phishing kit is used against customers of carriers. Look for its server.",
        facts="The kit answers at 198.51.100.9.", assessment="One group runs it.",
        tasks=(Task("Block the server", "CERT"),), never=("Do not contact the host.",),
    )  # fmt: skip
    facts = {
        "type": AlertType.METHOD, "offence": Offence.FRAUD, "severity": Severity.SEVERE, "urgency": Urgency.EXPECTED,
        "certainty": Certainty.OBSERVED, "expires": timezone.now().replace(microsecond=0) + timedelta(days=30),
        "countries": ("FR", "JO"), "techniques": ("T1566",), "texts": texts, "likelihood": "likely",
        "confidence": "high", "contact": "desk@centre.example",
        "indicators": (Indicator("198.51.100.9", Kind.IPV4, Role.ATTACKER_INFRA, "B2"),), **said,
    }  # fmt: skip
    return Draft(**facts)  # type: ignore[arg-type]


def alert(batches: tuple[int, ...] = ()) -> Alert:
    """A draft of dana_analyst with a French translation; once."""
    found = Alert.objects.first()
    if found is not None:
        return found
    dana = people.call("dana_analyst")
    made = services.start(by=dana, draft=draft_of_alert(), at=timezone.now(), batches=batches)
    french = Texts(title="De faux messages de colis", happening="Des escrocs envoient des messages.",
                   facts="Le kit répond à 198.51.100.9.")  # fmt: skip
    # As a row: the scene is also set for people who have just lost their seats.
    Translation.objects.create(
        version=made, language="fr", content=to_json(french), source_digest=draft_of(made.content).source_digest,
        made=Made.HUMAN.value, made_by=dana, made_at=timezone.now(),
    )  # fmt: skip
    return made.alert


def proposal(person: Person) -> Proposal:
    """One of the person's own organisation, where it may propose; else one of another. Once for each."""
    at_home = person if not person.organisation.is_centre and may(person, "propose-alerts") else None
    by = at_home or people.call("fleur_officer")
    found = Proposal.objects.filter(organisation=by.organisation).first()
    return found or Proposal.objects.create(
        reference=drawn_number("AP", timezone.now()), organisation=by.organisation, by=by, at=timezone.now(),
        content=to_json(draft_of_alert()), note="We see it daily.",
    )  # fmt: skip


def translator(login: str = "tara_translator") -> Person:
    """Works on the words of alerts alone."""
    return Person.objects.filter(login=login).first() or builders.person(login, builders.centre(), "translator")


def translated(texts: Texts, language: str) -> Texts:
    """Good enough for a rule: every value of the source stands in it."""
    return Texts(title=TITLES.get(language, "Título"), happening=f"{language}.", facts="198.51.100.9.")


def version(**said: object) -> Version:
    """A new draft of dana_analyst, with English words."""
    return services.start(by=people.call("dana_analyst"), draft=draft_of_alert(**said), at=timezone.now())


def through_reviews(made: Version) -> Version:
    """Handed in, passed by a reviewer and by a legal officer."""
    at = timezone.now()
    services.submit(made, by=people.call("dana_analyst"), at=at)
    services.pass_quality(made, by=people.call("rui_reviewer"), at=at)
    return services.pass_legal(made, by=people.call("lena_legal"), at=at)


def in_four_languages(made: Version) -> Version:
    """Translated by one, checked by another."""
    at, draft = timezone.now(), draft_of_alert()
    for language in ("fr", "es", "ar"):
        words = to_json(translated(draft.texts, language))
        each = services.translate(made, language, words, base=0, made=Made.HUMAN, by=translator(), at=at)
        services.check(each, by=translator("timo_translator"), at=at)
    made.refresh_from_db()
    return made
