"""Grades from any door to every page: kept as given, defaults shown back, evaluations beside (DOMAIN 2.4)."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import grades, services
from tocsin.centre.intake.models import Batch, Delivery, Grading
from tocsin.centre.knowledge.models import Object
from tocsin.centre.members import agreements
from tocsin.core.errors import InputError, NotFound, Refused
from tocsin.core.grading import EXTENSION

from .conftest import GiveKey, work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
ingesting = importlib.import_module("tocsin.cli.ingest")
TABLE = b"ip,first_seen\n192.0.2.7,2026-11-19T10:00:00Z\n"


def send(content: bytes = TABLE, name: str = "rows.csv", **said: object) -> Delivery:
    made = services.receive(
        organisation=builders.organisation("northwind"), via="api", name=name, chunks=[content], at=timezone.now(),
        **said,
    )  # type: ignore[arg-type]  # fmt: skip
    work()
    made.refresh_from_db()
    assert made.state == "parsed", (made.reason, made.reason_where)
    return made


def graded(delivery: Delivery) -> dict[str, int]:
    return dict(Batch.objects.filter(delivery=delivery).order_by("pk").values_list("grade", "rows"))


def test_without_any_grade_it_cannot_be_judged_and_the_source_is_told(client: Client) -> None:
    made = send()
    assert graded(made) == {"admiralty:F6": 1}
    assert "grade" in made.defaults_applied
    people.let_in(client, "pia_partner")
    shown = client.get(reverse("delivery", args=[made.receipt])).content.decode()
    assert "Grade of the source and of what it says" in shown
    assert "F6" in shown
    assert "Reliability of the source cannot be judged" in shown
    assert "X4" in shown  # What 4x4 would say.


def test_the_agreements_default_holds_and_names_the_usual_scheme() -> None:
    northwind = builders.organisation("northwind")
    agreements.change_defaults(northwind, {"grade": "4x4:B3"}, by="paula", at=timezone.now())
    assert graded(send()) == {"4x4:B3": 1}
    made = send(TABLE + b"198.51.100.9,2026-11-19\n", grade="B2")
    assert (made.stated_grade, graded(made)) == ("4x4:B2", {"4x4:B2": 2})
    assert "grade" not in made.defaults_applied
    with pytest.raises(InputError):
        agreements.change_defaults(northwind, {"grade": "Z9"}, by="paula", at=timezone.now())


def test_each_row_of_a_table_keeps_its_own() -> None:
    content = (
        b"ip,first_seen,4x4,note\n192.0.2.7,2026-11-19,A1,x\n192.0.2.8,2026-11-19,,x\n192.0.2.9,2026-11-19,X4,x\n"
        b"192.0.2.10,2026-11-19,ZZ,x\n"
    )
    assert graded(send(content, grade="admiralty:C3")) == {"4x4:A1": 1, "admiralty:C3": 2, "4x4:X4": 1}
    content = b"ip,first_seen,Grade\n192.0.2.17,2026-11-19,B2\n192.0.2.18,2026-11-19,2DC\n"
    assert graded(send(content)) == {"admiralty:B2": 1, "3x5x2:2DC": 1}
    content = b"ip,first_seen,source reliability,information credibility\n192.0.2.27,2026-11-19,D,4\n"
    assert graded(send(content)) == {"admiralty:D4": 1}


def test_the_tags_of_misp_grade_attributes_before_their_event() -> None:
    event = {
        "Event": {
            "uuid": "6b6e5d9e-8a14-4f63-9d3b-0c5d3f7a1e01", "info": "Graded", "date": "2026-11-19", "timestamp": "1",
            "Tag": [{"name": 'admiralty-scale:source-reliability="b"'},
                    {"name": 'admiralty-scale:information-credibility="2"'}],
            "Attribute": [
                {"uuid": "6b6e5d9e-8a14-4f63-9d3b-0c5d3f7a1e02", "type": "ip-dst", "category": "Network activity",
                 "value": "192.0.2.7", "to_ids": True, "timestamp": "1763546400"},
                {"uuid": "6b6e5d9e-8a14-4f63-9d3b-0c5d3f7a1e03", "type": "ip-dst", "category": "Network activity",
                 "value": "192.0.2.8", "to_ids": True, "timestamp": "1763546400",
                 "Tag": [{"name": 'admiralty-scale:information-credibility="5"'}]},
            ],
        }
    }  # fmt: skip
    made = send(json.dumps(event).encode(), "event.json")
    found = graded(made)
    assert found["admiralty:B2"] == 1
    assert found["admiralty:B5"] == 1


def test_stix_objects_keep_the_grade_of_their_extension() -> None:
    def indicator(number: int, **said: object) -> dict[str, object]:
        return {
            "type": "indicator", "spec_version": "2.1", "id": f"indicator--6b6e5d9e-8a14-4f63-9d3b-0c5d3f7a1e0{number}",
            "created": "2026-11-19T10:00:00.000Z", "modified": "2026-11-19T10:00:00.000Z", "pattern_type": "stix",
            "pattern": f"[ipv4-addr:value = '192.0.2.{number}']", "valid_from": "2026-11-19T10:00:00Z", **said,
        }  # fmt: skip

    extension = {EXTENSION: {"extension_type": "property-extension", "grades": ["3x5x2:1AP"]}}
    objects = [
        indicator(1, extensions=extension), indicator(2, labels=['admiralty-scale:source-reliability="c"']),
        indicator(3, confidence=90),
    ]  # fmt: skip
    bundle = {"type": "bundle", "id": "bundle--6b6e5d9e-8a14-4f63-9d3b-0c5d3f7a1e00", "objects": objects}
    made = send(json.dumps(bundle).encode(), "bundle.json")
    kept = dict(Object.objects.filter(delivery=made).values_list("object_id", "batch__grade"))
    # A number alone is no grade: it stays what it is.
    assert [kept[str(each["id"])] for each in objects] == ["3x5x2:1AP", "admiralty:C-", "admiralty:F6"]
    assert graded(made)["admiralty:C-"] == 1
    assert graded(made)["3x5x2:1AP"] == 1


def test_every_door_takes_a_grade_and_refuses_what_is_none(client: Client, give_key: GiveKey) -> None:
    secret = give_key("pia_partner")
    headers = {"Authorization": f"Bearer {secret}", "Tocsin-Grade": "4x4:B2"}
    answer = client.post("/api/v1/deliveries?name=a.csv", TABLE, "application/octet-stream", headers=headers)
    assert answer.status_code == 202, answer.content
    assert Delivery.objects.get(receipt=answer.json()["receipt"]).stated_grade == "4x4:B2"
    for wrong, code in (("Z9", "not-a-grade"), ("B2", "")):
        content = TABLE + wrong.encode()
        headers["Tocsin-Grade"] = wrong
        answer = client.post("/api/v1/deliveries?name=b.csv", content, "application/octet-stream", headers=headers)
        assert (answer.status_code == 422) is bool(code), answer.content
    people.let_in(client, "pia_partner")
    said = {"organisation": "northwind", "grade": "Q7", "files": SimpleUploadedFile("c.csv", TABLE + b"203.0.113.9,\n")}
    answer = client.post(reverse("upload"), said)
    assert "This is no grade of a scheme that is known" in answer.content.decode()
    said = {"organisation": "northwind", "grade": "x4", "files": SimpleUploadedFile("c.csv", TABLE + b"203.0.113.9,\n")}
    client.post(reverse("upload"), said)
    assert Delivery.objects.filter(stated_grade="4x4:X4").count() == 1


def test_the_command_refuses_what_is_no_grade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingesting, "setup", lambda: None)
    builders.centre()
    file = tmp_path / "a.csv"
    file.write_bytes(TABLE)
    result = CliRunner().invoke(ingesting.ingest, [str(file), "--grade", "4x4:F6"])
    assert result.exit_code == 1
    assert "no grade of a scheme" in result.output
    assert not Delivery.objects.exists()


def test_its_source_grades_anew_and_what_was_said_before_stays(client: Client) -> None:
    made = send(grade="4x4:A1")
    people.let_in(client, "pia_partner")
    page = reverse("delivery-grades", args=[made.receipt])
    part = str(Batch.objects.get(delivery=made).pk)
    answer = client.post(page, {"part": part, "grade": "4x4:C4", "note": ""})
    assert answer.status_code == 422
    answer = client.post(page, {"part": part, "grade": "C9", "note": "wrong"})
    assert answer.status_code == 422
    answer = client.post(page, {"part": part, "grade": "4x4:C4", "note": "Our sensor was misled."})
    assert answer.status_code == 302
    assert graded(made) == {"4x4:C4": 1}
    kept = Grading.objects.get()
    assert (kept.kind, kept.former, kept.grade) == ("source", "4x4:A1", "4x4:C4")
    entry = Entry.objects.get(action="grade.changed")
    assert "misled" not in entry.detail  # Reasons are content.
    shown = client.get(page).content.decode()
    assert "Our sensor was misled." in shown


def test_the_centres_evaluation_stands_beside_and_its_source_is_not_told(client: Client) -> None:
    made = send(grade="4x4:A1")
    batch = Batch.objects.get(delivery=made)
    dana = people.call("dana_analyst")
    assert grades.evaluate([batch], "admiralty:D4", note="Never confirmed.", by=dana, at=timezone.now()) == 1
    assert grades.evaluate([batch], "admiralty:D4", note="Again.", by=dana, at=timezone.now()) == 0
    assert graded(made) == {"4x4:A1": 1}
    page = reverse("delivery-grades", args=[made.receipt])
    people.let_in(client, "dana_analyst")
    assert "Never confirmed." in client.get(page).content.decode()
    people.let_in(client, "pia_partner")
    shown = client.get(page).content.decode() + client.get(reverse("delivery", args=[made.receipt])).content.decode()
    assert not re.search(r"\bD4\b", re.sub(r"<[^>]+>", " ", shown)), "as text: a token may hold these letters"
    assert "Never confirmed." not in shown
    assert "evaluated" not in shown


def test_nobody_else_grades(client: Client) -> None:
    made = send(grade="4x4:A1")
    batch = Batch.objects.get(delivery=made)
    for login in ("omar_partner", "dana_analyst", "fleur_officer"):
        with pytest.raises(Refused):
            grades.regrade([batch], "4x4:B2", note="x", by=people.call(login), at=timezone.now())
    for login in ("pia_partner", "vera_victim_desk", "fleur_officer"):
        with pytest.raises(Refused):
            grades.evaluate([batch], "4x4:B2", note="x", by=people.call(login), at=timezone.now())
    people.let_in(client, "omar_partner")
    assert client.get(reverse("delivery-grades", args=[made.receipt])).status_code == 404
    batch.hidden_at = timezone.now()
    batch.save()
    with pytest.raises(NotFound):
        grades.regrade([batch], "4x4:B2", note="x", by=people.call("pia_partner"), at=timezone.now())


def test_look_up_and_object_show_the_grade(client: Client) -> None:
    bundle = {
        "type": "bundle", "id": "bundle--6b6e5d9e-8a14-4f63-9d3b-0c5d3f7a1e00",
        "objects": [{
            "type": "indicator", "spec_version": "2.1", "id": "indicator--6b6e5d9e-8a14-4f63-9d3b-0c5d3f7a1e01",
            "created": "2026-11-19T10:00:00.000Z", "modified": "2026-11-19T10:00:00.000Z", "pattern_type": "stix",
            "pattern": "[ipv4-addr:value = '192.0.2.7']", "valid_from": "2026-11-19T10:00:00Z",
            "labels": ['tocsin:grade-3x5x2="2EC"'],
        }],
    }  # fmt: skip
    made = send(json.dumps(bundle).encode(), "bundle.json")
    people.let_in(client, "dana_analyst")
    shown = client.get(reverse("lookup"), {"q": "192.0.2.7"}).content.decode()
    assert "2EC" in shown
    assert "Thought to be false" in shown
    thing = Object.objects.get(delivery=made)
    assert "Sharing permitted with conditions" in client.get(reverse("object", args=[thing.pk])).content.decode()
