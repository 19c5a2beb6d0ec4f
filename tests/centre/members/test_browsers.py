"""A person's own sessions: listed, ended at once, ended by the clock. Numbers are those of OWASP ASVS 5."""

from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import CliRunner
from django.contrib.sessions.models import Session
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.members import browsers
from tocsin.centre.members.models import OpenSession
from tocsin.cli.people import person as person_command

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
AGENTS = [
    ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", ("Firefox", "Linux")),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
     ("Chrome", "Windows")),
    ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
     ("Edge", "Windows")),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile Safari/604.1",
     ("Safari", "iOS")),
    ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36",
     ("Chrome", "Android")),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14_0) AppleWebKit/605.1 Version/18.0 Safari/605.1", ("Safari", "macOS")),
    ("curl/8.9", ("", "")), ("", ("", "")),
]  # fmt: skip


@pytest.mark.parametrize(("agent", "family"), AGENTS)
def test_browsers_have_names(agent: str, family: tuple[str, str]) -> None:
    assert browsers.family_of(agent) == family


def _enter(login: str = "dana_analyst", address: str = "198.51.100.7", agent: int = 0) -> Client:
    people.call(login)
    client = Client(REMOTE_ADDR=address, headers={"User-Agent": AGENTS[agent][0]})
    said = {"login": login, "password": builders.PASSWORD}
    assert client.post(reverse("sign-in"), said).status_code == 302
    return client


def _opens(client: Client) -> bool:
    return client.get("/").status_code == 200


def test_everybody_sees_the_own_sessions_alone() -> None:
    """7.5.2: active sessions can be seen and ended."""
    here, there, other = _enter(), _enter(address="203.0.113.9", agent=3), _enter("rui_reviewer", "192.0.2.77")
    page = here.get(reverse("sessions")).content.decode()
    assert "Firefox on Linux" in page
    assert "Safari on iOS" in page
    assert "203.0.113.9" in page
    assert "192.0.2.77" not in page
    assert page.count("This session") == 1
    theirs = OpenSession.objects.get(address="192.0.2.77")
    assert here.post(reverse("session-end", args=[theirs.pk])).status_code == 404
    mine = OpenSession.objects.get(address="203.0.113.9")
    assert here.post(reverse("session-end", args=[mine.pk]))["Location"] == reverse("sessions")
    assert (_opens(here), _opens(there), _opens(other)) == (True, False, True)
    assert Entry.objects.filter(action="session.ended", actor="dana_analyst").count() == 1


def test_all_others_end_together() -> None:
    here, *others = (_enter() for _ in range(4))
    stranger = _enter("rui_reviewer")
    here.post(reverse("sessions-end"))
    assert [_opens(each) for each in (here, *others, stranger)] == [True, False, False, False, True]


def test_ending_needs_a_fresh_proof() -> None:
    here, there = _enter(), _enter(address="203.0.113.9")
    session = here.session
    session["proved_at"] -= 3600
    session.save()
    mine = OpenSession.objects.get(address="203.0.113.9")
    for address in (reverse("session-end", args=[mine.pk]), reverse("sessions-end")):
        assert here.post(address)["Location"].startswith(reverse("prove"))
    assert _opens(there)


def test_a_new_password_ends_the_other_sessions() -> None:
    """7.4.3: and they leave the list."""
    here, there = _enter(), _enter()
    new = "another set of plain words"
    here.post(reverse("change-password"), {"old": builders.PASSWORD, "new": new, "again": new})
    assert (_opens(here), _opens(there)) == (True, False)
    assert OpenSession.objects.count() == Session.objects.filter(session_key=here.session.session_key).count() == 1


def test_a_password_set_by_an_administrator_ends_all_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """7.4.5."""
    monkeypatch.setattr("tocsin.cli.people.setup", lambda: None)
    client, other = _enter(), _enter("rui_reviewer")
    assert CliRunner().invoke(person_command, ["password", "dana_analyst"]).exit_code == 0
    assert (_opens(client), _opens(other)) == (False, True)
    assert OpenSession.objects.count() == 1


def test_signing_out_ends_the_row_too() -> None:
    """7.4.1: nothing of an ended session works."""
    client = _enter()
    stolen = Client()
    stolen.cookies["sessionid"] = client.cookies["sessionid"].value
    assert _opens(stolen)
    client.post(reverse("sign-out"))
    assert not _opens(stolen)
    assert not OpenSession.objects.exists()


@pytest.mark.parametrize(("field", "hours", "is_open"), [
    ("seen_at", 1.9, True), ("seen_at", 2.1, False), ("began_at", 11.9, True), ("began_at", 12.1, False),
])  # fmt: skip
def test_the_clock_ends_sessions(field: str, hours: float, is_open: bool) -> None:
    """7.3.1 and 7.3.2: idle for two hours, or open for twelve."""
    client = _enter()
    OpenSession.objects.update(**{field: F(field) - timedelta(hours=hours)})
    assert _opens(client) is is_open
    assert OpenSession.objects.exists() is is_open


def test_being_here_is_noted_by_the_minute() -> None:
    client = _enter()
    seen_at = OpenSession.objects.get().seen_at
    client.get("/")
    assert OpenSession.objects.get().seen_at == seen_at
    OpenSession.objects.update(seen_at=F("seen_at") - timedelta(minutes=2))
    client.get("/")
    assert OpenSession.objects.get().seen_at >= seen_at


def test_what_is_over_is_swept() -> None:
    client = _enter()
    browsers.sweep(timezone.now())
    assert _opens(client)
    browsers.sweep(timezone.now() + timedelta(hours=13))
    assert not Session.objects.exists()
    assert not OpenSession.objects.exists()
