"""Nobody comes to read by looking after accounts, nor by having a shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people
from tests.doors.conftest import GiveKey

from tocsin import cli
from tocsin.centre.audit.models import Entry
from tocsin.centre.audit.services import record
from tocsin.centre.members import admission, factors, providers, second_look, sessions
from tocsin.centre.members import people as accounts
from tocsin.centre.members.models import Key, Person, Provider
from tocsin.centre.members.people import About
from tocsin.core.errors import Conflict, Refused
from tocsin.site.desk import tasks_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
Act = Callable[[Person], object]


def add(login: str = "ghost", roles: tuple[str, ...] = ("analyst",), by: str = "ada_administrator") -> Person:
    made, _ = accounts.add(
        login=login, name=login.title(), organisation=builders.centre(), about=About(roles=roles),
        manager=people.call(by), at=timezone.now(),
    )  # fmt: skip
    return made


def is_let_in(person: Person) -> bool:
    return admission.is_admitted(Person.objects.get(pk=person.pk), timezone.now())


@pytest.mark.usefixtures("contexts")
def test_an_administrator_does_not_come_in_with_an_account_that_he_made(client: Client) -> None:
    people.call("lena_legal")
    people.let_in(client, "ada_administrator", "en")
    form = {"organisation": "centre", "login": "ghost", "name": "Ghost", "roles": ["analyst"]}
    made = client.post(reverse("person-add"), form)
    assert "makes sure whose account it is" in made.content.decode()
    ghost, secret = Person.objects.get(login="ghost"), made.context["password"]
    page = Client().post(reverse("sign-in"), {"login": "ghost", "password": secret})
    assert "waits until a second person at the Centre" in page.content.decode()
    assert not is_let_in(ghost)
    assert "has not made sure yet" in client.get(reverse("person", args=[ghost.pk])).content.decode()
    lena = Client()
    people.let_in(lena, "lena_legal", "en")
    assert "Accounts that wait for a second person" in lena.get(reverse("emergencies")).content.decode()
    waiting = [
        task for task in tasks_for(people.call("lena_legal"), timezone.now()) if "second person to" in task.label
    ]
    assert [task.count for task in waiting] == [1]
    lena.post(reverse("account-open", args=[ghost.pk]))
    assert is_let_in(ghost)
    acts = Entry.objects.filter(subject=f"person:{ghost.pk}").order_by("pk").values_list("action", "actor")
    assert list(acts)[-2:] == [("person.held", "ada_administrator"), ("person.opened", "lena_legal")]


def new_password(person: Person) -> object:
    return accounts.reset_password(person, manager=people.call("ada_administrator"), at=timezone.now())


def lost_factors(person: Person) -> object:
    return factors.reset(person=person, by="command", at=timezone.now())


def another_role(person: Person) -> object:
    about = About(roles=("administrator", "reviewer"))
    return accounts.change(person, about, manager=people.call("ada_administrator"), at=timezone.now())


@pytest.mark.parametrize(
    ("roles", "act", "waits"),
    [
        (("analyst",), new_password, True),
        (("auditor",), new_password, True),
        (("commission",), lost_factors, True),
        (("victim-desk",), lost_factors, True),
        (("administrator",), another_role, True),
        (("administrator",), lost_factors, False),
    ],
)
def test_every_new_way_to_something_that_is_read_waits(roles: tuple[str, ...], act: Act, waits: bool) -> None:
    """Whoever reads nothing gives nobody a way to read, be it a password, a role, or the want of a second factor."""
    people.call("lena_legal")
    person = builders.person("somebody", builders.centre(), *roles)
    act(person)
    assert is_let_in(person) is not waits


def test_who_reads_himself_and_who_looks_after_his_own_makes_nobody_wait() -> None:
    people.call("lena_legal")
    paula, hugo = people.call("paula_partnership"), people.call("hugo_head")
    head, _ = accounts.add(
        login="new_head", name="New Head", organisation=builders.bureau("KE"), about=About(roles=("head",)),
        manager=paula, at=timezone.now(),
    )  # fmt: skip
    officer, _ = accounts.add(
        login="new_officer", name="New Officer", organisation=builders.bureau("FR"), about=About(roles=("officer",)),
        manager=hugo, at=timezone.now(),
    )  # fmt: skip
    assert is_let_in(head)
    assert is_let_in(officer)


def test_whoever_waits_makes_others_wait() -> None:
    people.call("lena_legal")
    head, _ = accounts.add(
        login="own_head", name="Own Head", organisation=builders.bureau("KE"), about=About(roles=("head",)),
        manager=people.call("ada_administrator"), at=timezone.now(),
    )  # fmt: skip
    officer, _ = accounts.add(
        login="own_officer", name="Own Officer", organisation=builders.bureau("KE"), about=About(roles=("officer",)),
        manager=head, at=timezone.now(),
    )  # fmt: skip
    assert not is_let_in(head)
    assert not is_let_in(officer)


def test_an_installation_begins_with_accounts_at_which_nobody_could_look() -> None:
    first = add("first")
    assert is_let_in(first)
    assert not is_let_in(add("second"))


def test_who_may_open_it_and_who_not() -> None:
    lena, now = people.call("lena_legal"), timezone.now()
    ghost = add()
    for login in ("ada_administrator", "dora_dissemination", "aida_auditor", "fleur_officer", "hugo_head"):
        with pytest.raises(Refused, match="role"):
            second_look.open_account(ghost, by=people.call(login), at=now)
    with pytest.raises(Refused, match="second-person"):
        second_look.open_account(ghost, by=ghost, at=now)
    other = add("other")
    with pytest.raises(Refused, match="settled-account"):  # It might be the administrator's own, too.
        second_look.open_account(ghost, by=other, at=now)
    record("ada_administrator", "person.password-reset", f"person:{lena.pk}", at=now - timedelta(days=29))
    with pytest.raises(Refused, match="settled-account"):
        second_look.open_account(ghost, by=lena, at=now)
    rui = people.call("rui_reviewer")
    second_look.open_account(ghost, by=rui, at=now)
    with pytest.raises(Conflict):
        second_look.open_account(ghost, by=rui, at=now)


def test_its_keys_and_sessions_open_nothing_while_it_waits(client: Client, give_key: GiveKey) -> None:
    people.call("lena_legal")
    secret = give_key("dana_analyst", ("read",))
    headers = {"Authorization": f"Bearer {secret}"}
    people.let_in(client, "dana_analyst", "en")
    assert client.get("/api/v1/observations", headers=headers).status_code == 200
    new_password(people.call("dana_analyst"))
    assert Client().get("/api/v1/observations", headers=headers).status_code == 401
    assert client.get(reverse("home")).status_code == 302


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.main, arguments, env={"TOCSIN_KEY": "", **environment})
    return done.exit_code, done.output


def test_on_the_command_line_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.people.setup", lambda: None)
    people.call("lena_legal")
    dana = people.call("dana_analyst")
    people.call("ada_administrator")
    for arguments in (
        ("person", "create", "ghost", "--name", "Ghost", "--role", "analyst"), ("person", "password", "dana_analyst"),
        ("person", "reset-factors", "dana_analyst"), ("person", "key", "dana_analyst", "--scope", "read"),
        ("person", "roles", "ada_administrator", "--role", "analyst"),
    ):  # fmt: skip
        Person.objects.update(held_at=None)
        status, said = run(*arguments)
        assert status == 0, said
        assert "opens nothing before a second person" in said
        assert not is_let_in(Person.objects.get(login=arguments[2]))
    Person.objects.update(held_at=None)
    run("person", "key", "dana_analyst", "--scope", "deliver")
    assert is_let_in(dana), "nothing is read through it"


def test_commands_that_show_content_ask_for_a_key_where_people_come_in(
    monkeypatch: pytest.MonkeyPatch, give_key: GiveKey, tmp_path: Path
) -> None:
    for module in ("lookup", "reach", "package"):
        monkeypatch.setattr(f"tocsin.cli.{module}.setup", lambda: None)
    people.call("dana_analyst")
    asked = [("lookup", "192.0.2.7"), ("reach", "no-such-receipt", "--as", "dana_analyst"),
             ("package", "FR", "--into", str(tmp_path))]  # fmt: skip
    assert run(*asked[0])[0] == 0
    made = replace(settings.INSTALLATION, public_origin="https://tocsin.example")
    monkeypatch.setattr(settings, "INSTALLATION", made)
    for arguments in asked:
        status, said = run(*arguments)
        assert (status, "TOCSIN_KEY" in said) == (1, True), arguments
    own, administrators = give_key("dana_analyst", ("read",)), give_key("ada_administrator", ("read",))
    assert run(*asked[0], TOCSIN_KEY=own)[0] == 0
    assert Entry.objects.filter(action="lookup").latest("pk").actor == "dana_analyst"
    assert "nothing here" in run(*asked[0], TOCSIN_KEY="toc_wrong")[1]
    assert "does not open this" in run(*asked[0], TOCSIN_KEY=administrators)[1]
    assert "scope" in run(*asked[2], TOCSIN_KEY=own)[1]
    assert "nobody asks as somebody else" in run("lookup", "192.0.2.7", "--as", "rui_reviewer", TOCSIN_KEY=own)[1]
    Key.objects.update(revoked_at=timezone.now())
    assert "nothing here" in run(*asked[0], TOCSIN_KEY=own)[1]


def test_a_search_in_somebodys_place_is_not_that_persons_act(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.lookup.setup", lambda: None)
    people.call("dana_analyst")
    assert run("lookup", "192.0.2.7", "--as", "dana_analyst")[0] == 0
    entry = Entry.objects.get(action="lookup")
    assert (entry.actor, json.loads(entry.detail)["as"]) == ("command", "dana_analyst")


def a_provider(slug: str = "northwind", by: str = "ada_administrator", **said: Any) -> Provider:
    setup = providers.Setup(kind="openid", issuer="https://sign-in.example", claim="email", published={}, **said)
    organisation = builders.organisation(slug)
    made = providers.set_up(organisation=organisation, said=setup, by=by, at=timezone.now())
    providers.switch(provider=made, is_on=True, by=by, at=timezone.now())
    return Provider.objects.select_related("organisation").get(pk=made.pk)


def test_whoever_says_where_people_prove_who_they_are_comes_in_as_none_of_them(client: Client) -> None:
    people.call("lena_legal"), people.call("ada_administrator")
    pia = people.call("pia_partner")
    made = a_provider(is_only=True)
    assert (providers.by_key(made.key), providers.for_login("pia_partner"), providers.are_any()) == (None, None, False)
    assert not sessions.is_closed_to_passwords(pia), "who had a password goes on with it"
    people.let_in(client, "ada_administrator", "en")
    assert "Waits for a second person" in client.get(reverse("provider", args=["northwind"])).content.decode()
    assert client.post(reverse("provider-open", args=["northwind"])).status_code == 404
    lena = Client()
    people.let_in(lena, "lena_legal", "en")
    page = lena.get(reverse("emergencies")).content.decode()
    assert "https://sign-in.example" in page
    tasks = {str(task.label): task.count for task in tasks_for(people.call("lena_legal"), timezone.now())}
    assert tasks["Providers of sign-in that wait for a second person"] == 1
    opening = reverse("provider-open", args=["northwind"])
    stale = lena.post(opening, {"held_at": "2026-01-01T00:00:00+00:00"}, follow=True)
    assert "changed meanwhile" in stale.content.decode()
    assert providers.by_key(made.key) is None
    assert made.held_at is not None
    lena.post(opening, {"held_at": made.held_at.isoformat()})
    assert providers.by_key(made.key) == made
    assert sessions.is_closed_to_passwords(pia)
    noted = Entry.objects.filter(action__in=("provider.held", "provider.opened")).order_by("pk")
    assert list(noted.values_list("actor", flat=True)) == ["ada_administrator", "lena_legal"]


def test_a_provider_that_is_changed_while_it_is_on_waits_anew_and_one_that_is_not_does_not() -> None:
    lena = people.call("lena_legal")
    people.call("ada_administrator"), people.call("pia_partner")
    made = a_provider()
    second_look.open_provider(made, by=lena, at=timezone.now())
    said = providers.Setup(kind="openid", issuer="https://sign-in.example", claim="email", published={})
    again = providers.set_up(organisation=made.organisation, said=said, by="ada_administrator", at=timezone.now())
    assert again.held_at is None, "nothing was changed"
    said = replace(said, claim="nickname")
    providers.set_up(organisation=made.organisation, said=said, by="ada_administrator", at=timezone.now())
    waits = second_look.waiting_providers().get()
    assert (waits.held_by, providers.by_key(made.key)) == ("ada_administrator", None)
    with pytest.raises(Refused, match="role"):
        second_look.open_provider(waits, by=people.call("ada_administrator"), at=timezone.now())
    with pytest.raises(Conflict):
        second_look.open_provider(made, by=lena, at=timezone.now())


def test_a_provider_waits_before_it_has_people_but_not_where_nobody_could_look() -> None:
    people.call("ada_administrator")
    assert a_provider().held_at is None, "nobody could look"
    people.call("lena_legal")
    assert a_provider("southgate").held_at is not None, "who is added later would come in by it"
