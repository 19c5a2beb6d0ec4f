"""The letter to the person, in its language."""

from __future__ import annotations

from django.conf import settings
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from . import services
from .models import SubjectRequest


def letter(request: SubjectRequest) -> str:
    """Plain text: an acknowledgement until it is answered, then the answer."""
    said = services.said_in(request)
    with translation.override(request.language):
        parts = [
            settings.INSTALLATION.organisation,
            _("Independent commission for data protection"),
            said["name"],
            _("Your request %(number)s of %(day)s")
            % {"number": request.number, "day": date_format(request.received_at, "DATE_FORMAT")},
            *_body(request),
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _body(request: SubjectRequest) -> list[str]:
    day = date_format(services.answer_by(request), "DATE_FORMAT")
    if request.answered_at is None:
        if request.complete_at is None:
            return [
                _("We received your request. Before we can examine it, please show us who you are: send a copy of an "
                  "identity paper by post, or come in person. Send no identity papers through the internet page."),
                _("What you wrote is read by the commission alone. No police service learns of it."),
            ]  # fmt: skip
        return [
            _("Your request is complete and is being examined. You will have our answer by %(day)s.") % {"day": day}
        ]
    if request.answer == SubjectRequest.Answer.INADMISSIBLE:
        return [_("We cannot examine your request, for this reason:"), services.added_to_letter(request)]
    if request.answer == SubjectRequest.Answer.DISCLOSED:
        return [
            _("The commission has examined your request. Those from whom the data came agree that we tell you this:"),
            services.added_to_letter(request),
        ]
    return [
        _("The commission has examined your request, and what the rules demand has been done. As these rules have it, "
          "we can neither confirm nor deny that data concerning you are or were held."),
        _("This answer is the same for everybody, whatever was found or not found."),
    ]  # fmt: skip
