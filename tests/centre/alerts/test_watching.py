"""What is published is looked at again when something that is held changes, and nothing slips past its scan."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import alert_life, people
from tests.crew import work
from tests.found_alerts import C2, OTHER, begun, hand_over, marked, sees

from tocsin.centre.alerts import files, making, publishing, services, watching, withdrawing
from tocsin.centre.alerts.guarding import LeaksFound
from tocsin.centre.alerts.models import Concern, PublicFile, Version
from tocsin.centre.alerts.rules import State
from tocsin.centre.alerts.selectors import content_of, standing
from tocsin.centre.intake.models import Delivery
from tocsin.centre.jobs.models import Job
from tocsin.centre.permissions import services as permissions
from tocsin.centre.permissions.models import Permission
from tocsin.centre.permissions.rules import PUBLIC
from tocsin.centre.recall.relabelling import chosen_of, relabel
from tocsin.products.alerts.draft import to_json

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("public_site")]
VICTIM_ROW = b"time,ip,event type,role\n2026-11-22T10:00:00Z,%s,infected-system,VICTIM\n"
NAMED = "192.0.2.44"


def with_sign(ground: Delivery, **said: object) -> Version:
    version = begun(ground, **said)
    content = {**to_json(content_of(version)), "indicators": [to_json(each) for each in marked(version)]}
    return services.write(version, content, base=1, by=people.call("dana_analyst"), at=timezone.now())


def clear() -> Delivery:
    return hand_over("TLP:CLEAR", body=OTHER, pap="PAP:CLEAR")


def suffers(value: str) -> Delivery:
    """Somebody hands over that this is a victim's."""
    return hand_over("TLP:AMBER", body=VICTIM_ROW % value.encode(), login="fleur_officer")


def look() -> list[tuple[str, str]]:
    watching.tick(timezone.now())
    work()
    return [(each.why, each.done) for each in Concern.objects.order_by("pk")]


def says(value: str) -> list[str]:
    """Where on the public site it stands."""
    shown = {each.path: files.read(each.sha256) for each in PublicFile.objects.filter(is_gone=False)}
    return [path for path, body in shown.items() if value in body.decode(errors="replace").replace("[.]", ".")]


def test_a_victim_that_is_handed_over_later_leaves_the_public_site_at_once() -> None:
    version = alert_life.in_public(with_sign(clear()))
    assert says(C2)
    suffers(C2)
    assert look() == [("victim", "narrowed")]
    assert says(C2) == []
    now = standing(version.alert)
    assert now is not None
    assert (now.number, now.state, now.public_signs) == (2, State.PUBLIC, [])
    assert look() == [("victim", "narrowed")], "once"


def test_where_the_words_name_a_victim_all_of_it_leaves() -> None:
    words = alert_life.texts(recognise=(f"Messages come from {NAMED}.",))
    version = alert_life.in_public(begun(clear(), texts=words))
    assert says(NAMED)
    suffers(NAMED)
    assert look() == [("victim", "withheld")]
    assert says(NAMED) == []
    assert not standing(version.alert)


def test_what_says_nothing_of_its_values_starts_no_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    version = alert_life.in_public(with_sign(clear()))
    suffers("192.0.2.99")

    def never(*said: object) -> None:
        raise AssertionError("nothing of what it names was handed over")

    monkeypatch.setattr(withdrawing, "withdrawn_signs", never)
    assert look() == []
    assert alert_life.fresh(version).watched == watching.latest_change()
    Job.objects.all().delete()
    watching.tick(timezone.now())
    assert not Job.objects.filter(kind=watching.WATCH).exists(), "nothing changed since"


def test_a_permission_that_its_source_takes_back_takes_the_value_off() -> None:
    ground = hand_over("TLP:GREEN", body=OTHER, pap="PAP:CLEAR")
    client = Client()
    people.let_in(client, alert_life.AUTHOR, "en")
    until = (timezone.now() + timedelta(days=30)).date().isoformat()
    wanted = {"audience": [PUBLIC], "until": until, "reason": "The public can defend itself."}
    client.post(reverse("permission-ask", args=[ground.receipt]), wanted)
    asked, source = Permission.objects.get(), people.call("pia_partner")
    permissions.grant(asked, asked.wish, text="", by=source, at=timezone.now())
    version = alert_life.in_public(with_sign(ground))
    assert says(C2)
    asked.refresh_from_db()
    permissions.withdraw(asked, reason="An error", by=source, at=timezone.now())
    assert look() == [("agreement", "narrowed")]
    assert says(C2) == []
    assert standing(version.alert) is not None, "the warning stays"


def narrower(ground: Delivery, **changes: object) -> None:
    seen = chosen_of(ground, ()).mark
    relabel(ground, (), changes, seen=seen, note="", by=people.call("pia_partner"), at=timezone.now())
    work()


def test_a_narrower_label_closes_the_police_edition_and_takes_the_value_off() -> None:
    ground = clear()
    version = alert_life.in_public(with_sign(ground))
    assert version.delivery is not None
    narrower(ground, tlp="TLP:RED", audience=["northwind"])
    assert not sees("fleur_officer", version.delivery), "in the transaction of the label"
    found = look()
    assert ("agreement", "narrowed") in found
    assert says(C2) == []
    assert Version.objects.filter(alert=version.alert, state=State.DRAFT).exists(), "somebody passes it again"


def test_the_police_edition_alone_is_told_of_too() -> None:
    ground = hand_over(body=OTHER)
    version = alert_life.with_police(begun(ground))
    narrower(ground, tlp="TLP:AMBER")
    assert look() == [("narrower", "police-closed")]
    draft = Version.objects.filter(alert=version.alert).latest("number")
    assert (draft.number, draft.state) == (2, State.DRAFT)
    assert look() == [("narrower", "police-closed")]
    assert Version.objects.filter(alert=version.alert).count() == 2


@pytest.mark.parametrize("place", ["while it is made", "behind the scan"])
def test_what_is_handed_over_between_the_scan_and_the_switch_stops_it(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = alert_life.with_police(with_sign(clear()))
    known: Callable[..., object] = making.made_of if place == "while it is made" else publishing._kept

    def meanwhile(*said: object) -> object:
        found = known(*said)
        if not Delivery.objects.filter(organisation__is_bureau=True).exists():
            suffers(C2)
        return found

    if place == "while it is made":
        monkeypatch.setattr(making, "made_of", meanwhile)
    else:
        monkeypatch.setattr(publishing, "_kept", meanwhile)
    with pytest.raises(LeaksFound):
        publishing.publish_public(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    assert alert_life.fresh(version).state == State.POLICE
    assert not PublicFile.objects.exists()


def test_the_desk_is_told_without_the_value_until_somebody_looked() -> None:
    version = alert_life.in_public(with_sign(clear()))
    suffers(C2)
    look()
    client = Client()
    people.let_in(client, alert_life.AUTHOR, "en")
    home = client.get("/").content.decode()
    assert "Published alerts of which something new is known" in home
    listed = client.get(reverse("alert-desk") + "?show=concerns").content.decode()
    assert version.alert.number in listed
    page = client.get(reverse("alert-page", args=[version.alert.reference])).content.decode()
    assert "belongs to a victim" in page
    told = page[page.index("belongs to a victim") - 600 : page.index("I have looked at it")]
    assert C2 not in told
    client.post(reverse("alert-act", args=[version.alert.reference]), {"act": "seen"})
    assert (
        "belongs to a victim" not in client.get(reverse("alert-page", args=[version.alert.reference])).content.decode()
    )
    assert Concern.objects.get().seen_by == people.call(alert_life.AUTHOR)
