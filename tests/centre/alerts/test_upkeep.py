"""Files of the public site that are lost or damaged are made anew from rows; what nobody names goes a day later."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.utils import timezone
from tests import alert_life

from tocsin import cli
from tocsin.centre.alerts import files, publishing, upkeep
from tocsin.centre.alerts.models import Attached, PublicFile, PublicState
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import StoreFault
from tocsin.products.alerts import addresses

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.usefixtures("public_site")]


def lies_at(digest: str) -> Path:
    place = files.path_of(digest)
    packed = place.with_name(place.name + files.PACKED)
    return packed if packed.exists() else place


def aged(path: Path) -> None:
    """As if it lay there for two hours."""
    then = timezone.now().timestamp() - 2 * files.LEFT_SECONDS
    os.utime(path, (then, then))


def test_every_file_that_is_lost_or_damaged_is_made_anew_byte_for_byte_but_for_pages() -> None:
    version = alert_life.in_public(alert_life.begun())
    before = dict(PublicFile.objects.values_list("path", "sha256"))
    for place, digest in enumerate(sorted(upkeep.named())):
        path = lies_at(digest)
        if place % 2:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-5] + b"wrong")
    done = upkeep.keep(timezone.now())
    assert (done.faults, len(done.mended)) == ((), done.files)
    after = dict(PublicFile.objects.values_list("path", "sha256"))
    assert list(files.damaged(after.values())) == []
    number = version.alert.number or ""
    assert before.keys() == after.keys()
    for path in (addresses.cap(number), addresses.manifest(number, 1)):
        assert after[path] == before[path], "what was signed and passed on stays what it was"
    assert not StoreFault.objects.exists()
    assert json.loads(Entry.objects.get(action="lake.verified").detail)["mended"] == done.files
    assert alert_life.cancelled(version).number == 2


def test_what_cannot_be_made_anew_is_told_until_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.lake.setup", lambda: None)
    body = b"an image of an alert " * 40
    digest = files.keep(body)
    version = alert_life.begun()
    Attached.objects.create(
        alert=version.alert, name="a.png", sha256=digest, media_type="image/png", width=1, height=1,
        by=version.alert.created_by, at=timezone.now(),
    )  # fmt: skip
    lies_at(digest).unlink()
    run = CliRunner().invoke(cli.main, ["lake", "verify"])
    assert run.exit_code == 1, run.output
    assert f"public/{digest[:2]}/{digest} is missing: restore it from a backup" in run.output
    told = json.loads(CliRunner().invoke(cli.main, ["lake", "verify", "--json"]).stdout)
    assert (told["faults"], told["found"][0]["kind"], told["found"][0]["fault"]) == (1, "public", "missing")
    assert StoreFault.objects.get().kind == "public", "the page on the store shows it"
    files.keep(body)
    assert CliRunner().invoke(cli.main, ["lake", "verify"]).exit_code == 0
    assert not StoreFault.objects.exists()


def test_a_share_is_read_each_day_and_whatever_is_lost_is_seen_at_once() -> None:
    bodies = [b"a page of the site %d " % number * 30 for number in range(30)]
    digests = [files.keep(body) for body in bodies]
    at = timezone.now()
    for digest in digests:
        PublicFile.objects.create(path=f"{digest}/", sha256=digest, media_type="text/html", size=1, published_at=at)
    by_share = {
        each: [digest for digest in digests if upkeep.share_of(digest) == each] for each in range(upkeep.SHARES)
    }
    assert all(by_share.values()), "thirty of them spread over all shares"
    today, tomorrow = by_share[0], by_share[1]
    lies_at(tomorrow[0]).unlink()
    lies_at(tomorrow[1]).write_bytes(b"altered")

    def told(share: int) -> set[str]:
        done = upkeep.keep(at, share=share)
        assert {path.rpartition("/")[2] for path, _ in done.faults} == {
            path.rpartition("/")[2] for path in StoreFault.objects.values_list("path", flat=True)
        }  # fmt: skip
        return {path.rpartition("/")[2] for path, _ in done.faults}

    assert upkeep.keep(at, share=0).files == len(today) + 1
    assert told(0) == {tomorrow[0]}, "what is lost is seen whatever its share"
    assert told(1) == set(tomorrow[:2])
    assert told(2) == set(tomorrow[:2]), "and stays told until it is mended"
    files.keep(bodies[digests.index(tomorrow[0])])
    assert told(3) == {tomorrow[1]}
    assert {path.rpartition("/")[2] for path, _ in upkeep.keep(at).faults} == {tomorrow[1]}, "all of them"


def test_what_nobody_names_goes_in_the_second_round() -> None:
    version = alert_life.begun()
    left, drawn = files.keep(b"left by a publication that failed " * 20), files.keep(b"drawn " * 60)
    named = files.keep(b"a page " * 60)
    Attached.objects.create(
        alert=version.alert, name="a.png", sha256=drawn, media_type="image/png", width=1, height=1,
        by=version.alert.created_by, at=timezone.now(),
    )  # fmt: skip
    PublicFile.objects.create(path="en/", sha256=named, media_type="text/html", size=1, published_at=timezone.now())
    assert upkeep.keep(timezone.now(), sweeps=True).removed == 0, "it may be one's that is under way"
    for digest in (left, drawn, named):
        aged(lies_at(digest))
    assert upkeep.keep(timezone.now(), sweeps=True).removed == 0, "a copy of the store may be on its way"
    files.keep(b"left by a publication that failed " * 20)
    assert upkeep.keep(timezone.now(), sweeps=True).removed == 0, "a publication wants it again"
    aged(lies_at(left))
    upkeep.keep(timezone.now(), sweeps=True)
    assert upkeep.keep(timezone.now(), sweeps=True).removed == 1
    assert list(files.damaged([left, drawn, named])) == [left]


def test_what_a_publication_finds_there_while_it_is_swept_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = files.keep(b"the same page again " * 30)
    aged(lies_at(digest))
    known = files.is_older

    def touched_between(path: Path, before: float) -> bool:
        found = known(path, before)
        if not path.name.startswith("."):
            files.keep(b"the same page again " * 30)
        return found

    monkeypatch.setattr(files, "is_older", touched_between)
    assert files.sweep(set()) == 0
    assert list(files.damaged([digest])) == []


def test_it_is_looked_at_once_a_day_where_there_is_a_site() -> None:
    from tocsin.centre.jobs.models import Job

    upkeep.tick(timezone.now())
    assert not Job.objects.filter(kind=upkeep.KEEP).exists()
    alert_life.in_public(alert_life.begun())
    upkeep.tick(timezone.now())
    upkeep.tick(timezone.now())
    assert Job.objects.filter(kind=upkeep.KEEP).count() == 1
    assert PublicState.objects.get() == publishing.state()
