"""What templates draw with: numbers and moments in the reader's language, badges, small charts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from babel import Locale, dates, numbers, units
from django import template
from django.contrib.staticfiles import finders
from django.template.context import RequestContext
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext

from tocsin.centre.members import rules
from tocsin.centre.members.models import Person
from tocsin.centre.pages import Page
from tocsin.products.text_safety import DECEIVING
from tocsin.reference.countries import country as country_of_code

from .. import drawing, labels, navigation

register = template.Library()
_DECEIVING = re.compile(f"({DECEIVING}|[\u00ad\u034f\u115f\u1160\u3164\U000e0000-\U000e007f])")
"""Beside the signs of exports: soft hyphens, fillers and tags, which a page does not show either."""


def _locale() -> Locale:
    return Locale.parse((get_language() or "en")[:2])


# Files


@cache
def _digest(path: str) -> str:
    found = finders.find(path)
    if not isinstance(found, str):
        raise ValueError(f"no static file {path}")
    with open(found, "rb") as file:  # noqa: PTH123 - a plain read.
        return hashlib.sha256(file.read()).hexdigest()[:10]


@register.simple_tag
@cache
def asset(path: str) -> str:
    """Address of a static file that changes with its content, so that browsers may keep it. A page names dozens."""
    return f"{static(path)}?{_digest(path)}"


@register.simple_tag
def icon(name: str, label: str = "", turns: bool = False) -> SafeString:
    """An icon of the sprite. Without a label it is decoration; `turns` mirrors arrows in right-to-left text."""
    said = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html(
        '<svg class="icon{}" {}><use href="{}#{}"/></svg>',
        " icon-turns" if turns else "", said, asset("vendor/tabler-icons/icons.svg"), name,
    )  # fmt: skip


# Words and numbers


@register.filter
def number(value: float | None) -> str:
    """12345 → 12,345 as the reader's language groups it; digits stay 0-9 everywhere, as in technical values."""
    return "–" if value is None else numbers.format_decimal(value, locale=_locale())


@register.filter
def compact(value: float | None) -> str:
    """1234567 → 1.2M."""
    if value is None:
        return "–"
    digits = 0 if abs(value) < 1000 else 1
    return numbers.format_compact_decimal(value, locale=_locale(), fraction_digits=digits)


@register.filter
def percent(value: float | None) -> str:
    """0.125 → 12.5 %."""
    return "–" if value is None else numbers.format_percent(value, format="#,##0.#%", locale=_locale())


@register.filter
def size(value: int | None) -> SafeString:
    """Bytes in the unit that reads best."""
    return format_html('<bdi dir="ltr" class="nowrap">{}</bdi>', _size_text(value))


def _size_text(value: int | None) -> str:
    amount = float(value or 0)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    shown = numbers.format_decimal(round(amount, 1 if amount < 100 and unit != "B" else 0), locale=_locale())
    return f"{shown} {unit}"


@register.filter
def technical(value: object) -> SafeString:
    """A value that is not language: kept left to right, apart from the text around it, and unmasked."""
    return format_html('<bdi dir="ltr" class="technical">{}</bdi>', unmasked(value))


@register.filter
def unmasked(value: object) -> SafeString:
    """Text of others with each character that turns, hides or controls text written out, so that it deceives nobody."""
    pieces = _DECEIVING.split("" if value is None else str(value))
    return format_html_join(
        "", "{}", ((_unmasked(piece) if place % 2 else piece,) for place, piece in enumerate(pieces))
    )


def _unmasked(sign: str) -> SafeString:
    return format_html('<span class="unseen">U+{}</span>', f"{ord(sign):04X}")


@register.filter
def country(code: str | None) -> str:
    """The country's name in the reader's language; the code itself where it is not known."""
    if not code:
        return gettext("Country not known")
    try:
        return country_of_code(code).name(get_language() or "en")
    except KeyError:
        return code


@register.filter
def moment(at: datetime | None) -> SafeString:
    """Date and time in the reader's zone, with the zone's name; UTC on hovering."""
    if at is None:
        return SafeString("–")
    zone = timezone.get_current_timezone()
    shown = dates.format_datetime(at, "medium", tzinfo=zone, locale=_locale())
    short = timezone.localtime(at, zone).tzname() or str(zone)
    return _time(at, f"{shown} {short}")


@register.filter
def ago(at: datetime | None) -> SafeString:
    """ "3 hours ago"; the moment itself on hovering."""
    if at is None:
        return SafeString("–")
    shown = dates.format_timedelta(at - timezone.now(), add_direction=True, locale=_locale(), granularity="second")
    return _time(at, shown)


def _time(at: datetime, shown: str) -> SafeString:
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S} UTC", shown)


@register.filter
def seconds(amount: float | None) -> str:
    """How long something took, in seconds, minutes or hours."""
    if amount is None:
        return "–"
    if amount >= 7_200:
        return units.format_unit(round(amount / 3600, 1), "hour", "short", locale=_locale())
    if amount >= 120:
        return units.format_unit(round(amount / 60, 1), "minute", "short", locale=_locale())
    return units.format_unit(round(amount, 1), "second", "short", locale=_locale())


@register.filter
def day(on: date | None) -> str:
    """A day, in the language's medium form."""
    return "–" if on is None else dates.format_date(on, "medium", locale=_locale())


@register.filter
def day_short(on: date | None) -> str:
    """A day without the year."""
    return "" if on is None else dates.format_skeleton("MMMd", on, locale=_locale())


# Badges


@register.filter
def tlp(label: str) -> SafeString:
    """A sharing label in its official colours, never translated."""
    word = str(label)
    style = word.removeprefix("TLP:").lower().replace("+", "-")
    return format_html('<span class="tlp tlp-{}" dir="ltr">{}</span>', style, word)


def _badge(icon_name: str, tone: str, label: object) -> SafeString:
    return format_html('<span class="badge{}">{}{}</span>', f" badge-{tone}" if tone else "", icon(icon_name), label)


@register.filter
def role_badge(word: str) -> SafeString:
    """What the value did or suffered, by icon and word."""
    return _badge(*labels.ROLES.get(str(word), ("help", "", word)))


@register.filter
def state_badge(word: str) -> SafeString:
    """Where something stands, by icon and word."""
    return _badge(*labels.STATES.get(str(word), ("circle-dashed", "", word)))


@register.simple_tag
def badge(label: str, icon: str = "info-circle", tone: str = "") -> SafeString:
    """A badge of one's own: tone is good, warn, bad, accent or empty."""
    return _badge(icon, tone, label)


@register.filter
def type_name(word: str) -> object:
    """The type of event in the reader's language."""
    return labels.TYPES.get(str(word), word)


@register.filter
def via_name(word: str) -> object:
    return labels.VIA.get(str(word), word)


@register.filter
def class_name(word: str) -> object:
    return labels.CLASSES.get(str(word), word)


@register.filter
def act_name(word: str) -> object:
    """What was done, in words; an action of an older version stands for itself."""
    return labels.ACTIONS.get(word, word)


@register.filter
def person_role(word: str) -> object:
    return labels.PERSON_ROLES.get(str(word), word)


# Drawings


@register.simple_tag
def sparkline(values: Sequence[float], label: str = "") -> SafeString:
    """A small line of how a figure went."""
    return drawing.sparkline(values, label)


@register.simple_tag
def columns(points: Sequence[tuple[date, int]], label: str, *, in_bytes: bool = False) -> SafeString:
    """One column per day; of sizes, with their unit."""
    # The mark keeps number and unit in their order where everything else runs from the right.
    shown = [f"\N{LEFT-TO-RIGHT MARK}{_size_text(value)}" if in_bytes else number(value) for _, value in points]
    return drawing.columns([(day(on), value, text) for (on, value), text in zip(points, shown, strict=True)], label)


@register.inclusion_tag("components/bars.html")
def bars(rows: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """A list of named values with bars. Rows: {name, value} and, if wanted, {url}."""
    most = max((row["value"] for row in rows), default=0) or 1
    return {"rows": [{**row, "width": max(0.6, round(100 * row["value"] / most, 1))} for row in rows]}


@register.simple_tag
def world_map(rows_by_country: Mapping[str, int], span: str = "") -> SafeString:
    """The world, coloured by rows; every country is a link to its page."""
    return drawing.world_map(_atlas(rows_by_country, span))


@register.simple_tag
def country_map(rows_by_country: Mapping[str, int], code: str, span: str = "") -> SafeString:
    """A country among its neighbours, coloured as on the world's map."""
    return drawing.country_map(_atlas(rows_by_country, span), code)


@register.simple_tag
def reach_map(states: Mapping[str, int]) -> SafeString:
    """The world by how far something got: 2 where somebody has it, 1 where somebody may see it."""
    names = {code: country(code) for code in drawing.world().codes}
    words = {1: gettext("may see it"), 2: gettext("has some of it")}
    sprite = asset("vendor/world/world.svg")
    # The lightest and the darkest of the map's five colours, so that nobody takes one for the other.
    return drawing.world_map(
        drawing.Atlas(
            states, (1, 2, 2, 2, 2), names, lambda state: words.get(int(state or 0), ""), sprite,
            lambda code: _country_url(code, ""),
        )
    )  # fmt: skip


@register.simple_tag
def steps_bar(*counts: int) -> SafeString:
    """How many recipients got how far: offered, fetched, opened, acknowledged, acted on."""
    said = gettext("%(done)s of %(all)s acknowledged") % {"done": number(counts[3]), "all": number(counts[0])}
    return drawing.steps_bar(counts, said)


def _atlas(rows: Mapping[str, int], span: str) -> drawing.Atlas:
    names = {code: country(code) for code in drawing.world().codes}
    rows = {code: count for code, count in rows.items() if code}
    sprite = asset("vendor/world/world.svg")
    return drawing.Atlas(
        rows, drawing.steps_of(rows.values()), names, number, sprite, lambda code: _country_url(code, span)
    )


def _country_url(code: str, span: str) -> str:
    return reverse("country", args=[code]) + (f"?span={span}" if span else "")


@register.inclusion_tag("components/legend.html")
def map_legend(rows_by_country: Mapping[str, int]) -> dict[str, object]:
    """What the map's colours stand for."""
    steps = drawing.steps_of(count for code, count in rows_by_country.items() if code)
    return {"steps": [(place + 1, low, high) for place, (low, high) in enumerate(drawing.ranges(steps))]}


# The frame


@register.simple_tag(takes_context=True)
def entries(context: RequestContext) -> list[navigation.Group]:
    """What the reader may open, for the navigation."""
    request = context["request"]
    return navigation.groups_for(request.user, request.path)


@register.simple_tag
def url_if(name: str, *arguments: object) -> str:
    """The address of a page, or nothing where no such page is installed."""
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""


@register.filter
def may(person: object, ability: str) -> bool:
    """Whether the reader's roles allow it: for links to pages that exist for some only."""
    return isinstance(person, Person) and rules.may(person, ability)


@register.filter
def initials(name: str) -> str:
    """At most two letters that stand for a person."""
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()


@register.simple_tag(takes_context=True)
def address_with(context: RequestContext, **changes: object) -> str:
    """The present address with some query values changed; an empty value drops its name."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value not in (None, ""):
            query[name] = str(value)
    address: str = query.urlencode()
    return "?" + address


@register.simple_tag(takes_context=True)
def page_at(context: RequestContext, page: Page[object], cursor: str = "") -> str:
    """The present address with the list at this cursor; without one at its beginning. Other lists of the page stay."""
    return address_with(context, **{page.name: cursor})


@register.simple_tag
def joined(values: Sequence[object], between: str = ", ") -> SafeString:
    return format_html_join(between, "{}", ((value,) for value in values))
