"""Step-up: dangerous pages open to who proved lately who it is. Numbers are those of OWASP ASVS 5."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people, scene

from tocsin.centre.audit.models import Entry
from tocsin.centre.members.models import Key, Person
from tocsin.centre.members.sessions import FAILURES_ALLOWED, PROVED_AT
from tocsin.core.errors import InputError
from tocsin.site import installation

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
DANGEROUS = {
    "change-password": "aida_auditor",
    "acts-export": "aida_auditor",
    "factor-app": "pia_partner",
}
ASKED = {"name": "collector", "scopes": ["read"], "days": "90"}


def _proved(client: Client, minutes: float) -> None:
    session = client.session
    session[PROVED_AT] = (timezone.now() - timedelta(minutes=minutes)).timestamp()
    session.save()


@pytest.mark.parametrize("name", DANGEROUS)
@pytest.mark.parametrize(("minutes", "opens"), [(9.9, True), (10.1, False), (-5, False)])
def test_dangerous_pages_want_a_fresh_proof(name: str, minutes: float, opens: bool, client: Client) -> None:
    """7.5.3: also where the clock was set back since."""
    people.let_in(client, DANGEROUS[name])
    _proved(client, minutes)
    response = client.get(reverse(name), {"x": "1"})
    if opens:
        assert response.status_code == 200
    else:
        assert response["Location"] == reverse("prove", query={"next": f"{reverse(name)}?x=1"})


@pytest.mark.parametrize("name", DANGEROUS)
def test_a_session_without_any_proof_has_none(name: str, client: Client) -> None:
    client.force_login(people.call(DANGEROUS[name]))
    assert client.get(reverse(name))["Location"].startswith(reverse("prove"))


@pytest.mark.parametrize(("asked", "is_person"), [("someone@mail.example", True), ("198.51.100.9", False)])
def test_a_search_for_a_person_wants_a_fresh_proof(asked: str, is_person: bool, client: Client) -> None:
    people.let_in(client, "dana_analyst")
    _proved(client, 11)
    page = reverse("lookup", query={"q": asked})
    watched = {"q": asked, "reason": "EXERCISE"}
    told = [client.get(page), client.post(reverse("watch-add"), watched)]
    by_program = client.get("/api/v1/lookup", {"q": asked})
    to_prove = reverse("prove", query={"next": page})
    if is_person:
        assert [each["Location"] for each in told] == [to_prove, to_prove]
        assert by_program.status_code == 403
        assert not Entry.objects.filter(action__in=["lookup", "watch.added"]).exists()
        _proved(client, 1)
        told[0] = client.get(page)
    assert told[0].status_code == 200
    assert Entry.objects.filter(action="lookup").exists()


def test_what_is_taken_away_wants_a_fresh_proof_and_nothing_is_told_of_what_is_hidden(client: Client) -> None:
    shown = scene.make()
    people.let_in(client, "fleur_officer")
    _proved(client, 11)
    circular = scene.circular()
    places = [
        ("object-raw", shown.thing.pk, 1 << 40), ("package-download", shown.package.number, "FR-1999-0001"),
        ("circular-file", circular.number, "C-1999-000000"), ("recall-recalled", shown.recall.number, "RC-1999-0001"),
    ]  # fmt: skip
    for name, there, absent in places:
        assert client.get(reverse(name, args=[there]))["Location"].startswith(reverse("prove")), name
        assert client.get(reverse(name, args=[absent])).status_code == 404
    taken = ["package.fetched", "object.fetched", "circular.read", "recall.parts-fetched"]
    assert not Entry.objects.filter(action__in=taken).exists()


def test_its_source_takes_refused_records_and_originals_after_a_proof(client: Client) -> None:
    """Also by program with a session alone: a stolen one reads pages, and carries no file away."""
    receipt = scene.make().delivery.receipt
    people.let_in(client, "pia_partner")
    names = ("delivery-original", "delivery-rejections", "delivery-mend")
    _proved(client, 11)
    for name in names:
        page = reverse(name, args=[receipt])
        assert client.get(page)["Location"] == reverse("prove", query={"next": page})
    by_program = client.get(f"/api/v1/deliveries/{receipt}/rejections")
    assert by_program.status_code == 403
    assert "prove-first" in by_program.json()["text"]
    assert not Entry.objects.filter(action__endswith="-fetched").exists()
    _proved(client, 1)
    assert [client.get(reverse(name, args=[receipt])).status_code for name in names] == [200, 200, 200]
    assert client.get(f"/api/v1/deliveries/{receipt}/rejections").status_code == 200


def test_keys_are_listed_without_and_made_with_a_proof(client: Client) -> None:
    people.let_in(client, "pia_partner")
    _proved(client, 11)
    page = client.get(reverse("keys")).content.decode()
    assert "prove once more that it is you" in page
    assert 'name="days"' not in page
    asked = client.post(reverse("keys"), ASKED)["Location"]
    assert asked == reverse("prove", query={"next": reverse("keys")})
    assert not Key.objects.exists()
    back = client.post(reverse("prove"), {"password": builders.PASSWORD, "next": reverse("keys")})
    assert back["Location"] == reverse("keys")
    client.post(reverse("keys"), ASKED)
    assert Key.objects.count() == 1


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_the_way_back_never_leaves_the_site(target: str, client: Client) -> None:
    people.let_in(client, "pia_partner")
    assert client.post(reverse("prove"), {"password": builders.PASSWORD, "next": target})["Location"] == "/"


@pytest.mark.parametrize("where", ["prove", "change-password"])
def test_a_stolen_session_cannot_guess_the_password(where: str, client: Client) -> None:
    """6.3.1: the same limit as at the sign-in."""
    people.let_in(client, "pia_partner")
    new = "another set of plain words"
    for word in ["wrong"] * FAILURES_ALLOWED + [builders.PASSWORD]:
        response = client.post(reverse(where), {"password": word, "old": word, "new": new, "again": new})
        assert response.status_code in {200, 429}
    assert "Too many failed attempts" in response.content.decode()
    assert Person.objects.get(login="pia_partner").check_password(builders.PASSWORD)


def test_nobody_proves_with_the_password_of_another(client: Client) -> None:
    people.let_in(client, "pia_partner")
    rui = people.call("rui_reviewer")
    rui.set_password("another set of plain words")
    rui.save()
    _proved(client, 11)
    said = {"password": "another set of plain words", "login": "rui_reviewer"}
    assert client.post(reverse("prove"), said).status_code == 200


def test_a_misspelt_rule_is_no_rule(tmp_path: Path) -> None:
    made = installation.make(tmp_path)
    assert made.second_factor == "offered"
    (tmp_path / "tocsin.toml").write_text('second_factor = "everybody"\n')
    with pytest.raises(InputError):
        installation.load(tmp_path)
    (tmp_path / "tocsin.toml").write_text('second_factor = "everyone"\n')
    assert installation.load(tmp_path).second_factor == "everyone"


def test_where_people_come_in_everybody_has_a_second_factor_unless_it_is_said(tmp_path: Path) -> None:
    said = tmp_path / "tocsin.toml"
    for lines, rule in (
        ('public_origin = "https://tocsin.example"\n', "everyone"),
        ('public_origin = "https://tocsin.example"\nsecond_factor = "centre"\n', "centre"),
        ('public_origin = "http://127.0.0.1:8000"\n', "offered"),
    ):
        said.write_text(lines)
        assert installation.load(tmp_path).second_factor == rule
