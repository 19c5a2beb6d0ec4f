"""I6 over generated worlds: whatever victims and words there are, what passes the scanner holds none of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import alert_life
from tests.found_alerts import begun, hand_over

from tocsin.centre.alerts import editions, guarding
from tocsin.centre.alerts.models import Version
from tocsin.core.errors import Refused
from tocsin.products.alerts.draft import to_json
from tocsin.products.alerts.file import File

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("public_site"), pytest.mark.any_database]
VICTIMS = tuple(f"203.0.113.{number}" for number in range(1, 30))
ARABIC = str.maketrans("0123456789.", "٠١٢٣٤٥٦٧٨٩٫")
WAYS = (
    str, lambda text: text.replace(".", "[.]"), lambda text: text.translate(ARABIC),
    lambda text: text.replace(".", " dot "), lambda text: "".join(f"&#{ord(each)};" for each in text),
    lambda text: text.replace(".", ".\u200b"), lambda text: f"http://{text}/a", lambda text: f"[{text}]:80",
)  # fmt: skip
PLACES = ("title", "happening", "at_risk", "if_victim", "recognise", "do_now")
WORDS = st.text(alphabet="abc é ب.\n", max_size=12)


@pytest.fixture
def world() -> Version:
    rows = "".join(f"2026-11-20T10:00:00Z,{each},infected-system,VICTIM\n" for each in VICTIMS)
    ground = hand_over(body=f"time,ip,event type,role\n{rows}".encode())
    return begun(ground, expires=timezone.now() + timedelta(days=30))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    victim=st.sampled_from(VICTIMS), way=st.sampled_from(WAYS), place=st.sampled_from(PLACES), before=WORDS,
    after=WORDS, is_file=st.booleans(),
)  # fmt: skip
def test_a_victim_is_found_wherever_and_however_it_is_written(
    world: Version, victim: str, way: object, place: str, before: str, after: str, is_file: bool
) -> None:
    written = f"{before} {way(victim)} {after}"  # type: ignore[operator]
    at = timezone.now()
    said = alert_life.texts(**({} if is_file else {place: (written,) if place in {"recognise", "do_now"} else written}))
    world.content = {**world.content, "texts": to_json(said)}
    edition = editions.edition_of(world, at)
    files = [File("en/a.txt", "text/plain", written.encode(), "en")] if is_file else []
    with pytest.raises(guarding.LeaksFound) as found:
        guarding.require_publishable(world, edition, files, at)
    assert "victim" in {why for _language, _where, why in found.value.places}
    assert victim not in str(found.value)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.text(alphabet="abcdefg 203.1[]٠٢٣٫", min_size=1, max_size=30), min_size=1, max_size=4))
def test_what_passes_holds_none_of_them(world: Version, words: list[str]) -> None:
    at = timezone.now()
    world.content = {**world.content, "texts": to_json(alert_life.texts(do_now=tuple(words)))}
    edition = editions.edition_of(world, at)
    try:
        guarding.require_publishable(world, edition, [], at)
    except Refused:
        return
    plain = " ".join(words).translate({ord(each): value for each, value in zip("٠٢٣٫", "023.", strict=True)})
    assert not any(victim in plain.replace("[.]", ".").split() for victim in VICTIMS)
