"""Colour, icon and name of an alert's type, and forms that say what their reader had read."""

from __future__ import annotations

import re

from django import template
from django.template.context import RequestContext
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from tocsin.centre.alerts import labels
from tocsin.centre.alerts.models import Alert, Version
from tocsin.products.text_safety import DECEIVING

register = template.Library()
_DECEIVING = re.compile(f"({DECEIVING}|[\u00ad\u034f\u115f\u1160\u3164\U000e0000-\U000e007f])")


@register.filter
def type_colour(word: str) -> str:
    return labels.TYPES.get(word, ("", ""))[1]


@register.filter
def type_icon(word: str) -> str:
    return labels.TYPES.get(word, ("bell-ringing", ""))[0]


@register.filter
def alert_type(word: str) -> str:
    return labels.word("type", word)


@register.filter
def passage(text: object) -> SafeString:
    """Text of several lines, with each other character that turns, hides or controls text written out."""
    pieces = _DECEIVING.split(str(text or "").replace("\r\n", "\n").replace("\r", "\n"))
    return format_html_join("", "{}", ((_unseen(piece) if place % 2 else piece,) for place, piece in enumerate(pieces)))


def _unseen(sign: str) -> str | SafeString:
    return sign if sign in "\n\t" else format_html('<span class="unseen">U+{}</span>', f"{ord(sign):04X}")


@register.simple_tag(takes_context=True)
def act_form(context: RequestContext, alert: Alert, version: Version, act: str) -> SafeString:
    """The beginning of a form that does an act on the version as its reader has it before him."""
    return format_html(
        '<form method="post" action="{}"><input type="hidden" name="csrfmiddlewaretoken" value="{}">'
        '<input type="hidden" name="act" value="{}"><input type="hidden" name="read" value="{}.{}">',
        reverse("alert-act", args=[alert.reference]), context["csrf_token"], act, version.number, version.revision,
    )  # fmt: skip
