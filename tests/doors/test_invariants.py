"""Invariants of the whole (DOMAIN 4.8) at the doors: what is forbidden, gone, written down, and what goes round.

I2 is in test_absent_everywhere.py, I3 and I12 in pure/test_deriving.py, I4 and I11 in centre/release, I6 in
pure/test_publishing.py, I8 in centre/analysis/test_translations.py, I9 also in pure/test_deadlines.py.
"""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import builders, people
from tests.centre.intake import test_gate
from tests.doors.conftest import GiveKey, work

from tocsin import cli
from tocsin.centre.audit import tree
from tocsin.centre.audit.models import Entry
from tocsin.centre.audit.services import record
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.knowledge.models import Object
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.recall import services as recall
from tocsin.core.words import Tlp
from tocsin.site.act_log import log_of_acts
from tocsin.site.labels import ACTIONS
from tocsin.taxii.media_types import MEDIA_TYPE

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.usefixtures("store")]


class Doors:
    """A person's browser and program."""

    def __init__(self, login: str, give_key: GiveKey) -> None:
        self.person = people.call(login)
        self.browser = Client()
        people.let_in(self.browser, login)
        said = {"Authorization": f"Bearer {give_key(login)}", "Accept": f"{MEDIA_TYPE}, */*"}
        self.program = Client(headers=said)

    def get(self, address: str) -> Any:
        cache.clear()
        is_program = address.startswith(("/api/", "/taxii2/"))
        return (self.program if is_program else self.browser).get(address)

    def text(self, address: str) -> str:
        response = self.get(address)
        body = b"".join(response.streaming_content) if response.streaming else response.content
        return str(body.decode(errors="replace"))

    @property
    def collection(self) -> str:
        return f"/taxii2/{self.person.organisation.slug}/collections/released/"


# I1

OF_SOURCE: tuple[tuple[Tlp, dict[str, Any], dict[str, Any]], ...] = (
    (Tlp.GREEN, {}, {}),
    (Tlp.GREEN, {"exclusions": ("country:FR",)}, {}),
    (Tlp.GREEN, {"exclusions": ("southgate",)}, {}),
    (Tlp.AMBER, {"classification": "restricted"}, {}),
    (Tlp.AMBER_STRICT, {"audience": ("ncb-fr",)}, {}),
    (Tlp.RED, {"audience": ("person:khalil_officer",)}, {}),
    (Tlp.CLEAR, {}, {"released_to": None}),
    (Tlp.CLEAR, {}, {"released_to": ("country:JO",)}),
    (Tlp.CLEAR, {}, {"hidden_at": builders.NOW - timedelta(hours=1)}),
    (Tlp.CLEAR, {}, {"expires_at": builders.NOW - timedelta(hours=1)}),
    (Tlp.AMBER, {"audience": ("ncb-jo",)}, {"is_private": True, "released_to": ("ncb-jo",)}),
)
"""Label, further fields of the handling set, how it is held: each is one delivery with an object and 2^n rows."""
I1_READERS = ("rui_reviewer", "sven_secondee", "fleur_officer", "khalil_officer", "omar_partner", "ada_administrator")


@pytest.mark.parametrize("login", I1_READERS)
@pytest.mark.usefixtures("contexts")
def test_i1_no_door_shows_or_counts_what_the_gate_forbids(login: str, give_key: GiveKey) -> None:
    for other in ("fleur_officer", "khalil_officer", "omar_partner"):
        people.call(other)
    source, batches = builders.organisation("northwind"), {}
    for place, (tlp, said, held) in enumerate(OF_SOURCE):
        batch = builders.batch(builders.delivery(source), builders.handling(tlp, attribution="may", **said), **held)
        builders.objects(batch, [builders.indicator(place + 1, name="Zephyrquill")])
        builders.tallies(batch, [(builders.NOW.date(), "FR", "c2-server", "ATTACKER_INFRA", 1 << place)])
        batches[batch.pk] = place
    doors = Doors(login, give_key)
    seen = {batches[number] for number in test_gate.plainly_visible(viewer_of(doors.person), test_gate.held())}
    rows = sum(1 << place for place in seen)
    reads = login != "ada_administrator"
    assert reads or not seen
    found = doors.get("/api/v1/lookup?q=Zephyrquill")
    assert (found.status_code == 200) is reads
    assert {each["id"] for each in found.json()["objects"]} == _ids(seen) if reads else found.status_code == 403
    page = doors.get(f"{reverse('lookup')}?q=Zephyrquill")
    assert page.status_code == (200 if reads else 404)
    assert not [each for each in _ids(set(batches.values()) - seen) if each in page.content.decode()]
    for address in (reverse("home") + "?span=all", reverse("country", args=["FR"]) + "?span=all"):
        response = doors.get(address)
        assert not reads or response.context["figures"].rows == rows, address
    taken = {each["id"] for each in doors.get(f"{doors.collection}objects/").json().get("objects", [])
             if reads and each["type"] == "indicator"}  # fmt: skip
    assert taken <= _ids(seen)
    assert taken == _ids(seen) or doors.person.organisation.is_centre
    for thing in Object.objects.all():
        is_open = batches[thing.batch_id] in seen
        for name in ("object", "object-raw"):
            assert (doors.get(reverse(name, args=[thing.pk])).status_code == 200) is is_open


def _ids(places: set[int]) -> set[str]:
    return {str(builders.indicator(place + 1)["id"]) for place in places}


# I5

SECRET = "Quillzephyr"


def _in_the_store(slug: str, at: Any) -> list[Delivery]:
    """A bundle, a report and a table that tell one word, released as far as their label goes."""
    contents = {
        "b.json": json.dumps({"type": "bundle", "id": "bundle--1", "objects": [builders.indicator(7, name=SECRET)]}),
        "r.md": f"# {SECRET}\n\nIt calls hxxp://{SECRET}[.]example/gate.\n",
        "t.csv": f"ip,last_seen,malware\n198.51.100.7,2026-11-20T10:00:00Z,{SECRET}\n",
    }
    made = [
        intake.receive(organisation=builders.organisation(slug), via="api", name=name, chunks=[f"{text} ".encode()],
                       at=at, marking="TLP:GREEN")
        for name, text in contents.items()
    ]  # fmt: skip
    work()
    set_audience(Batch.objects.filter(delivery__in=made), BY_LABEL)
    return made


@pytest.mark.parametrize("end", ["recalled", "over"])
def test_i5_what_was_recalled_or_is_over_is_nowhere_any_more(
    end: str, give_key: GiveKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.cli.lookup.setup", lambda: None)
    made = _in_the_store("northwind", timezone.now() - timedelta(hours=1))
    readers = [Doors(login, give_key) for login in ("dana_analyst", "fleur_officer")]
    thing = Object.objects.get()
    asked = [
        "/?span=all", "/countries/", reverse("received-list"), reverse("watches"), reverse("review"),
        reverse("object", args=[thing.pk]), reverse("object-raw", args=[thing.pk]), "/api/v1/observations",
        *(f"{door}?q=198.51.100.7" for door in (reverse("lookup"), "/api/v1/lookup")),
        *(reverse(name, args=[each.receipt]) for each in made for name in ("delivery", "delivery-original")),
    ]  # fmt: skip

    def telling() -> set[str]:
        found = set()
        for doors in readers:
            addresses = [*asked, f"{doors.collection}objects/", f"{doors.collection}manifest/"]
            found |= {each for each in addresses if {SECRET.lower(), thing.object_id} & _words(doors.text(each))}
        said = CliRunner().invoke(cli.main, ["lookup", SECRET, "--as", "fleur_officer"]).output
        return found | ({"tocsin lookup"} if thing.object_id in said else set())

    before = telling()
    assert len(before) > 8, before
    now = timezone.now()
    if end == "recalled":
        pia = people.call("pia_partner")
        for each in made:
            recall.recall(each, by=pia, reason="wrong-data", action="destroy", note="", at=now)
    else:
        Batch.objects.update(expires_at=now)
        Delivery.objects.update(ends_at=now)
    assert telling() == set()


def _words(text: str) -> set[str]:
    """Of the words that are looked for, those that stand there."""
    return {each for each in (SECRET.lower(), builders.indicator(7)["id"]) if each in text.lower()}


# I7


def test_i7_every_kind_of_act_is_proved_and_none_can_be_changed(client: Client) -> None:
    """That every act writes who, when and why, centre/states walks; here that what is written is proved."""
    at = timezone.now()
    with transaction.atomic():
        for number, action in enumerate(sorted(ACTIONS)):
            record(f"person-{number}", action, f"thing:{number}", {"reason": action}, at=at)
    log = log_of_acts()
    tree.keep(log, at)
    aida = people.let_in(client, "aida_auditor")
    entries = list(Entry.objects.filter(actor__startswith="person-"))
    assert len(entries) == len(ACTIONS)
    runner = CliRunner()
    for entry in entries:
        proof = client.get(reverse("act-proof", args=[entry.pk])).content
        told = json.loads(json.loads(proof)["entry"])
        assert told[1:] == [entry.actor, entry.action, entry.subject, entry.detail]
        assert told[0] == at.isoformat()
    checked = runner.invoke(cli.main, ["audit", "check", "-"], input=proof.decode())
    assert checked.exit_code == 0, checked.output
    forged = proof.decode().replace(entry.actor, aida.login)
    assert runner.invoke(cli.main, ["audit", "check", "-"], input=forged).exit_code != 0
    assert not tree.verify(log).faults
    for changed in ({"actor": "nobody"}, {"at": at - timedelta(days=1)}, {"detail": "{}"}):
        with transaction.atomic():
            Entry.objects.filter(pk=entries[0].pk).update(**changed)
            assert tree.verify(log).faults, changed
            transaction.set_rollback(True)


# I9


def test_i9_no_clock_of_a_sender_moves_a_deadline() -> None:
    """Neither when it says that it was made, nor what the file says of itself."""
    at = timezone.now() - timedelta(minutes=1)
    ends = set()
    for number, year in enumerate((2016, 2026, 2099)):
        said = f"{year}-01-01T00:00:00.000Z"
        thing = builders.indicator(number, created=said, modified=said, valid_from=said)
        sent = json.dumps({"type": "bundle", "id": "bundle--1", "objects": [thing]}).encode()
        made = intake.receive(
            organisation=builders.organisation("northwind"), via="api", name="b.json", chunks=[sent], at=at,
            marking="TLP:GREEN", source_at=at.replace(year=year),
        )  # fmt: skip
        work()
        made.refresh_from_db()
        ends.add((made.received_at, made.ends_at))
    assert len(ends) == 1
    assert set(Batch.objects.values_list("expires_at", flat=True)) == {made.ends_at}
    read, pia = Batch.objects.earliest("pk").delivery, people.call("pia_partner")
    asked = recall.recall(read, by=pia, reason="wrong-data", action="destroy", note="", at=at)
    assert asked.confirm_by == at + timedelta(hours=72)


# I10

EXTENSION = "extension-definition--9c59fd79-4215-4ba2-920d-3e4f320e1e62"
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | WORDS,  # The standard knows no null, and no empty list or object.
    lambda inner: st.lists(inner, min_size=1, max_size=2) | st.dictionaries(WORDS, inner, min_size=1, max_size=2),
    max_leaves=4,
)
NAMES = st.from_regex(r"x_[a-z][a-z_]{2,8}", fullmatch=True)
NUMBERS = itertools.count(1)


@st.composite
def things(draw: st.DrawFn) -> dict[str, Any]:
    """An indicator with what no standard knows: fields, an extension, a marking of its own."""
    number = next(NUMBERS)
    body = builders.indicator(number, name=f"round {number}", description=draw(WORDS))
    body |= draw(st.dictionaries(NAMES, VALUES, max_size=3))
    body["extensions"] = {EXTENSION: {"extension_type": "property-extension", **draw(st.dictionaries(NAMES, VALUES))}}
    body["object_marking_refs"] = draw(
        st.sampled_from([[STATEMENT["id"]], [TLP_1_GREEN], [TLP_GREEN, STATEMENT["id"]]])
    )
    return body


TLP_GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
TLP_1_GREEN = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
STATEMENT: dict[str, Any] = {
    "type": "marking-definition", "spec_version": "2.1", "created": "2026-01-01T00:00:00.000Z",
    "id": "marking-definition--d81f86b9-975b-4c0b-875e-810c5ad45a4f", "definition_type": "statement",
    "definition": {"statement": "Copyright 2026, the source"},
}  # fmt: skip


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(things(), min_size=4, max_size=8))
def test_i10_what_goes_round_keeps_its_markings_and_what_nobody_knows(
    give_key: GiveKey, bodies: list[dict[str, Any]]
) -> None:
    source = builders.organisation("northwind", defaults={"attribution": "may", "codes": ["H1"]})
    fleur = Doors("fleur_officer", give_key)
    sent = json.dumps({"type": "bundle", "id": "bundle--1", "objects": [STATEMENT, *bodies]}).encode()
    made = intake.receive(
        organisation=source, via="api", name="b.json", chunks=[sent], at=timezone.now(), marking="TLP:GREEN"
    )
    work()
    set_audience(Batch.objects.filter(delivery=made), BY_LABEL)
    assert Object.objects.filter(delivery=made).count() >= len(bodies)
    by_taxii = {each["id"]: each for each in fleur.get(f"{fleur.collection}objects/").json()["objects"]}
    pia = Doors("pia_partner", give_key)
    assert pia.text(reverse("delivery-original", args=[made.receipt])).encode() == sent
    for body in bodies:
        thing = Object.objects.get(delivery=made, object_id=body["id"])
        assert json.loads(fleur.text(reverse("object-raw", args=[thing.pk]))) == body
        given_out = by_taxii[body["id"]]
        marks = given_out.pop("object_marking_refs")
        assert given_out == {name: value for name, value in body.items() if name != "object_marking_refs"}
        # What is given out bears the label in its present form, and a marking that says all that holds for it.
        assert TLP_GREEN in marks
        said = [by_taxii[each]["extensions"] for each in marks if each != TLP_GREEN]
        assert [each["handling"] for extension in said for each in extension.values()] == [["H1"]]
    Person.objects.filter(login="fleur_officer").delete()
