"""An audience of nobody, and organisations that stand below themselves: refused where they are set; where they come to
be, nothing is seen by more than before, and every walk ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.circulars.rules import Addressees, audience_of
from tocsin.centre.intake.models import Batch, Terms
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.members import admission, countries
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.permissions import services as permissions
from tocsin.centre.permissions.rules import Wish
from tocsin.centre.reach.recipients import circle
from tocsin.centre.release import orders, releasing
from tocsin.centre.release.models import Release
from tocsin.centre.release.preview import preview
from tocsin.core.errors import InputError, Refused
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet
from tocsin.lake.scope import Batches

pytestmark = pytest.mark.django_db
NOW = builders.NOW


def _inactive(france: Organisation) -> None:
    Organisation.objects.filter(pk=france.pk).update(is_active=False)


def _cut_off(france: Organisation) -> None:
    Organisation.objects.filter(pk=france.pk).update(withdrawn_at=NOW)


def _suspended(france: Organisation) -> None:
    countries.set_status("FR", "suspended", reason="r", by="t", at=NOW)


CLOSE = [_inactive, _cut_off, _suspended]


def who_sees(batch: Batch) -> set[str]:
    """Bureaus and partners that the gate shows it to, whoever may come in."""
    found = Person.objects.filter(organisation__is_centre=False).select_related("organisation")
    return {
        each.login for each in found
        if visible_batches(viewer_of(each)).filter(pk=batch.pk).exists() and each.login != "pia_partner"
    }  # fmt: skip


@pytest.mark.parametrize("close", CLOSE)
def test_an_audience_of_closed_organisations_is_refused_where_it_is_set(close: object) -> None:
    fleur, pia, dana = (people.call(each) for each in ("fleur_officer", "pia_partner", "dana_analyst"))
    people.call("khalil_officer")
    waiting = builders.batch(builders.delivery(pia.organisation), builders.handling(codes=("H1",)), released_to=None)
    strict = builders.batch(builders.delivery(pia.organisation), builders.handling(Tlp.AMBER_STRICT))
    close(fleur.organisation)  # type: ignore[operator]
    wish = Wish(frozenset({"ncb-fr", "country:FR"}), frozenset(), False, NOW.date())
    with pytest.raises(Refused, match="nobody"):
        permissions.ask(strict.delivery, [strict], wish, reason="r", by=dana, at=NOW)
    with pytest.raises(Refused, match="nobody"):
        releasing.propose(waiting.delivery, Batch.objects.all(), audience=["country:FR"], reason="r", by=dana, at=NOW)
    with pytest.raises(Refused, match="nobody"):
        orders.draw_up(
            title="t", organisation=pia.organisation, formats=(), audience=["ncb-fr"], ceiling=Tlp.GREEN,
            purposes=["PROTECT"], starts_on=NOW.date(), ends_on=NOW.date() + timedelta(days=1),
            by=people.call("rui_reviewer"), is_proved=True, at=NOW,
        )  # fmt: skip
    releasing.propose(waiting.delivery, Batch.objects.filter(pk=waiting.pk), audience=["country:FR", "country:JO"],
                      reason="r", by=dana, at=NOW)  # fmt: skip


@pytest.mark.parametrize("close", CLOSE)
def test_an_audience_that_comes_to_be_nobody_is_nobody(close: object) -> None:
    fleur, pia = people.call("fleur_officer"), people.call("pia_partner")
    for login in ("khalil_officer", "omar_partner"):
        people.call(login)
    under = builders.handling(codes=("H1",))
    batch = builders.batch(builders.delivery(pia.organisation), under, released_to=("ncb-fr",))
    assert who_sees(batch) == {"fleur_officer"}
    close(fleur.organisation)  # type: ignore[operator]
    assert who_sees(batch) == set()
    shown = preview(HandlingSet.from_json(under.body), "northwind", ("ncb-fr",), timezone.now())
    assert [line.organisation.slug for part in shown.shown for line in part.lines] == ["northwind"]
    assert circle(timezone.now()).open_to(Batches([batch.pk])) in ([], [pia.organisation_id])
    assert Terms.objects.get(pk=batch.terms_id).audience.entries == ["ncb-fr"], "and never everybody"


def test_an_audience_that_is_all_excluded_is_refused_and_never_everybody() -> None:
    pia, dana = people.call("pia_partner"), people.call("dana_analyst")
    for login in ("fleur_officer", "khalil_officer"):
        people.call(login)
    said = {"exclusions": ("country:FR",), "codes": ("H1",)}
    batch = builders.batch(builders.delivery(pia.organisation), builders.handling(**said), released_to=None)
    for audience in (["country:FR"], ["ncb-fr"], ["no-such"]):
        with pytest.raises(Refused, match=r"nobody|wider"):
            releasing.propose(batch.delivery, Batch.objects.all(), audience=audience, reason="r", by=dana, at=NOW)
    assert not Release.objects.exists()
    bureaus = {"FR": ["ncb-fr"], "JO": ["ncb-jo"]}
    for chosen in (Addressees(), Addressees(is_everybody=True, except_countries=("FR",)),
                   Addressees(countries=("JO",))):  # fmt: skip
        with pytest.raises(InputError):
            audience_of(chosen, bureaus, "JO", lambda code, region: False)
    # Whom the source permitted is all that was named, and the permission is over: it waits, open to nobody.
    terms = Terms.objects.get(pk=batch.terms_id)
    held = terms.alike(audience_id=type(terms.audience).of(["ncb-jo"]).pk,
                       permitted_id=type(terms.audience).of(["ncb-jo"]).pk)  # fmt: skip
    assert held.relabelled(pia.organisation_id, builders.handling(Tlp.AMBER).pk).audience.entries is None


def test_cyclic_organisations_end_every_walk_and_let_nobody_in(client: Client) -> None:
    """However they came into the database: the services refuse them (tests/doors/test_people.py)."""
    people.call("fleur_officer")
    bureau = builders.bureau("FR")
    own, one, two, three = (
        builders.organisation(slug, class_name="law-enforcement", country="FR", parent=bureau)
        for slug in ("own", "one", "two", "three")
    )
    lost = [builders.person(f"p_{each.slug}", each, "officer") for each in (own, one, two, three)]
    for child, parent in ((own, own), (one, two), (two, three), (three, two)):
        Organisation.objects.filter(pk=child.pk).update(parent=parent)
    source = builders.organisation("northwind")
    batch = builders.batch(builders.delivery(source), builders.handling(), released_to=())
    for person in Person.objects.filter(pk__in=[each.pk for each in lost]):
        at = person.organisation
        assert at.has_circle()
        assert len(at.above()) < 4
        assert len(at.below()) < 4
        assert admission.refusal_of(person, NOW) == "organisation-closed"
        assert viewer_of(person).class_name == ""
        assert countries.status_for(at, NOW) == "active"
        with pytest.raises(InputError):
            at.save()
    assert {each.slug for each in admission.admitted_among(admission.all_organisations(), NOW)} >= {"ncb-fr"}
    assert not {each.pk for each in (own, one, two, three)} & set(circle(timezone.now()).open_to(Batches([batch.pk])))
    people.let_in(client, "paula_partnership")
    for name in ("organisations", "memberships"):
        assert client.get(reverse(name)).status_code == 200, name
    assert client.get(reverse("organisation", args=["two"])).status_code == 200
