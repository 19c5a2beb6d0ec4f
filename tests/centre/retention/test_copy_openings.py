"""W05: a sealed copy is there for a court alone; two legal officers take it out together, and each time is an act."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from tests import builders, crew, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services as intake
from tocsin.centre.members.models import Person
from tocsin.centre.retention import copy_openings, legal_holds, purging
from tocsin.centre.retention.models import CopyOpening, LegalHold
from tocsin.core.errors import Conflict, InputError, NotFound, Refused
from tocsin.credentials.content_keys import KeyMissing

pytestmark = pytest.mark.django_db
TABLE = b"domain,seen\nc2.northwind-test.example,2026-11-20T10:00:00Z\n"
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LegalHold:
    """On a delivery that was purged since."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))
    source, lena = builders.organisation("northwind"), people.call("lena_legal")
    made = intake.receive(organisation=source, via="api", name="t.csv", chunks=[TABLE], at=NOW)
    crew.work()
    held = legal_holds.place(made.receipt, authority="Court 4", reason="Trial", until=None, by=lena, at=NOW)
    purging.order(made, by=lena.login, at=NOW)
    purging.do(NOW + 2 * HOUR)
    return held


@pytest.fixture
def second() -> Person:
    return builders.person("leo_legal", builders.centre(), "legal")


def ask(hold: LegalHold, **said: object) -> CopyOpening:
    facts = {"authority": "Court 4, 17/2026", "reason": "It was ordered", "by": people.call("lena_legal"), "at": NOW}
    return copy_openings.ask(hold, **(facts | said))  # type: ignore[arg-type]


def test_w05_two_officers_take_it_out_for_a_day_and_each_time_is_an_act(hold: LegalHold, second: Person) -> None:
    lena = people.call("lena_legal")
    with pytest.raises(NotFound):
        copy_openings.take(hold, by=lena, at=NOW)
    ask(hold)
    with pytest.raises(Refused, match="copy-opened-by-one"):
        copy_openings.approve(hold, by=lena, at=NOW)
    with pytest.raises(NotFound):
        copy_openings.take(hold, by=lena, at=NOW)
    copy_openings.approve(hold, by=second, at=NOW + HOUR)
    for each in (lena, second):
        assert b"".join(copy_openings.take(hold, by=each, at=NOW + 24 * HOUR)[1]) == TABLE
    third = builders.person("lou_legal", builders.centre(), "legal")
    for each, hours in ((third, 2), (people.call("dana_analyst"), 2), (lena, 26)):
        with pytest.raises(NotFound):
            copy_openings.take(hold, by=each, at=NOW + hours * HOUR)
    assert CopyOpening.objects.get().taken == 2
    acts = Entry.objects.filter(action__startswith="legal-hold.copy-").order_by("pk").values_list("actor", "action")
    assert [*acts] == [
        ("lena_legal", "legal-hold.copy-asked"), ("leo_legal", "legal-hold.copy-opened"),
        ("lena_legal", "legal-hold.copy-taken"), ("leo_legal", "legal-hold.copy-taken"),
    ]  # fmt: skip


def test_what_is_not_to_be_opened_is_not(hold: LegalHold, second: Person, tmp_path: Path) -> None:
    for wrong, error in (({"reason": " "}, InputError), ({"authority": ""}, InputError),
                         ({"by": people.call("dana_analyst")}, NotFound)):  # fmt: skip
        with pytest.raises(error):
            ask(hold, **wrong)
    asked = ask(hold)
    with pytest.raises(Conflict):
        ask(hold, by=second)
    with pytest.raises(Conflict):  # It lapsed.
        copy_openings.approve(hold, by=second, at=NOW + 73 * HOUR)
    with pytest.raises(IntegrityError), transaction.atomic():
        CopyOpening.objects.filter(pk=asked.pk).update(approved_by=asked.asked_by)
    copy_openings.approve(hold, by=second, at=NOW)
    key = tmp_path / "keys" / "sealing-key"
    right = key.read_bytes()
    key.write_bytes(b"00" * 32)
    with pytest.raises((InputError, KeyMissing)):
        copy_openings.take(hold, by=second, at=NOW)
    key.write_bytes(right)
    assert CopyOpening.objects.get().taken == 0
    legal_holds.lift(hold, reason="It is over", by=second, at=NOW)
    with pytest.raises(NotFound):
        copy_openings.take(hold, by=second, at=NOW)
    with pytest.raises(NotFound):
        ask(hold)


def test_w05_on_its_page(hold: LegalHold, second: Person, client: Client) -> None:
    page = reverse("legal-hold-copy", args=[hold.pk])
    people.let_in(client, "lena_legal")
    assert reverse("legal-hold-copy", args=[hold.pk]) in client.get(reverse("legal-holds")).content.decode()
    assert "Ask for it to be opened" in client.get(page).content.decode()
    assert client.post(page, {"authority": "Court 4", "reason": ""}).status_code == 422
    assert client.post(page, {"authority": "Court 4", "reason": "Ordered"}).status_code == 302
    assert "You asked: another legal officer" in client.get(page).content.decode()
    assert client.post(reverse("legal-hold-copy-take", args=[hold.pk])).status_code == 404
    client.post(reverse("legal-hold-copy-open", args=[hold.pk]))
    assert "another legal officer has to" in client.get(page).content.decode()
    opening = CopyOpening.objects.get()
    opening.approved_by, opening.approved_at = second, datetime.now(UTC)
    opening.save()
    assert "Take the copy out" in client.get(page).content.decode()
    reply = client.post(reverse("legal-hold-copy-take", args=[hold.pk]))
    assert b"".join(reply.streaming_content) == TABLE  # type: ignore[attr-defined]
    assert reply.headers["Content-Disposition"].startswith("attachment")
    assert "taken out 1 time" in client.get(page).content.decode()
