"""The words of police co-operation in four languages, and where a text uses them: suggested to who translates it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("glossary.csv")
LANGUAGES = ("en", "fr", "es", "ar")
_BRACKETED = re.compile(r"\s*\(([^)]+)\)")
_MARKS = re.compile("[\u0640\u064b-\u0655\u0670]")
"""The Arabic stretch and vowel signs, which are written or not as one likes."""
_BEFORE_ARABIC = "(?:[وفبكل]{0,2}(?:ال|لل)?)"
"""And, so, by, as, to, and the article: written together with the word."""
_PLURAL = "(?:s|es|x)?"


@dataclass(frozen=True, slots=True)
class Term:
    """One idea and its word in each language."""

    words: Mapping[str, str]
    attested: frozenset[str]
    """Languages whose word was found in texts of police or of the United Nations; the others are proposals."""

    def variants(self, language: str) -> tuple[str, ...]:
        """Each way in which it may stand in a text: "National Central Bureau (NCB)" is two."""
        return tuple(dict.fromkeys(_variants(self.words.get(language, ""))))


@dataclass(frozen=True, slots=True)
class Found:
    """Where a text uses a term."""

    start: int
    end: int
    term: Term


@cache
def terms() -> tuple[Term, ...]:
    """All of them, in the order of the table."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Term({each: row[each] for each in LANGUAGES if row[each]}, frozenset(row["attested"].split()))
            for row in csv.DictReader(file)
        )


def terms_in(text: str, language: str) -> list[Found]:
    """The terms that a text uses, in its order; the longest where several begin at one place, none inside another."""
    pattern, by_word = _compiled(language.split("-")[0])
    if pattern is None:
        return []
    plain, places = _folded(text)
    found = []
    for match in pattern.finditer(plain):
        start, end = match.span("term")
        found.append(Found(places[start], places[end - 1] + 1, by_word[_key(match["term"], by_word)]))
    return found


def _variants(word: str) -> Iterator[str]:
    for part in re.split(r"\s*(?:;|\s/\s)\s*", word):
        if part:
            yield _BRACKETED.sub("", part)
            yield from (each for each in _BRACKETED.findall(part) if each.isupper() or "." in each)


def _fold(text: str) -> str:
    return _MARKS.sub("", text).casefold().replace("’", "'").replace("أ", "ا").replace("إ", "ا").replace("آ", "ا")


def _folded(text: str) -> tuple[str, list[int]]:
    """The text as terms are looked for in it, and where each of its letters stood."""
    plain, places = [], []
    for place, sign in enumerate(text):
        for letter in _fold(sign):
            plain.append(letter)
            places.append(place)
    return "".join(plain), places


@cache
def _compiled(language: str) -> tuple[re.Pattern[str] | None, dict[str, Term]]:
    by_word: dict[str, Term] = {}
    for term in terms():
        for variant in term.variants(language):
            by_word.setdefault(_fold(variant), term)
    if not by_word:
        return None, {}
    longest_first = sorted(by_word, key=len, reverse=True)
    if language == "ar":
        inner = "|".join(re.sub(r"(?:^|(?<=\\ ))ال", "(?:ال)?", re.escape(word)) for word in longest_first)
        return re.compile(rf"(?<!\w){_BEFORE_ARABIC}(?P<term>{inner})(?!\w)"), by_word
    inner = "|".join(
        "".join(rf"{re.escape(part)}{_PLURAL}\s+" for part in word.split(" ")).removesuffix(r"\s+")
        for word in longest_first
    )
    return re.compile(rf"(?<!\w)(?P<term>{inner})(?!\w)"), by_word


def _key(found: str, by_word: Mapping[str, Term]) -> str:
    """The word of the table that stands there, perhaps in the plural or without its article."""
    words = " ".join(found.split())
    if words in by_word:
        return words
    for word in sorted(by_word, key=len, reverse=True):
        own, theirs = word.split(" "), words.split(" ")
        if len(own) == len(theirs) and all(_is_form(a, b) for a, b in zip(own, theirs, strict=True)):
            return word
    raise KeyError(found)


def _is_form(own: str, found: str) -> bool:
    return found in {own, f"{own}s", f"{own}es", f"{own}x"} or own.removeprefix("ال") == found.removeprefix("ال")
