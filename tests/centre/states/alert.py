"""SM-3: a version of an alert, from its draft to its end, tried by everybody who could want to do something with it.

Publication itself renders files, and has tests of its own; here a version stands in its state as publication leaves it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
from tests import alerts_at_desk, builders, people
from tests.alerts_at_desk import draft_of_alert, translated, translator

from tocsin.centre.alerts import publishing, services
from tocsin.centre.alerts.models import Alert, Ground, Revision, Step, Translation, Version
from tocsin.centre.alerts.rules import State
from tocsin.products.alerts.draft import Texts, to_json
from tocsin.products.alerts.record import LANGUAGES, Made

from .walk import Cast, Machine

AT = builders.NOW
CAST = Cast()
Act = Callable[[Version, str], object]
PASSED = ("quality-review", "legal-review", "translation", "approval")
REASONS = dict.fromkeys(LANGUAGES, "It held an error.")


def machine() -> Machine:
    """A version for each state; those before publication came there by the acts of four people."""
    CAST.clear()
    for login in ("dana_analyst", "dario_duty", "rui_reviewer", "lena_legal", "dora_dissemination", "fleur_officer"):
        people.call(login)
    for login in ("tara_translator", "timo_translator"):
        translator(login)
    subjects = {state.value: _in(state) for state in State} | {"cancelling": _in(State.POLICE)}
    _cancelling(subjects["cancelling"])
    tables = (Alert, Version, Revision, Step, Translation, Ground)
    return Machine("alert", AT, subjects, _acts(), _state_of, tables, prepares={"check-own": _own, "check": _others})


def _draft(**said: Any) -> Any:
    return draft_of_alert(expires=AT + timedelta(days=30), **said)


def _in(state: State) -> Version:
    made = services.start(by=people.call("dana_analyst"), draft=_draft(), at=AT)
    if state is State.DRAFT:
        return made
    services.submit(made, by=people.call("dana_analyst"), at=AT)
    if state is State.QUALITY:
        return made
    services.pass_quality(made, by=people.call("rui_reviewer"), at=AT)
    if state is State.LEGAL:
        return made
    services.pass_legal(made, by=people.call("lena_legal"), at=AT)
    if state is State.TRANSLATION:
        return made
    alerts_at_desk.in_four_languages(made)
    Version.objects.filter(pk=made.pk).update(state=state)
    return made


def _cancelling(one: Version) -> None:
    Version.objects.filter(pk=one.pk).update(
        cancel_asked_by=people.call("dana_analyst"), cancel_asked_at=AT, cancel_reasons=REASONS
    )


def _state_of(one: Version) -> str:
    one.refresh_from_db()
    last = Version.objects.filter(alert=one.alert_id).order_by("-number").first()
    assert last is not None
    if last.pk != one.pk and last.state == State.DRAFT:
        return "with-a-draft-after-it"
    return "cancelling" if one.cancel_asked_by_id else str(one.state)


def _write(**changed: Any) -> Act:
    def act(one: Version, who: str) -> None:
        one.refresh_from_db()
        content = to_json(msgspec.structs.replace(_draft(), **changed))
        services.write(one, content, base=one.revision, by=CAST[who], at=AT)

    return act


def _translate(one: Version, who: str) -> None:
    base = Translation.objects.filter(version=one, language="fr").values_list("revision", flat=True).first() or 0
    words = translated(Texts(), "fr")
    services.translate(one, "fr", to_json(words), base=base, made=Made.HUMAN, by=CAST[who], at=AT)


def _others(one: Version) -> None:
    _made_by(one, "timo_translator")


def _own(one: Version) -> None:
    _made_by(one, "tara_translator")


def _made_by(one: Version, who: str) -> None:
    Translation.objects.filter(version=one, language="fr").delete()
    Translation.objects.create(
        version=one, language="fr", content=to_json(translated(Texts(), "fr")), made="human", made_by=CAST[who],
        made_at=AT, source_digest=_draft().source_digest,
    )  # fmt: skip


def _check(one: Version, who: str) -> None:
    services.check(one.translations.get(language="fr"), by=CAST[who], at=AT)


def _acts() -> dict[str, Act]:
    return {
        "write": _write(texts=Texts(title="Other words", happening="Something else.")),
        "write-only-its-label": _write(label={"tlp": "TLP:AMBER"}),
        "write-nothing-new": _write(),
        "submit": lambda one, who: services.submit(one, by=CAST[who], at=AT),
        "pass-quality": lambda one, who: services.pass_quality(one, by=CAST[who], at=AT),
        "pass-legal": lambda one, who: services.pass_legal(one, by=CAST[who], at=AT),
        "send-back": lambda one, who: services.send_back(one, reason="Not yet.", by=CAST[who], at=AT),
        "send-back-without-why": lambda one, who: services.send_back(one, reason=" ", by=CAST[who], at=AT),
        "translate": _translate,
        "check": _check,
        "check-own": _check,
        "update": lambda one, who: services.update(one, by=CAST[who], at=AT),
        "drop": lambda one, who: services.drop(one, reason="Not needed.", by=CAST[who], at=AT),
        "drop-without-why": lambda one, who: services.drop(one, reason="", by=CAST[who], at=AT),
        "ask-cancel": lambda one, who: publishing.ask_cancel(one, REASONS, by=CAST[who], at=AT),
        "ask-cancel-in-one-language": lambda one, who: publishing.ask_cancel(
            one, {"en": "An error."}, by=CAST[who], at=AT
        ),
        "keep": lambda one, who: services.keep(one, by=CAST[who], at=AT),
    }
