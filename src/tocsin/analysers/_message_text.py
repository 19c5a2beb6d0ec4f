"""What analysers read of a message: its visible words, the addresses in it, and the letters that a name is made of."""

from __future__ import annotations

import html
import itertools
import re
import unicodedata
from typing import Final

MOST_RAW: Final = 200_000
MOST: Final = 20_000
"""Characters of visible text that count. Notes and letters are a tenth of it; what is longer is padding."""
_TAG: Final = re.compile(
    r"<(/?)(a|b|body|br|button|center|code|div|em|font|form|h[1-6]|head|hr|html|i|img|input|label|li|link|meta|ol|p|pre"
    r"|script|section|span|strong|style|table|tbody|td|th|title|tr|u|ul)\b[^<>]*>",
    re.IGNORECASE,
)
_UNSEEN_PARTS: Final = ("script", "style")
_UTF16_FROM: Final = 0x0800
_ADDRESS: Final = re.compile(
    r"(?P<mail>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4})"
    r"|(?:https?://)?(?:[\w-]{1,63}\.){0,3}(?P<onion>\b(?:[a-zA-Z2-7]{56}(?:\.onion)?|[a-zA-Z2-7]{16}\.onion))\b[^\s<>\"']{0,300}"
    r"|(?P<link>https?://[^\s<>\"']{1,300})"
    r"|\b(?P<wallet>bc1[a-z0-9]{25,62}|[13][1-9A-HJ-NP-Za-km-z]{25,34}|4[1-9A-HJ-NP-Za-km-z]{94}|0x[0-9a-fA-F]{40})\b"
    r"|\b(?P<contact>[0-9a-fA-F]{76}|05[0-9a-f]{64})\b"
    r"|(?P<key>\b(?=[A-Za-z]{0,40}\d)[A-Za-z0-9+/=_-]{16,}|[A-Za-z0-9+/=_-]{40,})"
)
_VANITY: Final = 6
"""Letters of an onion name that its operator can choose by computing some hours; by chance two agree once in 2^30."""
_LEET: Final = str.maketrans("013457$@", "oleastsa")
_WORD: Final = re.compile(r"\w+")
# Letters of other scripts that stand for Latin ones where a word mixes scripts to escape comparison.
_LOOKALIKE: Final = str.maketrans("аеорсухіјѕԁһкмтвοανρυτικ", "aeopcyxijsdhkmtboavputik")


def visible(raw: str) -> str:
    """The text as a victim sees it: no tags, no characters without width, UTF-16 that was read as another repaired."""
    text = _repaired(raw[:MOST_RAW])
    if _TAG.search(text):
        text = html.unescape(_without_tags(text))
    text = unicodedata.normalize("NFKC", text[: 4 * MOST])
    return "".join(each for each in text if unicodedata.category(each) not in ("Cf", "Cs", "Co", "Cn"))[:MOST]


def _repaired(text: str) -> str:
    far = sum(1 for each in text[:2000] if ord(each) >= _UTF16_FROM)
    if far * 2 < min(len(text), 2000):
        return text
    for order in ("utf-16-le", "utf-16-be"):
        made = text.encode(order, "surrogatepass").decode("utf-8", "replace").replace("\0", "")
        plain = sum(1 for each in made[:4000] if each.isascii() and (each.isprintable() or each.isspace()))
        if plain > 0.8 * min(len(made), 4000):
            return made
    return text


def _without_tags(text: str) -> str:
    kept: list[str] = []
    place, unseen = 0, ""
    for tag in _TAG.finditer(text):
        if not unseen:
            kept.append(text[place : tag.start()])
        name, closes, place = tag[2].lower(), bool(tag[1]), tag.end()
        if unseen and closes and name == unseen:
            unseen = ""
        elif not unseen and not closes and name in _UNSEEN_PARTS:
            unseen = name
    if not unseen:
        kept.append(text[place:])
    return " ".join(kept)


def addresses(text: str) -> frozenset[tuple[str, str]]:
    """(kind, value) of what one can write to or pay to, hosts of links, and the chosen beginnings of onion names."""
    found: set[tuple[str, str]] = set()
    for match in _ADDRESS.finditer(text):
        kind, value = str(match.lastgroup), match[str(match.lastgroup)]
        if kind == "onion":
            name = value.lower().removesuffix(".onion")
            found |= {("onion", name), ("onion-beginning", name[:_VANITY])}
        elif kind == "link":
            found.add(("host", _host(value)))
        elif kind != "key":
            found.add((kind, value if kind == "wallet" else value.lower()))
    return frozenset(found)


def _host(link: str) -> str:
    rest = link.split("://", 1)[1].lower()
    host = re.split(r"[/?#:]", rest, maxsplit=1)[0].removeprefix("www.")
    # On a messenger's site the path is who is meant.
    return rest.rstrip("/.,)") if host in ("t.me", "telegram.me") else host


def masked(text: str) -> str:
    """The text with a word for each address: so long as the one it stands for, that places stay."""
    return _ADDRESS.sub(lambda match: f" {match.lastgroup}"[: len(match[0])].ljust(len(match[0])), text)


def words(text: str) -> list[tuple[str, int, int]]:
    """Each word as it is compared, and where it stands."""
    return [(_plain(match[0]), match.start(), match.end()) for match in _WORD.finditer(text)]


def _plain(word: str) -> str:
    lower = word.lower()
    if lower.isascii():
        return lower
    latin = lower.translate(_LOOKALIKE)
    return latin if latin.isascii() else lower


def letters(name: str) -> str:
    """What a name is compared by: letters alone, figures that stand for letters read as these."""
    return re.sub(r"[\W_]+", "", _plain(name).translate(_LEET))


def names_in(text: str) -> frozenset[str]:
    """Whatever may be a name: each word, two together, and beginnings of long ones (of onion names and mail too)."""
    each = [letters(word) for word in _WORD.findall(text[:MOST].translate(str.maketrans("_^", "  ")))]
    found = {word for word in each if word}
    found |= {one + other for one, other in itertools.pairwise(each) if one and other}
    return frozenset(found | {word[:size] for word in each for size in range(5, min(len(word), 15))})
