"""Cryptocurrency addresses: which chains a text may belong to, by its own check digits."""

from __future__ import annotations

import re

import base58

BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{25,110}")
ETHEREUM = re.compile(r"0x[0-9a-fA-F]{40}")
BECH32 = re.compile(r"(bc|tb|ltc)1[02-9ac-hj-np-z]{11,87}")
CASH = re.compile(r"(?:bitcoincash:)?[qp][02-9ac-hj-np-z]{41}")
MONERO = re.compile(r"[48][1-9A-HJ-NP-Za-km-z]{94}(?:[1-9A-HJ-NP-Za-km-z]{11})?")
RIPPLE = re.compile(r"r[1-9A-HJ-NP-Za-km-z]{24,34}")
_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def canonical_wallet(text: str) -> str | None:
    """The address as its chain writes it when the check digits hold, else None. Ethereum's comes in EIP-55 case."""
    bare = text.strip()
    if ETHEREUM.fullmatch(bare):
        return _ethereum(bare)
    if BECH32.fullmatch(bare.lower()) and bare in {bare.lower(), bare.upper()}:
        return bare.lower() if _bech32_holds(bare.lower()) else None
    if CASH.fullmatch(bare):
        return _cash(bare)
    if MONERO.fullmatch(bare):
        return bare if _monero_holds(bare) else None
    if RIPPLE.fullmatch(bare):
        return bare if _base58check_holds(bare, base58.RIPPLE_ALPHABET) else None
    if BASE58.fullmatch(bare) and _base58check_holds(bare, base58.BITCOIN_ALPHABET):
        return bare
    return None


def _ethereum(text: str) -> str | None:
    digits = text[2:]
    from eth_hash.auto import keccak  # Imported late, like all that look-ups rarely need.

    sums = keccak(digits.lower().encode()).hex()
    right = "0x" + "".join(sign.upper() if int(check, 16) > 7 else sign for sign, check in zip(digits.lower(), sums))
    # All lower or all upper case carries no check: accepted as EIP-55 says.
    return right if text == right or digits in {digits.lower(), digits.upper()} else None


def _base58check_holds(text: str, alphabet: bytes) -> bool:
    try:
        base58.b58decode_check(text, alphabet=alphabet)
    except ValueError:
        return False
    return True


def _polymod(values: list[int]) -> int:
    """Checksum of BIP 173."""
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if (top >> place) & 1 else 0
    return check


def _bech32_holds(text: str) -> bool:
    prefix, _, data = text.rpartition("1")
    spread = [ord(sign) >> 5 for sign in prefix] + [0] + [ord(sign) & 31 for sign in prefix]
    return _polymod(spread + [_CHARSET.index(sign) for sign in data]) in {1, 0x2BC830A3}  # BIP 173, BIP 350.


def _cash(text: str) -> str | None:
    from cashaddress import convert

    full = text if ":" in text else f"bitcoincash:{text}"
    return full if convert.is_valid(full) else None


def _monero_holds(text: str) -> bool:
    """Monero's own base 58: blocks of 11 digits for 8 bytes; the last four bytes are Keccak's."""
    sizes = {11: 8, 7: 5, 9: 6, 10: 7, 6: 4, 5: 3, 3: 2, 2: 1}
    raw = b""
    alphabet = base58.BITCOIN_ALPHABET.decode()
    for at in range(0, len(text), 11):
        block = text[at : at + 11]
        number = 0
        for sign in block:
            number = number * 58 + alphabet.index(sign)
        size = sizes.get(len(block), 0)
        if number >= 1 << (8 * size):
            return False
        raw += number.to_bytes(size, "big")
    from eth_hash.auto import keccak

    return keccak(raw[:-4])[:4] == raw[-4:]
