"""The leak scanner: no disguise hides a protected value, and no neighbour is taken for one."""

from __future__ import annotations

import base64
import ipaddress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.words import Kind
from tocsin.handling.disguises import Written
from tocsin.handling.leaks import Finding, Place, Protected, Scanner, Secret, Text

ADDRESS, DOMAIN, MAIL = "203.0.113.7", "victim.example", "john.doe@bank.example"
HASH, PHONE, IBAN = "44d88612fea8a8f36de82e1278abb02f", "+442079460123", "DE89370400440532013000"
WEB, NETWORK = "https://shop.example.com/login?id=7", "198.51.100.0/24"
SIX, UMLAUT = "2001:db8::7", "xn--mnchen-3ya.example"
NAME, BANK = "Acme Holdings", "بنك الوطني"
VALUES = (ADDRESS, DOMAIN, MAIL, HASH, PHONE, IBAN, WEB, NETWORK, SIX, UMLAUT, NAME, BANK)
SCANNER = Scanner(Protected(each, Secret.VICTIM) for each in VALUES)

DISGUISED = (
    (ADDRESS, "203[.]0[.]113[.]7"), (ADDRESS, "«٢٠٣٫٠٫١١٣٫٧»"), (ADDRESS, "۲۰۳.۰.۱۱۳.۷"),
    (ADDRESS, "203(dot)0(dot)113(dot)7"),
    (ADDRESS, "203 dot 0 dot 113 dot 7"), (ADDRESS, "２０３．０．１１３．７"), (ADDRESS, "20\u200b3.0.\u200e113.7"),
    (ADDRESS, "203.0.\n113.7"), (ADDRESS, "203.0.1\r\n13.7"), (ADDRESS, "203.000.113.007"),
    (ADDRESS, "::ffff:203.0.113.7"),
    (ADDRESS, "::ffff:cb00:7107"), (ADDRESS, "64:ff9b::cb00:7107"), (ADDRESS, "203.0.113.0/24"),
    (ADDRESS, "203.0.113.x"),
    (ADDRESS, "hxxp://203.0.113[.]7/x"), (ADDRESS, "http://3405803783/"), (ADDRESS, "0xCB007107"),
    (ADDRESS, "%32%30%33.0.113.7"), (ADDRESS, "203&#46;0.113.7"), (ADDRESS, "203-0-113-7.isp.example"),
    (ADDRESS, "7.113.0.203.in-addr.arpa"), (ADDRESS, "عنوان 203.0.113.7"), (ADDRESS, "ب203.0.113.7"),
    (ADDRESS, "3. 203.0.113.7"),
    (DOMAIN, "https://www.VICTIM.example/login"), (DOMAIN, "victim[.]example"), (DOMAIN, "victim.example.Then"),
    (DOMAIN, "بvictim.example"), (DOMAIN, "http%3A%2F%2Fvictim.example%2F"), (DOMAIN, "vic-\ntim.example"),
    (DOMAIN, "someone@victim.example"), (DOMAIN, "victim。example"),
    (MAIL, "john.doe[at]bank[.]example"), (MAIL, "John.Doe @ bank.example"), (MAIL, "john.doe+list@bank.example"),
    (UMLAUT, "MÜNCHEN[.]example"), (UMLAUT, "XN--MNCHEN-3YA.EXAMPLE"), (UMLAUT, "mu\u0308nchen.example"),
    (SIX, "2001:0DB8:0:0:0:0:0:7"), (SIX, "2001[:]db8[:][:]7"), (SIX, "[2001:db8::7]:443"), (SIX, "2001:db8::0.0.0.7"),
    (SIX, "2001:db8::/48"), (SIX, "2001:db8:\n:7"),
    (PHONE, "020 7946 0123"), (PHONE, "+44 (0)20 7946-0123"), (PHONE, "٠٠٤٤٢٠٧٩٤٦٠١٢٣"),
    (IBAN, "DE89 3704 0044 0532 0130 00"),
    (HASH, "44D88612 FEA8A8F3 6DE82E12 78ABB02F"), (HASH, "44d88612fea8a8f3\n6de82e1278abb02f"),
    (WEB, "hxxps://shop[.]example[.]com/login?id=7"), (WEB, "https://shop.example.com/%6Cogin?id=7"),
    (NETWORK, "198.51.100.9"), (NETWORK, "198.51.100.0/24"), (NETWORK, "198.51.100.*"),
    (NAME, "ACME-HOLDINGS"), (NAME, "Acme\nHoldings"), (BANK, "للبنك الوطنى"), (BANK, "وبنك الوَطني"),
)  # fmt: skip
INNOCENT = (
    "203.0.113.70", "203.0.113.77", "1203.0.113.7", "1.203.0.113.7", "203.0.113.7.1", "203.0.113.8", "203, 0, 113, 7",
    "203.0.0.0/8", "203.0.114.0/24", "7.113.0.203", "2001:db8::71", "2001:db8:7::", "2001:db8::/16", "12:30:45",
    "notvictim.example", "not-victim.example", "victim.example.com", "victim-example", "the victim. Example of it",
    "xjohn.doe@bank.example", "doe@bank.example", "bank.example", "munchen.com", f"{HASH}0", f"a{HASH}",
    "+4420794601234", "DE89370400440532013001", "198.51.101.0", "acme, who holdings",
    "Acmes Holdings", "بنك الوطنيين",
)  # fmt: skip


def found(text: str, scanner: Scanner = SCANNER) -> list[Finding]:
    return scanner.find([Text(Place("text", "en"), text)])


def values(text: str) -> set[str]:
    return {SCANNER.protected[each.number].value for each in found(text)}


@pytest.mark.parametrize(("value", "text"), DISGUISED)
def test_no_disguise_hides_a_value(value: str, text: str) -> None:
    for whole in (text, f"Seen: {text}, again.", f"شوهد {text} مرة"):
        assert value in values(whole)


@pytest.mark.parametrize("text", INNOCENT)
def test_a_neighbour_is_no_find(text: str) -> None:
    assert values(text) == set()
    assert values(f"Seen ({text}) today.") == set()


def test_base64_is_opened_in_short_texts() -> None:
    hidden = base64.b64encode(b"to 203.0.113.7").decode()
    [one] = found(f"See {hidden}.")
    assert one.written == {Written.ENCODED}
    assert found(f"See {hidden}. " + "long " * 25_000) == []


def test_a_finding_says_where_and_how_and_never_what() -> None:
    texts = [
        Text(Place("title", "en"), "Nothing here"),
        Text(Place("body", "ar", "annex.pdf", 2), "سطر\n«٢٠٣٫٠٫١١٣٫٧»"),
    ]
    [one] = SCANNER.find(texts)
    assert (one.place, one.line, one.kind, one.why) == (texts[1].place, 2, Kind.IPV4, Secret.VICTIM)
    assert one.written == {Written.DIGITS}
    assert one.is_final
    assert "203" not in repr(one)


def test_each_value_once_a_place_and_the_graver_reason_wins() -> None:
    scanner = Scanner([Protected("Acme Holdings", Secret.SOURCE), Protected("acme-holdings", Secret.VICTIM)])
    assert [each.why for each in found("Acme Holdings, acme holdings", scanner)] == [Secret.VICTIM]


def test_the_host_of_a_victims_web_address_is_the_victims_and_that_of_a_restricted_one_is_not() -> None:
    text = "See shop.example.com for more."
    assert found(text, Scanner([Protected(WEB, Secret.VICTIM)]))
    assert not found(text, Scanner([Protected(WEB, Secret.RESTRICTED)]))


def test_what_could_not_be_read_is_a_finding() -> None:
    place = Place("annex", attachment="annex.pdf")
    assert [each.why for each in Scanner([]).find([Text(place, "", "document-encrypted")])] == [Secret.UNREADABLE]
    assert [each.why for each in Scanner([]).find([Text(place, "", has_position=True)])] == [Secret.POSITION]


# Disguises that are made up: both ways.

ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
DOTS = (".", "[.]", "(.)", "{.}", "[dot]", "(dot)", " dot ", " . ", "\\.", "．", "。")
SCRIPTS = (lambda text: text, lambda text: text.translate(ARABIC), lambda text: text.translate(PERSIAN),
           lambda text: text.translate(WIDE))  # fmt: skip
MARKS = ("", "\u200b", "\u200e", "\u200f", "\u2060", "\u00ad", "\ufeff", "\u061c", "\u2066")
AROUND = (("", ""), ("«", "»"), ("(", ")"), ("seen at ", "."), ("hxxp://", "/index"), ("على ", "؛"), ("\n", "\n"))
V4 = st.integers(0x01000000, 0xDFFFFFFF).map(lambda number: str(ipaddress.IPv4Address(number)))


@given(address=V4, data=st.data())
def test_any_address_is_found_in_any_disguise(address: str, data: st.DataObject) -> None:
    dot, mark = data.draw(st.sampled_from(DOTS)), data.draw(st.sampled_from(MARKS))
    written = dot.join(address.split("."))
    place = data.draw(st.integers(0, len(written)))
    if dot not in {"\\.", " dot ", " . ", "。", "[dot]", "(dot)"}:
        written = data.draw(st.sampled_from(SCRIPTS))(written)
        written = written[:place] + mark + written[place:]
    before, after = data.draw(st.sampled_from(AROUND))
    assert found(f"{before}{written}{after}", Scanner([Protected(address, Secret.VICTIM)]))


@given(one=V4, other=V4, data=st.data())
def test_no_address_is_taken_for_another(one: str, other: str, data: st.DataObject) -> None:
    dot = data.draw(st.sampled_from(DOTS))
    for near in (other, f"{one}{data.draw(st.integers(1, 9))}", f"{data.draw(st.integers(1, 9))}{one}"):
        if near != one:
            assert not found(dot.join(near.split(".")), Scanner([Protected(one, Secret.VICTIM)]))


@given(number=st.integers(1 << 100, (1 << 128) - 1), shown=st.booleans(), upper=st.booleans())
def test_an_address_of_version_six_in_any_spelling(number: int, shown: bool, upper: bool) -> None:
    address = ipaddress.IPv6Address(number)
    written = address.exploded if shown else address.compressed
    scanner = Scanner([Protected(str(address), Secret.VICTIM)])
    assert found(f"[{written.upper() if upper else written}]:443", scanner)
    other = ipaddress.IPv6Address(number ^ 1)
    assert not found(other.exploded, scanner)


LABELS = st.text("abcdefghijklmnopqrstuvwxyzäöüéñ", min_size=3, max_size=8)


@given(labels=st.lists(LABELS, min_size=1, max_size=2), data=st.data())
def test_any_domain_is_found_below_itself_and_in_addresses(labels: list[str], data: st.DataObject) -> None:
    name = ".".join([*labels, "example"])
    scanner = Scanner([Protected(name, Secret.VICTIM, Kind.DOMAIN)])
    forms = (
        name.upper(), name.replace(".", "[.]"), f"www.{name}", f"https://{name}/a", f"x@{name}",
        name.translate(WIDE), f"https://{quote(name)}/".replace(".", "%2E"),
        ".".join(each.encode("idna").decode() for each in name.split(".")),
    )  # fmt: skip
    assert found(data.draw(st.sampled_from(forms)), scanner)
    assert not found(data.draw(st.sampled_from((f"x{name}", f"x-{name}", f"{name}.com", f"{name}x"))), scanner)


@given(digest=st.text("0123456789abcdef", min_size=64, max_size=64), group=st.integers(2, 16), data=st.data())
def test_any_digest_is_found_in_any_groups(digest: str, group: int, data: st.DataObject) -> None:
    sign = data.draw(st.sampled_from((" ", "-", ":", "\n", "\u200b", " \n ")))
    written = sign.join(digest[at : at + group] for at in range(0, 64, group))
    scanner = Scanner([Protected(digest, Secret.RESTRICTED, Kind.SHA256)])
    assert found(f"({data.draw(st.sampled_from(SCRIPTS))(written.upper())})", scanner)
    assert not found(f"{written}0", scanner)


@given(text=st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    for each in found(text):
        assert each.line >= 1
