"""Images of alerts: made anew when they come in, told apart by what they show, published only when nothing leaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from tests import alert_life, people
from tests.pure.test_attachments import exif
from tests.pure.test_repainting import SECRET, drawn, saved

from tocsin.centre.alerts import attaching, files, services
from tocsin.centre.alerts.editions import edition_of
from tocsin.centre.alerts.guarding import LeaksFound, require_publishable
from tocsin.centre.alerts.models import Attached, Version
from tocsin.core.errors import InputError, Refused

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = replace(settings.INSTALLATION, home=tmp_path, store="", public_origin="https://alerts.example")
    monkeypatch.setattr(settings, "INSTALLATION", made)


def attached(version: Version, content: bytes, text: str = "The false page", who: str = alert_life.AUTHOR) -> Version:
    return attaching.attach(
        version, [content], "Doe.jpg", text=text, base=version.revision, by=people.call(who), at=timezone.now()
    )


def test_an_image_comes_in_without_what_its_file_carried() -> None:
    version = attached(alert_life.begun(), saved(drawn(), "JPEG", comment=SECRET))
    [picture] = version.content["images"]
    [row] = Attached.objects.all()
    assert SECRET not in files.read(picture["sha256"])
    assert (row.name, row.sha256) == (picture["name"], picture["sha256"])
    assert version.content["texts"]["image_texts"] == {picture["name"]: "The false page"}
    assert any(SECRET.decode() in each for each in row.said["texts"])
    gone = attaching.detach(
        version, row.name, base=version.revision, by=people.call(alert_life.AUTHOR), at=timezone.now()
    )
    assert not gone.content["images"]
    assert gone.content["texts"]["image_texts"] == {}


def test_a_refused_image_leaves_nothing() -> None:
    version = alert_life.begun()
    for content, text, reason in (
        (b"<svg xmlns='x'/>", "A drawing", "picture-is-drawing"), (b"%PDF-1.7", "A page", "picture-is-document"),
        (saved(drawn(), "PNG"), "  ", "image-without-text"), (bytes(attaching.MOST_BYTES + 1), "x", "picture-too-large"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            attached(version, content, text)
        assert caught.value.reason == reason
    with pytest.raises(Refused):
        attached(version, saved(drawn(), "PNG"), who="fleur_officer")
    assert alert_life.fresh(version).revision == version.revision
    assert not Attached.objects.exists()


def test_who_attaches_over_an_older_revision_hears_of_the_other() -> None:
    version = alert_life.begun()
    attached(version, saved(drawn(), "PNG"))
    with pytest.raises(services.EditConflict):
        attached(version, saved(drawn((9, 9)), "PNG"))
    assert Attached.objects.count() == 1


def test_w03_where_a_photograph_was_taken_stops_the_publication() -> None:
    version = alert_life.begun()
    version = attached(version, saved(drawn(), "JPEG", exif=b"Exif\0\0" + exif(position=True)))
    now = timezone.now()
    with pytest.raises(LeaksFound) as caught:
        require_publishable(version, edition_of(version, now), [], now)
    assert "position" in str(caught.value.findings)
