"""The words around alerts in templates for the public: by their names, in the language of the page."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

register = template.Library()


@register.simple_tag(takes_context=True)
def say(context: Context, name: str, **values: Any) -> str:
    """`{% say "service.mail" %}`; names may be put together with `add`."""
    return str(context["words"](name, **values))
