"""Words of deliveries in templates: sentences of reasons, kinds of values, columns, defaults."""

from __future__ import annotations

from datetime import timedelta

from babel import dates
from django import template
from django.utils.translation import get_language

from tocsin.centre import reasons

from .. import labels

register = template.Library()
TRIES = (
    ("ipv4", "192[.]0[.]2[.]7"),
    ("network", "198.51.100.0/24"),
    ("domain", "login[.]bank[.]example"),
    ("url", "hxxps://pay[.]example/login"),
    ("sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("email", "clerk[@]bank[.]example"),
    ("name", "Fancy Bear"),
    ("name", "Emotet"),
)


@register.simple_tag
def tries() -> tuple[tuple[str, str], ...]:
    """Kinds of value with an example each, for a look-up box that nobody has asked yet."""
    return TRIES


@register.filter
def sentence(code: str) -> str:
    """Why something was refused, and what to do."""
    return reasons.sentence(str(code))


@register.filter
def kind_name(word: str) -> str:
    """What sort of value."""
    return labels.kind_label(str(word))


@register.filter
def column_name(word: str) -> object:
    """What a column means."""
    return labels.COLUMNS.get(str(word), word)


@register.filter
def trigger_name(word: str) -> object:
    """What a legal officer is to look at."""
    return labels.TRIGGERS.get(str(word), word)


@register.filter
def personal_name(word: str) -> object:
    """What sort of people's data."""
    return labels.PERSONAL.get(str(word), word)


@register.filter
def answer_name(word: str) -> object:
    """What a source said about people's data."""
    return labels.ANSWERS.get(str(word), word)


@register.filter
def default_name(word: str) -> object:
    """What was filled in by default."""
    return labels.DEFAULTS.get(str(word), word)


@register.filter
def unit_name(word: str) -> object:
    """What a position counts."""
    return labels.UNITS.get(str(word), word)


@register.filter
def stage_sign(word: str) -> str:
    """The icon of where a delivery stands."""
    return labels.STAGES[str(word)][0]


@register.filter
def stage_tone(word: str) -> str:
    return labels.STAGES[str(word)][1]


@register.filter
def stage_name(word: str) -> object:
    """Where a delivery stands."""
    return labels.STAGES[str(word)][2]


@register.filter
def warning_name(word: str) -> object:
    """Why a value may be harmless."""
    return labels.WARNING_GROUPS.get(str(word), word)


@register.filter
def interval(minutes: int) -> str:
    """A span of time in the unit that reads best: 1440 → 1 day."""
    return dates.format_timedelta(timedelta(minutes=minutes), threshold=1, locale=(get_language() or "en")[:2])


@register.filter
def defanged(value: str, kind: str = "") -> str:
    """A value that nobody opens by accident: addresses and names with brackets, web addresses with hxxp."""
    text = str(value)
    if kind in {"url", "domain", "ipv4", "email"}:
        text = text.replace("http://", "hxxp://").replace("https://", "hxxps://").replace("@", "[@]")
        text = text.replace(".", "[.]") if kind != "url" else _host_defanged(text)
    return text


def _host_defanged(text: str) -> str:
    scheme, mark, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.replace('.', '[.]')}{slash}{path}"
