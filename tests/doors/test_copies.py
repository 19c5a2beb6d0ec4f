"""What somebody takes away says whose copy it is, and the log says who that was."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.audit.selectors import found
from tocsin.centre.release.models import Package
from tocsin.cli import audit
from tocsin.products import copies

CONTENT = {"observations.csv.gz": b"\x1f\x8b" * 40, "manifest.json": b"{}"}


def zipped(comment: bytes = b"") -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in CONTENT.items():
            archive.writestr(name, content)
        archive.comment = comment
    return held.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@given(content=st.binary(max_size=60) | st.builds(zipped, st.binary(max_size=9)), comment=st.binary(max_size=40))
def test_only_the_end_of_an_archive_is_touched(content: bytes, comment: bytes) -> None:
    size, pieces = copies.with_comment(lambda: io.BytesIO(content), comment)
    given_out = b"".join(pieces)
    assert len(given_out) == size
    assert given_out[: len(content) - 2] == content[:-2]
    if content == zipped():
        assert unpacked(given_out) == CONTENT
        assert zipfile.ZipFile(io.BytesIO(given_out)).comment == comment


@pytest.fixture
def package(store: Path) -> Package:
    (store / "packages").mkdir(parents=True)
    (store / "packages" / "a.zip").write_bytes(zipped())
    return Package.objects.create(
        country="FR", number="FR-2026-0001", arrived_from=builders.NOW, arrived_until=builders.NOW, language="fr",
        path="packages/a.zip", sha256="0" * 64, size_bytes=2, rows=1, summary={"tlp": "TLP:AMBER"},
        created_at=builders.NOW,
    )  # fmt: skip


@pytest.mark.django_db
def test_a_package_that_turns_up_outside_tells_who_took_it(client: Client, package: Package, tmp_path: Path) -> None:
    people.let_in(client, "fleur_officer")
    names = set()
    for _ in range(2):
        answer = client.get(f"/packages/{package.number}.zip")
        content = answer.getvalue()
        assert int(answer["Content-Length"]) == len(content)
        assert unpacked(content) == CONTENT
        names.add(answer["Content-Disposition"])
    assert len(names) == 2
    leaked = tmp_path / "renamed.bin"
    leaked.write_bytes(content)
    (mark,) = copies.marks_in(leaked)
    assert f".{mark}.zip" in answer["Content-Disposition"]
    assert [(each.actor, each.action) for each in found(subject=mark)] == [("fleur_officer", "package.fetched")]
    assert not found(subject="TOC-0000000000000000")

    told = CliRunner().invoke(audit.copy, [str(leaked)])
    assert told.exit_code == 0
    assert "fleur_officer" in told.output
    assert CliRunner().invoke(audit.copy, [mark.lower()]).output == told.output
    leaked.write_bytes(zipped())
    assert CliRunner().invoke(audit.copy, [str(leaked)]).exit_code == 1
    assert CliRunner().invoke(audit.copy, ["TOC-0000000000000000"]).exit_code == 1


@pytest.mark.django_db
def test_to_ask_for_its_size_takes_nothing(client: Client, package: Package) -> None:
    people.let_in(client, "fleur_officer")
    assert int(client.head(f"/packages/{package.number}.zip")["Content-Length"]) > len(zipped())
    assert not Entry.objects.filter(action="package.fetched").exists()
