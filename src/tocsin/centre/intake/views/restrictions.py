"""What a source wrote for H3 is read before what stands under it is opened (DOMAIN 2.4, 4.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from tocsin.centre.audit.services import record
from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.views import target_of

from ..models import Batch

_SHOWN, _READ = "restrictions-shown", "restrictions-read"
REMEMBERED_MOST = 200


def to_read_first(request: HttpRequest, batches: Iterable[Batch]) -> HttpResponse | None:
    """The page with the restrictions of these batches, where the reader did not read them in this session; None: open.

    A source reads its own words nowhere but in its settings.
    """
    own = person_of(request).organisation_id
    texts = dict.fromkeys(
        text for batch in batches if batch.organisation_id != own
        for text in batch.handling_set.body.get("restrictions", ())
    )  # fmt: skip
    known = request.session.get(_READ, [])
    unread = [text for text in texts if _digest(text) not in known]
    if not unread:
        return None
    shown = [_digest(text) for text in unread]
    request.session[_SHOWN] = [*(each for each in request.session.get(_SHOWN, []) if each not in shown), *shown][
        -REMEMBERED_MOST:
    ]
    context = {"texts": unread, "digests": shown, "next": request.get_full_path()}
    return render(request, "intake/read_first.html", context)


@requires("read")
@require_POST
def restriction_read(request: HttpRequest) -> HttpResponse:
    """The reader says that these were read, of those that were shown in this session. It is kept in the log, and asked
    again in the next session."""
    shown = set(request.session.get(_SHOWN, []))
    digests = [each for each in dict.fromkeys(request.POST.getlist("read")) if each in shown]
    person, now = person_of(request), timezone.now()
    with transaction.atomic():
        for each in digests:
            record(person.login, "restriction.read", f"restriction:{each}", at=now)
    request.session[_READ] = [*request.session.get(_READ, []), *digests][-REMEMBERED_MOST:]
    return redirect(target_of(request))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
