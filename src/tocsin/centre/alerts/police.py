"""The police edition: a delivery of the Centre that stands under what all its grounds allow.

So the gate, TAXII, packages, the ledger, answers and recall treat it as they treat all else, and none of them knows
what an alert is. Two people let it go: its author wrote it, another one approved it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.intake import data_types
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.batch_rows import handling_row
from tocsin.centre.intake.models import Batch, Delivery, Hold, Origin
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.recall import services as recall
from tocsin.centre.release import releasing
from tocsin.centre.release.models import Release
from tocsin.centre.release.rules import Refusal
from tocsin.centre.release.services import issuer
from tocsin.core.errors import Conflict, Refused
from tocsin.core.words import Tlp
from tocsin.credentials import load_or_make
from tocsin.handling import Derived, HandlingSet
from tocsin.handling.deriving import ALL_MEMBERS
from tocsin.products.alerts import police
from tocsin.products.alerts.draft import Draft, Texts, texts_of
from tocsin.products.alerts.police import Conditions, PoliceEdition
from tocsin.products.alerts.record import Made, Message
from tocsin.products.order import Centre

from . import grounds, guarding
from .composing import technique_names
from .models import Version
from .rules import State
from .selectors import content_of

NO_PURPOSE = "alert-no-purpose"
NOBODY = "alert-nobody"
RECALL_RUNNING = "alert-recall-running"
_WORDS = {
    Refusal.ASK_SOURCE: "alert-ask-source", Refusal.WIDER: "alert-wider", Refusal.NOBODY: NOBODY,
}  # fmt: skip
"""Why nobody, or not everybody, could read it → the word for people."""
PRIORITY = 9
"""Its reading goes before what partners hand over: who approved it waits for it."""


def edition_of(version: Version, derived: Derived, at: datetime) -> PoliceEdition:
    """All that the police reads of a version in files. Raises Refused where its grounds agree on no purpose."""
    draft, handling = content_of(version), _handling(derived)
    texts, made = _texts(version, draft)
    first = version.alert.versions.exclude(police_at=None).order_by("number").first()
    return PoliceEdition(
        number=str(version.alert), version=version.number, message=Message(version.message), type=draft.type,
        offence=draft.offence, severity=draft.severity, urgency=draft.urgency, certainty=draft.certainty,
        issued=(first.police_at if first is not None and first.police_at else at), sent=at, expires=draft.expires,
        language=draft.language, texts=texts, made=made, centre=centre(at), conditions=_conditions(handling),
        onset=draft.onset, countries=draft.countries,
        techniques=technique_names(draft.techniques, grounds.resting_of(version, at).deliveries),
        likelihood=draft.likelihood, confidence=draft.confidence, contact=draft.contact, answer_by=draft.answer_by,
        indicators=_without_victims(version, draft), persons_count=len(draft.persons),
        is_exercise=version.alert.is_exercise,
    )  # fmt: skip


def _texts(version: Version, draft: Draft) -> tuple[Mapping[str, Texts], Mapping[str, Made]]:
    """The words in each language in which they stand as they are now (W22)."""
    texts, made = {draft.language: draft.texts}, {draft.language: Made.ORIGINAL}
    for each in version.translations.filter(source_digest=draft.source_digest).order_by("language"):
        texts[each.language], made[each.language] = texts_of(each.content), Made(each.made)
    return texts, made


def _without_victims(version: Version, draft: Draft) -> tuple[Any, ...]:
    """The indicators but for those that something held says are somebody's who suffered, whatever the draft says."""
    held = grounds.holdings([(each.kind, each.value) for each in draft.indicators])
    return tuple(each for each in draft.indicators if "VICTIM" not in held.get(each.value, grounds.Holding()).roles)


def centre(at: datetime) -> Centre:
    """The Centre as it stands in objects."""
    installation = settings.INSTALLATION
    return issuer(load_or_make(installation.keys_folder, installation.organisation), at)


def _conditions(handling: HandlingSet) -> Conditions:
    return Conditions(
        handling.tlp, handling.pap, handling.codes, handling.purposes, handling.restrictions, bool(handling.exclusions)
    )  # fmt: skip


def _handling(derived: Derived) -> HandlingSet:
    if derived.handling is None:
        raise Refused(NO_PURPOSE)
    return derived.handling


def police_bundle(version: Version, derived: Derived, at: datetime) -> bytes:
    """The police edition as it is handed in. Raises Refused where its grounds agree on no purpose."""
    return police.stix_bundle(edition_of(version, derived, at))


def audience_for(draft: Draft, handling: HandlingSet) -> tuple[str, ...]:
    """To whom it opens: whom its own label names, else all bureaus, as far as its handling set lets them have it."""
    named = draft.label.get("audience")
    if isinstance(named, list | tuple) and named:
        return tuple(str(each) for each in named)
    if handling.tlp.rank >= Tlp.AMBER_STRICT.rank:
        return ()  # Such a label names its readers itself.
    return (ALL_MEMBERS,)


def require_sendable(version: Version, derived: Derived, at: datetime) -> None:
    """Raises Refused where nobody could read it, where a source has to be asked first, where a State is named, and
    while something that it rests on is taken back."""
    handling = _handling(derived)
    guarding.require_lawful(version)
    if grounds.closed_among(version, at):
        raise Refused(RECALL_RUNNING)
    entries = audience_for(content_of(version), handling)
    refusal = releasing.refusal_of([handling], _own(), entries, releasing.bureaus(), at)
    if refusal is not None:
        raise Refused(_WORDS[refusal])


def _own() -> Organisation:
    return Organisation.objects.get(is_centre=True)


@transaction.atomic
def send(version: Version, bundle: bytes, derived: Derived, at: datetime) -> Delivery:
    """Hand it in as a delivery of the Centre, drawn from its grounds. Once it is read it opens to its readers.

    Raises what `require_sendable` raises, and Conflict where the same bytes are there already.
    """
    require_sendable(version, derived, at)
    batches = grounds.batches_of(version)
    author = version.approved_by or version.alert.created_by
    made = intake.receive(
        organisation=_own(), via=Delivery.Via.PAGE if batches else Delivery.Via.COMMAND, person=author, at=at,
        name=f"{version.alert}-v{version.number}.json", chunks=[bundle], marking=_handling(derived).tlp.value,
        drawn_from=batches[0].delivery if batches else None, priority=PRIORITY,
    )  # fmt: skip
    if made.state == Delivery.State.DUPLICATE:
        raise Conflict("this version was sent already")
    ends = [
        end for each in {each.delivery_id: each.delivery for each in batches}.values() if (end := intake.end_of(each))
    ]
    Delivery.objects.filter(pk=made.pk).update(
        under=handling_row(_handling(derived)), keep_until=min(ends, default=None),
        passes=[*Hold.Kind.values, data_types.NOT_ASKED],  # A legal officer passed these very words.
    )  # fmt: skip
    Origin.objects.bulk_create(Origin(delivery=made, batch=each) for each in batches)
    facts = {"version": version.number, "delivery": made.pk, "batches": [each.pk for each in batches]}
    record(author.login, "alert.sent", f"alert:{version.alert.reference}", facts, at=at)
    return made


def arrived(delivery: Delivery, outcome: dict[str, Any], _work: Path, at: datetime) -> None:
    """A keeper of the commit: a police edition that was read opens to its readers, unless what it rests on changed
    while it was read."""
    del outcome
    if delivery.under_id is None or not delivery.organisation.is_centre:
        return
    version = (
        Version.objects.select_for_update(of=("self",)).select_related("alert", "approved_by", "alert__created_by")
        .filter(delivery=delivery, state=State.SENDING).first()
    )  # fmt: skip
    if version is None:
        return
    from . import publishing, recalls

    derived = guarding.derived(version, at)
    stands = (
        derived.handling is not None and delivery.under is not None and derived.handling.digest == delivery.under.digest
    )
    if grounds.closed_among(version, at) or not stands:
        Origin.close([delivery.pk], at)
        recalls.not_sent(version, at)
        return
    _open(version, delivery, _handling(derived), at)
    publishing.police_arrived(version, at)


def _open(version: Version, delivery: Delivery, handling: HandlingSet, at: datetime) -> None:
    """Let it go as two people decided: who wrote it, and who approved it."""
    entries = list(audience_for(content_of(version), handling))
    batches = list(Batch.objects.filter(delivery=delivery, hidden_at=None).select_related("handling_set", "terms"))
    released = Release.objects.create(
        delivery=delivery, sets=sorted({each.handling_set.digest for each in batches}), audience=entries,
        state=Release.State.RELEASED, proposed_by=_author(version), proposed_at=delivery.received_at,
        released_by=version.approved_by, released_at=at, reason=str(version.alert), created_at=at,
    )  # fmt: skip
    released.batches.set(batches)
    releasing.let_go(released, batches, releasing.bureaus(), at)
    facts = {"number": released.number, "delivery": delivery.pk, "batches": [each.pk for each in batches],
             "audience": entries}  # fmt: skip
    who = version.approved_by.login if version.approved_by else "system"
    record(who, "release.released", f"release:{released.pk}", facts, at=at)


def _author(version: Version) -> Person:
    """Who wrote last of those who did not approve it; the rules keep the two apart."""
    written = version.revisions.exclude(by=version.approved_by).order_by("-number").select_related("by").first()
    return written.by if written is not None else version.alert.created_by


CANCELLED = "source-withdrawal"
"""Reason of the recall by which a cancelled alert is taken back from the police."""


def take_back(version: Version, made: Version, *, by: Person, at: datetime) -> None:
    """Of a cancelled alert: recall every police edition that is still open, from whoever had it (W26).

    The recipients read why in the words of the cancellation, in the language of the installation's notes.
    """
    reasons = made.cancel_reasons
    note = str(reasons.get("en") or next(iter(reasons.values()), ""))[: recall.LONGEST_REASON]
    sent_before = Delivery.objects.filter(alert_versions__alert=version.alert).distinct().order_by("pk")
    for delivery in sent_before:
        if Batch.objects.filter(delivery=delivery, hidden_at=None).exists():
            recall.recall(delivery, by=by, reason=CANCELLED, action="destroy", note=note, at=at)
