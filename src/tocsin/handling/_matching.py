"""Tables of protected values by what they are, each found in time linear in the text. Pure.

Every table takes values with `add(number, value)` and answers `find(said)` for a text in the form of `disguises`: small
letters, ASCII digits, whole addresses.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

import idna

from tocsin.core.suffixes import registrable_of
from tocsin.core.words import HASH_KINDS, Kind

from .disguises import plain


class Match(NamedTuple):
    """Which value stands where in the text."""

    number: int
    begin: int
    end: int
    by_network: bool = False


_WORD = re.compile(r"[^\W_]+")


class Said:
    """A text and its words, which two of the tables ask for."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def words(self) -> list[str]:
        """In order."""
        return _WORD.findall(self.text)

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Where each of them stands."""
        return [found.span() for found in _WORD.finditer(self.text)]


Version = int

_BITS = {4: 32, 6: 128}
WIDEST = {4: 16, 6: 32}
"""A text's network that is wider than so many bits says nothing of a single address in it."""
_OCTET = r"([0-9]{1,3})"
_DOTTED = re.compile(
    rf"(?<![0-9])(?=({_OCTET}(?:\s?\.\s?|([,_-])){_OCTET}(?:\s?\.\s?|\3){_OCTET}(?:\s?\.\s?|\3)"
    rf"(?:{_OCTET}|(x{{1,3}}|\*))(?![0-9]|[.,_-][0-9])(?:\s?/\s?([0-9]{{1,2}})(?![0-9.]))?))"
)
_COLONS = re.compile(r"(?<![0-9a-z:.])(?=[0-9a-f:]*:[0-9a-f]*:)[0-9a-f:]{2,45}(?:\.[0-9]{1,3}){0,3}(?:/[0-9]{1,3})?")
_NUMBER = re.compile(r"(?<=//)[0-9]{8,10}(?![0-9.])|(?<![0-9a-z])0x[0-9a-f]{8}(?![0-9a-z])")
_NAT64 = int(ipaddress.ip_address("64:ff9b::"))


class Addresses:
    """Internet addresses and networks, of both versions."""

    def __init__(self) -> None:
        self._single: dict[tuple[Version, int], int] = {}
        self._networks: dict[tuple[Version, int, int], int] = {}
        self._lengths: dict[Version, set[int]] = {4: set(), 6: set()}
        self._ordered: dict[Version, list[int]] | None = None

    def add(self, number: int, value: str) -> None:
        network = ipaddress.ip_network(value, strict=False)
        version, first = network.version, int(network.network_address)
        if network.prefixlen == _BITS[version]:
            for each in _embedded(version, first):
                self._single.setdefault(each, number)
        else:
            shift = _BITS[version] - network.prefixlen
            self._networks.setdefault((version, network.prefixlen, first >> shift), number)
            self._lengths[version].add(network.prefixlen)
        self._ordered = None

    def find(self, said: Said) -> Iterator[Match]:
        text = said.text
        if not self._single and not self._networks:
            return
        for found in _DOTTED.finditer(text):
            yield from self._dotted(text, found)
        for found in _COLONS.finditer(text):
            yield from self._colons(found)
        for found in _NUMBER.finditer(text) if "//" in text or "0x" in text else ():
            value = int(found[0], 0) if found[0].startswith("0x") else int(found[0])
            yield from self._address(4, value, *found.span())

    def _dotted(self, text: str, found: re.Match[str]) -> Iterator[Match]:
        begin, end = found.span(1)
        sign = found[3] or "."
        if begin >= 2 and text[begin - 1] == sign and text[begin - 2].isdigit():
            return  # The end of a longer number.
        octets = [int(found[place] or 0) for place in (2, 4, 5, 6)]
        if max(octets) > 255:
            return
        if text.startswith(".in-addr", found.end(6)):
            octets.reverse()
        value = int.from_bytes(bytes(octets), "big")
        if found[7]:
            yield from self._network(4, value, 24, begin, end)
            return
        yield from self._address(4, value, begin, found.end(6))
        if found[8]:
            yield from self._network(4, value, int(found[8]), begin, end)

    def _colons(self, found: re.Match[str]) -> Iterator[Match]:
        shown, _slash, bits = found[0].partition("/")
        for each in dict.fromkeys((shown, shown.rstrip(":"))):
            try:
                value = int(ipaddress.IPv6Address(each))
            except ValueError:
                continue
            for version, inner in _embedded(6, value):
                yield from self._address(version, inner, *found.span())
            if bits:
                yield from self._network(6, value, int(bits), *found.span())
            return

    def _address(self, version: Version, value: int, begin: int, end: int) -> Iterator[Match]:
        number = self._single.get((version, value))
        if number is not None:
            yield Match(number, begin, end)
        for length in self._lengths[version]:
            number = self._networks.get((version, length, value >> (_BITS[version] - length)))
            if number is not None:
                yield Match(number, begin, end, by_network=True)

    def _network(self, version: Version, value: int, length: int, begin: int, end: int) -> Iterator[Match]:
        """The protected addresses that lie in a network, and the protected networks that are it or lie in it."""
        if not WIDEST[version] <= length < _BITS[version]:
            return
        shift = _BITS[version] - length
        first = value >> shift << shift
        ordered = self._in_order()[version]
        for at in range(bisect_left(ordered, first), bisect_left(ordered, first + (1 << shift))):
            yield Match(self._single[version, ordered[at]], begin, end, by_network=True)
        for (own, bits, prefix), number in self._networks.items():
            if own == version and bits >= length and prefix >> (bits - length) == value >> shift:
                yield Match(number, begin, end, by_network=bits != length)

    def _in_order(self) -> dict[Version, list[int]]:
        if self._ordered is None:
            self._ordered = {4: [], 6: []}
            for version, value in sorted(self._single):
                self._ordered[version].append(value)
        return self._ordered


def _embedded(version: Version, value: int) -> list[tuple[Version, int]]:
    """An address, and the one of version 4 that it carries (mapped, compatible, 6to4, NAT64)."""
    found = [(version, value)]
    if version == 6:
        address = ipaddress.IPv6Address(value)
        if address.ipv4_mapped is not None:
            found.append((4, int(address.ipv4_mapped)))
        elif address.sixtofour is not None:
            found.append((4, int(address.sixtofour)))
        elif value >> 32 == _NAT64 >> 32 or 1 << 24 < value < 1 << 32:
            found.append((4, value & 0xFFFFFFFF))
    return found


_LABELS = re.compile(r"(?:\.[\w-]+)+")
_FIRST_LABEL = re.compile(r"\w[\w-]*$")
_LOCAL = re.compile(r"[\w.+%'-]+$")
_LABEL_LETTERS, _LOCAL_LETTERS = 64, 64
_FOREIGN_BEFORE = re.compile(r"^[^\x00-\x7f]+(?=[\x00-\x7f])")
_FOREIGN_AFTER = re.compile(r"(?<=[\x00-\x7f])[^\x00-\x7f]+$")


class Hosts:
    """Domain names, found in whatever lies below them too, and mail addresses."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def add(self, number: int, value: str) -> None:
        local, at, host = value.rpartition("@")
        self._numbers.setdefault(plain(local) + at + _unicode(host), number)

    def find(self, said: Said) -> Iterator[Match]:
        text = said.text
        if not self._numbers:
            return
        for found in _LABELS.finditer(text):
            before = _FIRST_LABEL.search(text[max(0, found.start() - _LABEL_LETTERS) : found.start()])
            if before is None:
                continue
            begin, end = found.start() - len(before[0]), found.end()
            local = (
                _LOCAL.search(text[max(0, begin - 1 - _LOCAL_LETTERS) : begin - 1])
                if text[begin - 1 : begin] == "@"
                else None
            )
            host = text[begin:end]
            names = {_unicode(host)}
            if not host.isascii():  # Scripts that write particles together with what follows.
                names |= {_FOREIGN_BEFORE.sub("", name) for name in names}
                names |= {_FOREIGN_AFTER.sub("", name) for name in names}
            for name in names:
                yield from self._of_name(name, local[0] if local else "", begin, end)

    def _of_name(self, name: str, before: str, begin: int, end: int) -> Iterator[Match]:
        labels = name.split(".")
        ends = [len(labels)]
        if len(labels) > 2 and registrable_of(name) is None:
            ends.append(len(labels) - 1)  # A sentence that goes on without a blank.
        for last in ends:
            whole = ".".join(labels[:last])
            for local in _locals(before):
                number = self._numbers.get(f"{local}@{whole}")
                if number is not None:
                    yield Match(number, begin - 1 - len(before), end)
            for first in range(last - 1):
                number = self._numbers.get(".".join(labels[first:last]))
                if number is not None:
                    yield Match(number, begin, end)


def _locals(written: str) -> set[str]:
    found = {written, written.strip("'.%-+"), _FOREIGN_BEFORE.sub("", written)}
    return found | {each.partition("+")[0] for each in found} - {""}


def _unicode(host: str) -> str:
    """A host name in plain Unicode letters, whichever way it was written."""
    if "xn--" not in host:
        return plain(host)
    return ".".join(_label(each) for each in host.split("."))


def _label(label: str) -> str:
    if not label.startswith("xn--"):
        return plain(label)
    try:
        return plain(idna.decode(label))
    except (idna.IDNAError, UnicodeError):
        return label


_BETWEEN_LETTERS = 3
"""So many signs at most lie between two words of one name."""
_ARTICLE = re.compile(r"^(?:[وف]?(?:[بك]?ال|لل))(?=\w{2})")
_PARTICLE = re.compile(r"^[وفبكل](?=\w{2})")
SHORTEST_NAME = 3
"""Letters: a shorter name stands in too many words to be sought."""


class Words:
    """Names and whatever else is sought as whole words, one after the other."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], int] = {}
        self._lengths: dict[str, set[int]] = {}

    def add(self, number: int, value: str) -> None:
        words = tuple(_without_article(each) for each in _WORD.findall(plain(value)))
        if sum(map(len, words)) >= SHORTEST_NAME:
            self._numbers.setdefault(words, number)
            self._lengths.setdefault(words[0], set()).add(len(words))

    def find(self, said: Said) -> Iterator[Match]:
        if not self._numbers:
            return
        if said.text.isascii():
            words = said.words
            firsts = [(place, word) for place, word in enumerate(words) if word in self._lengths]
        else:
            words = [_without_article(each) for each in said.words]
            firsts = [
                (place, form) for place, word in enumerate(words) for form in _forms(word) if form in self._lengths
            ]
        for place, first in firsts:
            for length in self._lengths[first]:
                number = self._numbers.get((first, *words[place + 1 : place + length]))
                if number is not None and _stand_together(said.spans[place : place + length]):
                    yield Match(number, said.spans[place][0], said.spans[place + length - 1][1])


def _without_article(word: str) -> str:
    return word if word.isascii() else _ARTICLE.sub("", word)


def _forms(word: str) -> tuple[str, ...]:
    return (word,) if word.isascii() or not _PARTICLE.match(word) else (word, word[1:])


def _stand_together(spans: list[tuple[int, int]]) -> bool:
    return all(
        after[0] - before[1] <= _BETWEEN_LETTERS for before, after in pairwise(spans)
    )  # fmt: skip


RUN_KINDS = frozenset({Kind.PHONE, Kind.IBAN, Kind.CARD, Kind.WALLET, Kind.MAC, Kind.CERTIFICATE, Kind.ASN, Kind.CVE})
RUN_KINDS |= frozenset(HASH_KINDS)
"""Kinds that are one run of letters and digits, in whatever groups it is written."""
_HEAD = 4
_IN_RUN = re.compile(r"[\s\-./:()\[\]_+]{1,3}")


def spellings(kind: Kind, value: str) -> set[str]:
    """The runs that stand for a value: a telephone number is written from abroad and from its own country."""
    found = {value}
    if kind is Kind.PHONE:
        import phonenumbers

        digits = value.lstrip("+")
        found |= {digits, f"00{digits}", f"011{digits}"}
        try:
            number = phonenumbers.parse(value)
        except phonenumbers.NumberParseException:
            return found
        found.add(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL))
        found.add(f"{number.country_code}0{phonenumbers.national_significant_number(number)}")  # +44 (0) 20 …
    elif kind is Kind.ASN:
        found.add(value.replace("AS", "ASN"))
    elif kind is Kind.WALLET:
        found.add(value.partition(":")[2] or value)
    return found


class Runs:
    """Numbers and digests, in whatever groups they are written."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._lengths: dict[str, set[int]] = {}

    def add(self, number: int, value: str) -> None:
        run = "".join(_WORD.findall(plain(value)))
        if len(run) > _HEAD:
            self._numbers.setdefault(run, number)
            self._lengths.setdefault(run[:_HEAD], set()).add(len(run))

    def find(self, said: Said) -> Iterator[Match]:
        if not self._numbers:
            return
        glued = "".join(said.words)
        starts = [0, *accumulate(map(len, said.words))]
        heads = [start for start in starts if glued[start : start + _HEAD] in self._lengths]
        if not heads:
            return
        word_at = dict(zip(starts, range(len(starts)), strict=True))
        for start in heads:
            for length in self._lengths[glued[start : start + _HEAD]]:
                number = self._numbers.get(glued[start : start + length])
                word, after = word_at[start], word_at.get(start + length)
                if number is not None and after is not None and _is_one_run(said.text, said.spans[word:after]):
                    yield Match(number, said.spans[word][0], said.spans[after - 1][1])


def _is_one_run(text: str, spans: list[tuple[int, int]]) -> bool:
    return all(
        _IN_RUN.fullmatch(text[before[1] : after[0]]) for before, after in pairwise(spans)
    )  # fmt: skip
