"""Indicators in running text as proposals for a reviewer: own shapes, two libraries as witnesses, a score.

Each find is scored by its kind (check digits weigh most), by whether the author defanged it, and by how many
libraries saw it too. What speaks against it (a version number, a private address, a reference work, the
publisher's own site, a live link in a text that defangs the rest) lowers the score; nothing is hidden.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tocsin.core.errors import InputError
from tocsin.core.reading import Proposal
from tocsin.core.typed import Refanged, recognise_value, registrable_domain
from tocsin.core.values import canonical
from tocsin.core.words import Kind

from ._shapes import Shape, shapes_in

PIECE_CHARACTERS = 256 << 10
SEAM_CHARACTERS = 4096
"""A piece ends at a line end or blank within so many characters of its cap."""
CONTEXT_CHARACTERS = 160

BASE_SCORES: dict[Kind, float] = {
    Kind.CVE: 0.95, Kind.WALLET: 0.9, Kind.IBAN: 0.9, Kind.SHA256: 0.85, Kind.SHA1: 0.8, Kind.MD5: 0.75,
    Kind.SHA224: 0.8, Kind.SHA384: 0.8, Kind.SHA512: 0.8, Kind.IMPHASH: 0.8, Kind.TLSH: 0.8, Kind.JARM: 0.8,
    Kind.JA3: 0.8, Kind.SSDEEP: 0.6, Kind.EMAIL: 0.55, Kind.URL: 0.5, Kind.IPV4: 0.5, Kind.IPV6: 0.5,
    Kind.NETWORK: 0.5, Kind.PHONE: 0.55, Kind.ACCOUNT: 0.6, Kind.CARD: 0.45, Kind.ASN: 0.5, Kind.MAC: 0.5,
    Kind.REGISTRY_KEY: 0.6, Kind.USER_AGENT: 0.5, Kind.DOMAIN: 0.4, Kind.FILENAME: 0.3,
}  # fmt: skip
WITNESS = 0.1
DEFANGED = 0.3
ON_THE_NET = frozenset({Kind.URL, Kind.DOMAIN, Kind.IPV4, Kind.IPV6, Kind.EMAIL, Kind.NETWORK})

REFERENCE_SITES = frozenset({
    "virustotal.com", "hybrid-analysis.com", "any.run", "joesandbox.com", "abuse.ch", "shodan.io",
    "censys.io", "mitre.org", "nist.gov", "first.org", "cisa.gov", "us-cert.gov", "ncsc.gov.uk",
    "europa.eu", "interpol.int", "wikipedia.org", "wikimedia.org", "archive.org", "microsoft.com",
    "windows.com", "apple.com", "google.com", "youtube.com", "youtu.be", "twitter.com", "x.com",
    "facebook.com", "linkedin.com", "instagram.com", "reddit.com", "github.com", "medium.com",
    "w3.org", "schema.org", "adobe.com", "mozilla.org", "cloudflare.com", "amazon.com",
    "oracle.com", "cisco.com", "ibm.com", "redhat.com", "debian.org", "ubuntu.com", "python.org",
    "eset.com", "welivesecurity.com", "kaspersky.com", "securelist.com", "symantec.com",
    "broadcom.com", "trendmicro.com", "paloaltonetworks.com", "mandiant.com", "fireeye.com",
    "crowdstrike.com", "proofpoint.com", "zscaler.com", "talosintelligence.com", "sentinelone.com",
    "sophos.com", "mcafee.com", "malwarebytes.com", "bleepingcomputer.com", "krebsonsecurity.com",
    "thehackernews.com", "zdnet.com", "nytimes.com", "bbc.co.uk", "bbc.com", "reuters.com",
    "googleapis.com", "gstatic.com", "googleusercontent.com", "wordpress.org", "jquery.com",
    "gravatar.com", "ssi.gouv.fr", "asp.net", "node.js", "socket.io", "outlook.com", "office.com",
    "live.com", "torproject.org",
})  # fmt: skip
"""Sites that reports cite; as indicators they need more than to be named. Defanged, they count in full."""

LONG_RUN = re.compile(r"[A-Za-z0-9.\-_@+%:/\[\]()~=&]{300,}")
"""The libraries' own patterns take quadratic time on such runs, and on runs of blanks: they see neither."""
AROUND_CHARACTERS = 24
WITNESS_CHARACTERS = 4096
WITNESSED = frozenset({
    Kind.URL, Kind.DOMAIN, Kind.IPV4, Kind.IPV6, Kind.EMAIL, Kind.MD5, Kind.SHA1, Kind.SHA256, Kind.CVE,
    Kind.WALLET, Kind.IBAN,
})  # fmt: skip
SEARCHER_TARGETS = {
    "ip4", "ip6", "fqdn", "url", "email", "md5", "sha1", "sha256", "cve", "bitcoin", "ethereum",
    "monero", "iban",
}  # fmt: skip


@dataclass(slots=True)
class _Found:
    shape: Shape
    shown_as: str
    offset: int
    defanged: bool
    witnesses: int


def propose(text: str, page: int = 1, publisher: frozenset[str] = frozenset()) -> list[Proposal]:
    """The indicators of one page, each once, in order of their first place.

    `publisher` holds registrable domains of whoever wrote the text: links to them score low. Never raises.
    """
    first: dict[tuple[Kind, str], _Found] = {}
    for begin, piece in pieces_of(text):
        for found in _find(piece, begin):
            key = (found.shape.kind, found.shape.value)
            known = first.get(key)
            if known is None:
                first[key] = found
                continue
            known.defanged |= found.defanged
            if not found.shape.doubtful and known.shape.doubtful:
                known.shape = found.shape
    some_defanged = any(found.defanged for found in first.values())
    publisher |= _self_cited(first.values())
    return [
        Proposal(
            found.shape.kind,
            found.shape.value,
            found.shown_as,
            page,
            found.offset,
            _context(text, found.offset, len(found.shown_as)),
            _score(found, some_defanged, publisher),
        )
        for found in sorted(first.values(), key=lambda entry: entry.offset)
    ]


def _self_cited(finds: Iterable[_Found]) -> frozenset[str]:
    """The site that most live links of a page lead to: pictures and earlier posts of its publisher."""
    sites = Counter(
        registrable_domain(host_of(found.shape.value))
        for found in finds
        if found.shape.kind == Kind.URL and not found.defanged and "://" in found.shown_as
    )
    pages = sum(sites.values())
    return frozenset(site for site, number in sites.items() if number >= 4 and number * 2 > pages)


def pieces_of(text: str) -> Iterator[tuple[int, str]]:
    """The text in pieces of bounded length with their offsets, cut where no indicator can be."""
    begin = 0
    while begin < len(text):
        end = min(len(text), begin + PIECE_CHARACTERS)
        if end < len(text):
            seam = max(text.rfind("\n", end - SEAM_CHARACTERS, end), 0) or text.rfind(" ", end - SEAM_CHARACTERS, end)
            end = seam + 1 if seam > begin else end
        yield begin, text[begin:end]
        begin = end


def _find(piece: str, begin: int) -> Iterator[_Found]:
    made = Refanged(piece)
    shapes = [final for shape in shapes_in(made.text) if (final := _stored(shape)) is not None]
    seen = _witnesses(_surroundings(made.text, [shape for shape in shapes if shape.kind in WITNESSED]))
    for shape in shapes:
        shown_as = made.original_slice(shape.begin, shape.end)
        yield _Found(
            shape,
            shown_as,
            begin + made.original_offset(shape.begin),
            shown_as != made.text[shape.begin : shape.end],
            seen.get((shape.kind, shape.value), 0),
        )


def _stored(shape: Shape) -> Shape | None:
    """The shape with its value in the form in which values are stored; None where none would be."""
    try:
        value = canonical(shape.kind, shape.value)
    except InputError:
        return None
    return shape if value == shape.value else replace(shape, value=value)


def _score(found: _Found, some_defanged: bool, publisher: frozenset[str]) -> float:
    kind = found.shape.kind
    score = BASE_SCORES.get(kind, 0.4) + WITNESS * found.witnesses
    if kind in ON_THE_NET:
        if found.defanged:
            score += DEFANGED
        elif host_of(found.shape.value).endswith(".onion"):
            score += DEFANGED / 2  # Nobody cites a hidden service as reading matter.
        elif some_defanged:
            # Who defangs leaves references live, but now and then forgets an address in a table.
            score -= 0.25 if kind == Kind.URL else 0.05
        if kind in {Kind.URL, Kind.DOMAIN, Kind.EMAIL} and not found.defanged:
            site = registrable_domain(host_of(found.shape.value))
            if site in publisher or site in REFERENCE_SITES:
                score = min(score, 0.15)
    if found.shape.doubtful:
        score = min(score, 0.15) if not found.defanged else score - 0.1
    return round(min(0.99, max(0.05, score)), 2)


def host_of(value: str) -> str:
    """The host of a canonical web address, e-mail address or domain."""
    if "://" in value:
        value = re.split(r"[/?#]", value.partition("://")[2], maxsplit=1)[0]
        value = value.rpartition("@")[2]
        return value if value.startswith("[") else value.partition(":")[0]
    return value.rpartition("@")[2]


def _context(text: str, offset: int, length: int) -> str:
    around = max(0, (CONTEXT_CHARACTERS - min(length, CONTEXT_CHARACTERS)) // 2)
    stretch = text[max(0, offset - around) : offset + length + around]
    return " ".join(stretch.replace("\0", " ").split())[:CONTEXT_CHARACTERS]


# Witnesses.


@cache
def _searcher() -> Any:
    from iocsearcher.searcher import Searcher  # The part that needs no libmagic; loading takes a second.

    return Searcher()


@cache
def _finder() -> Any:
    from ioc_finder import find_iocs  # Loading takes seconds.

    return find_iocs


def _surroundings(text: str, shapes: list[Shape]) -> list[str]:
    """What stands around the finds, in short texts: more is not asked of the libraries."""
    stretches: list[list[int]] = []
    for shape in sorted(shapes, key=lambda entry: entry.begin):
        begin, end = max(0, shape.begin - AROUND_CHARACTERS), shape.end + AROUND_CHARACTERS
        if stretches and begin <= stretches[-1][1]:
            stretches[-1][1] = max(end, stretches[-1][1])
        else:
            stretches.append([begin, end])
    lines: list[str] = []
    for begin, end in stretches:
        words = " ".join(LONG_RUN.sub(" ", text[begin:end]).split())
        lines += [words[place : place + WITNESS_CHARACTERS] for place in range(0, len(words), WITNESS_CHARACTERS)]
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + len(line) < WITNESS_CHARACTERS:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return texts


def _witnesses(texts: list[str]) -> dict[tuple[Kind, str], int]:
    """How many of the libraries saw which value. One that fails on a text has seen nothing in it."""
    votes: dict[tuple[Kind, str], int] = {}
    for witness in (_seen_by_searcher, _seen_by_finder):
        seen: set[tuple[Kind, str]] = set()
        for text in texts:
            try:
                seen.update(witness(text))
            except Exception:  # noqa: S112 - Foreign patterns on foreign text; the own shapes stand without them.
                continue
        for pair in seen:
            votes[pair] = votes.get(pair, 0) + 1
    return votes


def _seen_by_searcher(text: str) -> Iterator[tuple[Kind, str]]:
    yield from _canonical(str(found[1]) for found in _searcher().search_raw(text, targets=SEARCHER_TARGETS))


def _seen_by_finder(text: str) -> Iterator[tuple[Kind, str]]:
    for values in _finder()(text, included_ioc_types=FINDER_TYPES).values():
        if isinstance(values, list):
            yield from _canonical(values)


FINDER_TYPES = ("urls", "domains", "email_addresses", "ipv4s", "ipv6s", "md5s", "sha1s", "sha256s", "cves")


def _canonical(values: Iterable[str]) -> Iterator[tuple[Kind, str]]:
    for value in set(values):
        pair = recognise_value(value)
        if pair is not None:
            yield pair
