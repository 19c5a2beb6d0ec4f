"""What the navigation shows: one table. An entry appears where its page exists and the person may open it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation: name of its address, icon, label, and what one must be able to do."""

    name: str
    icon: str
    label: str | Promise
    ability: str = ""


ENTRIES: tuple[tuple[str | Promise, tuple[Entry, ...]], ...] = (
    (
        "",
        (
            Entry("home", "home", _("Home")),
            Entry("lookup", "search", _("Look up"), "read"),
            Entry("countries", "world", _("Countries"), "read"),
        ),
    ),
    (
        _("Intake"),
        (
            Entry("upload", "upload", _("Hand over"), "deliver"),
            Entry("deliveries", "inbox", _("Deliveries"), "read"),
            Entry("review", "list-check", _("Review"), "review"),
            Entry("terms", "clock", _("Due for review"), "review-terms"),
            Entry("holds", "scale", _("Legal review"), "decide-legal"),
            Entry("legal-holds", "lock", _("Legal holds"), "hold-legally"),
            Entry("feeds", "rss", _("Feeds"), "read-feeds"),
        ),
    ),
    (
        _("Sharing"),
        (
            Entry("received-list", "mail", _("From the Centre"), "respond"),
            Entry("release-desk", "shield-check", _("Release"), "read-releases"),
            Entry("follow-up", "chart-bar", _("Follow-up"), "follow"),
            Entry("permissions", "message-report", _("Permissions"), "ask-source"),
            Entry("permissions-asked", "help", _("Permissions asked of you"), "answer-permissions"),
            Entry("package-list", "package", _("Country packages"), "package"),
            Entry("alert-desk", "bell-ringing", _("Alerts"), "read-alerts"),
            Entry("alert-proposals", "bell-ringing", _("Proposals for alerts"), "propose-alerts"),
            Entry("circulars", "mail", _("Circulars"), "read"),
            Entry("referrals", "message-report", _("Reports by citizens"), "read-referrals"),
            Entry("alert-public-reach", "chart-bar", _("Reach of public alerts"), "read-alerts"),
            Entry("recalls", "rotate", _("Recalls"), "read"),
            Entry("watches", "bell-ringing", _("Standing queries"), "watch"),
        ),
    ),
    (
        _("House"),
        (
            Entry("rights", "user-search", _("Requests of people"), "decide-rights"),
            Entry("organisations", "building", _("Organisations"), "read-organisations"),
            Entry("people", "users", _("People"), "manage-people"),
            Entry("units", "building-bank", _("National units"), "manage-units"),
            Entry("memberships", "world", _("Membership"), "set-country-status"),
            Entry("partnership", "users", _("Our partnership"), "read-own-agreement"),
            Entry("scorecards", "gauge", _("Scorecards"), "read-scorecards"),
            Entry("own-agreement", "file-text", _("Our agreement"), "read-own-agreement"),
            Entry("purges", "trash", _("Purges"), "read-purges"),
            Entry("acts", "history", _("Log of acts"), "read-audit"),
            Entry("emergencies", "flame", _("Emergency access"), "read-emergencies"),
            Entry("store", "database", _("The store"), "administer"),
            Entry("settings", "settings", _("Settings"), "administer"),
            Entry("help-formats", "help", _("Help")),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as drawn: `is_here` marks the page that is open or lies below it."""

    label: str | Promise
    icon: str
    url: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Links under one heading; the first group has none."""

    heading: str | Promise
    links: tuple[Link, ...]


def groups_for(person: Person | AnonymousUser, path: str) -> list[Group]:
    """The groups with at least one link for this person."""
    if not isinstance(person, Person):
        return []
    found = []
    for heading, listed in ENTRIES:
        links = [link for entry in listed if (link := _link(entry, person, path))]
        if links:
            found.append(Group(heading, tuple(links)))
    return found


def _link(entry: Entry, person: Person, path: str) -> Link | None:
    if entry.ability and not may(person, entry.ability):
        return None
    try:
        url = reverse(entry.name)
    except NoReverseMatch:  # The topic that brings the page is not installed.
        return None
    return Link(entry.label, entry.icon, url, _is_below(path, url))


def _is_below(path: str, url: str) -> bool:
    """Whether the page that is open is this one or lies below it, and below no other entry that is nearer."""
    if path == url:
        return True
    return url != "/" and path.startswith(url) and not any(
        other.startswith(url) and other != url and path.startswith(other) for other in _addresses()
    )  # fmt: skip


def _addresses() -> list[str]:
    found = []
    for _heading, listed in ENTRIES:
        for entry in listed:
            with suppress(NoReverseMatch):  # The topic that brings the page is not installed.
                found.append(reverse(entry.name))
    return found
