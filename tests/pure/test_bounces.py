"""What came back, in the forms of several mail servers; and what no report is, however hostile."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.transport import bounces

GOLDEN = Path(__file__).parent / "returned"
"""Mails as Postfix, Exim, Exchange, Sendmail and qmail write them, and as people and their programs answer."""
TO = "bounce+s7.320.aaaaaaaaaaaaaaaa@alerts.example"
EXPECTED = {
    "postfix": ("5.1.1", True),
    "postfix-delayed": ("4.4.1", False),
    "postfix-queue-over": ("4.4.1", False),
    "exim": ("5.0.0", True),
    "exim-old": ("5.0.0", True),
    "exchange": ("5.1.10", True),
    "exchange-policy": ("5.7.133", False),
    "sendmail": ("5.2.1", True),
    "qmail": ("5.1.1", True),
    "mailbox-full": ("4.2.2", False),
    "delivered": ("", False),
    "away": ("", False),
    "read": ("", False),
    "person": ("", False),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_each_form_is_understood(name: str) -> None:
    found = bounces.read((GOLDEN / f"{name}.eml").read_bytes())
    assert (found.status, found.is_for_good) == EXPECTED[name]
    assert found.to[0] == TO


def test_every_mail_of_the_folder_is_expected() -> None:
    assert {each.stem for each in GOLDEN.glob("*.eml")} == set(EXPECTED)


def test_a_report_in_base64_and_of_an_international_address_is_read() -> None:
    raw = (GOLDEN / "postfix.eml").read_text()
    head, _, rest = raw.partition("Content-Type: message/delivery-status\n\n")
    report, _, end = rest.partition("\n--4F2")
    packed = base64.encodebytes(report.replace("\n", "\r\n").encode()).decode()
    kind = "Content-Type: message/global-delivery-status\nContent-Transfer-Encoding: base64"
    made = f"{head}{kind}\n\n{packed}\n--4F2{end}"
    assert bounces.read(made.encode()).status == "5.1.1"


def _bomb(depth: int) -> bytes:
    """Parts in parts in parts."""
    said = ["Content-Type: multipart/report; boundary=b0\n"]
    said += [f"--b{each}\nContent-Type: multipart/mixed; boundary=b{each + 1}\n" for each in range(depth)]
    return "\n".join(said).encode()


HOSTILE = {
    "parts in parts": _bomb(20_000),
    "a million parts": b"Content-Type: multipart/report; boundary=x\n\n" + b"--x\n\n" * 10**5,
    "one endless line": b"To: " + b"a" * 1_000_000, "spaces": b"To:" + b" " * 1_000_000,
    "no end of fields": b"Diagnostic-Code: x\n" * 100_000, "folded for ever": b"To: a\n" + b" b\n" * 400_000,
    "zeros": bytes(1_000_000), "half a boundary": b'Content-Type: multipart/report; boundary="\n\n--\n\nAction: failed',
    "dots": b"To: " + b"a." * 400_000 + b"@", "blank groups": b"Content-Type: multipart/report; boundary=x\n\n--x\n"
    b"Content-Type: message/delivery-status\n\n" + b"\n \n" * 300_000, "empty": b"",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_takes_little_and_says_nothing(name: str) -> None:
    found = bounces.read(HOSTILE[name])
    assert found.status == ""


@given(st.binary(max_size=2_000))
def test_nothing_that_comes_raises(raw: bytes) -> None:
    assert bounces.read(raw).status in {"", "5.0.0"} or b"." in raw
    bounces.read(b"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\n" + raw)
