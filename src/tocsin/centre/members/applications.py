"""Would-be partners apply by themselves: a form for everybody, that makes an agreement to be explored.

What somebody unknown writes opens nothing: the organisation is closed until a partnership officer opens it, and nothing
is taken in before its agreement is in force. The answer is a number, and tells nothing of what is known here.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.text import slugify

from tocsin.core.errors import InputError

from . import agreements, sessions
from .agreement_states import DATA_TYPES, State
from .models import Agreement, Organisation
from .services import add_organisation

MOST_FROM_NETWORK = 3
MOST_FROM_ALL = 30
"""In a window of `sessions.WINDOW_MINUTES`: whoever floods the form fills no table."""
CLASSES = (Organisation.Class.PRIVATE, Organisation.Class.ACADEMIA, Organisation.Class.PUBLIC_BODY)
ACTOR = "applicant"


@dataclass(frozen=True, slots=True)
class Application:
    """What the form asks."""

    name: str
    class_name: str
    country: str
    website: str
    person: str
    email: str
    data_types: Sequence[str]
    reason: str


def apply(said: Application, *, address: str, at: datetime) -> str:
    """Keep it and give its number. Raises TooManyFailures, or InputError for what the form does not offer."""
    if said.class_name not in CLASSES or set(said.data_types) - set(DATA_TYPES):
        raise InputError("invalid-object", field="class_name")
    everybody = sessions.subject_of("apply")
    sessions.count_try(sessions.subject_of(f"apply\n{sessions.network_of(address)}"), MOST_FROM_NETWORK, at)
    sessions.count_try(everybody, MOST_FROM_ALL, at)
    number = secrets.token_hex(5).upper()
    with transaction.atomic():
        made = add_organisation(
            slug=f"{slugify(said.name)[:40] or 'applicant'}-{number.lower()}", name=said.name,
            class_name=said.class_name, country=said.country, contact=f"{said.email}, {said.person}"[:200],
            by=ACTOR, at=at,
        )  # fmt: skip
        Organisation.objects.filter(pk=made.pk).update(is_active=False)
        kept = {**asdict(said), "data_types": list(said.data_types), "number": number, "at": at.isoformat()}
        agreements.agreements_of(made).update(application=kept, data_types=kept["data_types"])
    return number


def waiting() -> QuerySet[Agreement]:
    """Applications that nobody took a step with yet."""
    return Agreement.objects.filter(state=State.EXPLORED.value).exclude(application={})
