"""Many rows at once: what is written is what was given, and a moment is read as it was written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from tests import builders

from tocsin.centre import rows
from tocsin.centre.intake.models import Batch, NameTally
from tocsin.centre.intake.register import register
from tocsin.centre.knowledge.models import Block, Object

pytestmark = pytest.mark.django_db
TEXTS = some.text(
    some.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12
) | some.sampled_from(["\\N", "\\.", "\t", "a\\tb", "\r\n", '"', "", " ", "\\\\x00", "é\u202e\U0001f600"])


@pytest.fixture
def batch() -> Batch:
    return builders.batch(builders.delivery(builders.organisation("kestrel")), builders.handling())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.lists(some.tuples(TEXTS, some.integers(-(2**63), 2**63 - 1)), max_size=8))
def test_texts_and_numbers_come_back(batch: Batch, given_rows: list[tuple[str, int]]) -> None:
    NameTally.objects.all().delete()
    frame = pl.DataFrame(
        [(batch.pk, "FR", text, number, date(2026, 11, 20)) for text, number in given_rows],
        schema={"batch": pl.Int64, "country": pl.String, "malware": pl.String, "rows": pl.Int64, "last_day": pl.Date},
        orient="row",
    )
    rows.insert_frame(NameTally, frame)
    found = NameTally.objects.order_by("pk").values_list("batch", "country", "malware", "rows", "last_day")
    assert list(found) == frame.rows()


def test_bytes_truths_and_what_is_not_there(batch: Batch) -> None:
    bodies = [b"", b"\x00\xff\\N\t\n", bytes(range(256)) * 300]
    frame = pl.DataFrame({"first": [9 << 40, 10 << 40, 11 << 40], "body": bodies})
    rows.insert_frame(Block, frame)
    assert [bytes(each.body) for each in Block.objects.order_by("pk")] == bodies
    plain = {"standard": "x", "type": "t", "object_id": "o", "version": "", "name": ""}
    things = pl.DataFrame(
        [{"id": number, **plain, "revoked": number == 7, "delivery": batch.delivery_id, "batch": batch.pk, "head": head}
         for number, head in ((7, None), (8, b"\\x"))],
        schema_overrides={"head": pl.Binary},
    )  # fmt: skip
    rows.insert_frame(Object, things)
    found = Object.objects.order_by("pk").values_list("pk", "revoked", "head")
    assert [(pk, revoked, head and bytes(head)) for pk, revoked, head in found] == [(7, True, None), (8, False, b"\\x")]


def test_more_than_is_copied_at_once(batch: Batch) -> None:
    count = rows.COPIED_AT_ONCE + 3
    facts = {"batch": batch.pk, "country": "FR", "malware": "x", "last_day": date(2026, 11, 20)}
    frame = pl.DataFrame({"rows": range(count)}).with_columns(
        pl.lit(value).alias(name) for name, value in facts.items()
    )
    rows.insert_frame(NameTally, frame)
    assert NameTally.objects.count() == count


@pytest.mark.parametrize("micros", [0, 1, 999_999, 123_456])
def test_a_moment_of_a_batch_is_the_one_that_was_written(micros: int, batch: Batch) -> None:
    """As days and their fractions SQLite would be 10 µs off, and a full minute often the second before it."""
    for minute in range(60):
        at = datetime(2026, 11, 22, 22, minute, tzinfo=UTC) + timedelta(microseconds=micros)
        of = builders.delivery(batch.organisation, f"{minute}", at=at)
        builders.batch(of, batch.handling_set, received_at=at)
    known = register()
    written = dict(Batch.objects.values_list("pk", "received_at"))
    read = {
        int(row["batch"]): datetime.fromtimestamp(float(row["received_at"]), UTC)
        for row in known.rows
        if int(row["batch"]) in written
    }
    assert read == written
