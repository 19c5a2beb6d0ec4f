"""Colour, icon and name of an alert's type, and forms that say what their reader had read."""

from __future__ import annotations

from django import template
from django.template.context import RequestContext
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tocsin.centre.alerts import labels
from tocsin.centre.alerts.models import Alert, Version

register = template.Library()


@register.filter
def type_colour(word: str) -> str:
    return labels.TYPES.get(word, ("", ""))[1]


@register.filter
def type_icon(word: str) -> str:
    return labels.TYPES.get(word, ("bell-ringing", ""))[0]


@register.filter
def alert_type(word: str) -> str:
    return labels.word("type", word)


@register.simple_tag(takes_context=True)
def act_form(context: RequestContext, alert: Alert, version: Version, act: str) -> SafeString:
    """The beginning of a form that does an act on the version as its reader has it before him."""
    return format_html(
        '<form method="post" action="{}"><input type="hidden" name="csrfmiddlewaretoken" value="{}">'
        '<input type="hidden" name="act" value="{}"><input type="hidden" name="read" value="{}.{}">',
        reverse("alert-act", args=[alert.reference]), context["csrf_token"], act, version.number, version.revision,
    )  # fmt: skip
