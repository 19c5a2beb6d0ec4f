"""What people are helped with when they write and translate an alert: plain words, and values that stay."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.products.alerts.draft import Draft, Texts, draft_of, to_json
from tocsin.products.alerts.locked import Fault, differences, locked_in
from tocsin.products.alerts.readability import FITS, MOST_WORDS, measured

PLAIN = {
    "en": "Criminals send a text message. It says that your parcel waits. The link leads to a false page. Do not "
          "tap on the link. Do not type in your card number. Call your bank if you did. Keep the message and "
          "tell the police.",
    "fr": "Des escrocs envoient un message. Il dit que votre colis attend. Le lien mène à une fausse page. Ne touchez "
          "pas le lien. Ne donnez pas le numéro de votre carte. Appelez votre banque si vous l’avez fait. Gardez le "
          "message et parlez-en à la police.",
    "es": "Unos estafadores envían un mensaje. Dice que su paquete espera. El enlace lleva a una página falsa. No "
          "toque el enlace. No dé el número de su tarjeta. Llame a su banco si lo hizo. Guarde el mensaje y "
          "avise a la policía.",
    "ar": "يرسل محتالون رسالة. تقول إن طردك ينتظر. يقود الرابط إلى صفحة زائفة. لا تضغط على الرابط. لا تكتب رقم بطاقتك. "
          "اتصل بمصرفك إن فعلت. احفظ الرسالة وأبلغ الشرطة.",
}  # fmt: skip
OFFICIAL = {
    "en": "Notwithstanding the implementation of comprehensive organisational countermeasures, financially motivated "
          "perpetrators continuously demonstrate considerable sophistication in circumventing authentication "
          "infrastructures, consequently necessitating heightened institutional vigilance throughout jurisdictions.",
    "fr": "Nonobstant la mise en œuvre de contre-mesures organisationnelles particulièrement contraignantes, les "
          "auteurs d’infractions démontrent continuellement une sophistication considérable dans le contournement des "
          "infrastructures d’authentification, nécessitant conséquemment une vigilance institutionnelle renforcée.",
    "es": "Independientemente de la implementación de contramedidas organizativas particularmente exhaustivas, los "
          "perpetradores demuestran continuamente una sofisticación considerable eludiendo infraestructuras de "
          "autenticación, requiriéndose consiguientemente una vigilancia institucional notablemente fortalecida.",
    "ar": "بصرف النظر عن استحداث الاستراتيجيات المؤسساتية المستفيضة لمواجهة الاعتداءات الإلكترونية المتصاعدة، يستمر "
          "المتورطون المستهدفون للاستيلاء على الممتلكات باستخدام التكنولوجيات المتطورة والالتفاف على الإجراءات "
          "الاحترازية المعتمدة لدى المؤسسات المصرفية والاستثمارية.",
}  # fmt: skip


@pytest.mark.parametrize("language", FITS)
def test_plain_words_pass_and_official_ones_are_named(language: str) -> None:
    plain, official = measured([PLAIN[language]], language), measured([OFFICIAL[language]], language)
    assert plain.is_plain, plain
    assert official.is_hard, official
    assert official.hard_words


def test_length_and_long_sentences_are_told() -> None:
    found = measured(["word " * (MOST_WORDS + 1) + "."], "en")
    assert found.is_long
    assert found.long_sentences == ("word " * 7 + "word",)
    assert not measured(["Short. " * 30], "en").is_long


def test_technical_values_are_no_words() -> None:
    assert measured(["See https://evil.example/path and 192.0.2.7 or evil[.]example."], "en").words == 3


def test_a_script_without_spaces_is_not_measured() -> None:
    assert measured(["犯罪者が偽のメッセージを送ります。" * 30], "ja").score is None


@given(st.text(max_size=300), st.sampled_from(["en", "fr", "es", "ar", "pt-BR", "zh", ""]))
def test_any_text_is_measured(text: str, language: str) -> None:
    found = measured([text], language)
    assert (found.words == 0) == (found.sentences == 0)


@pytest.mark.parametrize(("text", "wanted"), [
    ("Block 198.51.100.9 and evil[.]example.", ["198.51.100.9", "evil[.]example"]),
    ("See https://evil.example/a?b=1.", ["https://evil.example/a?b=1"]),
    ("Mail to a.b@bank.example, call +33 1 02 03 04 05.", ["a.b@bank.example", "+33 1 02 03 04 05"]),
    ("T1566.001 and CVE-2026-12345", ["T1566.001", "CVE-2026-12345"]),
    ("2001:db8::1", ["2001:db8::1"]),
    ("1,000 of 2 500 in 2026", ["1,000", "2 500", "2026"]),
    ("نعم ١٩٨٫٥١٫١٠٠٫٩", ["١٩٨٫٥١٫١٠٠٫٩"]),
    ("d41d8cd98f00b204e9800998ecf8427e", ["d41d8cd98f00b204e9800998ecf8427e"]),
    ("No value, e.g. none. At the end.", []),
])  # fmt: skip
def test_values_are_found_in_running_text(text: str, wanted: list[str]) -> None:
    assert [each.value for each in locked_in(text)] == wanted


@pytest.mark.parametrize(("source", "translation", "wanted"), [
    ("Block 198.51.100.9", "Bloquez 198.51.100.9", []),
    ("Block 198.51.100.9", "Bloquez cette adresse", [("198.51.100.9", Fault.MISSING, "")]),
    ("Block 198.51.100.9", "Bloquez 198.51.100.8", [("198.51.100.9", Fault.CHANGED, "198.51.100.8")]),
    ("Block 198.51.100.9", "احجب ١٩٨.٥١.١٠٠.٩", [("198.51.100.9", Fault.DIGITS, "١٩٨.٥١.١٠٠.٩")]),
    ("Block it", "Bloquez 198.51.100.9", [("198.51.100.9", Fault.ADDED, "")]),
    ("1,000 victims", "1 000 victimes", []),
    ("a.example twice a.example", "a.example", [("a.example", Fault.MISSING, "")]),
])  # fmt: skip
def test_what_a_translation_did_to_values_is_named(
    source: str, translation: str, wanted: list[tuple[str, Fault, str]]
) -> None:
    found = differences(Texts(happening=source), Texts(happening=translation))
    assert [(each.value, each.fault, each.found) for each in found] == wanted


def test_items_of_a_list_may_come_in_another_order() -> None:
    one, other = Texts(do_now=("Call 112", "Block a.example")), Texts(do_now=("Bloquez a.example", "Appelez le 112"))
    assert differences(one, other) == []


VALUES = st.sampled_from(["198.51.100.9", "evil.example", "https://a.example/x", "42", "T1566"])


@given(st.lists(VALUES, max_size=6))
def test_a_text_that_keeps_its_values_has_no_difference_and_one_that_lost_one_has(values: list[str]) -> None:
    said = Texts(happening=" and ".join(values))
    assert differences(said, said) == []
    if values:
        assert differences(said, Texts(happening=" et ".join(values[1:])))


def test_a_draft_is_equal_to_itself_as_it_is_read_back() -> None:
    made = Draft(countries=("FR",), texts=Texts(do_now=("a", "b")), onset=datetime(2026, 11, 23, tzinfo=UTC))
    stored = to_json(made)
    assert to_json(draft_of(stored)) == stored == json.loads(json.dumps(stored))
