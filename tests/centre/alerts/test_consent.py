"""A source agrees that the public reads its values: asked by the Centre's analyst, answered by its own people."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import alert_life, people
from tests.found_alerts import C2, VICTIM, begun, hand_over, marked

from tocsin.centre.alerts import files, guarding, publishing, services
from tocsin.centre.alerts.guarding import LeaksFound
from tocsin.centre.alerts.models import PublicFile, Version
from tocsin.centre.alerts.selectors import content_of
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.permissions import services as permissions
from tocsin.centre.permissions.models import Permission
from tocsin.centre.permissions.rules import PUBLIC
from tocsin.products.alerts.draft import to_json

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("public_site")]


def until() -> str:
    return (timezone.now() + timedelta(days=30)).date().isoformat()


def browser(login: str) -> Client:
    client = Client()
    people.let_in(client, login, "en")
    return client


def ask(ground: Delivery, **said: object) -> str:
    """What the page answers to an analyst who asks for the public."""
    wanted = {"audience": [PUBLIC], "until": until(), "reason": "The public can defend itself.", **said}
    answer = browser(alert_life.AUTHOR).post(reverse("permission-ask", args=[ground.receipt]), wanted)
    return answer.content.decode()


def naming_the_server(ground: Delivery) -> Version:
    version = begun(ground, texts=alert_life.texts(recognise=(f"Traffic to {C2}.",)))
    said = {**to_json(content_of(version)), "indicators": [to_json(each) for each in marked(version)]}
    return services.write(version, said, base=1, by=people.call(alert_life.AUTHOR), at=timezone.now())


def read_by_all(version: Version, value: str) -> bool:
    found = PublicFile.objects.get(path=f"en/{version.alert.number}/")
    return value in files.read(found.sha256).decode().replace("[.]", ".")


def test_what_a_source_permits_for_the_public_is_published_and_opens_nothing_else() -> None:
    ground = hand_over("TLP:AMBER", pap="PAP:CLEAR")
    page = browser(alert_life.AUTHOR).get(reverse("permission-ask", args=[ground.receipt])).content.decode()
    assert "The public, in an alert: exactly these values" in page
    version = alert_life.with_police(naming_the_server(ground))
    with pytest.raises(LeaksFound):
        publishing.publish_public(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    ask(ground)
    asked = Permission.objects.get()
    source = browser("pia_partner")
    shown = source.get(reverse("permission", args=[asked.pk])).content.decode()
    assert "The public, in an alert: exactly these values" in shown, "the source reads who it is for"
    fleur = viewer_of(people.call("fleur_officer"))
    before = set(visible_batches(fleur, timezone.now()).values_list("pk", flat=True))
    source.post(reverse("permission", args=[asked.pk]), {"act": "grant", "audience": [PUBLIC], "until": until()})
    asked.refresh_from_db()
    assert (asked.state, asked.permitted_audience) == ("granted", [PUBLIC])
    assert set(visible_batches(fleur, timezone.now()).values_list("pk", flat=True)) == before
    publishing.publish_public(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    assert read_by_all(version, C2)
    assert not read_by_all(version, VICTIM), "a permission for the public is none for who suffered"


def test_a_permission_that_is_taken_back_counts_for_nothing() -> None:
    ground = hand_over("TLP:GREEN", pap="PAP:CLEAR")
    ask(ground)
    asked, by, at = Permission.objects.get(), people.call("pia_partner"), timezone.now()
    permissions.grant(asked, asked.wish, text="", by=by, at=at)
    version = naming_the_server(ground)
    assert [each.value for each in guarding.publishable_signs(version, at)] == [C2]
    permissions.withdraw(asked, reason="An error", by=by, at=at)
    assert guarding.publishable_signs(version, at) == ()


def test_the_public_is_asked_for_by_the_centre_for_what_is_there_and_may_be_acted_on() -> None:
    restricted = hand_over("TLP:GREEN", pap="PAP:GREEN")
    assert "has to set PAP:CLEAR first" in ask(restricted)
    other = b"time,ip,event type,role\n2026-11-20T10:00:00Z,198.51.100.77,scan,ATTACKER_INFRA\n"
    free = hand_over("TLP:GREEN", body=other, pap="PAP:CLEAR")
    assert "never what comes later" in ask(free, is_standing="on")
    assert not Permission.objects.exists()
    ask(free)
    assert Permission.objects.get().audience == [PUBLIC]
