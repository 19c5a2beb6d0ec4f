"""Decisions of people: proposals from reports, country conflicts, standing queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from django.db import transaction
from django.db.models import Model, QuerySet

from tocsin.centre import rows
from tocsin.centre.audit.services import record
from tocsin.centre.intake import lake, vault
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.batch_rows import handling_row
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY, parts_of
from tocsin.centre.intake.vault import sealed_fact
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members.models import HandlingSet, Organisation, Person
from tocsin.core.errors import Conflict, InputError
from tocsin.core.profiles import Profile
from tocsin.core.words import Role
from tocsin.handling import HandlingSet as Handling
from tocsin.handling import Parent, derive
from tocsin.lake.compaction import Recast

from .models import CountryConflict, Proposal

RECAST = "recast-country"
"""Kind of the job that follows a decision on a country."""
RESLICE = "reslice-country"
"""Kind of the job that follows a correction of one (`recall.reslicing`)."""
CLAIMS = ("stated_country", "registry_country", "geo_country", "tld_country")


def keep_proposals(delivery: Delivery, outcome: dict[str, Any], work: Path, at: datetime) -> None:
    """Insert what was found in a report, for a reviewer."""
    del at
    own = (made["number"] for made in outcome["batches"] if made["marking"] is None and not made["grade"])
    batch = next(own, None)
    number = batch if batch is not None else delivery.pk * BATCHES_IN_DELIVERY
    value, shown_as, context = (_field(Proposal, name) for name in ("value", "shown_as", "context"))
    for frame in parts_of(outcome, "proposals", work):
        key = vault.key_for(f"batch:{number}")
        clean = frame.with_columns(pl.col(pl.String).str.replace_all("\x00", "", literal=True))
        Proposal.objects.bulk_create(
            Proposal(
                delivery=delivery,
                batch_id=number,
                kind=row["kind"],
                value=value.sealed(row["value"], key),
                shown_as=shown_as.sealed(row["shown_as"][:1000], key),
                page=max(row["page"], 1),
                offset=max(row["offset"], 0),
                context=context.sealed(row["context"][:400], key),
                score=row["score"],
            )
            for row in clean.iter_rows(named=True)
        )


def keep_conflicts(delivery: Delivery, outcome: dict[str, Any], work: Path, at: datetime) -> None:
    """Insert the values whose country claims differ, grouped by network, for review (W11)."""
    del delivery, at
    value, claims = _field(CountryConflict, "value"), _field(CountryConflict, "claims")
    for frame in parts_of(outcome, "conflicts", work):
        keys = {batch: vault.key_for(f"batch:{batch}") for batch in frame["batch"].unique()}
        rows.insert(
            CountryConflict,
            ("batch", "kind", "value", "claims", "rows", "state", "country"),
            [
                (
                    row["batch"],
                    row["kind"] or "network",
                    value.get_prep_value(value.sealed(row["subject"], keys[row["batch"]])),
                    intake.dumps(claims.sealed(_claims_of(row), keys[row["batch"]])),
                    row["rows"],
                    CountryConflict.State.OPEN,
                    "",
                )
                for row in frame.iter_rows(named=True)
            ],
        )


def _claims_of(row: Mapping[str, Any]) -> dict[str, Any]:
    said = {name.removesuffix("_country"): row[name] for name in CLAIMS if row[name]}
    return said | {"example": row["example"]}


def _field(model: type[Model], name: str) -> Any:
    return model._meta.get_field(name)


@transaction.atomic
def decide_proposals(
    *, proposals: Sequence[Proposal], accept: bool, role: str, by: Person, at: datetime
) -> Delivery | None:
    """Accept or refuse proposals of one report. Accepted ones enter the lake as a delivery of the same source.

    Raises Conflict when one was decided meanwhile, or the report was recalled. The delivery is a list that says where
    each value stood.
    """
    # Recalls and changes of its handling lock the report, too: they come wholly before this or wholly after it.
    source = (
        Delivery.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=proposals[0].delivery_id)
    )
    keys = [proposal.pk for proposal in proposals]
    held = Proposal.objects.select_related("batch__handling_set").in_bulk(keys)
    proposals = [held[key] for key in keys if key in held]
    if any(each.batch.hidden_at is not None for each in proposals):
        raise Conflict("it was recalled meanwhile")
    state = Proposal.State.ACCEPTED if accept else Proposal.State.REFUSED
    changed = Proposal.objects.filter(pk__in=keys, state=Proposal.State.OPEN).update(
        state=state, decided_by=by, decided_at=at, role=role
    )
    if changed != len(keys):
        raise Conflict("another reviewer decided some of these")
    record(by.login, f"proposals.{state}", f"delivery:{source.pk}", {"proposals": keys, "role": role}, at=at)
    if not accept:
        return None
    became = _as_delivery(source, proposals, role, by, at)
    Proposal.objects.filter(pk__in=keys).update(became=became)
    return became


def _as_delivery(source: Delivery, proposals: Sequence[Proposal], role: str, by: Person, at: datetime) -> Delivery:
    import csv
    from io import StringIO

    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    # Without the words around: they name other values, which may be recalled, or come under another label, alone. Who
    # reads the report finds them there by the reference.
    writer.writerow(("kind", "value", "reference"))
    for proposal in proposals:
        where = f"page {proposal.page}, character {proposal.offset}"
        writer.writerow((proposal.kind, proposal.value, f"delivery {source.receipt}, {where}"))
    profile = Profile(
        name="reviewed proposals",
        format="delimited",
        columns={"kind": "kind", "value": "value", "reference": "reference"},
        delimiter=",",
        header=True,
        defaults={"role": Role(role).value},
        source_time=(source.source_at or source.received_at).isoformat(),
    )
    made = intake.receive(
        organisation=source.organisation,
        drawn_from=source,
        via=source.via,
        name=f"proposals-of-{source.pk}.csv",
        chunks=[text.getvalue().encode()],
        at=at,
        person=by,
        profile=profile,
        marking=proposals[0].batch.handling_set.tlp,  # Another file of the delivery may have borne a wider label.
        idempotency_key=f"proposals:{source.pk}:{proposals[0].pk}:{len(proposals)}",
    )
    # Under what holds for the report now, which may be more than its source agreed on when it sent it.
    Delivery.objects.filter(pk=made.pk).update(under=_handling_of(proposals))
    return made


def _handling_of(proposals: Sequence[Proposal]) -> HandlingSet:
    """The handling set of the parts that these were found in; raises Conflict where no one set can hold them all."""
    found = {each.batch.handling_set.digest: each.batch.handling_set for each in proposals}
    if len(found) == 1:
        return next(iter(found.values()))
    bureaus = Organisation.objects.filter(is_bureau=True).values_list("slug", flat=True)
    derived = derive([Parent(digest, Handling.from_json(each.body)) for digest, each in found.items()], set(bureaus))
    if derived.handling is None:
        raise Conflict("they serve no common purpose: decide them apart")
    return handling_row(derived.handling)


def drawn_from(delivery: Delivery) -> QuerySet[Delivery]:
    """Deliveries of the values that reviewers accepted in it."""
    return Delivery.objects.filter(pk__in=Proposal.objects.filter(delivery=delivery).values("became")).order_by("pk")


@transaction.atomic
def decide_country(*, conflict: CountryConflict, country: str, by: Person, at: datetime) -> None:
    """Say whose the rows are. They join that country's share from now on; Conflict if somebody was first."""
    changed = CountryConflict.objects.filter(pk=conflict.pk, state=CountryConflict.State.OPEN).update(
        state=CountryConflict.State.DECIDED, country=country, decided_by=by, decided_at=at
    )
    if not changed:
        raise Conflict("another reviewer decided this")
    facts = {"country": country, "value": sealed_fact(conflict.value), "claims": sealed_fact(conflict.claims)}
    record(by.login, "country.decided", f"conflict:{conflict.pk}", facts, at=at)
    jobs.enqueue(RECAST, f"conflict:{conflict.pk}", {"conflict": conflict.pk}, at=at)


@transaction.atomic
def correct_country(*, conflict: CountryConflict, country: str, by: Person, at: datetime) -> None:
    """Somebody decided wrongly: the rows move to another country's share, and are recalled from the first.

    Raises InputError for the same country, Conflict where another reviewer corrected it, or nobody decided yet.
    """
    was = conflict.country
    if country == was:
        raise InputError("not-another-country", field="country", excerpt=country)
    decided = CountryConflict.objects.filter(pk=conflict.pk, state=CountryConflict.State.DECIDED, country=was)
    if not was or not decided.update(country=country, decided_by=by, decided_at=at):
        raise Conflict("another reviewer decided this")
    facts = {"country": country, "was": was, "value": sealed_fact(conflict.value)}
    record(by.login, "country.corrected", f"conflict:{conflict.pk}", facts, at=at)
    payload = {"conflict": conflict.pk, "was": was, "country": country, "at": at.isoformat()}
    jobs.enqueue(RESLICE, f"conflict:{conflict.pk}:{was}:{country}", payload, at=at)


def recast_decided(claim: jobs.Claim) -> None:
    """The job that writes a decided country into the rows, so that every question and package sees it."""
    now = datetime.now(UTC)
    conflict = CountryConflict.objects.get(pk=claim.payload["conflict"])
    change = Recast(conflict.batch_id, conflict.value, conflict.kind == "network", conflict.country)
    lake.recast(change, now, subject=f"conflict:{conflict.pk}")
    jobs.finish(claim, datetime.now(UTC))


def recasts_of(batches: Collection[int]) -> list[Recast]:
    """The countries that people decided for rows of these batches, for who makes such rows anew."""
    decided = CountryConflict.objects.filter(batch__in=batches, state=CountryConflict.State.DECIDED).exclude(country="")
    return [
        Recast(each.batch_id, each.value, each.kind == "network", each.country)
        for each in decided.order_by("decided_at", "pk")
    ]
