"""The reach of the public edition, on any page of the desk."""

from __future__ import annotations

from typing import Any

from django import template

from tocsin.centre.alerts.models import Alert
from tocsin.centre.subscribers.reach_views import context_of

register = template.Library()


@register.inclusion_tag("subscribers/_reach.html")
def public_reach(alert: Alert) -> dict[str, Any]:
    """What was read of it and who was told; of what was never public, that there is nothing."""
    return context_of(alert.number or "-")
