"""The leak scanner: protected values in texts, however they are written (DOMAIN 4.11, W03). Pure.

All values are sought in one pass: what a text holds of addresses, names, numbers and words is looked up in tables of
the values, so the time grows with the text and not with how much is protected. A finding never holds the value:
whoever shows it asks first whether its reader may see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tocsin.core.errors import InputError
from tocsin.core.typed import recognise_value, url_of
from tocsin.core.values import canonical, host_of
from tocsin.core.words import Kind

from . import _matching as matching
from .disguises import View, Written, views_of, ways_of


class Secret(StrEnum):
    """Why a value must not be read."""

    VICTIM = "victim"
    PERSONAL = "personal"
    RESTRICTED = "restricted"
    """It stands in something that the readers may not see."""
    SOURCE = "source"
    """The name of a source that must not be named, or that is excluded."""
    REMOVED = "removed"
    """It was taken out on purpose."""
    UNREADABLE = "unreadable"
    """No value: an attachment that could not be read to its end."""
    POSITION = "position"
    """No value: a picture that says where it was taken."""
    NOT_PUBLISHABLE = "not-publishable"
    """A technical sign that is not marked for the public, or not PAP:CLEAR, or whose source has not agreed."""


GRAVITY = {each: number for number, each in enumerate(Secret)}
"""The lower, the graver."""


@dataclass(frozen=True, slots=True)
class Protected:
    """A value that must not be read, and why."""

    value: str
    why: Secret
    kind: Kind | None = None
    """None: worked out from the value; what is no indicator is a name, sought as whole words."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text stands."""

    field: str
    language: str = ""
    attachment: str = ""
    page: int = 0
    """Of the attachment, from 1; 0: the text has none."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is about to be read by others. `unreadable`: instead of the text, why there is none."""

    place: Place
    text: str
    unreadable: str = ""
    has_position: bool = False
    """Whether it is what a picture carries, and that says where it was taken."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A protected value in a text. What it is, `number` says to those who have the list."""

    place: Place
    why: Secret
    number: int = -1
    """Which of the protected values; -1: none of them, the attachment itself is the reason."""
    kind: Kind | None = None
    line: int = 0
    written: frozenset[Written] = frozenset()
    """Empty: just as it is."""
    note: str = ""
    """Why an attachment could not be read, or of which sort a personal datum is."""

    @property
    def is_final(self) -> bool:
        """Whether nobody can ever let it pass: victims' data, and what nobody could look at."""
        return self.why in {Secret.VICTIM, Secret.UNREADABLE, Secret.POSITION}


class Scanner:
    """Tables of protected values, asked for any number of texts."""

    def __init__(self, protected: Iterable[Protected]) -> None:
        self.protected = tuple(dict.fromkeys(protected))
        self._addresses, self._hosts = matching.Addresses(), matching.Hosts()
        self._words, self._runs = matching.Words(), matching.Runs()
        self._kinds: list[Kind | None] = [None] * len(self.protected)
        # What is one value for two reasons is found for the graver.
        for number in sorted(range(len(self.protected)), key=lambda each: GRAVITY[self.protected[each].why]):
            self._kinds[number] = self._enter(number, self.protected[number])

    def find(self, texts: Iterable[Text]) -> list[Finding]:
        """What is protected in these texts: each value once for each place, in the order of the texts."""
        return [finding for text in texts for finding in self._in_text(text)]

    def _in_text(self, text: Text) -> Iterator[Finding]:
        if text.unreadable:
            yield Finding(text.place, Secret.UNREADABLE, note=text.unreadable)
        if text.has_position:
            yield Finding(text.place, Secret.POSITION)
        seen: set[int] = set()
        for view in views_of(text.text):
            for match in self._in_view(view):
                if match.number not in seen:
                    seen.add(match.number)
                    yield self._finding(text.place, view, match)

    def _in_view(self, view: View) -> Iterator[matching.Match]:
        said = matching.Said(view.text)
        for table in (self._addresses, self._hosts, self._words, self._runs):
            yield from table.find(said)

    def _finding(self, place: Place, view: View, match: matching.Match) -> Finding:
        each = self.protected[match.number]
        ways = ways_of(view.written(match.begin, match.end), each.value, view)
        if self._kinds[match.number] in matching.RUN_KINDS and Written.DEFANGED in ways:
            ways = ways - {Written.DEFANGED} | {Written.SPELLING}  # Brackets are usual in telephone numbers.
        if match.by_network:
            ways = ways - {Written.SPELLING} | {Written.NETWORK}
        return Finding(place, each.why, match.number, self._kinds[match.number], view.line(match.begin), ways)

    def _enter(self, number: int, each: Protected) -> Kind | None:
        """Put a value into the table of its kind; says of which kind it is taken to be."""
        kind, value = form_of(each)
        if kind in {Kind.IPV4, Kind.IPV6, Kind.NETWORK}:
            self._addresses.add(number, value)
        elif kind in {Kind.DOMAIN, Kind.EMAIL}:
            self._hosts.add(number, value)
        elif kind is Kind.URL:
            self._words.add(number, value.partition("://")[2])
            host = host_of(value)
            if each.why is Secret.VICTIM or value.rstrip("/").endswith(f"://{host}"):
                self._enter_host(number, host)
        elif kind in matching.RUN_KINDS:
            for spelt in matching.spellings(kind, value):
                self._runs.add(number, spelt)
        else:
            self._words.add(number, value)
        return kind

    def _enter_host(self, number: int, host: str) -> None:
        known = recognise_value(host)
        if known and known[0] is Kind.DOMAIN:
            self._hosts.add(number, known[1])
        elif known and known[0] in {Kind.IPV4, Kind.IPV6}:
            self._addresses.add(number, known[1])


def form_of(each: Protected) -> tuple[Kind | None, str]:
    """Kind and value in the one form in which values are held; a name has no kind."""
    if each.kind is None:
        return recognise_value(each.value) or (None, each.value)
    try:
        value = canonical(each.kind, each.value)
    except InputError:
        return None, each.value
    if each.kind is Kind.URL and url_of(value) is None:
        return None, each.value
    return each.kind, value
