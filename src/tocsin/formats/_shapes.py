"""The shapes of indicators in running text, each found in time linear in the text, with what counts as noise.

Works on text already made whole (`core.typed.Refanged`). Every repetition is bounded, so that no text,
however built, makes a search slow.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tocsin.core.typed import (
    address_of,
    asn_of,
    card_of,
    cve_of,
    domain_of,
    email_of,
    hash_of,
    iban_of,
    phone_of,
    url_of,
    wallet_of,
)
from tocsin.core.words import Kind


@dataclass(frozen=True, slots=True)
class Shape:
    """One find: where it stands in the text made whole, and whether something speaks against it."""

    kind: Kind
    value: str
    begin: int
    end: int
    doubtful: bool = False


FAR_EAST = "\u3000-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff00-\uffef"
URL = re.compile(
    rf"\b[a-z][a-z0-9+]{{1,12}}://(?:\[[0-9a-f:.]{{2,45}}\])?[^\s<>\"'`|^{{}}\\\[\]\u2018-\u201f\u00ab\u00bb{FAR_EAST}]{{1,2000}}",
    re.IGNORECASE,
)
PATH = re.compile(rf"(?::\d{{1,5}})?/[^\s<>\"'`|^{{}}\\\[\]()\u2018-\u201f\u00ab\u00bb{FAR_EAST}]{{1,1000}}")
EMAIL = re.compile(r"(?<![\w.+%&'/=-])[\w.+%&'=-]{1,64}@[\w.-]{4,253}")
HOST = re.compile(r"(?<![\w@.%=\\/-])\w[\w.-]{2,252}")
ASCII_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{2,252}")
IPV4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2}(?![\w./]))?(?![\w-]|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])[0-9a-f:]{3,39}(?:\.\d{1,3}){0,3}(?:/\d{1,3})?(?![\w:])", re.IGNORECASE)
DIGEST = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{32,128}(?![0-9A-Za-z])")
SSDEEP = re.compile(r"(?<![\w:])\d{2,8}:[A-Za-z0-9/+]{6,100}:[A-Za-z0-9/+]{3,100}(?![\w/+:])")
TLSH = re.compile(r"(?<!\w)(?:T1)[0-9A-F]{70}(?!\w)")
CVE = re.compile(r"(?<![\w-])CVE[-\u2010-\u2015_]\d{4}[-\u2010-\u2015_]\d{4,7}(?!\d)", re.IGNORECASE)
ASN = re.compile(r"(?<![\w-])(?:AS\d{3,10}|ASN[ :]?\d{1,10}|AS \d{3,10})(?![\w.-])")
PHONE = re.compile(r"(?<![\w+])(?:\+|00(?=[1-9]\d))\d[\d ().\-/\u00a0]{6,22}\d(?![\w])")
IBAN = re.compile(r"(?<![\w-])[A-Z]{2}\d{2}(?:[ \u00a0-]?[A-Z0-9]{4}){2,7}(?:[ \u00a0-]?[A-Z0-9]{1,3})?(?!\w)")
CARD = re.compile(r"(?<![\w.,+-])[3-6]\d{3}(?:[ -]?\d{2,6}){3,4}(?![\w.,-])")
WALLET = re.compile(r"(?<![\w/=+-])(?:bitcoincash:)?[A-Za-z0-9]{26,112}(?![\w/+])")
MAC = re.compile(r"(?<![\w:-])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![\w:-])", re.IGNORECASE)
REGISTRY_KEY = re.compile(
    r"\b(?:HKEY_(?:LOCAL_MACHINE|CURRENT_USER|CLASSES_ROOT|USERS|CURRENT_CONFIG)|HKLM|HKCU|HKCR|HKU|HKCC):?"
    r"(?:\\{1,2}[^\s\\\"'<>,;|()`]{1,120}(?: [A-Z][\w.]{1,30}(?=[ \\])){0,3}){1,16}"
)
USER_AGENT = re.compile(
    r"\bMozilla/\d\.\d{1,2} \([^()\n]{3,150}\)"
    r"(?: (?:[\w.+-]{1,40}/[\w.+-]{1,40}|\([^()\n]{1,100}\)|Mobile|like Gecko)){0,12}"
)
FILE_NAME = re.compile(
    r"(?<![\w.%$-])[\w$~][\w.~$()-]{0,80}\.(?:exe|dll|sys|scr|bat|cmd|ps1|vbs|vbe|js|jse|wsf|hta|lnk|jar|apk|iso|img|msi|"
    r"docm?|docx|xlsm?|xlsx|xlsb|pptm?|rtf|pdf|zip|rar|7z|cab|gz|tar|php|aspx?|jsp|py|sh|pl|dat|bin|tmp|elf|so|dylib|dmg|txt)"
    r"(?![\w-]|\.\w)",
    re.IGNORECASE,
)
TOX = re.compile(r"(?<!\w)[0-9A-Fa-f]{76}(?!\w)")
TELEGRAM = re.compile(r"(?<![\w.])(?:t|telegram)\.me/(?:joinchat/)?([A-Za-z]\w{4,31})(?!\w)")

FILE_LIKE_SUFFIXES = frozenset({"py", "sh", "pl", "zip", "mov", "rs", "md", "so", "ps", "pm", "cab", "cpp", "app"})
"""Top-level domains that a name outside a web address more often has as a file's ending."""
VERSION_BEFORE = re.compile(
    r"(?:\bversions?|\bver\.?|\brev(?:ision)?\.?|\brelease|\bbuild|\bfirmware|\bpatch|\bsection|\boid|"
    r"antérieures? à|[a-z][/_]v?|\bv)[\s:=]{0,3}$",
    re.IGNORECASE,
)
TRAILING = ".,;:!?*_~'\"\u2026\u3002-"


def shapes_in(text: str) -> Iterator[Shape]:
    """Every indicator in a text made whole; of two that overlap, the wider kind comes alone."""
    taken: list[tuple[int, int]] = []
    for finder in FINDERS:
        found = list(finder(text))
        free = _outside(found, sorted(taken))
        yield from free
        taken += [(shape.begin, shape.end) for shape in free]


def _outside(found: list[Shape], taken: list[tuple[int, int]]) -> list[Shape]:
    """Those of the finds that touch nothing taken before; both in order of place."""
    free: list[Shape] = []
    place = 0
    for shape in found:
        while place < len(taken) and taken[place][1] <= shape.begin:
            place += 1
        if place == len(taken) or taken[place][0] >= shape.end:
            free.append(shape)
    return free


def _urls(text: str) -> Iterator[Shape]:
    for found in URL.finditer(text):
        shown = _trimmed(found[0])
        value = url_of(shown)
        if value is not None:
            yield Shape(Kind.URL, value, found.start(), found.start() + len(shown))


def _trimmed(shown: str) -> str:
    """A web address without the punctuation of the sentence it stands in."""
    while shown:
        last = shown[-1]
        if (last in TRAILING and last not in "-_") or (last == ")" and shown.count(")") > shown.count("(")):
            shown = shown[:-1]
        else:
            break
    return shown


def _emails(text: str) -> Iterator[Shape]:
    for found in EMAIL.finditer(text):
        shown = found[0].rstrip(".-_")
        begin = found.start()
        while shown[:1] in set("'.=&%-"):
            shown, begin = shown[1:], begin + 1
        value = email_of(shown)
        if value is not None:
            yield Shape(Kind.EMAIL, value, begin, begin + len(shown))


def _ipv4s(text: str) -> Iterator[Shape]:
    for found in IPV4.finditer(text):
        pair = address_of(found[0])
        if pair is None or any(len(part) > 1 and part[0] == "0" for part in found[0].split("/")[0].split(".")):
            continue
        kind, value = pair
        path = PATH.match(text, found.end()) if kind == Kind.IPV4 and "/" not in found[0] else None
        shown = _trimmed(found[0] + path[0]) if path else ""
        if path and (web := url_of(f"http://{shown}")):
            yield Shape(Kind.URL, web, found.start(), found.start() + len(shown))
            continue
        before = text[max(0, found.start() - 24) : found.start()]
        doubtful = VERSION_BEFORE.search(before) is not None or not is_public(value)
        yield Shape(kind, value, found.start(), found.end(), doubtful)


def is_public(value: str) -> bool:
    """Whether an address or network is one that somebody on the internet answers at (or documentation)."""
    network = ipaddress.ip_network(value, strict=False)
    documentation = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:")
    return str(network.network_address).startswith(documentation) or network.network_address.is_global


def _ipv6s(text: str) -> Iterator[Shape]:
    for found in IPV6.finditer(text):
        shown = found[0].rstrip(".")
        if shown.count(":") < 2 or not any(letter.isdigit() for letter in shown):
            continue
        pair = address_of(shown)
        if pair is not None and len(shown) > 4:
            # "::1234" and "12::34" are more often code than an address.
            doubtful = shown.count(":") < 3 or not is_public(pair[1])
            yield Shape(pair[0], pair[1], found.start(), found.start() + len(shown), doubtful)


def _digests(text: str) -> Iterator[Shape]:
    for found in DIGEST.finditer(text):
        before = text[max(0, found.start() - 24) : found.start()].lower()
        pair = hash_of(found[0])
        if pair is None:
            if len(found[0]) == 62 and "jarm" in before:
                yield Shape(Kind.JARM, found[0].lower(), *found.span())
            continue
        kind, value = pair
        if kind == Kind.MD5 and "imphash" in before:
            kind = Kind.IMPHASH
        elif kind == Kind.MD5 and re.search(r"ja3s?\W{0,3}$|ja3s?\W", before):
            kind = Kind.JA3
        # Decimal figures alone are numbers of transactions, not digests.
        yield Shape(kind, value, *found.span(), doubtful=value.isdigit())


def _hosts(text: str) -> Iterator[Shape]:
    for token in HOST.finditer(text):
        if "." not in token[0]:
            continue
        spans = [token.span()]
        if not token[0].isascii():
            shown = token[0].rstrip(".-_")
            if not re.search(f"[{FAR_EAST}]", shown) and domain_of(shown):
                spans = [(token.start(), token.start() + len(shown))]
            else:
                spans = [
                    (token.start() + part.start(), token.start() + part.end())
                    for part in ASCII_HOST.finditer(token[0])
                    if not _joined(token[0], part.start(), part.end())
                ]
        for begin, end in spans:
            yield from _host(text, begin, end)


def _joined(token: str, begin: int, end: int) -> bool:
    """Whether a letter of an alphabetic script goes on beside the part, so that the part is not a whole."""
    beside = token[max(0, begin - 1) : begin] + token[end : end + 1]
    return any(letter.isalpha() and ord(letter) < 0x2E80 for letter in beside)


def _host(text: str, begin: int, end: int) -> Iterator[Shape]:
    shown = text[begin:end].rstrip(".-_")
    end = begin + len(shown)
    if text[end : end + 1] == "@" or "." not in shown:
        return
    suffix = shown.rpartition(".")[2]
    if not suffix.isalpha() and not suffix.startswith("xn--"):
        return
    value = domain_of(shown)
    if value is None:
        return
    path = PATH.match(text, end)
    if path:
        whole = _trimmed(shown + path[0])
        web = url_of(f"http://{whole}")
        if web and "/" in whole:
            yield Shape(Kind.URL, web, begin, begin + len(whole), doubtful=suffix in FILE_LIKE_SUFFIXES)
            return
    if suffix.lower() in FILE_LIKE_SUFFIXES and shown.count(".") < 3:
        yield Shape(Kind.FILENAME, shown, begin, end)
        return
    # "attack.This": two sentences without a blank. "System.Net": a name in a program.
    capital = suffix[0].isupper() and not suffix.isupper()
    camel = re.search(r"[a-z][A-Z]|^[A-Z][a-z]+\.[A-Z]", shown) is not None
    yield Shape(Kind.DOMAIN, value, begin, end, doubtful=capital or camel or len(value) < 5)


def _phones(text: str) -> Iterator[Shape]:
    for found in PHONE.finditer(text):
        value = phone_of(found[0].replace("\u00a0", " "))
        if value is not None:
            yield Shape(Kind.PHONE, value, *found.span())


def _ibans(text: str) -> Iterator[Shape]:
    for found in IBAN.finditer(text):
        shown = found[0]
        while shown:  # A word in capitals may follow: shorten blank by blank.
            value = iban_of(shown)
            if value is not None:
                yield Shape(Kind.IBAN, value, found.start(), found.start() + len(shown))
                break
            shown = shown[: max(shown.rfind(" "), 0)]


def _plain(
    pattern: re.Pattern[str], kind: Kind, canonical: Callable[[str], str | None]
) -> Callable[[str], Iterator[Shape]]:
    def find(text: str) -> Iterator[Shape]:
        for found in pattern.finditer(text):
            value = canonical(found[0])
            if value is not None:
                yield Shape(kind, value, *found.span())

    return find


def _telegram(text: str) -> Iterator[Shape]:
    for found in TELEGRAM.finditer(text):
        yield Shape(Kind.ACCOUNT, f"telegram:{found[1].lower()}", *found.span())


def _as_it_is(shown: str) -> str:
    return shown.strip().rstrip(".,;:")


FINDERS: tuple[Callable[[str], Iterator[Shape]], ...] = (
    _plain(USER_AGENT, Kind.USER_AGENT, _as_it_is),
    _plain(REGISTRY_KEY, Kind.REGISTRY_KEY, _as_it_is),
    _telegram,
    _urls,
    _emails,
    _plain(TOX, Kind.ACCOUNT, lambda shown: f"tox:{shown.upper()}"),
    _plain(TLSH, Kind.TLSH, str.upper),
    _plain(SSDEEP, Kind.SSDEEP, str),
    _digests,
    _plain(CVE, Kind.CVE, cve_of),
    _ipv4s,
    _plain(MAC, Kind.MAC, str.lower),
    _ipv6s,
    _ibans,
    _plain(WALLET, Kind.WALLET, wallet_of),
    _phones,
    _plain(CARD, Kind.CARD, card_of),
    _plain(ASN, Kind.ASN, asn_of),
    _hosts,
    _plain(FILE_NAME, Kind.FILENAME, str),
)
"""In order of precedence: a host inside a web or e-mail address is not found once more."""
