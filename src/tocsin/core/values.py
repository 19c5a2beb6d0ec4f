"""The canonical form of one value of each kind, and why a text has none.

This is the plain reference: the kernel does the frequent kinds for whole columns at once and must agree with it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import idna

from .errors import InputError
from .words import HASH_KINDS, Kind

LONGEST = 8192
"""Characters; what is longer is no value but content."""

UNSAFE = re.compile("[\x00-\x1f\x7f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of text around."""

CONTROL = re.compile("[\x00-\x1f\x7f]")
TEXT_KINDS = frozenset(
    {Kind.FILENAME, Kind.MUTEX, Kind.REGISTRY_KEY, Kind.USER_AGENT, Kind.ACCOUNT, Kind.ORGANISATION, Kind.OTHER}
    | {Kind.SSDEEP, Kind.TLSH}
)
"""Kinds that are free text. A file name that turns its direction around is itself the trick: it is kept as it is."""

IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}")
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
DOTTED_NUMBERS = re.compile(r"\d+(?:\.\d+){3}")
DOMAIN = re.compile(rf"(?=.{{1,253}}$)(?:{LABEL}\.)+(?:[a-z]{{2,63}}|xn--[a-z0-9-]{{1,59}})")
URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://(?:([^@/?#]*)@)?(\[[0-9a-fA-F:.]+\]|[^:/?#@\[\]]+)(:\d{0,5})?([/?#].*)?")
EMAIL = re.compile(r"([^@\s\"<>(),;:\\]{1,64})@([^@\s]+)")
HEXADECIMAL = re.compile(r"[0-9a-f]+")
CVE = re.compile(r"CVE-(?:19|20)\d\d-\d{4,7}")
ASN = re.compile(r"(?:ASN?)?\s*(\d{1,10})", re.IGNORECASE)
MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
PHONE = re.compile(r"\+[1-9]\d{6,14}")


def canonical(kind: Kind, text: str) -> str:
    """The canonical form of `text` as a value of `kind`; raises InputError with the reason."""
    bare = text.strip()
    if not bare:
        raise InputError("no-value", field="value")
    if len(bare) > LONGEST:
        raise InputError("too-long", field="value", excerpt=bare[:80])
    if (CONTROL if kind in TEXT_KINDS else UNSAFE).search(bare):
        raise InputError("control-characters", field="value", excerpt=bare[:80])
    return _FORMS.get(kind, _as_it_is)(kind, bare)


def _refuse(reason: str, text: str) -> InputError:
    return InputError(reason, field="value", excerpt=text[:80])


def _as_it_is(_: Kind, text: str) -> str:
    return text


def _ipv4(_: Kind, text: str) -> str:
    if not IPV4.fullmatch(text):
        raise _refuse("not-an-address", text)
    return text


def _ipv6(_: Kind, text: str) -> str:
    try:
        return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text.strip("[]").partition("%")[0]))
    except (OSError, ValueError) as error:
        raise _refuse("not-an-address", text) from error


def _network(_: Kind, text: str) -> str:
    import ipaddress

    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise _refuse("not-a-network", text) from error
    if network.prefixlen < (8 if network.version == 4 else 16):
        raise _refuse("not-a-network", text)
    return str(network)


def _domain(_: Kind, text: str) -> str:
    name = text.rstrip(".").removeprefix("*.").lower()
    if "*" in name:
        raise _refuse("placeholder", text)
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode()
        except (idna.IDNAError, UnicodeError) as error:
            raise _refuse("not-a-domain", text) from error
    if not DOMAIN.fullmatch(name):
        raise _refuse("not-an-address" if DOTTED_NUMBERS.fullmatch(name) else "not-a-domain", text)
    return name


def _url(_: Kind, text: str) -> str:
    address = text if "://" in text else f"http://{text}"
    found = URL.fullmatch(address.replace(" ", "%20"))
    if not found:
        raise _refuse("not-a-url", text)
    scheme, user, host, port, rest = found.groups()
    try:
        host = f"[{_ipv6(Kind.IPV6, host)}]" if host.startswith("[") else host_name(host)
    except InputError as error:
        raise _refuse("placeholder" if error.reason == "placeholder" else "not-a-url", text) from error
    return f"{scheme.lower()}://{user + '@' if user else ''}{host}{port or ''}{rest or ''}"


def host_name(text: str) -> str:
    """An IPv4 address or a domain name in canonical form; raises InputError."""
    return text if IPV4.fullmatch(text) else _domain(Kind.DOMAIN, text)


def host_of(address: str) -> str:
    """The host of a canonical web address, without port; empty when there is none."""
    return urlsplit(address).hostname or ""


def _email(_: Kind, text: str) -> str:
    found = EMAIL.fullmatch(text.removeprefix("mailto:").strip("<>"))
    if not found:
        raise _refuse("not-an-email", text)
    try:
        return f"{found[1].lower()}@{_domain(Kind.DOMAIN, found[2])}"
    except InputError as error:
        raise _refuse("not-an-email", text) from error


def _digest(kind: Kind, text: str) -> str:
    digits = text.lower().removeprefix("0x")
    if len(digits) != HASH_KINDS[kind] or not HEXADECIMAL.fullmatch(digits):
        raise _refuse("not-a-hash", text)
    return digits


def _wallet(_: Kind, text: str) -> str:
    from .wallets import canonical_wallet

    found = canonical_wallet(text)
    if found is None:
        raise _refuse("not-a-wallet", text)
    return found


def _phone(_: Kind, text: str) -> str:
    digits = re.sub(r"[\s().-]", "", text.removeprefix("tel:"))
    number = "+" + digits[2:] if digits.startswith("00") else digits
    if not PHONE.fullmatch(number):
        raise _refuse("not-a-phone", text)
    return number


def _iban(_: Kind, text: str) -> str:
    from stdnum import iban
    from stdnum.exceptions import ValidationError

    try:
        return str(iban.validate(text))
    except ValidationError as error:
        raise _refuse("not-an-iban", text) from error


def _card(_: Kind, text: str) -> str:
    from stdnum import luhn
    from stdnum.exceptions import ValidationError

    digits = re.sub(r"[\s-]", "", text)
    try:
        if not 12 <= len(digits) <= 19:
            raise _refuse("not-a-card", text)
        return str(luhn.validate(digits))
    except ValidationError as error:
        raise _refuse("not-a-card", text) from error


def _cve(_: Kind, text: str) -> str:
    number = text.upper().replace("_", "-").replace("\u2011", "-")
    if not CVE.fullmatch(number):
        raise _refuse("not-a-cve", text)
    return number


def _asn(_: Kind, text: str) -> str:
    found = ASN.fullmatch(text)
    if not found or not 0 < int(found[1]) < 1 << 32:
        raise _refuse("not-an-asn", text)
    return f"AS{int(found[1])}"


def _mac(_: Kind, text: str) -> str:
    digits = re.sub(r"[:.-]", "", text.lower())
    pairs = ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    if not MAC.fullmatch(pairs):
        raise _refuse("not-a-value", text)
    return pairs


def _certificate(_: Kind, text: str) -> str:
    digits = text.lower().replace(":", "")
    if len(digits) not in {32, 40, 64} or not HEXADECIMAL.fullmatch(digits):
        raise _refuse("not-a-hash", text)
    return digits


_FORMS: dict[Kind, Callable[[Kind, str], str]] = {
    Kind.IPV4: _ipv4,
    Kind.IPV6: _ipv6,
    Kind.NETWORK: _network,
    Kind.DOMAIN: _domain,
    Kind.URL: _url,
    Kind.EMAIL: _email,
    Kind.WALLET: _wallet,
    Kind.PHONE: _phone,
    Kind.IBAN: _iban,
    Kind.CARD: _card,
    Kind.CVE: _cve,
    Kind.ASN: _asn,
    Kind.MAC: _mac,
    Kind.CERTIFICATE: _certificate,
    **dict.fromkeys(HASH_KINDS, _digest),
}
