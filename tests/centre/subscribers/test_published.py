"""From the fourth person's press of the button to the reader's mailbox, and back when it is cancelled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from tests import alert_life, people
from tests.centre.alerts.test_recalls import taken_back, with_sign
from tests.crew import work
from tests.far_ends import Mailbox
from tests.found_alerts import C2, hand_over

from tocsin.centre.alerts import recalls
from tocsin.centre.alerts.public import lists
from tocsin.centre.members.models import Organisation
from tocsin.centre.subscribers import services
from tocsin.centre.subscribers.models import Kind, Round, Subscriber, Telling
from tocsin.products.alerts.words import words

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]  # Each part is asked on both where it is tested alone.


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    made = replace(settings.INSTALLATION, home=tmp_path, store="", public_origin="https://alerts.example")
    monkeypatch.setattr(settings, "INSTALLATION", made)
    monkeypatch.setattr(lists, "all_facets", list)


def reader(address: str, language: str) -> None:
    before = datetime.now(UTC) - timedelta(days=1)
    Subscriber.objects.create(
        name=address.partition("@")[0], kind=Kind.MAIL, address=services.sealed_address(address), language=language,
        state="active", asked_at=before, confirmed_at=before,
    )  # fmt: skip


def test_what_is_published_and_cancelled_is_told_in_the_language_of_each(mailbox: Mailbox) -> None:
    reader("badr@reader.example", "ar")
    reader("ana@reader.example", "fr")
    fleur = people.call("fleur_officer")
    Organisation.objects.filter(pk=fleur.organisation_id).update(contact="duty@ncb-fr.example")
    version = alert_life.in_public(alert_life.begun())
    work()
    number = version.alert.number
    [mail] = mailbox.of("badr@reader.example")
    assert mail["Subject"] == f"{alert_life.TITLES['ar']} ({number})"
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert f"https://alerts.example/alerts/ar/{number}/" in plain.get_content()
    [bureau] = mailbox.of("duty@ncb-fr.example")
    assert alert_life.TITLES["en"] not in bureau.as_string()
    alert_life.cancelled(version)
    work()
    first, second = mailbox.of("ana@reader.example")
    assert second["In-Reply-To"] == first["Message-ID"]
    plain = second.get_body(("plain",))
    assert plain is not None
    assert alert_life.REASONS["fr"] in plain.get_content()
    assert Telling.objects.count() == 2
    assert sum(Round.objects.filter(kind=Kind.MAIL).values_list("told", flat=True)) == 4


@pytest.mark.parametrize("is_withheld", [False, True])
def test_what_was_taken_off_or_withheld_is_told_without_what_it_was(mailbox: Mailbox, is_withheld: bool) -> None:
    reader("badr@reader.example", "ar")
    ground = hand_over("TLP:CLEAR", pap="PAP:CLEAR")
    version = with_sign(
        ground, **({"texts": alert_life.texts(recognise=(f"Traffic to {C2}.",))} if is_withheld else {})
    )
    alert_life.in_public(version)
    work()
    taken_back(ground)
    recalls.tick(datetime.now(UTC))
    work()
    first, second = mailbox.of("badr@reader.example")
    assert second["In-Reply-To"] == first["Message-ID"]
    plain = second.get_body(("plain",))
    assert plain is not None
    assert words("ar")("draft.withheld" if is_withheld else "draft.recalled") in plain.get_content()
    number = str(alert_life.fresh(version).alert)
    assert number in second["Subject"]
    assert (alert_life.TITLES["ar"] in second["Subject"]) is not is_withheld
    for each in (C2, C2.replace(".", "[.]")):
        assert each not in second.as_string()
        assert each not in "".join(str(part.get_payload(decode=True)) for part in second.walk())


def test_nobody_is_told_of_an_exercise_nor_of_what_the_police_alone_has(mailbox: Mailbox) -> None:
    reader("ana@reader.example", "fr")
    alert_life.with_police(alert_life.begun(is_exercise=True))
    alert_life.with_police(alert_life.begun())
    work()
    assert mailbox.of("ana@reader.example") == []
    assert not Telling.objects.exists()
