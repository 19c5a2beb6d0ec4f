"""Which known family wrote a ransom note, a phishing letter, a text of extortion; and which families write alike.

The known notes are handed over: an installation compares with what it holds and what the reader may see, and nothing of
a note ships with Tocsin. Of a family four things are weighed: how near its nearest note is by words (one to four in a
row) and by letters (three to five), rare ones weighing more; whether the text gives its name; whether it gives an
address that notes of this family give and those of few others. Addresses are no words of the text. `UNKNOWN` is one of
the answers, with the weight that was fitted for it: how near a text must be before it is somebody's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ._message_text import addresses, letters, masked, names_in, visible, words
from .contract import UNKNOWN, Evidence, Finding, Hypothesis, ranked, softmax
from .parameters import Parameters, shipped

VERSION: Final = "1"
NAME: Final = "messages"
FEATURES: Final = ("words", "letters", "name", "addresses")
SHORT: Final = 12
"""Texts of fewer words are said to be short: there is little to compare."""
SHINGLE: Final = 4
NEAR_DUPLICATE: Final = 0.75
"""Share of four words in a row that two texts have in common (Jaccard) from which one is a copy of the other."""
HOLDERS: Final = 3
"""An address in notes of more families than this is nobody's: the site of a browser, a shop of wallets."""
PASSAGES: Final = 3
SHOWN: Final = 5
LEAST_NAME: Final = 3
LEAST_ALIKE: Final = 0.6
"""Families less near than this share phrases, as all of this trade do (chosen on the notes of the card)."""
Keys: TypeAlias = npt.NDArray[np.uint64]
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_BUCKETS: Final = np.uint64((1 << 22) - 1)


@dataclass(frozen=True)
class Text:
    """What is compared of one text; a pure function of it."""

    source: str
    shown: str
    words: tuple[tuple[str, int, int], ...]
    terms: tuple[tuple[Keys, npt.NDArray[np.float32]], ...]
    """By words, by letters: sorted different terms, and 1 + log of how often."""
    addresses: frozenset[tuple[str, str]]
    names: frozenset[str]

    @cached_property
    def shingles(self) -> frozenset[tuple[str, ...]]:
        """Words in a row."""
        plain = [word for word, _, _ in self.words]
        return frozenset(tuple(plain[each : each + SHINGLE]) for each in range(len(plain) - SHINGLE + 1))


def text_of(source: str, raw: str) -> Text:
    """Read a text."""
    shown = visible(raw)
    hidden = masked(shown)
    found = words(hidden)
    plain = np.array([crc32(word.encode()) for word, _, _ in found], np.uint64)
    line = " ".join(word for word, _, _ in found)
    signs = np.frombuffer(line.encode("utf-32-le"), np.uint32).astype(np.uint64)
    terms = (_terms(plain, 1, 4), _terms(signs, 3, 5))
    return Text(source, shown, tuple(found), terms, addresses(shown), names_in(shown))


def _terms(row: Keys, least: int, most: int) -> tuple[Keys, npt.NDArray[np.float32]]:
    made = [np.zeros(0, np.uint64)]
    for size in range(least, most + 1):
        if len(row) >= size:
            keys = np.full(len(row) - size + 1, size, np.uint64)
            for place in range(size):
                keys = (keys ^ row[place : len(row) - size + 1 + place]) * _STEP
                keys ^= keys >> np.uint64(29)
            made.append(keys & _BUCKETS)
    found, counts = np.unique(np.concatenate(made), return_counts=True)
    return found, (1 + np.log(counts)).astype(np.float32)


@dataclass(frozen=True)
class Index:
    """Known texts and the family of each. Whoever may not see one is handed an index `without` it."""

    texts: tuple[Text, ...]
    families: tuple[str, ...]

    def added(self, more: Index) -> Index:
        """With further texts; only these are read anew."""
        return Index(self.texts + more.texts, self.families + more.families)

    def without(self, sources: Iterable[str]) -> Index:
        """As if these had never been there."""
        gone = frozenset(sources)
        kept = [pair for pair in zip(self.texts, self.families, strict=True) if pair[0].source not in gone]
        return Index(tuple(text for text, _ in kept), tuple(family for _, family in kept))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The families, each once."""
        return tuple(sorted(set(self.families)))

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """The family of each text, by number."""
        number = {name: place for place, name in enumerate(self.names)}
        return np.array([number[family] for family in self.families], np.int64)

    @cached_property
    def weights(self) -> tuple[npt.NDArray[np.float32], ...]:
        """How rare each term is, of words and of letters."""
        made = []
        for kind in range(2):
            held = np.zeros(int(_BUCKETS) + 1, np.int32)
            for text in self.texts:
                held[text.terms[kind][0]] += 1
            made.append((np.log((1 + len(self.texts)) / (1 + held)) + 1).astype(np.float32))
        return tuple(made)

    @cached_property
    def matrices(self) -> tuple[sparse.csr_matrix, ...]:
        """The texts as rows of length one."""
        return tuple(_rows(self.texts, kind, weight) for kind, weight in enumerate(self.weights))

    @cached_property
    def holders(self) -> dict[tuple[str, str], frozenset[int]]:
        """Which families give an address."""
        found: dict[tuple[str, str], set[int]] = {}
        for text, place in zip(self.texts, self.places.tolist(), strict=True):
            for address in text.addresses:
                found.setdefault(address, set()).add(place)
        return {address: frozenset(each) for address, each in found.items()}

    @cached_property
    def named(self) -> npt.NDArray[np.float64]:
        """How much it says that a text gives a family's name: less, the more notes of others have this word."""
        held: Counter[str] = Counter()
        wanted = {letters(name) for name in self.names}
        for text, family in zip(self.texts, self.families, strict=True):
            held.update((text.names & wanted) - {letters(family)})
        whole = np.log(2 + len(self.texts))
        return np.array(
            [
                1 - np.log(1 + held[letters(name)]) / whole if len(letters(name)) >= LEAST_NAME else 0.0
                for name in self.names
            ]
        )


def index_of(notes: Iterable[tuple[str, str, str]]) -> Index:
    """An index of (source, family, text)."""
    read = [(text_of(source, raw), family) for source, family, raw in notes]
    return Index(tuple(text for text, _ in read), tuple(family for _, family in read))


def _rows(texts: Sequence[Text], kind: int, weight: npt.NDArray[np.float32]) -> sparse.csr_matrix:
    terms = [text.terms[kind] for text in texts]
    keys = np.concatenate([np.zeros(0, np.uint64), *(each for each, _ in terms)]).astype(np.int64)
    values = np.concatenate([np.zeros(0, np.float32), *(each for _, each in terms)]) * weight[keys]
    starts = np.cumsum([0, *(len(each) for each, _ in terms)])
    sums = np.add.reduceat(np.r_[values**2, 0], starts[:-1]) if len(terms) else np.zeros(0)
    sizes = np.diff(starts)
    length = np.sqrt(np.where(sizes > 0, sums, 1))
    return sparse.csr_matrix((values / np.repeat(length, sizes), keys, starts), (len(terms), int(_BUCKETS) + 1))


def near(index: Index, text: Text) -> npt.NDArray[np.float64]:
    """How near each known text is, 0 to 1: by words, by letters."""
    return np.column_stack(
        [
            np.asarray((matrix @ _rows([text], kind, weight).T).todense()).ravel()
            for kind, (matrix, weight) in enumerate(zip(index.matrices, index.weights, strict=True))
        ]
    )


def features(index: Index, text: Text, nearness: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A row for each family: `FEATURES`."""
    made = np.zeros((len(index.names), len(FEATURES)))
    for kind in range(2):
        np.maximum.at(made[:, kind], index.places, nearness[:, kind])
    made[:, 2] = [
        said if said and letters(name) in text.names else 0.0
        for name, said in zip(index.names, index.named.tolist(), strict=True)
    ]
    for address in text.addresses:
        holders = index.holders.get(address, frozenset())
        if len(holders) <= HOLDERS:
            made[list(holders), 3] += 1 / max(len(holders), 1)
    made[:, 3] = np.minimum(made[:, 3], 2.0)
    return made


def guess(
    index: Index, raw: str, subject: str, known_at: datetime, parameters: Parameters | None = None
) -> Finding:  # fmt: skip
    """Which family of the index a text is of, or `UNKNOWN`; with the passages, names and addresses it rests on."""
    used = parameters or shipped(NAME, VERSION)
    text = text_of(subject, raw)
    notes = ["short"] if len(text.words) < SHORT else []
    if not index.texts:
        return Finding(NAME, VERSION, subject, known_at, (Hypothesis(UNKNOWN, 0.0, 1.0),), used.digest, tuple(notes))
    nearness = near(index, text)
    rows = features(index, text, nearness)
    scores = probabilities(rows, used)
    weights = np.asarray(used.values["weights"])
    made = [Hypothesis(UNKNOWN, float(used.values["unknown"]), float(scores[-1]))]
    best = np.argsort(-scores[:-1], kind="stable")[:SHOWN].tolist()
    for place in best:
        if rows[place].any():
            found = _evidence(index, text, nearness, place, rows[place] * weights)
            made.append(Hypothesis(index.names[place], float(rows[place] @ weights), float(scores[place]), found))
    copied = {each.answer for each in made if any(one.what == "near-duplicate" for one in each.evidence)}
    named = {index.names[place] for place in best if rows[place, 2] > 0}
    notes += ["near-duplicate"] if copied else []
    # A copy under another name: a new name of the same people, or somebody who took their words. A person must look.
    notes += ["copy-under-another-name"] if copied and named - copied and not named & copied else []
    return Finding(NAME, VERSION, subject, known_at, ranked(made), used.digest, tuple(notes))


def probabilities(rows: npt.NDArray[np.float64], parameters: Parameters) -> npt.NDArray[np.float64]:
    """How likely each family, and at last none of them."""
    scores = rows @ np.asarray(parameters.values["weights"])
    return np.array(softmax([*scores.tolist(), float(parameters.values["unknown"])]))


def _evidence(
    index: Index, text: Text, nearness: npt.NDArray[np.float64], place: int, weighed: npt.NDArray[np.float64]
) -> tuple[Evidence, ...]:  # fmt: skip
    own = np.flatnonzero(index.places == place)
    nearest = index.texts[int(own[np.argmax(nearness[own].sum(axis=1))])]
    both = (text.source, nearest.source)
    made: list[Evidence] = []
    shared = passages(text, nearest)
    if alike(text, nearest) >= NEAR_DUPLICATE:
        made.append(Evidence("near-duplicate", nearest.source, 0.0, both))
    whole = sum(each.words for each in shared)
    for each in shared:
        # What the likeness weighs is laid upon the passages that both have, by their length.
        made.append(Evidence("shared-passage", each.here, float(weighed[:2].sum()) * each.words / whole, both))
        if each.there != each.here:
            made.append(Evidence("as-in-known", each.there, 0.0, both))
    if not shared and weighed[:2].sum() > 0:
        made.append(Evidence("likeness", nearest.source, float(weighed[:2].sum()), both))
    if weighed[2] > 0:
        made.append(Evidence("names-it", index.names[place], float(weighed[2]), (text.source,)))
    return (*made, *_addresses(index, text, place, float(weighed[3])))


def _addresses(index: Index, text: Text, place: int, weight: float) -> list[Evidence]:
    common = [each for each in sorted(text.addresses) if place in index.holders.get(each, ())]
    parts = [1 / len(index.holders[each]) if len(index.holders[each]) <= HOLDERS else 0.0 for each in common]
    holding = {
        address: tuple(
            held.source
            for held, family in zip(index.texts, index.places.tolist(), strict=True)
            if family == place and address in held.addresses
        )
        for address in common
    }
    return [
        Evidence(
            f"shared-{address[0]}" if part else f"common-{address[0]}", address[1],
            weight * part / sum(parts) if part else 0.0, (text.source, *holding[address]),
        )
        for address, part in zip(common, parts, strict=True)
    ]  # fmt: skip


def alike(one: Text, other: Text) -> float:
    """Which share of their words in a row two texts have in common (Jaccard); 0 where one has too few words."""
    if not one.shingles or not other.shingles:
        return 0.0
    return len(one.shingles & other.shingles) / len(one.shingles | other.shingles)


@dataclass(frozen=True, slots=True)
class Passage:
    """The same words in two texts, as each of them writes them."""

    here: str
    there: str
    words: int


def passages(one: Text, other: Text, most: int = PASSAGES) -> list[Passage]:
    """The longest stretches that both have, none overlapping another. Work is bounded by the length of the texts."""
    starts: dict[tuple[str, ...], list[int]] = {}
    here, there = [word for word, _, _ in one.words], [word for word, _, _ in other.words]
    for place in range(len(there) - SHINGLE + 1):
        known = starts.setdefault(tuple(there[place : place + SHINGLE]), [])
        if len(known) < SHINGLE:
            known.append(place)
    runs: list[tuple[int, int, int]] = []
    place = 0
    while place <= len(here) - SHINGLE:
        length, start = max(
            ((_run(here, there, place, each), -each) for each in starts.get(tuple(here[place : place + SHINGLE]), ())),
            default=(0, 0),
        )
        if length:
            runs.append((length, place, -start))
        place += max(length, 1)
    return [
        Passage(_quoted(one, at, length), _quoted(other, start, length), length)
        for length, at, start in sorted(runs, key=lambda run: (-run[0], run[1]))[:most]
    ]


def _run(here: list[str], there: list[str], at: int, start: int) -> int:
    length = SHINGLE
    while at + length < len(here) and start + length < len(there) and here[at + length] == there[start + length]:
        length += 1
    return length


def _quoted(text: Text, at: int, length: int) -> str:
    return text.shown[text.words[at][1] : text.words[at + length - 1][2]]


@dataclass(frozen=True, slots=True)
class Rebrand:
    """Two families whose texts are nearer to one another than those of families are by chance."""

    one: str
    other: str
    nearness: float
    chance: float
    """How often texts of two families would be so near by chance, as all pairs of these families are spread."""
    passages: tuple[Passage, ...]
    sources: tuple[str, str]


def rebrands(index: Index, wrong: float = 0.05, least: float = LEAST_ALIKE) -> list[Rebrand]:
    """Proposals, the nearest first: nearer than `least`, and than chance at a share `wrong` (Benjamini, Hochberg 1995).

    How near a family is to all the others is spread as a curve of Gumbel, fitted by its middle and its quartiles so
    that the very rebrands do not move it; a pair must be too near for both. Names and addresses say nothing here.
    """
    count = len(index.names)
    if count < 4:
        return []
    between, pairs = _between(index)
    both = np.maximum(_chance(between), _chance(between).T)
    left, right = np.triu_indices(count, 1)
    chances = both[left, right]
    order = np.argsort(chances, kind="stable")
    holds = chances[order] <= wrong * np.arange(1, len(order) + 1) / len(order)
    last = int(np.flatnonzero(holds)[-1]) + 1 if holds.any() else 0
    found = []
    for each in order[:last].tolist():
        one, other = int(left[each]), int(right[each])
        if between[one, other] < least:
            continue
        first, second = (index.texts[number] for number in pairs[(one, other)])
        found.append(
            Rebrand(
                index.names[one], index.names[other], float(between[one, other]), float(chances[each]),
                tuple(passages(first, second)), (first.source, second.source),
            )
        )  # fmt: skip
    return sorted(found, key=lambda each: (-each.nearness, each.one, each.other))


def _between(index: Index) -> tuple[npt.NDArray[np.float64], dict[tuple[int, int], tuple[int, int]]]:
    count = len(index.names)
    between, pairs = np.zeros((count, count)), {}
    for number, text in enumerate(index.texts):
        nearness = near(index, text).mean(axis=1)
        one = int(index.places[number])
        for other_number, value in enumerate(nearness.tolist()):
            other = int(index.places[other_number])
            if one < other and (value > between[one, other] or (one, other) not in pairs):
                between[one, other] = between[other, one] = value
                pairs[(one, other)] = (number, other_number)
    return between, pairs


def _chance(between: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    apart = between[~np.eye(len(between), dtype=bool)].reshape(len(between), -1)
    low, middle, high = np.quantile(apart, [0.25, 0.5, 0.75], axis=1)
    # Quantiles of Gumbel: m - s ln(-ln p). The scale has a floor, for texts that are near to nothing at all.
    scale = np.maximum((high - low) / (np.log(np.log(4)) - np.log(np.log(4 / 3))), 0.01)
    mode = middle + scale * np.log(np.log(2))
    return np.asarray(1 - np.exp(-np.exp(-(between - mode[:, None]) / scale[:, None])))
