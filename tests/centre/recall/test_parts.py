"""Single objects and values taken back out of a delivery (W04), while all the rest of it stays."""

from __future__ import annotations

import base64
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.conf import settings
from django.db.models import Sum
from tests import builders, people
from tests.centre.recall.conftest import bundle, handed_over, indicator, known_of
from tests.crew import work

from tocsin.centre.analysis.models import CountryConflict
from tocsin.centre.analysis.services import decide_proposals
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.models import Batch, Delivery, LakeFile, NameTally, Tally
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.knowledge.models import Document, Object
from tocsin.centre.knowledge.selectors import body_of
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.recall import journal, services
from tocsin.centre.recall.models import Recall
from tocsin.centre.recall.reach import extent_of, holding
from tocsin.centre.release.models import Package
from tocsin.centre.release.services import make_packages, note_fetch
from tocsin.core.errors import Conflict, InputError, Refused
from tocsin.core.words import Tlp
from tocsin.credentials import load_or_make, verify
from tocsin.lake.files import file_digest

pytestmark = pytest.mark.django_db
HEAD = "timestamp,ip,port,malware,country\n"


def table(*addresses: str) -> bytes:
    lines = [f"2026-11-{1 + place % 18:02d}T10:00:00Z,{ip},443,Emotet,FR" for place, ip in enumerate(addresses)]
    return (HEAD + "\n".join(lines) + "\n").encode()


def recalled(delivery: Delivery, *keys: str, by: str = "pia_partner", action: str = "destroy") -> Recall:
    said = {"reason": "source-withdrawal", "action": action, "note": ""}
    return services.recall_parts(delivery, keys, by=people.call(by), at=datetime.now(UTC), **said)


def signed_body(made: Recall) -> dict[str, Any]:
    """What the certificate says, whose signature holds."""
    certificate = json.loads(made.certificate)
    installation: Any = settings.INSTALLATION
    public = load_or_make(installation.home / "keys", installation.organisation).public_pem
    assert verify(certificate["body"].encode(), base64.b64decode(certificate["signature"]), public)
    return dict(json.loads(certificate["body"]))


def rows_now() -> pl.DataFrame:
    store = intake.store_folder()
    live = LakeFile.objects.filter(retired_at=None)
    assert all(file_digest(store / each.path) == each.digest for each in live)
    return pl.concat([builders.rows_in(store / each.path) for each in live]).sort("batch", "position")


def test_w04_three_iocs_are_recalled_from_twelve_bureaus_to_the_certificate(officers: list[Person]) -> None:
    addresses = [f"198.51.100.{n}" for n in range(1, 11)]
    sent = handed_over(bundle(*(indicator(n, ip) for n, ip in enumerate(addresses, 1))), "iocs.json")
    batch = sent.batches.get()
    # Nine fetched it by program, one of them had it in a package with its file for MISP as well; three never did.
    for officer in officers[:9]:
        took(officer, Taking.Channel.API, [batch.pk], datetime.now(UTC))
    began = datetime.now(UTC)
    keys = [f"indicator--00000000-0000-4000-8000-{n:012x}" for n in (2, 5, 9)]
    gone, kept = [addresses[n - 1] for n in (2, 5, 9)], [ip for n, ip in enumerate(addresses, 1) if n not in (2, 5, 9)]
    viewers = [*officers, *(people.call(login) for login in ("dana_analyst", "pia_partner", "rui_reviewer"))]
    assert all(known_of(ip, officer) == (1, 0) for ip in addresses for officer in officers)

    made = recalled(sent, *keys)

    assert datetime.now(UTC) - began < timedelta(minutes=5)
    for viewer in viewers:
        assert [known_of(ip, viewer) for ip in gone] == [(0, 0)] * 3
        assert [known_of(ip, viewer) for ip in kept] == [(1, 0)] * 7
        seen = visible_batches(viewer_of(viewer))
        assert set(Object.objects.filter(batch__in=seen, delivery=sent).values_list("object_id", flat=True)).isdisjoint(
            keys
        )
        assert Object.objects.filter(batch__in=seen, delivery=sent).count() == 7
        assert Tally.objects.filter(batch__in=seen).aggregate(n=Sum("rows"))["n"] == 7
    batch.refresh_from_db()
    assert (batch.rows, batch.objects_count, batch.hidden_at) == (7, 7, None)
    assert rows_now().filter(pl.col("batch") == batch.pk).height == 7

    states = dict(made.notices.values_list("organisation__slug", "state"))
    assert {slug for slug, state in states.items() if state == "informed"} == {
        o.organisation.slug for o in officers[:9]
    }
    assert {slug for slug, state in states.items() if state == "nothing-taken"} == {
        o.organisation.slug for o in officers[9:]
    }, "three who never fetched get notice without content"
    for officer in officers[9:]:
        assert services.shown_parts(made, officer.organisation) == []
    assert [each.key for each in services.shown_parts(made, officers[0].organisation)] == keys

    def confirm(officer: Person, for_units: bool = True) -> None:
        notice = made.notices.get(organisation=officer.organisation)
        services.answer(notice, by=officer, state="destroyed", for_units=for_units, note="", at=made.asked_at)

    with pytest.raises(Refused, match="without-units"):
        confirm(officers[0], for_units=False)
    for officer in officers[:8]:
        confirm(officer)
    services.tick(made.confirm_by - timedelta(seconds=1))
    assert not Entry.objects.filter(action="recall.escalated").exists()
    services.tick(made.confirm_by)
    assert Entry.objects.filter(action="recall.escalated").count() == 1
    confirm(officers[8])
    services.tick(made.confirm_by + timedelta(minutes=1))
    made.refresh_from_db()
    body = signed_body(made)
    assert (body["answered"], body["organisations"]) == (12, 12)
    assert [part["key"] for part in body["parts"]] == keys


def test_rows_of_a_table_go_by_value_and_its_neighbours_stay(officers: list[Person]) -> None:
    sent = handed_over(table("198.51.100.9", "198.51.100.99", "203.0.113.7", "198.51.100.9"), "rows.csv")
    before = rows_now()
    made = recalled(sent, "198[.]51[.]100[.]9")
    fleur = officers[0]
    assert known_of("198.51.100.9", fleur) == (0, 0)
    assert known_of("198.51.100.99", fleur)[0] == 1
    after = rows_now()
    assert after.height == before.height
    stays = pl.col("value") != "198.51.100.9"
    assert after.filter(stays).equals(before.filter(stays)), "everything else of the delivery stays untouched"
    assert made.parts.get().rows == before.filter(~stays).height
    by_batch = dict(Tally.objects.values_list("batch").annotate(n=Sum("rows")))
    assert by_batch == dict(after.group_by("batch").len().iter_rows())
    assert dict(NameTally.objects.values_list("batch").annotate(n=Sum("rows"))) == by_batch
    # The receipt of the source stays as it was; the Centre's analysts no longer read the original.
    sent.refresh_from_db()
    assert sent.rows == before.height
    with pytest.raises(InputError, match="recall-not-in-delivery"):
        recalled(sent, "198.51.100.9")
    recalled(sent, "203.0.113.7")
    assert known_of("198.51.100.99", fleur)[0] == 1


def test_reports_and_objects_that_name_a_value_go_with_it(officers: list[Person]) -> None:
    said = {"type": "report", "id": "report--00000000-0000-4000-8000-000000000077", "spec_version": "2.1",
            "created": "2026-11-01T00:00:00.000Z", "modified": "2026-11-01T00:00:00.000Z", "name": "Weekly",
            "published": "2026-11-01T00:00:00Z", "object_refs": ["indicator--00000000-0000-4000-8000-000000000001"],
            "description": "The panel stood at 198.51.100.9."}  # fmt: skip
    sent = handed_over(bundle(indicator(1, "198.51.100.9"), indicator(2, "198.51.100.99"), said), "both.json")
    recalled(sent, "198.51.100.9")
    seen = Object.objects.filter(batch__in=visible_batches(viewer_of(officers[0])))
    assert list(seen.values_list("name", flat=True)) == ["Server 2"]

    text = handed_over(b"# Report\n\nThe loader spoke to evil[.]phish[.]example and 203.0.113[.]8.\n", "report.md")
    assert Document.objects.filter(batch__in=visible_batches(viewer_of(officers[0]))).count() == 1
    recalled(text, "evil.phish.example")
    assert not Document.objects.filter(batch__in=visible_batches(viewer_of(officers[0]))).exists()
    shown = text.proposals.filter(batch__in=visible_batches(viewer_of(people.call("rui_reviewer"))))
    assert "evil.phish.example" not in shown.values_list("value", flat=True)


def test_w04_values_that_reviewers_accepted_in_a_report_are_recalled_with_it(officers: list[Person]) -> None:
    now, fleur, khalil = datetime.now(UTC), *officers[:2]
    report = handed_over(b"# Report\n\nIt spoke to evil[.]phish[.]example and worse[.]phish[.]example.\n", "report.md")
    Batch.objects.filter(delivery=report).update(handling_set=builders.handling(Tlp.AMBER, exclusions=("country:JO",)))
    found = list(report.proposals.filter(kind="domain").select_related("batch__handling_set", "delivery"))
    drawn = decide_proposals(
        proposals=found, accept=True, role="ATTACKER_INFRA", by=people.call("rui_reviewer"), at=now
    )
    assert drawn is not None
    work()
    batch = drawn.batches.get()
    assert batch.handling_set.body["exclusions"] == ["country:JO"], "as the report has them now"
    set_audience(Batch.objects.filter(pk=batch.pk), BY_LABEL)
    assert [known_of("evil.phish.example", each)[0] for each in (fleur, khalil)] == [1, 0]
    took(fleur, Taking.Channel.API, [batch.pk], now)
    recalled(report, "evil.phish.example")
    assert [known_of(f"{name}.phish.example", fleur)[0] for name in ("evil", "worse")] == [0, 1]
    assert Recall.objects.get(delivery=drawn).notices.get(organisation=fleur.organisation).state == "informed"
    whole = services.recall(report, by=people.call("pia_partner"), reason="legal", action="destroy", note="",
                            at=datetime.now(UTC))  # fmt: skip
    assert known_of("worse.phish.example", fleur)[0] == 0
    assert whole.notices.get(organisation=fleur.organisation).state == "informed"


def test_an_attribute_of_a_misp_event_goes_and_the_event_stays(officers: list[Person]) -> None:
    uuids = [f"5f0c0000-0000-4000-8000-00000000000{n}" for n in range(4)]
    attributes = [
        {"uuid": uuid, "type": "ip-dst", "category": "Network activity", "to_ids": True, "value": f"198.51.100.{n}"}
        for n, uuid in enumerate(uuids[1:], 1)
    ]
    event = {
        "Event": {"uuid": uuids[0], "info": "Servers", "date": "2026-11-01", "timestamp": "1", "Attribute": attributes}
    }
    sent = handed_over(json.dumps(event).encode(), "event.json")
    made = recalled(sent, uuids[2])
    assert made.parts.get().key == "198.51.100.2"
    fleur = officers[0]
    assert [known_of(f"198.51.100.{n}", fleur)[0] for n in (1, 2, 3)] == [1, 0, 1]
    shown = Object.objects.get(batch__in=visible_batches(viewer_of(fleur)))
    kept = body_of(shown).raw.decode()
    assert shown.object_id == uuids[0]
    assert "198.51.100.2" not in kept
    assert "198.51.100.3" in kept
    recalled(sent, uuids[0])
    assert [known_of(f"198.51.100.{n}", fleur)[0] for n in (1, 2, 3)] == [0, 0, 0]


def test_only_packages_that_hold_it_are_reopened_and_remade_without_it(officers: list[Person]) -> None:
    french, other = handed_over(table("192.0.2.33", "192.0.2.44"), "fr.csv"), "192.0.2.33"
    span = (french.received_at - timedelta(minutes=1), french.received_at + timedelta(minutes=1))
    dora = people.call("dora_dissemination")
    [package] = make_packages(["FR"], *span, dora, datetime.now(UTC), processes=1)
    [empty] = make_packages(["JO"], *span, dora, datetime.now(UTC), processes=1)
    note_fetch(package, officers[0], "api", datetime.now(UTC))
    note_fetch(empty, officers[1], "api", datetime.now(UTC))
    made = recalled(french, other)
    package.refresh_from_db()
    assert (made.packages, package.recalled_at) == ([package.number], made.asked_at)
    assert Package.objects.get(pk=empty.pk).recalled_at is None
    informed = made.notices.filter(state="informed").values_list("organisation__slug", flat=True)
    assert list(informed) == ["ncb-fr"], "notices only to who had it"
    work()
    remake = made.remakes.get()
    assert (remake.state, remake.old) == ("made", package)
    assert remake.new is not None
    held = holding([remake.new], extent_of(made))
    assert (held, remake.new.recalled_at) == ([], None)
    services.recall(
        french, by=people.call("pia_partner"), reason="legal", action="destroy", note="", at=datetime.now(UTC)
    )
    work()
    assert Recall.objects.latest("pk").remakes.get().state == "nothing-left"


def test_w38_parts_are_recalled_again_after_a_backup_is_restored(officers: list[Person]) -> None:
    sent = handed_over(table("198.51.100.9", "203.0.113.7"), "rows.csv")
    took(officers[0], Taking.Channel.API, [sent.batches.get().pk], datetime.now(UTC))
    before = list(LakeFile.objects.values())
    made = recalled(sent, "198.51.100.9")
    number = made.number
    # What the database was when the backup was made.
    hidden = Batch.objects.filter(parted_from__isnull=False)
    Recall.objects.all().delete()
    Tally.objects.filter(batch__in=hidden).update(batch=hidden[0].parted_from_id)
    NameTally.objects.filter(batch__in=hidden).update(batch=hidden[0].parted_from_id)
    hidden.delete()
    LakeFile.objects.all().delete()
    LakeFile.objects.bulk_create(LakeFile(**each) for each in before)
    Batch.objects.filter(delivery=sent).update(rows=2)
    assert known_of("198.51.100.9", officers[0])[0] == 1
    assert services.replay(datetime.now(UTC)) == 1
    assert services.replay(datetime.now(UTC)) == 0
    again = Recall.objects.get()
    assert (again.number, again.parts.get().key) == (number, "198.51.100.9")
    assert known_of("198.51.100.9", officers[0]) == (0, 0)
    assert known_of("203.0.113.7", officers[0])[0] == 1
    assert again.notices.get(organisation=officers[0].organisation).state == "informed"
    assert len(list(journal.lines())) == 1


def test_a_file_joined_on_the_way_is_waited_for(officers: list[Person], monkeypatch: pytest.MonkeyPatch) -> None:
    from tocsin.centre.intake import lake, parting

    sent = handed_over(table("198.51.100.9", "203.0.113.7"), "rows.csv")
    handed_over(table("203.0.113.8"), "more.csv")
    known, calls = parting.prepare, []

    def prepare(*said: Any) -> parting.Prepared:
        done = known(*said)
        if not calls:
            calls.append(lake.compact(datetime.now(UTC)))
        return done

    monkeypatch.setattr(parting, "prepare", prepare)
    recalled(sent, "198.51.100.9")
    assert calls == [2]
    assert known_of("198.51.100.9", officers[0]) == (0, 0)
    assert known_of("203.0.113.8", officers[0])[0] == 1


def test_two_recalls_of_the_same_thing_are_one(officers: list[Person], monkeypatch: pytest.MonkeyPatch) -> None:
    from tocsin.centre.intake import parting

    sent = handed_over(table("198.51.100.9", "203.0.113.7"), "rows.csv")
    known, calls = parting.prepare, []

    def prepare(*said: Any) -> parting.Prepared:
        done = known(*said)
        if not calls:
            calls.append(1)
            recalled(sent, "198.51.100.9", by="mona_manager")
        return done

    monkeypatch.setattr(parting, "prepare", prepare)
    with pytest.raises(Conflict):
        recalled(sent, "198.51.100.9")
    assert Recall.objects.get().asked_by == "mona_manager"
    assert known_of("203.0.113.7", officers[0])[0] == 1


def test_a_label_changed_on_the_way_opens_nothing(officers: list[Person], monkeypatch: pytest.MonkeyPatch) -> None:
    from tocsin.centre.intake import parting

    sent = handed_over(table("198.51.100.9", "203.0.113.7"), "rows.csv")
    known = parting.commit

    def commit(*said: Any) -> dict[int, int]:
        Batch.objects.filter(delivery=sent).update(handling_set=builders.handling(Tlp.GREEN))
        return known(*said)

    monkeypatch.setattr(parting, "commit", commit)
    recalled(sent, "198.51.100.9")
    for login in people.CAST:
        assert known_of("198.51.100.9", people.call(login)) == (0, 0)
    assert {each.handling_set.tlp for each in Batch.objects.filter(delivery=sent)} == {"TLP:GREEN"}


def test_a_conflict_of_countries_goes_with_its_value(officers: list[Person]) -> None:
    sent = handed_over(table("198.51.100.9", "203.0.113.7"), "rows.csv")
    batch = sent.batches.get()
    CountryConflict.objects.filter(batch=batch).delete()
    CountryConflict.objects.create(batch=batch, kind="ipv4", value="198.51.100.9", claims={"stated": "FR"})
    CountryConflict.objects.create(
        batch=batch, kind="network", value="198.51.100.0/24", claims={"example": "198.51.100.9"}
    )
    recalled(sent, "198.51.100.9")
    left = CountryConflict.objects.get(batch=batch)
    assert (left.value, left.claims) == ("198.51.100.0/24", {})


@pytest.mark.parametrize("seed", range(3))
def test_any_sets_of_values_leave_exactly_the_rest(own_store: Path, seed: int) -> None:
    drawn = random.Random(seed)
    dana = people.call("dana_analyst")
    values = [f"h{n}.phish.example" for n in range(12)]
    sent = handed_over("\n".join(values).encode(), "list.txt")
    left = set(range(12))
    for _ in range(4):
        some = set(drawn.sample(range(12), drawn.randrange(1, 5)))
        if some <= left:
            recalled(sent, *(values[n] for n in sorted(some)))
            left -= some
        else:
            with pytest.raises(InputError, match="recall-not-in-delivery"):
                recalled(sent, *(values[n] for n in sorted(some)))
        assert {n for n, value in enumerate(values) if known_of(value, dana)[0]} == left
        seen = visible_batches(viewer_of(dana)).filter(delivery=sent)
        assert (Tally.objects.filter(batch__in=seen).aggregate(n=Sum("rows"))["n"] or 0) == len(left)
        assert sum(seen.values_list("rows", flat=True)) == len(left)
