"""A database of any earlier version is brought up to date with all that is in it, and ends as a new one begins.

One road shows it all: from the present tables back, then forward from nothing, with rows handed in on the way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from tests.builders import NOW

from tocsin.centre.ledger.models import Taking
from tocsin.centre.members import agreements
from tocsin.centre.members.models import Agreement, Key, Organisation, Person
from tocsin.lake.scope import Batches

Models = Callable[[str, str], Any]
Tables = dict[str, list[Any]]
OF_POSTGRESQL = (
    "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default, is_identity"
    " FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace",
)
OF_SQLITE = "SELECT tbl_name, type, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'"
MADE_WHEN_ASKED_FOR = {"intake_audience", "intake_change"}
"""What changes of the past leave in an empty database, and a new one does not begin with."""
NOT_OURS = "auth_group_permissions"
"""Django's own changes make its numbers longer than its models say. Nothing is kept there."""
PARTNERS = {
    "centre": {"is_centre": True, "class_name": "law-enforcement"}, "acme": {}, "closed": {"is_active": False},
    "ncb-fr": {"is_bureau": True, "class_name": "law-enforcement"}, "unit": {"class_name": "law-enforcement"},
    "feed-abuse": {}, "played": {"is_exercise": True},
}  # fmt: skip
TAKEN = (Batches([3, 5, 65_535, 65_536, 400_000]), Batches([9]))


def tables() -> Tables:
    """What the database says of its tables. Columns stand in any order: an upgrade puts new ones at the end."""
    found: Tables = {}
    with connection.cursor() as cursor:
        for question in OF_POSTGRESQL if connection.vendor == "postgresql" else (OF_SQLITE,):
            cursor.execute(question)
            for name, *said in cursor.fetchall():
                found.setdefault(name, []).extend(_parts(said[1]) if said[0] == "table" else [said])
    return {name: sorted(said, key=repr) for name, said in found.items() if name != NOT_OURS}


def _parts(statement: str) -> list[str]:
    """Columns and constraints of a table: what commas part that stand in the outermost brackets."""
    parts, depth = [""], 0
    for each in statement[statement.index("(") + 1 : statement.rindex(")")]:
        depth += (each == "(") - (each == ")")
        if each == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += each
    return [re.sub(r"\s+", " ", part).strip() for part in parts]


def empty() -> None:
    """Leave no table in the database."""
    cascade = " CASCADE" if connection.vendor == "postgresql" else ""
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        for name in connection.introspection.table_names(cursor):
            cursor.execute(f"DROP TABLE {connection.ops.quote_name(name)}{cascade}")


@pytest.fixture
def new(transactional_db: None) -> Iterator[Tables]:
    """The tables of a new database. They are there again for the next test, whatever happened to them."""
    said = tables()
    yield said
    if tables() != said:
        empty()
        call_command("migrate", verbosity=0)


def at(app: str, name: str) -> Models:
    """Go to that change of the past, forward or back; the models as they were then."""
    MigrationExecutor(connection).migrate([(app, name)])
    get: Models = MigrationExecutor(connection).loader.project_state([(app, name)]).apps.get_model
    return get


def test_every_version_of_before_becomes_the_present_one(new: Tables) -> None:
    later = MigrationExecutor(connection).loader.graph.leaf_nodes()
    at("members", "0002_guesses")  # Nearly all is undone, on the tables of a new database.
    empty()
    _partners(at("members", "0002_guesses"))
    _keys(at("members", "0004_second_factors"))
    _takings(at("ledger", "0002_responses"))
    MigrationExecutor(connection).migrate(later)
    _partners_go_on_as_before()
    _keys_have_an_end_and_can_what_they_could()
    _takings_are_in_blocks(Taking)
    assert tables() == new
    held = {each._meta.db_table for each in apps.get_models() if each.objects.exists()}
    ours = {each._meta.db_table for each in (Organisation, Agreement, Person, Key, Taking)}
    assert held == ours | MADE_WHEN_ASKED_FOR, "a new database does not begin with these rows: see `make_tables`"


def _partners(of: Models) -> None:
    for slug, facts in PARTNERS.items():
        said = {"class_name": "private", **facts}
        of("members", "Organisation").objects.create(slug=slug, name=slug, created_at=NOW, **said)


def _partners_go_on_as_before() -> None:
    made = {each.organisation.slug: (each.state, each.basis, each.ends_on) for each in Agreement.objects.all()}
    assert made == {
        "acme": ("active", "taken-over", None), "closed": ("active", "taken-over", None),
        "feed-abuse": ("active", "public", None), "played": ("active", "exercise", None),
    }  # fmt: skip
    for each in Organisation.objects.all():
        assert agreements.refusal_of(each, NOW) == ""


def _keys(of: Models) -> None:
    acme = of("members", "Organisation").objects.get(slug="acme")
    anna = of("members", "Person").objects.create(login="anna", name="Anna", organisation=acme, created_at=NOW)
    for number, (scopes, end) in enumerate([(["read"], None), (["deliver", "read"], NOW)]):
        of("members", "Key").objects.create(
            organisation=acme, person=anna, name=str(number), digest=str(number), scopes=scopes, created_at=NOW,
            expires_at=end,
        )  # fmt: skip


def _keys_have_an_end_and_can_what_they_could() -> None:
    first, second = Key.objects.order_by("name")
    assert first.scopes == ["packages", "read"]
    assert timedelta(days=364) < first.expires_at - datetime.now(UTC) < timedelta(days=366)
    assert (second.scopes, second.expires_at) == (["deliver", "packages", "read", "taxii"], NOW)


def _takings(of: Models) -> None:
    """Handed in as they were, split into blocks, joined again, and left as they were."""
    acme = of("members", "Organisation").objects.get(slug="acme")
    facts = {"organisation": acme, "channel": "api", "began_at": NOW, "ended_at": NOW, "times": 4}
    for place, held in enumerate(TAKEN):
        of("ledger", "Taking").objects.create(
            day=(NOW - timedelta(days=place)).date(), first=int(held.numbers[0]), last=int(held.numbers[-1]),
            batches=held.packed(), **facts,
        )  # fmt: skip
    _takings_are_in_blocks(at("ledger", "0004_indexes")("ledger", "Taking"))
    kept = at("ledger", "0002_responses")("ledger", "Taking").objects.order_by("-day")
    assert tuple(Batches.unpacked(bytes(row.batches)) for row in kept) == TAKEN
    assert [(row.first, row.last, row.times) for row in kept] == [(3, 400_000, 4), (9, 9, 4)]


def _takings_are_in_blocks(taking: Any) -> None:
    rows = taking.objects.filter(day=NOW.date()).order_by("block")
    assert [(row.block, row.first, row.last, row.times) for row in rows] == [
        (0, 3, 65_535, 4), (1, 65_536, 65_536, 4), (6, 400_000, 400_000, 4)
    ]  # fmt: skip
    assert taking.objects.count() == 4
