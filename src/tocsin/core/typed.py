"""What a person typed or a report shows: defanged forms made whole, and one value told for what it is.

`refang` undoes what authors do to make an indicator harmless to click; `recognise_value` answers the one
box for look-ups. Both are pure and never raise on any text.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from .errors import InputError
from .suffixes import registrable_of
from .values import canonical
from .words import Kind

TYPED_CHARACTERS = 4096
"""Nothing longer is one value."""

WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
ARABIC_INDIC = {first + digit: 0x30 + digit for first in (0x0660, 0x06F0) for digit in range(10)}
PLAIN = WIDE | ARABIC_INDIC | {0x3000: 0x20, 0xFF61: 0x2E}
"""Full-width forms and Arabic-Indic digits, each to its ASCII character: lengths stay."""

FANGS = re.compile(
    r"""
      (?P<nothing>[\u200b-\u200d\u2060\ufeff\u00ad])
    | (?P<scheme>\b(?:h(?:xx|tx|xt|\*\*|\+\+|__|XX|txx)p|meow)(?:\[?(?P<secure>[sS])\]?)?(?=\s?[:\[({\\]))
    | (?P<plain_secure>\bhttp\[s\])(?=:)
    | (?P<file_scheme>\bfxp(?=\W{0,2}:))
    | (?P<authority>\\?[\[({]\s?:\s?/\s?/\s?\\?[\])}] | (?<=[tT][pP])\\?[\[({]\s?:\s?\\?[\])}]\s?//?
        | (?<=[tT][pP][sS])\\?[\[({]\s?:\s?\\?[\])}]\s?//? )
    | (?P<colon>(?<=\w)\\?[\[({]\s?:\s?\\?[\])}] | (?<=\[:\])\[:\])
    | (?P<slash>\[/\])
    | (?P<at>[ \t]{0,2}\\?[\[({<]\s?(?:@|at|AT|At|arroba|chez)\s?\\?[\])}>][ \t]{0,2}(?=\w))
    | (?P<dot>(?<=[\w\]])[ \t]?\\?[\[({<]\s?(?:\.|dot|DOT|Dot|d0t|point|punto)\s?\\?[\])}>][ \t]?(?=[\w*]))
    | (?P<half>(?<=\w)(?:\\?\[\.(?=\w)|\.\\?\](?=\w)|\\\.(?=\w)))
    | (?P<ideographic>(?<=[A-Za-z0-9])\u3002(?=[A-Za-z0-9]))
    """,
    re.VERBOSE,
)
HINT = re.compile(
    r"[\[({<]\s?(?:[:.@/]|a[tr]|A[Tt]|chez|[dD][oO0][tT]|p[ou][in])|\[[sS]\]|\.\\?\]|\\[.\[({<]"
    r"|[\u200b-\u200d\u2060\ufeff\u00ad\u3002]|h(?:xx|tx|xt|\*\*|\+\+|__|XX)|meow|fxp"
)
HINT_REACH = 40
"""No form is longer."""
MADE_WHOLE = {
    "nothing": "",
    "plain_secure": "https",
    "file_scheme": "ftp",
    "authority": "://",
    "colon": ":",
    "slash": "/",
    "at": "@",
    "dot": ".",
    "half": ".",
    "ideographic": ".",
}


class Traced:
    """A text in which stretches were replaced, that still knows where each character stood."""

    __slots__ = ("_new", "_old", "original", "text")

    def __init__(self, text: str, replaced: Iterable[tuple[int, int, str]], original: str | None = None) -> None:
        """`replaced`: begin, end and what to write, in order; `original`: the text before its letters were plain."""
        self.original = text if original is None else original
        pieces: list[str] = []
        self._new, self._old = [0], [0]
        place = length = 0
        for begin, end, whole in replaced:
            pieces += (text[place:begin], whole)
            length += begin - place + len(whole)
            place = end
            self._new.append(length)
            self._old.append(place)
        pieces.append(text[place:])
        self.text = "".join(pieces)

    def original_offset(self, offset: int) -> int:
        """Where a character of `text` stood in the original."""
        entry = bisect_right(self._new, offset) - 1
        return self._old[entry] + offset - self._new[entry]

    def original_slice(self, begin: int, end: int) -> str:
        """What stood in the original for a stretch of `text`."""
        return self.original[self.original_offset(begin) : self.original_offset(end - 1) + 1]


class Refanged(Traced):
    """A text with its indicators made whole."""

    __slots__ = ()

    def __init__(self, text: str) -> None:
        plain = text.translate(PLAIN)
        super().__init__(plain, _fangs(plain), text)


def _fangs(plain: str) -> Iterator[tuple[int, int, str]]:
    for begin, end in _stretches(plain):
        for found in FANGS.finditer(plain, begin, end):
            name = found.lastgroup or ""
            if name in {"scheme", "secure"}:
                whole = "https" if found["secure"] else "http"
            else:
                whole = MADE_WHOLE[name]
            yield found.start(), found.end(), whole


def _stretches(plain: str) -> Iterator[tuple[int, int]]:
    """Where something can be defanged: around the signs of which every form has one. Most of a text has none."""
    begin = end = 0
    for hint in HINT.finditer(plain):
        if hint.start() - HINT_REACH > end:
            if end:
                yield begin, end
            begin = hint.start() - HINT_REACH
        end = hint.end() + HINT_REACH
    if end:
        yield begin, end


def refang(text: str) -> str:
    """The text with hxxp, [.], (dot), [at], [:], full-width and Arabic-Indic forms made whole."""
    return Refanged(text).text


LABEL = r"[^\W_](?:[\w-]{0,61}[^\W])?|_[a-z0-9_-]{1,62}"
DOMAIN = re.compile(rf"(?:(?:{LABEL})\.)+(?:[^\W\d_]{{2,24}}|xn--[a-z0-9-]{{2,59}})", re.IGNORECASE)


def domain_of(text: str) -> str | None:
    """A domain name in lower case as ASCII labels, if its suffix is on the public list or outside the DNS."""
    name = text.strip().rstrip(".").lower()
    if not 3 < len(name) < 254 or not DOMAIN.fullmatch(name):
        return None
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    special = name.rpartition(".")[2] in {"onion", "bit", "i2p", "eth", "example"}
    return name if special or registrable_of(name) else None


def registrable_domain(name: str) -> str:
    """The part of a domain that somebody registered; the name itself where the list knows no suffix."""
    return registrable_of(name) or name


def address_of(text: str) -> tuple[Kind, str] | None:
    """An internet address or network."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        if "/" in text:
            network = ipaddress.ip_network(text, strict=False)
            if network.prefixlen == network.max_prefixlen:
                return _address_kind(network.network_address), str(network.network_address)
            return Kind.NETWORK, str(network)
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        return None
    return _address_kind(address), str(address)


def _address_kind(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Kind:
    return Kind.IPV4 if address.version == 4 else Kind.IPV6


URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{1,20})://(?P<rest>[^\s<>\"]{1,4000})", re.IGNORECASE)
AUTHORITY = re.compile(
    r"(?P<user>[^@/?#]*@)?(?P<host>\[[0-9a-f:.%]+\]|[^:/?#@\s\[\]]+)(?P<port>:\d{1,5})?(?P<tail>[/?#].*)?",
    re.IGNORECASE | re.DOTALL,
)
SCHEMES = frozenset(
    {"http", "https", "ftp", "ftps", "sftp", "ssh", "tcp", "udp", "ws", "wss", "ldap", "ldaps", "rtsp", "smb",
     "irc", "ircs", "telnet", "rdp", "socks5", "stratum", "stratum+tcp", "stratum+ssl", "git", "svn"}
)  # fmt: skip


def url_of(text: str) -> str | None:
    """A web or service address: scheme and host in lower case, the rest as it was."""
    found = URL.fullmatch(text.strip())
    if found is None or found["scheme"].lower() not in SCHEMES:
        return None
    parts = AUTHORITY.fullmatch(found["rest"])
    if parts is None or (parts["port"] and int(parts["port"][1:]) > 65535):
        return None
    host: str | None = parts["host"].lower()
    address = address_of(parts["host"])
    if address is None:
        host = domain_of(parts["host"])
    elif address[0] == Kind.IPV6:
        host = f"[{address[1]}]"
    if host is None or (address is not None and address[0] == Kind.NETWORK):
        return None
    return f"{found['scheme'].lower()}://{parts['user'] or ''}{host}{parts['port'] or ''}{parts['tail'] or ''}"


EMAIL = re.compile(r"(?P<local>[\w.!#$%&'*+/=?^`{|}~-]{1,64})@(?P<host>[^@\s]{3,253})")


def email_of(text: str) -> str | None:
    """An e-mail address in lower case: providers that tell cases apart are gone."""
    found = EMAIL.fullmatch(text.strip().removeprefix("mailto:"))
    host = domain_of(found["host"]) if found else None
    if found is None or host is None or found["local"].startswith(".") or found["local"].endswith("."):
        return None
    return f"{found['local'].lower()}@{host}"


HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
HASH_OF_LENGTH = {
    32: Kind.MD5,
    40: Kind.SHA1,
    56: Kind.SHA224,
    64: Kind.SHA256,
    96: Kind.SHA384,
    128: Kind.SHA512,
}


def hash_of(text: str) -> tuple[Kind, str] | None:
    """A digest, its kind by its length; runs of very few different digits are fillers, not digests."""
    text = text.strip()
    kind = HASH_OF_LENGTH.get(len(text))
    if kind is None or not HEXADECIMAL.fullmatch(text) or len(set(text.lower())) < 6:
        return None
    return kind, text.lower()


WALLET = re.compile(
    r"(?:bitcoincash:)?[A-Za-z0-9]{26,36}|(?:bc1|BC1|tb1|ltc1|0x)[A-Za-z0-9]{20,90}|bitcoincash:[a-z0-9]{42}"
    r"|[qp][a-z0-9]{41}|[48][1-9A-HJ-NP-Za-km-z]{94}(?:[1-9A-HJ-NP-Za-km-z]{11})?"
)


def wallet_of(text: str) -> str | None:
    """A wallet address whose check digits are right, as its chain writes it."""
    text = text.strip()
    if not WALLET.fullmatch(text) or text.isdigit() or text.isalpha():
        return None
    from .wallets import canonical_wallet

    try:
        return canonical_wallet(text)
    except Exception:  # The foreign checkers raise whatever their decoders do.
        return None


def phone_of(text: str) -> str | None:
    """A telephone number with its country code, as E.164."""
    text = text.strip()
    if text.startswith("00"):
        text = "+" + text[2:]
    if not text.startswith("+") or len(text) > 30 or not re.fullmatch(r"\+[\d\s().\-/]{6,28}", text):
        return None
    import phonenumbers  # Imported late, like all that looks-ups rarely need.

    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


IBAN_LETTERS = (15, 34)
IBAN_FORM = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")


def iban_of(text: str) -> str | None:
    """An IBAN with right check digits, without blanks."""
    # Every text that nobody typed passes here: what is too short or too long is told before a pattern is tried.
    compact = "".join(text.split()).replace("-", "") if len(text) >= IBAN_LETTERS[0] else ""
    if not IBAN_LETTERS[0] <= len(compact) <= IBAN_LETTERS[1] or not IBAN_FORM.fullmatch(compact.upper()):
        return None
    compact = compact.upper()
    from schwifty import IBAN
    from schwifty.exceptions import SchwiftyException

    try:
        return str(IBAN(compact))
    except SchwiftyException:
        return None


CARD = re.compile(r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|(?:6011|65\d\d|35\d\d|62\d\d)\d{12,15}")


CARD_DIGITS = (13, 19)


def card_of(text: str) -> str | None:
    """A payment card number: an issuer's beginning, 13 to 19 digits, a right check digit."""
    digits = text.strip().replace(" ", "").replace("-", "") if len(text) >= CARD_DIGITS[0] else ""
    if not CARD_DIGITS[0] <= len(digits) <= CARD_DIGITS[1] or not CARD.fullmatch(digits):
        return None
    if len(set(digits)) < 4:
        return None
    from stdnum import luhn

    return digits if luhn.is_valid(digits) else None


def cve_of(text: str) -> str | None:
    """A CVE number in upper case."""
    found = re.fullmatch(r"CVE[-\u2010-\u2015_ ](\d{4})[-\u2010-\u2015_ ](\d{4,7})", text.strip(), re.IGNORECASE)
    if found is None or not 1999 <= int(found[1]) <= 2100:
        return None
    return f"CVE-{found[1]}-{found[2]}"


def asn_of(text: str) -> str | None:
    """An autonomous system number, as AS64500."""
    found = re.fullmatch(r"ASN?[ :]?(\d{1,10})", text.strip(), re.IGNORECASE)
    if found is None or not 0 < int(found[1]) < 1 << 32:
        return None
    return f"AS{int(found[1])}"


QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb<>,; \t\r\n"


def recognise_value(text: str) -> tuple[Kind, str] | None:
    """What one value typed by a person is, defanged or not, in canonical form; None when it is none of these.

    The order matters where one text could be two things: a digest is tried before a wallet, a card last.
    """
    if len(text) > TYPED_CHARACTERS:
        return None
    whole = refang(text.strip(QUOTES)).strip(QUOTES)
    dotted = re.sub(r"(?<=\w)\s(?:dot|DOT)\s(?=\w)", ".", re.sub(r"(?<=\w)\s(?:at|AT)\s(?=\w)", "@", whole))
    for candidate in dict.fromkeys((whole, dotted)):
        if not candidate:
            continue
        if (pair := address_of(candidate) or hash_of(candidate)) and (final := _canonical(*pair)):
            return final
        for kind, recognise in RECOGNISERS:
            value = recognise(candidate)
            if value is not None and (final := _canonical(kind, value)):
                return final
    return None


def _canonical(kind: Kind, value: str) -> tuple[Kind, str] | None:
    """The very form in which values are stored, so that a look-up meets them."""
    try:
        return kind, canonical(kind, value)
    except InputError:
        return None


def _url_without_scheme(text: str) -> str | None:
    """A host with a path, as people paste it; plain http is assumed."""
    host, slash, _ = text.partition("/")
    return url_of(f"http://{text}") if slash and host and "@" not in host else None


RECOGNISERS: tuple[tuple[Kind, Callable[[str], str | None]], ...] = (
    (Kind.URL, url_of),
    (Kind.EMAIL, email_of),
    (Kind.CVE, cve_of),
    (Kind.ASN, asn_of),
    (Kind.IBAN, iban_of),
    (Kind.WALLET, wallet_of),
    (Kind.PHONE, phone_of),
    (Kind.DOMAIN, domain_of),
    (Kind.URL, _url_without_scheme),
    (Kind.CARD, card_of),
)
