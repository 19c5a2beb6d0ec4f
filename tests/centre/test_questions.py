"""Questions whose SQL is made once say what their query sets say."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from tests import builders

from tocsin.centre import rows
from tocsin.centre.audit.models import Entry
from tocsin.centre.ledger.models import Taking
from tocsin.centre.members.models import CountryStatus, Organisation, Person
from tocsin.centre.questions import Act, Brief, Question, steady, writing_only
from tocsin.centre.release.given_items import Item
from tocsin.taxii.collections import note_taken

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _people(organisation: str, at: datetime):
    kept = Person.objects.filter(organisation__slug=organisation, created_at__lte=at)
    return kept.select_related("organisation__parent", "employer").defer("name").order_by("login")


PEOPLE = Question(_people, "organisation", NOW)


@pytest.mark.django_db
def test_things_come_with_what_they_refer_to():
    parent = builders.bureau("FR")
    unit = builders.organisation("unit", parent=parent)
    for name in ("one", "two"):
        builders.person(name, unit, "analyst")
    for at in (NOW - timedelta(days=900), datetime.now(UTC) + timedelta(days=1)):
        expected = list(_people("unit", at))
        found = PEOPLE("unit", at)
        assert found == expected
        for one, other in zip(found, expected, strict=True):
            assert one.get_deferred_fields() == other.get_deferred_fields() == {"name"}
            plain = {name: value for name, value in vars(other).items() if name != "_state"}
            assert {name: value for name, value in vars(one).items() if name != "_state"} == plain
            with CaptureQueriesContext(connection) as asked:
                assert one.organisation.parent == parent
                assert one.employer is None
            assert not asked
            one.roles = ["officer"]
            one.save(update_fields=["roles"])
    assert {tuple(each.roles) for each in Person.objects.filter(organisation=unit)} == {("officer",)}
    assert PEOPLE("nobody", NOW) == []
    assert PEOPLE.first("nobody", NOW) is None


@pytest.mark.django_db
def test_values_come_as_from_query_sets():
    builders.bureau("FR")
    for days, status in ((2, "suspended"), (1, "active"), (-1, "restricted")):
        CountryStatus.objects.create(
            code="FR", status=status, from_at=NOW - timedelta(days=days), reason="r", set_by="test"
        )  # fmt: skip

    def begun(at):
        return CountryStatus.objects.filter(from_at__lte=at).order_by("from_at").values_list("code", "from_at")

    def codes(at):
        return CountryStatus.objects.filter(from_at__lte=at).order_by("from_at").values_list("status", flat=True)[:1]

    pairs, firsts = Question(begun, NOW), Question(codes, NOW)
    for at in (NOW, NOW - timedelta(days=1, hours=1), NOW + timedelta(days=3), NOW - timedelta(days=9)):
        assert pairs(at) == list(begun(at))
        assert firsts(at) == list(codes(at))


@pytest.mark.django_db(transaction=True)
def test_each_thread_asks_on_its_own_connection():
    builders.organisation("here")
    slugs = Question(lambda slug: Organisation.objects.filter(slug=slug).values_list("slug", flat=True), "slug")

    def ask(number: int) -> list[str]:
        try:
            return slugs("here" if number % 2 else "there")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(40))) == [[], ["here"]] * 20


@pytest.mark.django_db
def test_a_question_that_cannot_be_told_apart_is_none():
    with pytest.raises(ValueError, match="each of its examples"):
        Question(lambda slug: Organisation.objects.all(), "slug")("here")
    with pytest.raises(ValueError, match="must differ"):
        Question(lambda slug, name: Organisation.objects.filter(slug=slug, name=name), "same", "same")("a", "b")
    with pytest.raises(ValueError, match="no answer"):
        Question(lambda slug: Organisation.objects.none(), "slug")("here")


def _begin(code: str, status: str, at: datetime):
    return CountryStatus.objects.filter(code=code, from_at__lte=at).exclude(status=status), {"status": status}


BEGIN = Act(_begin, "FR", "status", NOW)


@pytest.mark.django_db
def test_an_act_changes_what_its_query_set_would():
    for code in ("FR", "DE"):
        for days in (3, 2, -1):
            CountryStatus.objects.create(
                code=code, status="suspended", from_at=NOW - timedelta(days=days), reason="r", set_by="test"
            )  # fmt: skip

    def statuses():
        return list(CountryStatus.objects.order_by("code", "from_at").values_list("code", "status"))

    before = statuses()
    with transaction.atomic():
        found, values = _begin("FR", "active", NOW)
        expected = found.update(**values)
        after = statuses()
        transaction.set_rollback(True)
    assert statuses() == before != after
    assert BEGIN("FR", "active", NOW) == expected == 2
    assert statuses() == after
    assert BEGIN("FR", "active", NOW) == 0
    BEGIN.each([("FR", "restricted", NOW), ("DE", "active", NOW)])
    assert [status for _, status in statuses()] == ["active"] * 2 + ["suspended"] + ["restricted"] * 2 + ["suspended"]


@pytest.mark.django_db
def test_rows_are_written_as_save_writes_them():
    people = [builders.person(name, builders.bureau("FR"), "officer") for name in ("one", "two", "three")]
    people[0].roles, people[0].name = ["analyst"], "Anna"
    people[1].name = "Béa\x7f"
    rows.update(Person, ["roles", "name"], people[:2])
    found = {each.login: (each.roles, each.name) for each in Person.objects.all()}
    assert found["one"] == (["analyst"], "Anna")
    assert found["two"] == (["officer"], "Béa\x7f")
    assert found["three"] == (["officer"], people[2].name)


def _others_write(work) -> None:
    """From another connection, and committed."""

    def write() -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        other.submit(write).result()


def _asked(work) -> int:
    """How often the database was asked."""
    with CaptureQueriesContext(connection) as asked:
        work()
    return len(asked)


SLUGS = Question(
    lambda kind: Organisation.objects.filter(class_name=kind).order_by("slug").values_list("slug", flat=True), "k"
)
KEPT = pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite says cheaply whether anything changed")


@KEPT
@pytest.mark.django_db(transaction=True)
def test_what_is_kept_ends_with_any_change():
    kind = builders.organisation("one").class_name
    assert SLUGS(kind) == ["one"]
    assert _asked(lambda: SLUGS(kind)) == 0
    _others_write(lambda: builders.organisation("other"))
    assert SLUGS(kind) == ["one", "other"]
    Organisation.objects.filter(slug="other").update(slug="mine")
    assert SLUGS(kind) == ["mine", "one"]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE members_organisation SET class_name = 'other' WHERE slug = 'mine'")
    assert SLUGS(kind) == ["one"]
    SLUGS(kind).append("changed by who asked")
    assert SLUGS(kind) == ["one"]
    connection.close()
    _others_write(lambda: builders.organisation("while it was closed"))
    assert SLUGS(kind) == ["one", "while it was closed"]


@KEPT
@pytest.mark.django_db(transaction=True)
def test_nothing_is_kept_of_what_a_transaction_sees():
    kind = builders.organisation("one").class_name
    assert SLUGS(kind) == ["one"]
    try:
        with transaction.atomic():
            builders.organisation("comes to nothing")
            assert SLUGS(kind) == ["comes to nothing", "one"]
            raise RuntimeError
    except RuntimeError:
        pass
    assert SLUGS(kind) == ["one"]


@KEPT
@pytest.mark.django_db(transaction=True)
def test_objects_that_are_kept_are_nobodys():
    unit = builders.organisation("unit", parent=builders.bureau("FR"))
    person = builders.person("one", unit, "analyst")
    later = person.created_at + timedelta(days=1)
    first = PEOPLE.first("unit", later)
    first.roles.append("invented")
    first.organisation.slug = "invented"
    first.through = "invented"
    with CaptureQueriesContext(connection) as asked:
        again = PEOPLE.first("unit", later)
        assert (again.roles, again.organisation.slug, again.organisation.parent.slug, again.employer) == (
            ["analyst"], "unit", unit.parent.slug, None,
        )  # fmt: skip
    assert not asked
    assert again.through is None
    assert again == first
    again.roles = ["officer"]
    again.save(update_fields=["roles"])
    assert PEOPLE.first("unit", later).roles == ["officer"]


@KEPT
@pytest.mark.django_db(transaction=True)
def test_what_is_written_elsewhere_takes_nothing_away_unless_others_write_meanwhile():
    kind = builders.organisation("one").class_name
    levels = Question(lambda code: CountryStatus.objects.filter(code=code).values_list("status", flat=True), "code")
    facts = {"code": "FR", "status": "active", "from_at": NOW, "reason": "r", "set_by": "t"}

    def both() -> tuple[list[str], list[str]]:
        return SLUGS(kind), levels("FR")

    assert both() == (["one"], [])
    with writing_only(CountryStatus), transaction.atomic():
        CountryStatus.objects.create(**facts)
    assert _asked(lambda: SLUGS(kind)) == 0
    assert both() == (["one"], ["active"])
    with writing_only(CountryStatus):
        _others_write(lambda: builders.organisation("two"))
        with transaction.atomic():
            CountryStatus.objects.create(**facts)
    assert both() == (["one", "two"], ["active", "active"])


@KEPT
@pytest.mark.django_db(transaction=True)
def test_one_answer_rests_on_one_state_and_the_next_on_what_others_did_meanwhile():
    kind = builders.organisation("one").class_name
    with steady():
        assert SLUGS(kind) == ["one"]
        _others_write(lambda: builders.organisation("other"))
        assert SLUGS(kind) == ["one"]
        builders.organisation("own")
        assert SLUGS(kind) == ["one", "other", "own"]
    _others_write(lambda: builders.organisation("later"))
    with steady():
        assert SLUGS(kind) == ["later", "one", "other", "own"]
        _others_write(lambda: builders.organisation("last"))
    assert SLUGS(kind) == ["last", "later", "one", "other", "own"]


def _statuses() -> list[str]:
    return sorted(CountryStatus.objects.values_list("status", flat=True))


def _status(status: str) -> None:
    CountryStatus.objects.create(code="FR", status=status, from_at=NOW, reason="r", set_by="t")


@pytest.mark.django_db(transaction=True)
def test_a_brief_transaction_is_kept_whole_or_not_at_all():
    told = []
    with Brief():
        assert connection.in_atomic_block
        _status("active")
        transaction.on_commit(lambda: told.append("kept"))
        with suppress(ZeroDivisionError), transaction.atomic():
            _status("restricted")
            raise ZeroDivisionError
        with transaction.atomic(savepoint=False):
            _status("supervised")
        assert told == []
    assert (told, _statuses()) == (["kept"], ["active", "supervised"])
    with suppress(ZeroDivisionError), Brief():
        _status("suspended")
        transaction.on_commit(lambda: told.append("never"))
        raise ZeroDivisionError
    with Brief():
        _status("suspended")
        transaction.set_rollback(True)
    assert not connection.in_atomic_block
    assert connection.get_autocommit()
    with transaction.atomic(), Brief():
        _status("restricted")
    with suppress(ZeroDivisionError), transaction.atomic():
        with Brief():
            _status("active")
        raise ZeroDivisionError
    assert (told, _statuses()) == (["kept"], ["active", "restricted", "supervised"])


@pytest.mark.django_db(transaction=True)
def test_a_brief_transaction_whose_connection_is_closed_within_comes_to_nothing():
    with Brief():
        _status("active")
        connection.close()
    assert _statuses() == []
    with Brief():
        _status("restricted")
    assert _statuses() == ["restricted"]


@pytest.mark.django_db(transaction=True)
def test_what_is_given_away_is_written_where_it_says():
    """Answers that are kept beside it come from other tables than the ledger and the log."""
    person = builders.person("reader", builders.organisation("here"), "officer")
    delivery = builders.delivery(builders.organisation("northwind"))
    batch = builders.batch(delivery, builders.handling())
    items = [Item(1, batch.pk, 0, "indicator--1", "indicator", "", b"{}")]
    for _ in range(2):
        with CaptureQueriesContext(connection) as asked:
            note_taken(person, "released", items, datetime.now(UTC))
        written = {found[1] for each in asked if (found := WRITES.match(each["sql"]))}
        assert written == {Taking._meta.db_table, Entry._meta.db_table}


WRITES = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)"?', re.IGNORECASE)
