"""The database is lost in the middle of an approval, a publication, a cancellation: nothing of it is done, whoever did
it reads so, and done again it is done once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse
from tests import alert_life, people
from tests.crew import work
from tests.faults.test_alert_publication import _quick
from tests.faults.test_lost_database import NEEDS_SERVER, cut

from tocsin.centre.alerts import files, making, police, publishing, telling
from tocsin.centre.alerts.models import Alert, PublicFile, Step, Version
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Delivery
from tocsin.centre.jobs.models import Job
from tocsin.centre.recall.models import Recall
from tocsin.cli import main
from tocsin.core.machine_faults import SENTENCES, Fault

pytestmark = [pytest.mark.django_db(transaction=True), NEEDS_SERVER]
CUTS: dict[str, list[tuple[str, Any, str]]] = {
    "approve": [
        ("its police edition is made", police, "police_bundle"),
        ("its delivery is entered, and nothing else", police, "send"),
        ("all but the end of the transaction", publishing, "note"),
    ],
    "publish-public": [
        ("its files are made", making, "made_of"),
        ("they are kept, and nothing is entered", publishing, "_kept"),
        ("its own rows are switched", publishing, "_entered"),
        ("those who asked to be told are told", telling, "published"),
    ],
    "confirm-cancel": [
        ("the pages that say so are made", making, "made_of"),
        ("the police edition is recalled", publishing, "_take_back"),
        ("its own rows are switched", publishing, "_entered"),
    ],
}  # fmt: skip
PLACES = [(act, place) for act, places in CUTS.items() for place in range(len(places))]


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = replace(settings.INSTALLATION, home=tmp_path, store="", public_origin="https://alerts.example")
    monkeypatch.setattr(settings, "INSTALLATION", made)
    monkeypatch.setattr("tocsin.cli.alert_acts.setup", lambda: None)
    monkeypatch.setattr("tocsin.cli.alert_acts.reader", lambda *told: None)
    _quick(monkeypatch.setattr)


def ready_for(act: str) -> Version:
    people.call(alert_life.RELEASER)
    if act == "approve":
        return alert_life.ready(alert_life.begun())
    version = alert_life.with_police(alert_life.begun())
    if act == "publish-public":
        return version
    publishing.publish_public(version, by=people.call(alert_life.RELEASER), at=version.alert.created_at)
    return publishing.ask_cancel(
        alert_life.fresh(version), alert_life.REASONS, by=people.call(alert_life.AUTHOR), at=version.alert.created_at
    )


def facts() -> dict[str, Any]:
    """All that such an act changes."""
    named = PublicFile.objects.order_by("path").values_list("path", "sha256", "is_gone")
    return {
        "versions": list(Version.objects.order_by("number").values_list("number", "state", "delivery", "public_at")),
        "numbers": list(Alert.objects.values_list("number", flat=True)), "files": list(named),
        "changes": publishing.state().changes, "damaged": list(files.damaged([each[1] for each in named])),
        "steps": Step.objects.count(), "jobs": sorted(Job.objects.values_list("kind", "subject")),
        "deliveries": Delivery.objects.count(), "recalls": Recall.objects.count(),
        "acts": list(Entry.objects.filter(action__regex=r"^(alert|delivery|release|recall)\.").values_list("action")),
    }  # fmt: skip


def lost_at(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind this step, once, the database is gone."""
    known: Callable[..., Any] = getattr(owner, name)
    left = [cut]

    def lost(*said: Any, **more: Any) -> Any:
        found = known(*said, **more)
        if left:
            left.pop()()
        return found

    monkeypatch.setattr(owner, name, lost)


def by_page(act: str, version: Version) -> tuple[bool, str]:
    client = Client(raise_request_exception=False)
    people.let_in(client, alert_life.RELEASER, "en")
    answer = client.post(reverse("alert-act", args=[version.alert.reference]), {"act": act})
    return answer.status_code == 302, answer.content.decode()


def by_command(act: str, version: Version) -> tuple[bool, str]:
    words = {"approve": ["approve"], "publish-public": ["publish"], "confirm-cancel": ["cancel", "--confirm"]}[act]
    said = ["alert", words[0], version.alert.reference, *words[1:], "--as", alert_life.RELEASER]
    done = CliRunner().invoke(main, said, catch_exceptions=True)
    return done.exit_code == 0, done.output


@pytest.mark.parametrize(("act", "place"), PLACES)
def test_nothing_is_half_done_and_the_next_try_does_it_once(
    act: str, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    what, owner, name = CUTS[act][place]
    # Every second one at the command line: both ways lead through the same act.
    do = by_command if place % 2 else by_page
    version = ready_for(act)
    before = facts()
    lost_at(owner, name, monkeypatch)
    is_done, said = do(act, version)
    connection.close()
    assert not is_done, what
    assert SENTENCES[Fault.AWAY] in said if do is by_command else "database" in said, said[-3000:]
    assert facts() == before, what
    is_done, said = do(act, version)
    assert is_done, said[-3000:]
    work()
    after = facts()
    assert after["damaged"] == []
    states = [state for _, state, _, _ in after["versions"]]
    assert states == {"approve": ["published-police"], "publish-public": ["published-public"],
                      "confirm-cancel": ["updated", "cancelled"]}[act]  # fmt: skip
    assert Step.objects.filter(act=act).count() == Entry.objects.filter(action=f"alert.{act}").count() == 1
    assert after["deliveries"] == 1
    assert after["recalls"] == (act == "confirm-cancel")
    told = Job.objects.filter(kind=telling.TELL).count()
    assert told == {"approve": 0, "publish-public": 1, "confirm-cancel": 2}[act]
    assert bool(after["files"]) is (act != "approve")
