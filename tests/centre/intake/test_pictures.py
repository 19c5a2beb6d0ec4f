"""Pictures that officers attach are made anew in the sandbox; the leak scanner hears what their files said (W03)."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.pure.test_attachments import exif, jpeg
from tests.pure.test_repainting import SECRET, drawn, saved

from tocsin.centre.intake.pictures import take_in
from tocsin.centre.intake.process import Sandbox
from tocsin.core.errors import InputError
from tocsin.handling.leaks import Place, Protected, Scanner, Secret

PLACE = Place("images", "en")


@pytest.fixture(scope="module")
def sandbox():  # type: ignore[no-untyped-def]
    made = Sandbox()
    yield made
    made.stop()


def test_a_photograph_loses_what_it_carried_and_the_scanner_hears_of_it(tmp_path: Path, sandbox: Sandbox) -> None:
    photo = tmp_path / "photo"
    photo.write_bytes(saved(drawn(), "JPEG", exif=b"Exif\0\0" + exif(position=True, software=SECRET)))
    taken = take_in(photo, "Doe's door.jpg", PLACE, sandbox)
    assert SECRET not in taken.image.body
    assert "door" not in taken.image.name
    found = {each.why for each in Scanner([Protected("203.0.113.7", Secret.VICTIM)]).find(taken.texts)}
    assert found == {Secret.VICTIM, Secret.POSITION}


def test_a_refusal_comes_out_of_the_sandbox_with_its_reason(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "bad").write_bytes(jpeg())
    with pytest.raises(InputError) as caught:
        take_in(tmp_path / "bad", "bad.jpg", PLACE, sandbox)
    assert caught.value.reason == "picture-damaged"


def test_a_reader_that_cannot_start_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(saved(drawn(), "PNG"))
    with pytest.raises(InputError) as caught:
        take_in(tmp_path / "picture", "a.png", PLACE, Sandbox(module="tocsin.no_such_module"))
    assert caught.value.reason == "reader-killed"
