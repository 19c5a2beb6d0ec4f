"""The example of RFC 8291, and who may read a message."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tocsin.core.errors import InputError
from tocsin.credentials.web_push import (
    MOST_PLAIN_BYTES,
    RECORD_BYTES,
    Browser,
    PushKey,
    opened,
    padless,
    sealed,
    unpadded,
)

KEY = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
SECRET = "BTBZMqHH6r4Tts7J_aSIgg"
MESSAGE = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
PLAIN = b"When I grow up, I want to be a watermelon"


def private(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(unpadded(text)), ec.SECP256R1())


OURS, THEIRS = (
    private("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
    private("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"),
)


def test_the_example_of_the_standard() -> None:
    made = sealed(PLAIN, Browser.of(KEY, SECRET), once=OURS, salt=unpadded("DGv6ra1nlYgDCS1FRnbzlw"))
    assert padless(made) == MESSAGE
    assert opened(made, THEIRS, unpadded(SECRET)) == PLAIN


def test_nobody_but_the_browser_reads_it() -> None:
    made = sealed(PLAIN, Browser.of(KEY, SECRET))
    assert made != sealed(PLAIN, Browser.of(KEY, SECRET))
    assert PLAIN not in made
    with pytest.raises(InvalidTag):
        opened(made, ec.generate_private_key(ec.SECP256R1()), unpadded(SECRET))
    with pytest.raises(InvalidTag):
        opened(made[:-1] + bytes([made[-1] ^ 1]), THEIRS, unpadded(SECRET))


def test_the_longest_message_fits_into_one_record_and_a_longer_one_is_refused() -> None:
    browser = Browser.of(KEY, SECRET)
    assert len(sealed(bytes(MOST_PLAIN_BYTES), browser)) <= RECORD_BYTES
    with pytest.raises(InputError):
        sealed(bytes(MOST_PLAIN_BYTES + 1), browser)


@pytest.mark.parametrize(("key", "secret"), [("", SECRET), ("AAAA", SECRET), (KEY[:-4] + "AAAA", SECRET), (KEY, "AAAA"),
                                             (KEY, "%%"), ("بب", SECRET)])  # fmt: skip
def test_what_is_no_key_is_refused(key: str, secret: str) -> None:
    with pytest.raises(InputError):
        Browser.of(key, secret)


def test_a_push_service_can_check_who_sends() -> None:
    key = PushKey(ec.generate_private_key(ec.SECP256R1()))
    said = key.authorization("https://push.example/send/1", "mailto:alerts@tocsin.example", 1_800_000_000)
    token, public = said.removeprefix("vapid t=").split(", k=")
    assert public == key.public
    signed, _, signature = token.rpartition(".")
    raw = unpadded(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unpadded(public))
    point.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        point.verify(der, signed.encode() + b"x", ec.ECDSA(hashes.SHA256()))
