"""How member countries take part: active, supervised, restricted or suspended, from a moment on, with who said why.

What holds is read from the rows and the moment, each time anew: a status acts with the next request, no job has to run.
It binds whoever takes part by membership: the country's bureau, its units, its sub-bureaus. A company of the country is
bound by its own agreement instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from tocsin.centre.audit.services import record
from tocsin.centre.clock.services import judged_at, known_at
from tocsin.centre.questions import Question
from tocsin.core.errors import InputError
from tocsin.reference.countries import country
from tocsin.reference.members import territories

from .models import CountryStatus, Organisation
from .rules import side_of

Status = CountryStatus.Status
SEVERITY = (Status.ACTIVE, Status.SUPERVISED, Status.RESTRICTED, Status.SUSPENDED)
REFUSALS = {Status.RESTRICTED: "country-restricted", Status.SUSPENDED: "country-suspended"}
"""Status → the reason code with which nothing is taken in."""
LONGEST_REASON = 2_000


def status_of(code: str, at: datetime) -> Status:
    """How the country with this code takes part at that moment."""
    return statuses_of([code], at).get(code, Status.ACTIVE)


def statuses_of(codes: Iterable[str] | None, at: datetime) -> dict[str, Status]:
    """Country code → status at that moment, of those that ever had one; None: of all."""
    wanted = None if codes is None else frozenset(codes)
    return {
        code: Status(status)
        for code, status, from_at in _STATUSES()
        if from_at <= at and (wanted is None or code in wanted)
    }


# All of them: countries change theirs a few times in a century, and asked without a moment the answer can be kept.
_STATUSES = Question(
    lambda: CountryStatus.objects.order_by("from_at", "pk").values_list("code", "status", "from_at")
)  # fmt: skip


def codes_of(organisation: Organisation) -> frozenset[str]:
    """The countries whose status binds this organisation: its own, those above it, the member of its territory."""
    if side_of(organisation) != "bureau":
        return frozenset()
    codes = {each.country for each in (organisation, *organisation.above()) if each.country}
    return frozenset(codes | {territories()[code] for code in codes if code in territories()})


def status_for(organisation: Organisation, at: datetime) -> Status:
    """The most severe status that binds this organisation at that moment."""
    codes = codes_of(organisation)
    found = statuses_of(codes, at).values() if codes else ()
    return max(found, key=SEVERITY.index, default=Status.ACTIVE)


def refusal_of(organisation: Organisation, at: datetime) -> str:
    """The reason code with which nothing is taken in from it; empty: its country is no obstacle."""
    return REFUSALS.get(status_for(organisation, at), "")


def is_supervised(organisation: Organisation, at: datetime) -> bool:
    """Whether what it hands over at that moment waits for a check by the Centre. Asked later of the same moment
    the answer is the same: statuses are only added, and none begins in the past."""
    return status_for(organisation, at) == Status.SUPERVISED


def without_packages(codes: Iterable[str], at: datetime) -> dict[str, str]:
    """Those of the countries that no new package is made for → the reason code."""
    wanted = set(codes)
    members = {code: territories().get(code, code) for code in wanted}
    statuses = statuses_of(wanted.union(members.values()), at)
    refused = {}
    for code, member in members.items():
        both = (statuses.get(code, Status.ACTIVE), statuses.get(member, Status.ACTIVE))
        if (worst := max(both, key=SEVERITY.index)) in REFUSALS:
            refused[code] = REFUSALS[worst]
    return refused


def history_of(code: str) -> QuerySet[CountryStatus]:
    """Every status it was given, the newest first."""
    return CountryStatus.objects.filter(code=code).order_by("-from_at", "-pk")


def organisations_of(code: str) -> list[Organisation]:
    """Whom a status of this country binds."""
    listed = Organisation.objects.filter(is_centre=False, class_name=Organisation.Class.LAW_ENFORCEMENT)
    return [each for each in listed.select_related("parent__parent") if code in codes_of(each)]


@transaction.atomic
def set_status(code: str, status: str, *, reason: str, by: str, at: datetime) -> CountryStatus | None:
    """From this moment the country takes part so; None where it does already. Raises InputError."""
    try:
        country(code)
    except KeyError:
        if not Organisation.objects.filter(country=code, is_bureau=True).exists():
            raise InputError("not-a-country", field="code", excerpt=code[:20]) from None
    if status not in Status.values:
        raise InputError("invalid-object", field="status", excerpt=status[:20])
    if not reason.strip():
        raise InputError("missing-field", field="reason")
    before = status_of(code, judged_at(at))
    if before == status:
        return None
    made = CountryStatus.objects.create(
        code=code, status=status, from_at=known_at(at), reason=reason.strip()[:LONGEST_REASON], set_by=by
    )
    facts = {"from": before.value, "to": made.status, "reason": made.reason}
    record(by, "country.status-set", f"country:{code}", facts, at=at)
    return made
