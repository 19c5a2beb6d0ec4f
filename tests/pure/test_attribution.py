"""W17: a text that puts a deed down to a State does not pass; neutral names of clusters do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.handling.attribution import attributions_to_a_state

FAILS = [
    "The campaign is attributed to the foreign intelligence service of Xanadu.",
    "We assess with high confidence that it was carried out by the army of Xanadu.",
    "Cobalt Heron is a state-sponsored group.",
    "Cobalt Heron, linked to Military Unit 26165",
    "The group works for the Ministry of State Security.",
    "The government of Xanadu launched the attacks on banks.",
    "APT28 is operated by the GRU.",
    "A France-linked crew",
    "La campagne est attribuée au service de renseignement du Xanadu.",
    "Une opération menée par l’armée de Xanadu",
    "Le gouvernement du Xanadu est derrière ces attaques.",
    "Un groupe soutenu par l'État",
    "La campaña se atribuye al servicio de inteligencia de Xanadu.",
    "Operación realizada por el ejército de Xanadu",
    "El gobierno de Xanadu está detrás de los ataques.",
    "Un grupo patrocinado por el Estado",
    "تُنسب الحملة إلى جهاز المخابرات في زانادو.",
    "عملية نفذها جيش زانادو",
    "مجموعة مدعومة من الدولة",
    "حكومة زانادو تقف وراء الهجمات",
]
PASSES = [
    "Cobalt Heron sends bank phishing from rented servers.",
    "APT28 and Grey Heron share a loader.",
    "The campaign is attributed to Cobalt Heron, a criminal group.",
    "Attacks against the government of Xanadu were carried out by a criminal gang.",
    "The Ministry of Finance was attacked by Cobalt Heron.",
    "Government websites were attacked from Xanadu.",
    "Published by the national police; the government advises to update.",
    "La campagne est attribuée à Cobalt Heron. Le gouvernement conseille une mise à jour.",
    "Le ministère a été attaqué par Cobalt Heron.",
    "La campaña se atribuye a Cobalt Heron. El gobierno aconseja actualizar.",
    "El ministerio fue atacado por Cobalt Heron.",
    "تُنسب الحملة إلى مجموعة كوبالت هيرون.",
    "تعرضت الوزارة لهجوم من مجموعة كوبالت هيرون.",
    "",
]


@pytest.mark.parametrize("text", FAILS)
def test_w17_an_attribution_to_a_state_fails(text: str) -> None:
    found = attributions_to_a_state(text)
    assert found
    assert all(each.strip() for each in found)


@pytest.mark.parametrize("text", PASSES)
def test_w17_a_neutral_name_passes(text: str) -> None:
    assert attributions_to_a_state(text) == []


NEUTRAL = st.text(alphabet=st.characters(codec="utf-8", categories=("Lu", "Ll", "Nd", "Zs")), max_size=60)


@given(NEUTRAL, NEUTRAL, st.sampled_from(FAILS))
def test_w17_nothing_around_hides_an_attribution(before: str, after: str, text: str) -> None:
    assert attributions_to_a_state(f"{before}.\n{text}\n{after}")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_w17_any_text_has_an_answer_and_small_or_capital_letters_change_none(text: str) -> None:
    assert bool(attributions_to_a_state(text)) == bool(attributions_to_a_state(text.casefold()))
