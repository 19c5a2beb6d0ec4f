"""Mail that comes back later rests the address that it was about, and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.conf import settings
from django.test import Client
from django.urls import reverse
from tests import people
from tests.centre.subscribers.test_rounds import notice, subscribed, tell
from tests.crew import work
from tests.far_ends import Mailbox

from tocsin.centre.audit.models import Entry
from tocsin.centre.members.models import Organisation
from tocsin.centre.subscribers import bouncing, bureaus, services
from tocsin.centre.subscribers.bouncing import Came
from tocsin.centre.subscribers.models import Returning, Subscriber
from tocsin.cli import main

pytestmark = pytest.mark.django_db(transaction=True)
GOLDEN = Path(__file__).parents[2] / "pure" / "returned"
IN_MAIL = "bounce+s7.320.aaaaaaaaaaaaaaaa@alerts.example"


@pytest.fixture(autouse=True)
def _returns(mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = replace(mailbox.relay, returns="bounce@alerts.example", returns_folder=str(tmp_path / "returned"))
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, mail=relay))


def came_back(to: str, name: str = "postfix") -> bytes:
    return (GOLDEN / f"{name}.eml").read_bytes().replace(IN_MAIL.encode(), to.encode())


def sent(about: Subscriber | Organisation, days_ago: int = 0) -> str:
    return bouncing.path_for(about, datetime.now(UTC) - timedelta(days=days_ago))


def take(raw: bytes) -> Came:
    return bouncing.take(raw, datetime.now(UTC))


def test_mail_goes_out_with_a_way_back_of_its_own(mailbox: Mailbox) -> None:
    ana, badr = subscribed("ana@reader.example"), subscribed("badr@reader.example")
    tell(notice())
    assert mailbox.ways_back == {"ana@reader.example": sent(ana), "badr@reader.example": sent(badr)}
    assert "reader" not in sent(ana)
    assert len(sent(ana).partition("@")[0]) <= 64
    assert take(came_back(sent(ana).upper())) is Came.COUNTED, "some servers write addresses their own way"


@pytest.mark.parametrize("name", ["postfix", "exim", "exim-old", "exchange", "sendmail", "qmail"])
def test_the_second_one_for_good_rests_the_address(name: str, mailbox: Mailbox) -> None:
    ana, badr = subscribed("ana@reader.example"), subscribed("badr@reader.example")
    assert take(came_back(sent(ana, 5), name)) is Came.COUNTED
    assert take(came_back(sent(ana, 5), name)) is Came.COUNTED, "what was sent on one day counts once"
    assert take(came_back(sent(ana, 1), name)) is Came.RESTS
    tell(notice())
    assert {to for to, _ in mailbox.mails} == {"badr@reader.example"}
    entry = Entry.objects.get(action="subscriber.rests")
    assert "reader" not in entry.detail + entry.subject
    ana.refresh_from_db()
    services.change(ana, services.Wish.of("en"))
    assert not Returning.objects.exists(), "who opens the own page is tried again"
    assert badr.state == "active"


@pytest.mark.parametrize("name", ["postfix-delayed", "postfix-queue-over", "mailbox-full", "exchange-policy"])
def test_what_is_for_now_or_about_us_counts_nothing(name: str) -> None:
    ana = subscribed("ana@reader.example")
    assert {take(came_back(sent(ana, day), name)) for day in range(9)} == {Came.FOR_NOW}
    assert not Returning.objects.exists()


@pytest.mark.parametrize("name", ["away", "read", "person", "delivered"])
def test_answers_of_people_and_machines_are_no_reports(name: str) -> None:
    assert take(came_back(sent(subscribed("ana@reader.example")), name)) is Came.NO_REPORT


def test_nobody_takes_anothers_subscription_away() -> None:
    ana, eve = subscribed("ana@reader.example"), subscribed("eve@reader.example")
    own = sent(eve)
    for forged in (
        own.replace(f"s{eve.pk}.", f"s{ana.pk}."), own.replace("+s", "+o"), IN_MAIL, "bounce@alerts.example",
        sent(ana, 30), sent(ana, -3), own[:-20],
    ):  # fmt: skip
        assert take(came_back(forged)) is Came.NOT_OURS, forged
    ana.delete()
    assert not Returning.objects.exists()


def test_a_bureau_rests_until_it_has_another_address(mailbox: Mailbox) -> None:
    fleur = people.call("fleur_officer")
    bureau = fleur.organisation
    Organisation.objects.filter(pk=bureau.pk).update(contact="Desk <duty@ncb-fr.example>")
    bureau.refresh_from_db()
    assert [take(came_back(sent(bureau, day))) for day in (5, 1)] == [Came.COUNTED, Came.RESTS]
    assert bouncing.rests(bureau)
    client = Client()
    people.let_in(client, "dana_analyst", "en")
    page = client.get(reverse("alert-public-reach")).content.decode()
    assert bureau.name in page
    assert "5.1.1" in page
    Organisation.objects.filter(pk=bureau.pk).update(contact="new@ncb-fr.example")
    bureau.refresh_from_db()
    assert not bouncing.rests(bureau)
    assert take(came_back(sent(bureau))) is Came.COUNTED
    assert bureaus.address_in(bureau.contact) == "new@ncb-fr.example"


def test_the_folder_is_read_and_left_tidy(tmp_path: Path) -> None:
    ana, folder = subscribed("ana@reader.example"), tmp_path / "returned"
    (folder / "new").mkdir(parents=True)
    secret = tmp_path / "secret"
    secret.write_bytes(came_back(sent(ana, 2)))
    (folder / "new" / "0").symlink_to(secret)
    (folder / "new" / "1.host").write_bytes(came_back(sent(ana, 5)))
    (folder / "new" / "2.host:2,").write_bytes(came_back(sent(ana, 1), "person"))
    (folder / "new" / "3.host").write_bytes(b"\0" * 3_000_000)
    bouncing.tick(datetime.now(UTC))
    work()
    assert sorted(each.name for each in (folder / "new").iterdir()) == ["0"], "links are left alone"
    assert sorted(each.name for each in (folder / "cur").iterdir()) == ["2.host:2,", "3.host:2,"]
    assert Returning.objects.get().count == 1
    assert secret.exists()


def test_a_pipe_of_the_mail_server_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.alert_returned.setup", lambda: None)
    ana = subscribed("ana@reader.example")
    away = came_back("list@alerts.example")
    done = CliRunner().invoke(main, ["alert", "returned", "--to", sent(ana)], input=away + b"x" * 5_000_000)
    assert (done.exit_code, done.output) == (0, "counted: 1\n")
    assert Returning.objects.get().subscriber == ana
