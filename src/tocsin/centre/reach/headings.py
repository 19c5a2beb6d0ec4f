"""The words that head something that was released, in the reader's language."""

from __future__ import annotations

from babel.dates import format_interval
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from tocsin.products.words import Words, words

from .about import About

MANY: dict[str, str | Promise] = {
    "infected-system": gettext_lazy("Infected hosts"),
    "c2-server": gettext_lazy("Command-and-control servers"),
    "vulnerable-system": gettext_lazy("Vulnerable systems"),
    "potentially-unwanted-accessible": gettext_lazy("Exposed services"),
    "ddos-amplifier": gettext_lazy("Open amplifiers"),
    "ids-alert": gettext_lazy("Intrusion alerts"),
    "privileged-account-compromise": gettext_lazy("Compromised administrator accounts"),
    "unprivileged-account-compromise": gettext_lazy("Compromised accounts"),
    "application-compromise": gettext_lazy("Compromised applications"),
    "system-compromise": gettext_lazy("Compromised systems"),
    "exploit": gettext_lazy("Attempts at exploitation"),
    "brute-force": gettext_lazy("Attempts at guessing passwords"),
}
"""Type of event → its plural, where one counts them. The others are called as in reports."""
VAGUE = frozenset({"", "undetermined", "other", "blacklist", "test"})
"""Types that say nothing of what it is: the role may."""
MANY_ROLES: dict[str, str | Promise] = {
    "ATTACKER_INFRA": gettext_lazy("Attackers’ servers and addresses"),
    "COMPROMISED_THIRD_PARTY": gettext_lazy("Hacked sites and hosts"),
    "VICTIM": gettext_lazy("Those affected"),
}


def heading_of(about: About) -> str:
    """What it is about in one line: its own title, else what it holds; empty where it holds nothing that says so."""
    if not about.titles:
        return figures_of(about)
    more = len(about.titles) - 1
    if not more:
        return about.titles[0]
    said = ngettext("%(title)s, and %(shown)s more", "%(title)s, and %(shown)s more", more)
    return said % {"title": about.titles[0], "shown": _words().number(more)}


def figures_of(about: About) -> str:
    """What it holds: sort and number of things, where, and the family or names that lead."""
    parts = []
    if about.rows:
        parts.append(_rows(about))
    if about.objects:
        parts.append(_("Objects: %(shown)s") % {"shown": _words().number(about.objects)})
    if about.texts and not parts:
        parts.append(_("Texts: %(shown)s") % {"shown": _words().number(about.texts)})
    return " · ".join([*parts, *([about.family] if about.family else about.names)])


def under_heading(about: About) -> str:
    """What stands below the heading: the figures where it is a title, and the days that it is of."""
    return " · ".join(each for each in (figures_of(about) if about.titles else "", period_of(about)) if each)


def period_of(about: About) -> str:
    """From the first to the last day."""
    if about.first_on is None or about.last_on is None:
        return ""
    shown: str = format_interval(about.first_on, about.last_on, "yMMMd", locale=_words().language)
    return shown


def _rows(about: About) -> str:
    what = str(_what(about))
    shown = _words().number(about.rows)
    if len(about.countries) == 1:
        place = _words().country(about.countries[0])
        return _("%(what)s, %(country)s: %(shown)s") % {"what": what, "country": place, "shown": shown}
    if count := len(about.countries):
        said = ngettext("%(what)s, %(count)s country: %(shown)s", "%(what)s, %(count)s countries: %(shown)s", count)
        return said % {"what": what, "count": _words().number(count), "shown": shown}
    return _("%(what)s: %(shown)s") % {"what": what, "shown": shown}


def _what(about: About) -> str | Promise:
    if about.type in VAGUE:
        return MANY_ROLES.get(about.role, _("Observations"))
    name = MANY.get(about.type) or _words().of("type-", about.type)
    return _("%(what)s and others") % {"what": name} if about.is_mixed else name


def _words() -> Words:
    return words(get_language() or "en")
