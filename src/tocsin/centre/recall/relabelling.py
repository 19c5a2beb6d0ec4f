"""Another handling set for single objects, a choice of them, or a whole delivery (W34).

What is stricter holds at once: whoever may no longer have it is told as by a recall. What opens something to more
that was let go already waits for a second person, who releases. The Centre only makes stricter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from tocsin.centre.analysis.models import Proposal
from tocsin.centre.analysis.services import drawn_from
from tocsin.centre.audit.services import record
from tocsin.centre.intake import parting
from tocsin.centre.intake.batch_rows import handling_row
from tocsin.centre.intake.holding import WIDE
from tocsin.centre.intake.models import Batch, BatchSet, Delivery
from tocsin.centre.intake.parting import Prepared
from tocsin.centre.intake.personal_scan import PersonalScan
from tocsin.centre.intake.screening import MACHINE_FORMATS
from tocsin.centre.intake.selectors import in_seen, visible_batches
from tocsin.centre.knowledge import parting as knowledge
from tocsin.centre.knowledge.models import Object
from tocsin.centre.members.models import HandlingSet as HandlingRow
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.numbers import drawn_number
from tocsin.centre.release.models import Package, Release
from tocsin.centre.release.releasing import actor_of, bureaus, case_of
from tocsin.centre.release.rules import refusal_of_releaser
from tocsin.core.errors import Conflict, InputError, NotFound, Refused
from tocsin.core.reading import Heading, Rows, Thing
from tocsin.handling import TOLD_TOGETHER, HandlingSet, require_said, wider_fields
from tocsin.handling.personal import PersonalFind, must_be_asked
from tocsin.lake.scope import Batches

from . import journal, services
from .models import Part, Recall, Relabelling
from .parts import Found, find, take_out
from .reach import Extent, holding, told_of, within
from .selectors import may_recall_parts, reads_all

FIELDS = ("tlp", "audience", "exclusions", "codes", "restrictions", "pap", "purposes", "classification", "attribution")
"""What can be laid down anew. How long it is kept has a review of its own."""
LONGEST_NOTE = 2_000
_ROWS_LOOKED_AT = 2_000
_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to come under another set, as it stands."""

    delivery: Delivery
    keys: tuple[str, ...]
    batches: tuple[Batch, ...]
    found: Found | None
    """None: all that is shown of the delivery."""
    accepted: tuple[Chosen, ...] = ()
    """Of the values that reviewers accepted in it, those that come with it. What is not read yet has no batches."""
    decisions: int = 0
    """How many deliveries of such values there are, with those that nothing of this stands in."""

    @property
    def mark(self) -> str:
        """How it stands: a change that was asked for under another mark was asked for about something else."""
        lines = [f"{each.pk} {each.handling_set.digest}" for each in self.batches]
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:32]

    @property
    def own_sets(self) -> dict[str, HandlingSet]:
        """The handling sets that it stands under itself, by digest."""
        held: list[HandlingRow | None] = [each.handling_set for each in self.batches]
        held = held or [self.delivery.under]
        return {each.digest: HandlingSet.from_json(each.body) for each in held if each is not None}

    @property
    def sets(self) -> dict[str, HandlingSet]:
        """These, and those of what comes with it."""
        return {digest: held for each in self.every for digest, held in each.own_sets.items()}

    @property
    def every(self) -> tuple[Chosen, ...]:
        """It, and what comes with it."""
        return (self, *self.accepted)

    @property
    def is_out(self) -> bool:
        """Whether some of it was let go."""
        return any(batch.terms.audience.entries is not None for each in self.every for batch in each.batches)


def may_relabel(person: Person, delivery: Delivery) -> bool:
    """The source, and at the Centre those whose office it is and who may read what they choose among."""
    return may_recall_parts(person, delivery)


def refusal_of(delivery: Delivery) -> str:
    """Why nobody relabels this delivery, as a code of `core.reasons`; empty: it can be relabelled."""
    if delivery.is_circular:
        return "relabel-circular"
    return "relabel-drawn" if delivery.under_id is not None else ""


def chosen_of(delivery: Delivery, keys: Sequence[str]) -> Chosen:
    """What these keys name, or all of it. Raises InputError as `find`, Conflict where nothing of it is shown."""
    chosen = _shown_of(delivery, keys)
    if not chosen.batches:
        raise Conflict("nothing of it is shown any more")
    decided = list(drawn_from(delivery).select_related("under"))
    accepted = (_accepted_in(each, chosen) for each in decided)
    return replace(chosen, accepted=tuple(each for each in accepted if each is not None), decisions=len(decided))


def _shown_of(delivery: Delivery, keys: Sequence[str]) -> Chosen:
    found = find(delivery, keys) if keys else None
    shown = Batch.objects.filter(delivery=delivery, hidden_at=None)
    if found is not None:
        shown = shown.filter(pk__in=list(found.origins))
    batches = tuple(shown.select_related("handling_set", "terms__audience", "delivery").order_by("pk"))
    return Chosen(delivery, tuple(each.key for each in found.named) if found else (), batches, found)


def _accepted_in(drawn: Delivery, chosen: Chosen) -> Chosen | None:
    """What of these accepted values comes with what was chosen of their report; None: nothing of it."""
    if not drawn.batches.exists():  # Waits to be read: then it comes under what is laid down for it now.
        those = Proposal.objects.filter(became=drawn)
        named = chosen.found is None or any(each.value in chosen.found.row_values for each in those)
        return Chosen(drawn, (), (), None) if named and drawn.under is not None else None
    keys = services.still_there(drawn, chosen.keys) if chosen.keys else []
    if chosen.keys and not keys:
        return None
    found = _shown_of(drawn, keys)
    return found if found.batches else None


def becoming(chosen: Chosen, changes: Mapping[str, Any]) -> dict[str, HandlingSet]:
    """Digest of each set → the set that follows it. Raises InputError where that contradicts itself."""
    if not changes or set(changes) - set(FIELDS):
        raise InputError("relabel-nothing", field=next(iter(set(changes) - set(FIELDS)), ""))
    made = {}
    for digest, handling in chosen.sets.items():
        try:
            made[digest] = HandlingSet.from_json({**handling.as_json(), **changes})
            if TOLD_TOGETHER & set(changes):
                require_said(made[digest])
        except (InputError, ValueError, TypeError) as error:
            field = error.field if isinstance(error, InputError) else "tlp"
            if isinstance(error, InputError) and error.reason == "restriction-missing":
                raise
            if field == "restrictions":
                raise InputError("restriction-without-h3", field=field) from None
            raise InputError("relabel-contradiction", field=field) from None
    if all(each.digest == digest for digest, each in made.items()):
        raise InputError("relabel-nothing")
    return made


def known_clients() -> set[str]:
    """Slugs of those whom TLP:AMBER lets have what names nobody: the bureaus, and the Centre itself."""
    return bureaus() | set(Organisation.objects.filter(is_centre=True).values_list("slug", flat=True))


def wider_in(chosen: Chosen, made: Mapping[str, HandlingSet], clients: set[str]) -> list[str]:
    """Names of the fields by which somebody may see, or do, more with some of it."""
    found = [wider_fields(made[digest], old, clients) for digest, old in chosen.own_sets.items()]
    return [name for name in FIELDS if any(name in each for each in found)]


def following(chosen: Chosen, made: Mapping[str, HandlingSet], clients: set[str]) -> Chosen:
    """The same, with those accepted values alone that the change may reach: what does not open the report opens none
    of them, where they stand under something stricter already."""
    if wider_in(chosen, made, clients):
        return chosen
    return replace(chosen, accepted=tuple(each for each in chosen.accepted if not wider_in(each, made, clients)))


def relabel(
    delivery: Delivery, keys: Sequence[str], changes: Mapping[str, Any], *, seen: str, note: str, by: Person,
    at: datetime,
) -> Relabelling:  # fmt: skip
    """Lay down another handling set; `seen` is the mark of what the person looked at.

    Raises NotFound for whom it is not to change, Refused where nobody may, InputError for what contradicts itself or
    changes nothing, Conflict where another hand was there first.
    """
    if not may_relabel(by, delivery):
        raise NotFound
    if refusal := refusal_of(delivery):
        raise Refused(refusal)
    for attempt in range(_ATTEMPTS):
        chosen = chosen_of(delivery, keys)
        if chosen.mark != seen:
            raise Conflict("its handling was changed meanwhile")
        made, clients = becoming(chosen, changes), known_clients()
        wider, chosen = wider_in(chosen, made, clients), following(chosen, made, clients)
        if wider and by.organisation_id != delivery.organisation_id:
            raise Refused("relabel-wider-by-centre")
        _require_possible(chosen, made, wider)
        asked = Relabelling(
            delivery=delivery, keys=list(chosen.keys), changes=dict(changes), wider=wider, seen=seen, asked_by=by.login,
            organisation=by.organisation, asked_at=at, note=note.strip()[:LONGEST_NOTE],
        )  # fmt: skip
        if wider and chosen.is_out:
            return _asked(asked)
        try:
            return _done(asked, chosen, made, clients, by.login, at)
        except Conflict:
            if attempt + 1 == _ATTEMPTS:
                raise
    raise Conflict("other hands change the same files")


def _require_possible(chosen: Chosen, made: Mapping[str, HandlingSet], wider: Sequence[str]) -> None:
    """A value stands beside others in rows and objects, which nobody meant to open; people's data under a wide label
    are asked about when something is handed over, and would slip by here."""
    if not wider:
        return
    if chosen.found is not None and any(each.kind == Part.Kind.VALUE for each in chosen.found.named):
        raise InputError("relabel-value-wider", field="parts")
    opens = [digest for digest, old in chosen.sets.items() if made[digest].tlp in WIDE and old.tlp not in WIDE]
    for one in chosen.every:
        batches = [each for each in one.batches if each.handling_set.digest in opens]
        if batches and _names_people(one, batches):
            raise InputError("relabel-personal-data", field="tlp")


def _names_people(chosen: Chosen, batches: Sequence[Batch]) -> bool:
    scan = PersonalScan()
    scan.is_machine = chosen.delivery.format in MACHINE_FORMATS
    numbers = [each.pk for each in batches]
    if chosen.found is not None:
        things = {each.pk for each in chosen.found.things if each.batch_id in numbers}
        documents = [each for each in chosen.found.documents if each.batch_id in numbers]
        extra = chosen.found.rows.filter(pl.col("batch").is_in(numbers))["extra"].drop_nulls().to_list()
    else:
        things = set(Object.objects.filter(batch__in=numbers).values_list("pk", flat=True))
        documents = list(chosen.delivery.documents.filter(batch__in=numbers))
        extra = parting.further_columns_of(numbers, _ROWS_LOOKED_AT)
    if things:
        for key, body in knowledge.bodies_of(chosen.delivery):
            if key in things:
                scan.look(Thing(standard="", type="", id="", raw=body.raw, position=0))
    for each in documents:
        scan.look(Heading(text=each.text))
    scan.look(Rows(pl.DataFrame({"extra": extra}, schema={"extra": pl.String})))
    finds = (PersonalFind(each["kind"], each["field"], each["count"], each["excerpt"]) for each in scan.finds)
    return must_be_asked(finds)


def _asked(asked: Relabelling) -> Relabelling:
    asked.state = Relabelling.State.WAITING
    try:
        with transaction.atomic():
            asked.save()
            record(asked.asked_by, "relabel.asked", _subject(asked), _facts(asked), at=asked.asked_at)
    except IntegrityError:
        raise Conflict("another change of its handling waits for its second person") from None
    return asked


def _done(
    asked: Relabelling, chosen: Chosen, made: Mapping[str, HandlingSet], clients: set[str], by: str, at: datetime
) -> Relabelling:
    """Put it, and what comes with it, under the sets that follow. Files are written before the transaction and swapped
    in it."""
    prepared: list[tuple[Chosen, Prepared | None]] = []
    try:
        for one in chosen.every:
            found = one.found
            files = parting.prepare(one.delivery, list(found.origins), found.chosen) if found else None
            prepared.append((one, files))
        with transaction.atomic():
            locked = Delivery.objects.select_for_update().order_by("pk")
            list(locked.filter(pk__in=[one.delivery.pk for one in chosen.every]))
            asked = asked if asked.pk is None else _locked(asked)
            _require_same(chosen)
            rows = {digest: handling_row(handling) for digest, handling in made.items()}
            is_stricter, told, put = False, list[Recall](), {}
            for one, files in prepared:
                put[one.delivery.pk] = batches = _put(one, files, rows, at)
                if any(wider_fields(old, made[digest], clients) for digest, old in one.own_sets.items()):
                    is_stricter, recall = True, _told(asked, one, batches, at)
                    told += [recall] if recall is not None else []
            asked.recall = told[0] if told else None
            asked.state, asked.decided_by, asked.decided_at = Relabelling.State.DONE, by, at
            asked.save()
            for number, batches in put.items():
                facts = {**_facts(asked), "batches": len(batches)}
                record(by, "relabel.done", f"delivery:{number}", facts, at=at)
            if is_stricter:
                journal.write(_line(asked))
    except BaseException:
        for _, files in prepared:
            if files is not None:
                parting.forget(files)
        raise
    return asked


def _require_same(chosen: Chosen) -> None:
    for one in chosen.every:
        if not one.batches:
            if one.delivery.batches.exists():
                raise Conflict("it was read meanwhile")
            continue
        now = Batch.objects.filter(pk__in=[each.pk for each in one.batches], hidden_at=None)
        held = dict(now.values_list("pk", "handling_set"))
        if any(held.get(each.pk) != each.handling_set_id for each in one.batches):
            raise Conflict("its handling was changed meanwhile")
        every = Batch.objects.filter(delivery=one.delivery, hidden_at=None).count()
        if one.found is None and every != len(one.batches):
            raise Conflict("some of it was taken out meanwhile")
    if drawn_from(chosen.delivery).count() != chosen.decisions:
        raise Conflict("a reviewer accepted values in it meanwhile")


def _put(one: Chosen, files: Prepared | None, rows: Mapping[str, HandlingRow], at: datetime) -> Batches:
    """Under the sets that follow; the batches in which it lies now."""
    if one.found is not None and files is not None:
        under = {each.pk: rows[each.handling_set.digest] for each in one.batches}
        into = take_out(one.delivery, one.found, files, at, under)
        _keep_releases(into)
        return Batches(list(into.values()))
    for digest, row in rows.items():
        some = [each.pk for each in one.batches if each.handling_set.digest == digest]
        if some and row.digest != digest:
            batches: BatchSet = Batch.objects.filter(delivery=one.delivery, pk__in=some)
            batches.update(handling_set=row)
    former = one.delivery.under
    if former is not None and former.digest in rows:
        Delivery.objects.filter(pk=one.delivery.pk).update(under=rows[former.digest])
    return Batches([each.pk for each in one.batches])


def _keep_releases(into: Mapping[int, int]) -> None:
    """What leaves a batch was let go with it, by the same two people."""
    for old, new in into.items():
        for release in Release.objects.filter(batches=old, state=Release.State.RELEASED):
            release.batches.add(new)


def _told(asked: Relabelling, one: Chosen, batches: Batches, at: datetime) -> Recall | None:
    """The recall by which those are told who may no longer have it, and by which packages are made anew; None where
    neither is anybody."""
    found = one.found
    extent = Extent(batches, stays=batches)
    if found is not None:
        extent = replace(within(found.origins, found.row_values), stays=batches)
    held = holding(Package.objects.filter(recalled_at=None), extent)
    if not held and not told_of(one.delivery, extent)[1]:
        return None
    said = services.Said(
        Recall.Reason.RELABELLED, Recall.Action.DESTROY, asked.asked_by, asked.organisation, at, asked.note
    )
    return services.enter(one.delivery, batches, said, number=drawn_number("RC", at), found=found)


def waiting_for(person: Person) -> QuerySet[Relabelling]:
    """Those that wait, as far as the person decides on them or may take its own back. Who decides reads all of it: what
    is TLP:RED waits for somebody whom it names."""
    waiting = Relabelling.objects.filter(state=Relabelling.State.WAITING).select_related("delivery", "organisation")
    if person.organisation.is_centre:
        shown = Batch.objects.filter(hidden_at=None, delivery__in=waiting.values("delivery"))
        closed = shown.exclude(in_seen(visible_batches(viewer_of(person)), "pk"))
        waiting = waiting.exclude(delivery__in=closed.values("delivery")).order_by("asked_at")
        return waiting if may(person, "release") else waiting.none()
    own = waiting.filter(delivery__organisation=person.organisation).order_by("asked_at")
    return own if may(person, "recall") else waiting.none()


def confirm(asked: Relabelling, *, by: Person, is_proved: bool, at: datetime) -> Relabelling:
    """A second person lets it open to more. Raises Refused with a word of release, Conflict where it changed since."""
    _require_second(asked, by, is_proved=is_proved)
    chosen = chosen_of(asked.delivery, asked.keys)
    if chosen.mark != asked.seen:
        raise Conflict("its handling was changed meanwhile")
    made, clients = becoming(chosen, asked.changes), known_clients()
    return _done(asked, following(chosen, made, clients), made, clients, by.login, at)


def refuse(asked: Relabelling, *, reason: str, by: Person, at: datetime) -> Relabelling:
    """A second person says no, and why; its source reads it."""
    if not reason.strip():
        raise InputError("missing-field", field="reason")
    _require_second(asked, by, is_proved=True)
    return _closed(asked, Relabelling.State.REFUSED, by, at, reason)


def withdraw(asked: Relabelling, *, by: Person, at: datetime) -> Relabelling:
    """The source wants it no longer."""
    if by.organisation_id != asked.delivery.organisation_id or not may(by, "recall"):
        raise NotFound
    return _closed(asked, Relabelling.State.WITHDRAWN, by, at, "")


def _require_second(asked: Relabelling, by: Person, *, is_proved: bool) -> None:
    proposer = Person.objects.filter(login=asked.asked_by).first()
    refused = refusal_of_releaser(actor_of(by, is_proved=is_proved), case_of(asked.delivery, proposer))
    if refused is not None:
        raise Refused(refused)
    if not reads_all(by, asked.delivery):
        raise NotFound


def _closed(asked: Relabelling, state: Relabelling.State, by: Person, at: datetime, reason: str) -> Relabelling:
    with transaction.atomic():
        found = _locked(asked)
        found.state, found.decided_by, found.decided_at = state, by.login, at
        found.reason = reason.strip()[:LONGEST_NOTE]
        found.save()
        record(by.login, f"relabel.{state.value}", _subject(found), {"delivery": found.delivery.receipt}, at=at)
    return found


def _locked(asked: Relabelling) -> Relabelling:
    found = Relabelling.objects.select_for_update(of=("self",)).select_related("delivery", "organisation")
    found = found.filter(pk=asked.pk, state=Relabelling.State.WAITING)
    if (one := found.first()) is None:
        raise Conflict("somebody else decided on this meanwhile")
    return one


def _subject(asked: Relabelling) -> str:
    return f"delivery:{asked.delivery_id}"


def _facts(asked: Relabelling) -> dict[str, Any]:
    """Without to whom: an exclusion is a secret of its source."""
    return {
        "delivery": asked.delivery.receipt, "fields": sorted(asked.changes), "wider": asked.wider,
        "parts": len(asked.keys), "tlp": asked.changes.get("tlp", ""),
        **({"recall": asked.recall.number} if asked.recall else {}),
    }  # fmt: skip


def _line(asked: Relabelling) -> dict[str, Any]:
    return {
        "key": f"{asked.delivery.receipt} {asked.asked_at.isoformat()} relabelled", "relabelled": True,
        "receipt": asked.delivery.receipt, "by": asked.asked_by, "at": asked.asked_at.isoformat(),
        "parts": {"keys": asked.keys, "changes": asked.changes},
    }  # fmt: skip


def replay(at: datetime) -> int:
    """Lay down again what the journal knows as stricter and the database does not: it is a restored backup."""
    return sum(_replayed(line, at) for line in journal.lines() if line.get("relabelled"))


def _replayed(line: dict[str, Any], at: datetime) -> bool:
    asked_at = datetime.fromisoformat(line["at"])
    delivery = Delivery.objects.select_related("organisation").filter(receipt=line["receipt"]).first()
    state = Relabelling.State.DONE
    if delivery is None or delivery.relabellings.filter(asked_at=asked_at, state=state).exists():
        return False
    by = Person.objects.filter(login=line["by"]).select_related("organisation").first()
    organisation = by.organisation if by else delivery.organisation
    parts = journal.parts_of(line)
    if (
        parts is None
    ):  # The key is lost for good: nobody can tell any more from whom it was kept, so all of it is hidden.
        said = services.Said(Recall.Reason.RELABELLED, Recall.Action.DESTROY, line["by"], organisation, asked_at, "")
        return services.whole_replayed(delivery, said, drawn_number("RC", asked_at), at)
    keys, changes = parts["keys"], parts["changes"]
    with suppress(InputError, Conflict):  # What it was about is gone, or stands under such a set already.
        chosen = chosen_of(delivery, services.still_there(delivery, keys) if keys else ())
        if keys and not chosen.keys:
            return False
        made, clients = becoming(chosen, changes), known_clients()
        asked = delivery.relabellings.filter(asked_at=asked_at).first() or Relabelling(
            delivery=delivery, keys=list(chosen.keys), changes=changes, wider=wider_in(chosen, made, clients),
            seen=chosen.mark, asked_by=line["by"], organisation=organisation, asked_at=asked_at,
        )  # fmt: skip
        _done(asked, following(chosen, made, clients), made, clients, "system", at)
        record("system", "recall.replayed", _subject(asked), {"delivery": delivery.receipt}, at=at)
        return True
    return False


def plain_changes(said: Mapping[str, Any], chosen: Chosen) -> dict[str, Any]:
    """Of what was said, that which differs from what stands in some part."""
    bodies = [handling.as_json() for handling in chosen.sets.values()]
    return {name: value for name, value in said.items() if any(body[name] != value for body in bodies)}
