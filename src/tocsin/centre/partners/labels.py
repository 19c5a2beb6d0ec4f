"""Words of scorecards and of where deliveries stand."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

MEASURES: dict[str, tuple[str | Promise, str | Promise]] = {
    "timed": (_("Rows with a time of their own"), _("Only these can tell how soon they came.")),
    "within_day": (
        _("Arrived within a day"),
        _("Of the rows with a time of their own: from the observation to the receipt of the delivery."),
    ),
    "first_to_report": (
        _("First to report"),
        _("Of the values that others reported as well: how many came from you first."),
    ),
    "known_before": (
        _("Known from others before"),
        _("Of the values that you brought for the first time: how many another source had brought earlier."),
    ),
    "unique": (
        _("Reported by nobody else"),
        _("Of the values that you brought for the first time: how many no other source has brought."),
    ),
    "own_repeats": (_("Own repeats"), _("Rows about values that you had sent before.")),
    "same_bytes": (_("The same file again"), _("Deliveries whose bytes were here already.")),
    "warned": (
        _("On warning lists"),
        _("Rows about values that are widely used and often harmless, such as public resolvers."),
    ),
    "refused_by_reviewers": (
        _("Refused by reviewers"),
        _("Of the proposals drawn from your reports on which a reviewer decided."),
    ),
    "disagreed": (
        _("Doubted by others"),
        _("Of your objects on which three others or more gave an opinion: those that most disagree with."),
    ),
    "urgent": (_("Called urgent"), _("Deliveries that you asked the Centre to take up within 30 minutes.")),
    "rejected": (_("Refused records"), _("Records that could not be used; each receipt names the reason.")),
}
"""Measure → its name, and what it means."""

GROUPS: tuple[tuple[str | Promise, tuple[str, ...]], ...] = (
    (_("How soon"), ("timed", "within_day", "first_to_report", "urgent")),
    (_("How much is new"), ("unique", "known_before", "own_repeats", "same_bytes")),
    (_("How often wrong"), ("warned", "refused_by_reviewers", "disagreed", "rejected")),
)

WHY: dict[str, str | Promise] = {
    "too-few-others": _("Too few other sources to say."),
    "too-few": _("Too few records to say."),
}

NUMBERS: dict[str, str | Promise] = {
    "deliveries": _("Deliveries"),
    "rows": _("Rows"),
    "values_new": _("New values"),
    "half_within_hours": _("Half of them within (hours)"),
}

DELAYS: tuple[str | Promise, ...] = (
    _("up to 1 hour"),
    _("up to 6 hours"),
    _("up to 1 day"),
    _("up to 3 days"),
    _("up to 7 days"),
    _("up to 30 days"),
    _("later"),
)
"""Columns of `contributions.DELAY_HOURS`."""
