"""Wallet addresses with valid check digits that belong to nobody: their key hashes are random numbers."""

from __future__ import annotations

from hashlib import sha256

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def bitcoin(key_hash: bytes) -> str:
    """A pay-to-public-key-hash address (Base58Check) of 20 bytes."""
    return _base58(b"\x00" + key_hash)


def bitcoin_segwit(key_hash: bytes) -> str:
    """A version 0 witness address (Bech32, BIP 173) of 20 bytes."""
    number = int.from_bytes(key_hash)
    words = [0] + [number >> shift & 31 for shift in range(155, -1, -5)]
    expanded = [ord(letter) >> 5 for letter in "bc"] + [0] + [ord(letter) & 31 for letter in "bc"]
    check = _polymod(expanded + words + [0] * 6) ^ 1
    digits = words + [check >> 5 * (5 - place) & 31 for place in range(6)]
    return "bc1" + "".join(_BECH32[digit] for digit in digits)


def ethereum(key_hash: bytes) -> str:
    """An Ethereum address in lower case, which carries no check digits (EIP-55 puts them into the case)."""
    return "0x" + key_hash.hex()


def _base58(payload: bytes) -> str:
    content = payload + sha256(sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(content), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(content) - len(content.lstrip(b"\0"))) + text


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, factor in enumerate(_BECH32_GENERATOR):
            check ^= factor if top >> place & 1 else 0
    return check
