"""Requests of people (R16, W29): examined outside the police zone, without a trace for anybody else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import reverse
from tests import builders, crew, people
from tests.centre.retention.test_purge import in_database
from tests.doors.test_access import LOGINS, ROWS

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import lake_state
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.jobs.models import Job
from tocsin.centre.ledger.models import Taking
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import ABILITIES, GIVES, may
from tocsin.centre.members.selectors import NOBODY, viewer_of
from tocsin.centre.recall.models import Recall
from tocsin.centre.retention import purging
from tocsin.centre.retention.models import Purge
from tocsin.centre.rights import sealed, services
from tocsin.centre.rights.letters import letter
from tocsin.centre.rights.models import DayCommitment, SealedAct, SubjectRequest
from tocsin.core.errors import Conflict, InputError, NotFound
from tocsin.site import wiring

pytestmark = pytest.mark.django_db(transaction=True)
NOW = builders.NOW
WHO = services.Asked("Amal Haddad", "Post box 4", ["amal@victim.example", "x"], "I was searched at a border.")
TABLE = (
    b"email,seen,malware\namal@victim.example,2026-11-20T10:00:00Z,andromeda\n"
    b"other@victim.example,2026-11-20T10:00:00Z,andromeda\n"
)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal, keys and a store of its own."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))
    cache.clear()


@pytest.fixture
def cora() -> Person:
    return people.call("cora_commission")


def asked(kind: str = "access", language: str = "en") -> SubjectRequest:
    return services.take(WHO, kind=kind, language=language, by="person", at=NOW)


def examined(cora: Person, kind: str = "access", language: str = "en") -> SubjectRequest:
    made = asked(kind, language)
    services.complete(made, by=cora, at=NOW)
    made.refresh_from_db()
    return made


def held() -> Delivery:
    """A list in which the person stands."""
    made = intake.receive(organisation=builders.organisation("northwind"), via="api", name="list.csv",
                          chunks=[TABLE], at=NOW)  # fmt: skip
    crew.work()
    made.refresh_from_db()
    assert (made.state, made.rows) == ("parsed", 2)
    return made


CHANCE = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]+"|"X-CSRFToken": "[^"]+"')


def pages_of(client: Client, login: str) -> dict[str, bytes]:
    """Every page without an argument as this person gets it, and the doors for programs."""
    cache.clear()
    names = [name for name, row in ROWS.items() if login in row]
    found = {}
    for name in names:
        try:
            address = reverse(name)
        except Exception:
            continue
        if name not in {"factor-app", "sessions", "settings", "acts-export"}:  # They tell of this very visit.
            found[name] = CHANCE.sub(b"", client.get(address).content)
    return found


@pytest.mark.parametrize("login", ["fleur_officer", "hugo_head", "dana_analyst", "lena_legal", "ada_administrator",
                                   "aida_auditor", "pia_partner"])  # fmt: skip
def test_w29_no_trace_visible_to_ncbs(
    login: str, client: Client, cora: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request, its examination and its answer change no byte of any page of anybody else."""
    # The page of the store tells how much room the disk has, and others write to it meanwhile.
    monkeypatch.setattr(lake_state.shutil, "disk_usage", lambda _: SimpleNamespace(total=10**12, free=9 * 10**11))
    builders.delivery(builders.organisation("northwind"))
    people.let_in(client, login)
    before = pages_of(client, login)
    counts = (Entry.objects.count(), Job.objects.count(), Taking.objects.count())
    made = examined(cora)
    services.search(made, by=cora, at=NOW)
    services.answer(made, answer="neither", text="", by=cora, at=NOW)
    assert (Entry.objects.count(), Job.objects.count(), Taking.objects.count()) == counts
    after = pages_of(client, login)
    assert len(before) > 8
    changed = [name for name in before if _without_time(before[name]) != _without_time(after[name])]
    assert changed == [], [pair for pair in zip(*(_without_time(pages[changed[0]]).splitlines() for pages in
                                                (before, after)), strict=False) if pair[0] != pair[1]]  # fmt: skip
    absent = client.get("/commission/C-0000000000/")
    for name in ("rights-request", "rights-letter"):
        there = client.get(reverse(name, args=[made.number]))
        assert there.status_code == absent.status_code == 404
        assert (CHANCE.sub(b"", there.content).replace(made.number.encode(), b"").replace(b"/letter", b"/")
                == CHANCE.sub(b"", absent.content).replace(b"C-0000000000", b""))  # fmt: skip


def _without_time(page: bytes) -> bytes:
    return re.sub(rb"<time[^>]*>.*?</time>", b"", page)


@pytest.mark.parametrize("login", [each for each in LOGINS if each != "cora_commission"])
def test_nobody_but_the_commission_reads_counts_or_acts(login: str, cora: Person) -> None:
    person, made = people.call(login), examined(cora)
    assert not services.requests_for(person).exists()
    for act in (
        lambda: services.complete(made, by=person, at=NOW), lambda: services.search(made, by=person, at=NOW),
        lambda: services.order(made, "x", "deletion", by=person, at=NOW),
        lambda: services.answer(made, answer="neither", text="", by=person, at=NOW),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            act()


def test_who_is_of_the_commission_is_nothing_else(cora: Person) -> None:
    everything = builders.person("both", builders.centre(), "commission", "analyst", "administrator", "legal")
    for person in (cora, everything):
        assert {ability for ability in ABILITIES if may(person, ability)} == {"decide-rights"}
        assert viewer_of(person) == NOBODY
    assert not any("commission" in given for side in GIVES.values() for given in side.values())


def test_what_is_said_stands_in_no_table(cora: Person) -> None:
    held()
    made = examined(cora)
    services.search(made, by=cora, at=NOW)
    services.answer(made, answer="disclosed", text="One list held your address.", by=cora, at=NOW)
    for text in ("Amal", "Post box 4", "border", "One list held"):
        assert in_database(text) == []
    assert services.said_in(made)["values"] == ["amal@victim.example", "x"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed FROM rights_subjectrequest")
        body = cursor.fetchone()[0]
    with pytest.raises(InputError):
        sealed.opened(body, "subject-request another")


def test_the_confidential_part_is_committed_to_once_a_day_whether_or_not_anything_happened(cora: Person) -> None:
    sealed.tick(NOW)
    examined(cora)
    sealed.tick(NOW + timedelta(hours=1))
    for _ in range(2):
        sealed.tick(NOW + timedelta(days=3))
    entries = Entry.objects.filter(action="confidential.committed")
    assert entries.count() == DayCommitment.objects.count() == 4
    assert {(entry.actor, entry.subject, len(entry.detail)) for entry in entries} == {
        ("system", "log:confidential", len(entries[0].detail))
    }
    day = NOW.date()
    kept = DayCommitment.objects.get(day=day).commitment
    assert sealed.commitment_of(day) == kept
    SealedAct.objects.order_by("pk").first().delete()  # type: ignore[union-attr]
    assert sealed.commitment_of(day) != kept


def test_the_holdings_are_searched_and_an_order_arrives_without_a_why(cora: Person) -> None:
    delivery = held()
    officer = people.call("fleur_officer")
    made = examined(cora, "deletion")
    with pytest.raises(NotFound):
        services.order(made, delivery.receipt, "deletion", by=cora, at=NOW)
    found = services.search(made, by=cora, at=NOW)
    assert [(each["receipt"], each["rows"]) for each in found] == [(delivery.receipt, 1)]
    with pytest.raises(InputError):
        services.order(made, delivery.receipt, "nonsense", by=cora, at=NOW)
    services.order(made, delivery.receipt, "deletion", by=cora, at=NOW)
    delivery.refresh_from_db()
    assert delivery.ends_at == NOW
    assert (Recall.objects.get().reason, Recall.objects.get().note) == ("legal", "")
    assert (Purge.objects.get().rule, Recall.objects.get().asked_by) == ("order", "system")
    said = " ".join(" ".join(row) for row in Entry.objects.values_list("actor", "detail", "subject", "action"))
    assert not any(text in said for text in ("cora", made.number, "Amal", "amal@", "commission"))
    assert officer is not None
    with pytest.raises(Conflict):
        services.order(made, delivery.receipt, "deletion", by=cora, at=NOW)


@pytest.mark.parametrize("marking", ["TLP:AMBER", "TLP:RED"])
@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("report.md", "# Case\n\nThe victim Amal\nHADDAD answers at amal[@]victim[.]example.\n", "documents"),
        ("report.md", "# Case\n\nالضحية أمل حَدّاد تقيم هنا منذ سنوات.\n", "documents"),
        ("Amal Haddad.csv", "ip,last_seen\n192.0.2.7,2026-11-20T10:00:00Z\n", "titles"),
        ("people.json", json.dumps({
            "type": "bundle", "id": "bundle--00000000-0000-4000-8000-00000000b0b0", "objects": [{
                "type": "identity", "spec_version": "2.1", "id": "identity--00000000-0000-4000-8000-000000000001",
                "created": "2026-11-01T00:00:00.000Z", "modified": "2026-11-01T00:00:00.000Z", "name": "Somebody",
                "identity_class": "individual", "description": "Known as Amál Haddad",
            }],
        }), "objects"),
    ],
)  # fmt: skip
def test_w29_what_is_sealed_is_searched_too(name: str, content: str, what: str, marking: str) -> None:
    """No database can look through it: a name in a report, in an object or in a title would never be found."""
    sent = intake.receive(organisation=builders.organisation("northwind"), via="api", name=name,
                          chunks=[content.encode()], at=NOW, marking=marking)  # fmt: skip
    crew.work()
    found = services.holdings.search(["amal haddad", "أمل حداد", "nobody@victim.example"])
    assert [(each["receipt"], bool(each.get(what))) for each in found] == [(sent.receipt, True)]
    assert services.holdings.search(["Amal Hadzz"]) == []
    if "[@]" in content:
        assert services.holdings.search(["amal@victim.example"])[0][what] == 1
        assert services.holdings.search(["mal@victim.example"]) == []


def test_a_correction_is_an_ordinary_recall(cora: Person) -> None:
    delivery = held()
    made = examined(cora, "correction")
    services.search(made, by=cora, at=NOW)
    services.order(made, delivery.receipt, "correction", by=cora, at=NOW)
    assert (Recall.objects.get().action, Recall.objects.get().reason) == ("correct", "wrong-data")
    assert not Purge.objects.exists()


@pytest.mark.parametrize("what", ["deletion", "correction"])
def test_w29_an_order_concerns_single_values_and_the_rest_stays(cora: Person, what: str) -> None:
    delivery = held()
    made = examined(cora, what)
    services.search(made, by=cora, at=NOW)
    with pytest.raises(InputError, match="recall-not-in-delivery"):
        services.order(made, delivery.receipt, what, by=cora, at=NOW, parts=["nobody@victim.example"])
    services.order(made, delivery.receipt, what, by=cora, at=NOW, parts=["amal@victim.example"])
    recalled = Recall.objects.get()
    assert (recalled.parts.get().key, recalled.note, recalled.asked_by) == ("amal@victim.example", "", "system")
    delivery.refresh_from_db()
    assert delivery.ends_at > NOW
    assert Batch.objects.get(delivery=delivery, hidden_at=None).rows == 1
    assert Purge.objects.count() == (what == "deletion")
    if what == "deletion":
        purging.do(NOW)
        assert Purge.objects.get().steps["lake"]["observations"] == 1
        assert services.holdings.search(["amal@victim.example"]) == []
    said = " ".join(" ".join(row) for row in Entry.objects.values_list("actor", "detail", "subject", "action"))
    assert not any(text in said for text in ("cora", made.number, "amal@", "commission"))
    made.refresh_from_db()
    assert [each[3] for each in services.found_in(made)["ordered"]] == [["amal@victim.example"]]


def test_nothing_is_examined_before_identity_is_proved(cora: Person) -> None:
    made = asked()
    for act in (lambda: services.search(made, by=cora, at=NOW),
                lambda: services.answer(made, answer="neither", text="", by=cora, at=NOW)):  # fmt: skip
        with pytest.raises(Conflict):
            act()
    services.answer(made, answer="inadmissible", text="No proof came.", by=cora, at=NOW)
    with pytest.raises(Conflict):
        services.complete(made, by=cora, at=NOW)


def test_deadlines(cora: Person) -> None:
    assert services.answer_by(asked()) == NOW + timedelta(days=30)
    assert services.answer_by(examined(cora)) == NOW + timedelta(days=120)
    assert services.answer_by(examined(cora, "deletion")) == NOW + timedelta(days=270)


def test_the_letter_is_the_same_whether_or_not_anything_was_found(cora: Person) -> None:
    def answered() -> str:
        made = examined(cora)
        services.search(made, by=cora, at=NOW)
        services.answer(made, answer="neither", text="ignored", by=cora, at=NOW)
        made.refresh_from_db()
        return letter(made).replace(made.number, "")

    without = answered()
    held()
    assert answered() == without
    assert "neither confirm nor deny" in without
    assert "ignored" not in without


def test_bad_input_is_refused(cora: Person) -> None:
    for said, kind in ((replace(WHO, name=" "), "access"), (replace(WHO, contact=""), "access"), (WHO, "revenge")):
        with pytest.raises(InputError):
            services.take(said, kind=kind, language="en", by="person", at=NOW)
    made = examined(cora)
    for answer, text in (("disclosed", " "), ("inadmissible", ""), ("yes", "x")):
        with pytest.raises(InputError):
            services.answer(made, answer=answer, text=text, by=cora, at=NOW)


class TestPages:
    """Through the doors."""

    def test_a_person_asks_and_the_commission_answers(self, client: Client, cora: Person) -> None:
        delivery = held()
        said = {"kind": "access", "name": "Amal Haddad", "contact": "Post box 4", "values": "amal@victim.example",
                "text": ""}  # fmt: skip
        assert client.post(reverse("your-data"), {**said, "name": ""}).status_code == 422
        assert client.post(reverse("your-data"), said).status_code == 302
        made = SubjectRequest.objects.get()
        assert made.number in client.get(reverse("your-data")).content.decode()
        assert made.number not in client.get(reverse("your-data")).content.decode()

        people.let_in(client, "cora_commission")
        assert made.number in client.get(reverse("rights")).content.decode()
        page = reverse("rights-request", args=[made.number])
        assert "Amal Haddad" in client.get(page).content.decode()
        for act in ("identify", "search"):
            assert client.post(reverse("rights-act", args=[made.number, act])).status_code == 302
        assert delivery.receipt in client.get(page).content.decode()
        order = reverse("rights-act", args=[made.number, "order"])
        alone = {"receipt": delivery.receipt, "what": "correction", "alone": "yes"}
        for parts in ("", "nobody@victim.example"):  # An empty field must not mean all of it.
            assert client.post(order, {**alone, "parts": parts}).status_code == 302
            assert not Recall.objects.exists()
        client.post(order, {**alone, "parts": " amal@victim.example \n"})
        assert Recall.objects.get().parts.get().key == "amal@victim.example"
        answers = re.search(r'<select name="answer".*?</select>', client.get(page).content.decode(), re.DOTALL)
        assert answers
        assert re.findall(r'<option value="(\w+)"', answers[0])[0] == "neither", "what is chosen if nothing else is"
        address = reverse("rights-act", args=[made.number, "answer"])
        assert client.post(address, {"answer": "disclosed", "text": ""}).status_code == 422
        assert client.post(address, {"answer": "neither", "text": ""}).status_code == 302
        text = client.get(reverse("rights-letter", args=[made.number]))
        assert text["Content-Type"] == "text/plain; charset=utf-8"
        assert "neither confirm nor deny" in text.content.decode()
        assert client.post(reverse("rights-act", args=[made.number, "nonsense"])).status_code == 404

    def test_a_letter_is_entered(self, client: Client, cora: Person) -> None:
        people.let_in(client, "cora_commission")
        said = {"kind": "deletion", "name": "A. Haddad", "contact": "Post box 4", "values": "", "text": "",
                "language": "ar"}  # fmt: skip
        assert client.get(reverse("rights-enter")).status_code == 200
        assert client.post(reverse("rights-enter"), said).status_code == 302
        assert SubjectRequest.objects.get().language == "ar"

    def test_too_many_from_one_network(self, client: Client) -> None:
        said = {"kind": "access", "name": "A", "contact": "B", "values": "", "text": ""}
        statuses = [client.post(reverse("your-data"), said).status_code for _ in range(5)]
        assert statuses == [302, 302, 302, 429, 429]

    def test_the_commission_opens_no_page_of_the_police_zone(self, client: Client, cora: Person) -> None:
        people.let_in(client, "cora_commission")
        for name in ("lookup", "deliveries", "countries", "recalls", "terms", "acts", "people", "settings", "holds"):
            assert client.get(reverse(name)).status_code == 404
        for name in ("home", "preferences", "rights"):
            assert client.get(reverse(name)).status_code == 200


def test_the_clock_commits() -> None:
    wiring.tick(datetime.now(UTC))
    assert DayCommitment.objects.exists()
