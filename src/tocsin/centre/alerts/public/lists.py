"""Pages that show many alerts: home, all, by month, country, crime and kind, what the search looks through, and what
other people's pages show."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import msgspec
from babel.dates import format_date

from tocsin.core.words import Offence
from tocsin.products.alerts import addresses
from tocsin.products.alerts.file import File
from tocsin.products.alerts.record import AlertType
from tocsin.products.alerts.words import words
from tocsin.reference.countries import all_countries
from tocsin.reference.reporting import Channel

from .entries import Entry, pack, whole_seconds, years_of
from .frame import Frame, native_name, said, same_in, say_of, texts

LATEST = 10
"""On the first page."""
PRESSING = 3
"""Of the imminent ones there: what to do must stay in sight."""
ON_A_PAGE = 40
"""In the lists of the newest; what is older lies on the pages of months and years."""
IN_WIDGET = 30
STEPS_WITHOUT = 5
"""What helps where no channel is known."""
KINDS = tuple(each for each in AlertType if each.is_for_the_public)
CRIMES = tuple(each for each in Offence if each is not Offence.NONE)
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Rows:
    """Alerts as a list shows them, in one language."""

    language: str
    now: datetime

    def of(self, entries: Iterable[Entry]) -> list[dict[str, Any]]:
        return [self._row(each) for each in entries]

    def _row(self, entry: Entry) -> dict[str, Any]:
        language, say = self.language, say_of(self.language)
        shown = entry.shown_in(language)
        status = "cancelled" if entry.is_cancelled else "" if self.now < entry.expires else "expired"
        return {
            "number": entry.number,
            # What has no page in this language is read in the one it came in.
            "path": addresses.page(entry.number, language if language in entry.languages else shown),
            "title": entry.titles[shown],
            "title_language": "" if shown == language else shown,
            "title_direction": say_of(shown).direction,
            "lead": entry.leads.get(shown, ""),
            "type": entry.type,
            "kind": say(f"type.{entry.type}"),
            "offence": say(f"offence.{entry.offence}"),
            "severity": say(f"severity.{entry.severity}"),
            "where": self._where(entry),
            "at": whole_seconds(entry.sent),
            "day": day(entry.sent.date(), language),
            "is_updated": entry.version > 1 and not entry.is_cancelled,
            "expires_at": whole_seconds(entry.expires),
            "status": status,
            "status_word": say(status) if status else "",
        }

    def _where(self, entry: Entry) -> str:
        if not entry.countries:
            return texts(self.language)["worldwide"]
        names = [country_name(code, self.language) for code in entry.countries[:3]]
        more = len(entry.countries) - len(names)
        return mark_between(self.language).join(names) + (f" +{more}" if more > 0 else "")


def mark_between(language: str) -> str:
    """What stands between the parts of a list."""
    return "، " if language == "ar" else ", "


@cache
def country_name(code: str, language: str) -> str:
    return words(language).country(code)


@cache
def day(on: Any, language: str) -> str:
    return str(format_date(on, format="long", locale=words(language).locale))


@cache
def month_name(month: str, language: str) -> str:
    on = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    made = str(format_date(on, format="LLLL y", locale=words(language).locale))
    return made[:1].upper() + made[1:]


def home(frame: Frame, language: str, entries: Sequence[Entry], now: datetime) -> File:
    """What a language's readers come to first; `entries` newest first."""
    rows = Rows(language, now)
    pressing = sorted((each for each in entries if each.is_pressing(now)), key=lambda each: each.urgency)
    first = pressing[:PRESSING]
    latest = [*pressing[PRESSING:], *(each for each in entries if not each.is_pressing(now))][:LATEST]
    return frame.page(
        addresses.home(language), "home.html", language, title=texts(language)["name"],
        description=said(language, "lead", issuer=frame.issuer.name(language)),
        lead=said(language, "lead", issuer=frame.issuer.name(language)), is_listed=True, linked_data="", image="",
        alternates=same_in(frame.languages, addresses.home), pressing=rows.of(first), latest=rows.of(latest),
        paths={name: addresses.standing(language, name) for name in ("victim", "protect", "subscribe")},
        all_path=addresses.listing(language),
    )  # fmt: skip


def _listed(
    frame: Frame, language: str, path_in: Callable[[str], str], title: str, entries: Sequence[Entry], now: datetime,
    **facts: Any,
) -> File:  # fmt: skip
    further: dict[str, Any] = {
        "lead": "", "choices": [], "choices_title": "", "report": None, "notes": [], "trail": "", "newer": None,
        "older": None, "heading": title,
    }  # fmt: skip
    return frame.page(
        path_in(language), "list.html", language, title=f"{title} · {texts(language)['name']}",
        description=facts.pop("description", "") or f"{title}. {texts(language)['latest_note']}", is_listed=True,
        linked_data="", image="", alternates=same_in(frame.languages, path_in),
        rows=Rows(language, now).of(entries), all_path=addresses.listing(language), **{**further, **facts},
    )  # fmt: skip


def newest(frame: Frame, language: str, entries: Sequence[Entry], now: datetime) -> File:
    """The list of all: the newest, and the way to each month."""
    months = Counter(each.month for each in entries)
    current = sorted((each for each in entries if each.is_pressing(now)), key=lambda each: each.urgency)
    others = [each for each in entries if not each.is_pressing(now)]
    choices = [
        (year, [(addresses.listing(language, each), month_name(each, language), count)
                for each, count in sorted(months.items(), reverse=True) if each.startswith(year)])
        for year in years_of(entries)
    ]  # fmt: skip
    return _listed(
        frame, language, lambda each: addresses.listing(each), texts(language)["all"],
        [*current, *others][:ON_A_PAGE], now, choices=choices, choices_title=texts(language)["by_month"],
    )  # fmt: skip


def month(
    frame: Frame, language: str, which: str, months: Sequence[str], entries: Sequence[Entry], now: datetime
) -> File:
    """All of a month; `months` are those that have alerts, newest first."""
    place = months.index(which)
    beside = {
        "newer": months[place - 1] if place else "",
        "older": months[place + 1] if place + 1 < len(months) else "",
    }
    steps = {
        name: (addresses.listing(language, each), month_name(each, language)) if each else None
        for name, each in beside.items()
    }
    return _listed(
        frame, language, lambda each: addresses.listing(each, which), month_name(which, language), entries, now,
        lead=texts(language)["end_of_month"], **steps,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facet:
    """One way to choose: a country, a crime, a kind, or what concerns the whole world."""

    name: str
    value: str

    def path(self, language: str, year: str = "") -> str:
        if self.name == "country":
            return addresses.country(language, self.value, year)
        parts = [self.name, *([self.value] if self.value else []), *([year] if year else [])]
        return addresses.listing(language, *parts)

    def title(self, language: str) -> str:
        match self.name:
            case "country":
                return country_name(self.value, language)
            case "crime":
                return words(language)(f"offence.{self.value}")
            case "kind":
                return words(language)(f"type.{self.value.upper()}")
        return texts(language)["warnings_world"]

    def has(self, entry: Entry) -> bool:
        match self.name:
            case "country":
                return self.value in entry.countries
            case "crime":
                return entry.offence == self.value
            case "kind":
                return entry.type == self.value.upper()
        return not entry.countries


def facets_of(entry: Entry) -> list[Facet]:
    """Those whose pages show this alert."""
    places = [Facet("country", code) for code in entry.countries] or [Facet("world", "")]
    return [*places, Facet("crime", entry.offence), Facet("kind", entry.type.lower())]


def all_facets() -> list[Facet]:
    """Those whose pages are there before any alert is."""
    return [
        Facet("world", ""), *(Facet("kind", each.value.lower()) for each in KINDS),
        *(Facet("crime", each.value) for each in CRIMES), *(Facet("country", each.code) for each in all_countries()),
    ]  # fmt: skip


def facet_pages(
    frame: Frame, language: str, facet: Facet, entries: Sequence[Entry], now: datetime, years: Iterable[str] = ()
) -> Iterator[File]:
    """The newest of a facet, and of each of `years` all of them. `entries` are the facet's own, newest first."""
    title = facet.title(language)
    counts = Counter(each.year for each in entries)
    choices = [
        ("", [(facet.path(language, year), year, count) for year, count in sorted(counts.items(), reverse=True)])
    ] if len(entries) > ON_A_PAGE else []  # fmt: skip
    facts: dict[str, Any] = {"choices": choices, "choices_title": texts(language)["by_year"]}
    if facet.name == "country":
        facts |= _country_facts(frame, facet.value, language)
    yield _listed(
        frame, language, lambda each: facet.path(each), title,
        [*(each for each in entries if each.is_pressing(now)),
         *(each for each in entries if not each.is_pressing(now))][:ON_A_PAGE], now, **facts,
    )  # fmt: skip
    for year in years:
        its = [each for each in entries if each.year == year]
        if its and len(entries) > ON_A_PAGE:
            yield _listed(
                frame, language, partial(facet.path, year=year), f"{title}, {year}", its, now,
                trail=(facet.path(language), title),
            )  # fmt: skip


def _country_facts(frame: Frame, code: str, language: str) -> dict[str, Any]:
    say, word = say_of(language), texts(language)
    steps = [word[f"channel_none_{each}"] for each in range(1, STEPS_WITHOUT + 1)]
    report = {
        "channels": [_channel(each, language) for each in frame.reporting.of(code)], "steps": steps,
        "emergency": frame.reporting.emergency.get(code, ""),
        "hit": f"{frame.follow.hit}?country={code}&language={language}" if frame.follow.hit else "",
        "victim_path": addresses.standing(language, "victim"),
    }  # fmt: skip
    return {
        "report": report, "heading": say.country(code),
        "list_title": said(language, "warnings_for", country=say.country(code)),
        "notes": [(addresses.listing(language, "world"), word["world_too"])],
        "description": f"{word['where_to_report']}: {say.country(code)}.",
    }  # fmt: skip


def _channel(channel: Channel, language: str) -> dict[str, Any]:
    """What a country's page shows of a channel. Who checked it is nobody's business but the officers'."""
    notes = []
    if channel.languages:
        names = mark_between(language).join(native_name(each) for each in channel.languages)
        notes.append(said(language, "channel_languages", names=names))
    if channel.checked_on:
        notes.append(said(language, "channel_checked", day=day(channel.checked_on, language)))
    else:
        how = "channel_own" if channel.checked else "channel_named"
        notes.append(said(language, how, source=channel.source_host, day=day(channel.seen, language)))
    return {
        "name": channel.name, "also": channel.names.get(language, ""),
        "kind": texts(language)[f"channel_{channel.kind}"], "address": channel.address,
        "host": channel.host.removeprefix("www."), "telephone": channel.telephone,
        "dialled": channel.dialled, "mail": channel.mail, "notes": notes,
    }  # fmt: skip


# For programs.


def search_rows(language: str, year: str, entries: Sequence[Entry], now: datetime) -> File:
    """What the search looks through: number, title, kind, crime, countries, day of issue, end, 1 where it was
    cancelled, and the language of the title and of the page, where it is another."""
    rows = []
    for each in entries:
        shown = each.shown_in(language)
        ends = int(each.expires.timestamp() // 60)
        row: list[Any] = [each.number, each.titles[shown], each.type, each.offence, " ".join(each.countries),
                          f"{each.issued:%Y-%m-%d}", ends, int(each.is_cancelled)]  # fmt: skip
        if shown != language:
            row += [shown, language if language in each.languages else shown]
        rows.append(row)
    return File(addresses.index(language, year), JSON, msgspec.json.encode(rows), language)


def kept(year: str, entries: Iterable[Entry]) -> File:
    """All of a year as data: what the lists are made of when the next alert is published, and free for all to use."""
    return File(addresses.entries(year), JSON, pack(entries))


def widget_rows(frame: Frame, language: str, entries: Sequence[Entry], now: datetime) -> File:
    """The newest that stand, for other people's pages."""
    say = say_of(language)
    rows = [
        {"number": each.number, "title": each.titles[each.shown_in(language)], "kind": say(f"type.{each.type}"),
         "type": each.type, "language": each.shown_in(language), "countries": each.countries,
         "sent": whole_seconds(each.sent), "day": day(each.sent.date(), language),
         "expires": whole_seconds(each.expires),
         "url": frame.absolute(addresses.page(each.number, language if language in each.languages
                                              else each.shown_in(language)))}
        for each in _standing(entries, now)
    ]  # fmt: skip
    found = {"title": texts(language)["latest"], "issuer": frame.issuer.name(language), "language": language,
             "direction": say.direction, "url": frame.absolute(addresses.home(language)),
             "all": texts(language)["all"], "none": texts(language)["calm"], "alerts": rows}  # fmt: skip
    return File(addresses.widget(language, "json"), JSON, msgspec.json.encode(found), language)


def widget_page(frame: Frame, language: str, entries: Sequence[Entry], now: datetime) -> File:
    """The same as a page that others put in a frame of theirs."""
    return frame.page(
        addresses.widget(language), "widget.html", language, title=texts(language)["latest"], is_listed=False,
        rows=Rows(language, now).of(_standing(entries, now)[:5]), description="", linked_data="", image="",
        home_url=frame.absolute(addresses.home(language)), origin=frame.absolute(""),
    )  # fmt: skip


def _standing(entries: Sequence[Entry], now: datetime) -> list[Entry]:
    pressing = sorted((each for each in entries if each.is_pressing(now)), key=lambda each: each.urgency)
    others = [each for each in entries if each.is_current(now) and not each.is_pressing(now)]
    return [*pressing, *others][:IN_WIDGET]


def countries_by_name(language: str) -> list[tuple[str, str, str]]:
    """Name, address of its page, and other words by which it is found; sorted as the language sorts."""
    found = [(country_name(each.code, language), addresses.country(language, each.code), each.code, each.name_en)
             for each in all_countries()]  # fmt: skip
    return [
        (name, path, f"{code} {english}")
        for name, path, code, english in sorted(found, key=lambda row: _sort_key(row[0]))
    ]


def _sort_key(name: str) -> str:
    bare = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(sign for sign in bare if not unicodedata.combining(sign))
    return bare.removeprefix("ال").replace("أ", "ا").replace("إ", "ا").replace("آ", "ا")
