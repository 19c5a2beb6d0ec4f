"""Whether a text is plain enough for everybody: its length, its sentences, its hard words. It warns and never blocks.

The measure is LIX (Björnsson 1968): words to a sentence, plus long words in a hundred. It counts letters and no
syllables, so that it is the same thing in every language; what counts as long, and what is still plain, is fitted to
each of them. Arabic writes no short vowels and joins articles and prepositions to the word: there a word is measured
without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MOST_WORDS = 400
LONG_SENTENCE_WORDS = 25
HARD_SHOWN = 8
_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_SENTENCE = re.compile(r"(?<=[.!?؟。…])[\s»”\")]+|\n+")
_ADDRESS = re.compile(r"\S*(?:://|\[\.\]|@|\d)\S*|\S+\.[A-Za-z]{2,}\S*")
"""Technical values and numbers: nobody reads them as words."""
_ARABIC_CLITICS = re.compile(r"^[وف]?(?:[بكل]?ال|لل|[بلكس](?=\w{4}))?")
_ARABIC_MARKS = re.compile("[\u0640\u064b-\u0655\u0670]")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u4e00-\u9fff]")
"""Scripts that put no space between words: there this measure says nothing."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What is long and what is still plain in a language."""

    long_letters: int
    """A word with more letters is long."""
    hard_letters: int
    """A word with so many is shown as hard."""
    threshold: int
    """Up to here a text is plain."""


FITS = {"en": Fit(6, 11, 42), "fr": Fit(6, 12, 46), "es": Fit(6, 12, 48), "ar": Fit(4, 8, 52)}
OTHERS = Fit(6, 13, 50)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured of one text."""

    language: str
    words: int
    sentences: int
    score: int | None
    """None: there are too few words, or the script has none that could be counted."""
    threshold: int
    long_sentences: tuple[str, ...]
    """How each of them begins."""
    hard_words: tuple[str, ...]

    @property
    def is_long(self) -> bool:
        return self.words > MOST_WORDS

    @property
    def is_hard(self) -> bool:
        return self.score is not None and self.score > self.threshold

    @property
    def is_plain(self) -> bool:
        return not (self.is_long or self.is_hard or self.long_sentences)


def measured(passages: Iterable[str], language: str) -> Reading:
    """How plain these passages, each of which stands by itself, are together."""
    base = language.split("-")[0]
    fit = FITS.get(base, OTHERS)
    sentences = [words for passage in passages for each in _SENTENCE.split(passage) if (words := _words(each))]
    words = [word for each in sentences for word in each]
    counted = [(word, _letters(word, base)) for word in words]
    long_ones = sum(letters > fit.long_letters for _, letters in counted)
    score = None
    if len(words) >= 20 and not any(_UNSPACED.search(word) for word in words):
        score = round(len(words) / len(sentences) + 100 * long_ones / len(words))
    hard = sorted(
        {word for word, letters in counted if letters >= fit.hard_letters}, key=lambda word: (-len(word), word)
    )
    return Reading(
        language=language, words=len(words), sentences=len(sentences), score=score, threshold=fit.threshold,
        long_sentences=tuple(" ".join(each[:8]) for each in sentences if len(each) > LONG_SENTENCE_WORDS),
        hard_words=tuple(hard[:HARD_SHOWN]),
    )  # fmt: skip


def _words(sentence: str) -> list[str]:
    return _WORD.findall(_ADDRESS.sub(" ", _ARABIC_MARKS.sub("", sentence)))


def _letters(word: str, language: str) -> int:
    if language == "ar":
        return len(_ARABIC_CLITICS.sub("", word, count=1))
    # What a hyphen or an apostrophe joins is read piece by piece.
    return max(len(part) for part in re.split(r"['’\-]", word))
