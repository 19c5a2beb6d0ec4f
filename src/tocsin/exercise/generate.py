"""From a seed to files: writes the deliveries of the exercise and the plan that says what they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

from . import events, exchange, hostile, letters, misp, prose, questions, sinkhole, stix, tables
from .cast import ORGANISATIONS, PEOPLE
from .drafts import Draft
from .places import Places, shipped_places
from .plan import Delivery, Expected, Outcome, Plan, moment_text
from .story import Story

SEED = 20260101
LEAST_OBSERVATIONS = 2_000


def generate(
    folder: Path,
    *,
    until: date,
    seed: int = SEED,
    observations: int = 1_000_000,
    places: Places | None = None,
) -> Plan:
    """Write the deliveries of the 90 days before `until` into the folder, and `plan.json` beside them.

    The same seed, moment, number and address tables give the same bytes. `until` is a day, whose first
    moment in UTC ends the exercise, or a moment with a zone. `observations` is the number of rows of the
    sinkhole feeds that are left once repeats are folded; the other deliveries add some thousands to any.
    """
    if observations < LEAST_OBSERVATIONS:
        raise ValueError(f"an exercise has {LEAST_OBSERVATIONS} observations or more")
    story = Story(seed, _moment(until), places or shipped_places())
    written = [_written(folder, story, draft) for draft in _drafts(story, observations)]
    plan = Plan(
        seed=seed,
        observations=observations,
        started_at=moment_text(story.start),
        until_at=moment_text(story.until),
        organisations=ORGANISATIONS,
        people=PEOPLE,
        deliveries=_numbered(written),
    )
    plan.write(folder)
    return plan


def _drafts(story: Story, observations: int) -> Iterator[Draft]:
    yield from _sinkhole_drafts(story, observations)
    for module in (tables, exchange, events, stix, misp, prose, letters, questions, hostile):
        yield from module.drafts(story)


def _sinkhole_drafts(story: Story, observations: int) -> Iterator[Draft]:
    share = int(observations * sinkhole.IPV6_SHARE)
    for version, number in ((4, observations - share), (6, share)):
        for report in sinkhole.reports(story, number, version):
            draft = _sinkhole_draft(story, report)
            yield draft
            if version == 4 and report.day in (30, 62):
                yield _sent_again(draft, same_key=report.day == 30)


def _sinkhole_draft(story: Story, report: sinkhole.Report) -> Draft:
    outcome = Outcome.ACCEPTED_WITH_REJECTIONS if report.rejections else Outcome.ACCEPTED
    day = story.at(report.day).date().isoformat()
    return Draft(
        organisation="polar",
        name=f"{day}-event{report.version}_sinkhole-exercise.csv.gz",
        format="shadowserver-csv.gz",
        content=report.content,
        day=report.day,
        hour=22,
        minute=40 if report.version == 4 else 55,
        expected=Expected(outcome, rows=report.rows, repeats=report.repeats, rejections=report.rejections),
        story=f"Machines infected with Grey Heron that called the sinkhole on day {report.day}.",
    )


def _sent_again(draft: Draft, *, same_key: bool) -> Draft:
    """The whole delivery once more: under the same idempotency key, or as the same bytes under a new one."""
    return replace(
        draft,
        hour=23,
        minute=20,
        key=_key(draft) if same_key else _key(draft) + "-again",
        repeats=draft.name,
        expected=Expected(Outcome.DUPLICATE, rows=0),
        story="The same report once more: the sender's line broke and its script tried again.",
    )


def _written(folder: Path, story: Story, draft: Draft) -> tuple[Draft, Delivery]:
    again = "again-" if draft.repeats else ""
    path = Path("deliveries") / draft.organisation / f"{again}{draft.name}"
    (folder / path.parent).mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(draft.content)
    delivery = Delivery(
        number=0,
        path=path.as_posix(),
        name=draft.name,
        organisation=draft.organisation,
        format=draft.format,
        arrived_at=moment_text(story.at(draft.day, draft.hour, draft.minute)),
        idempotency_key=draft.key or _key(draft),
        sha256=sha256(draft.content).hexdigest(),
        size_bytes=len(draft.content),
        expected=draft.expected,
        profile=draft.profile,
        story=draft.story,
    )
    # The bytes are on disk now; a large exercise must not hold all of them in memory.
    return replace(draft, content=b""), delivery


def _key(draft: Draft) -> str:
    return sha256(f"{draft.organisation}/{draft.day}/{draft.name}".encode()).hexdigest()[:32]


def _numbered(written: list[tuple[Draft, Delivery]]) -> tuple[Delivery, ...]:
    """In the order of arrival, from 1, with repeats pointing to what they repeat."""
    written = sorted(written, key=lambda pair: (pair[1].arrived_at, pair[1].path))
    numbers = {(draft.organisation, draft.name): n for n, (draft, _) in enumerate(written, 1) if not draft.repeats}
    return tuple(
        replace(delivery, number=number, duplicate_of=numbers.get((draft.organisation, draft.repeats)))
        for number, (draft, delivery) in enumerate(written, 1)
    )


def _moment(until: date) -> datetime:
    if isinstance(until, datetime):
        if until.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return until.astimezone(UTC).replace(microsecond=0)
    return datetime(until.year, until.month, until.day, tzinfo=UTC)
