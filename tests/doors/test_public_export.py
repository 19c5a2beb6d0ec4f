"""The exported site: what the portal serves, whole at each moment, and never in place of something else."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from django.test import Client
from tests.doors.test_public_files import PAGE, put

from tocsin.centre.alerts import exporting, files
from tocsin.centre.alerts.models import PublicFile

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
BASE = "/alerts/"


@pytest.fixture
def published(store: Path) -> None:
    put("", PAGE)
    put("404.html", b"<!doctype html><p>not here</p>" + b" " * 300)
    for each in ("en/", "en/METHOD-2026-0001/", "METHOD-2026-0001/"):
        put(each, PAGE + each.encode())
    put("METHOD-2026-0001/en.pdf", b"%PDF\x00" * 100, "application/pdf")
    put("feed.atom", b"<feed>" + b"entry " * 200 + b"</feed>", "application/atom+xml")
    put("en/METHOD-2026-0002/", b"<!doctype html><p>cancelled</p>" + b" " * 300, is_gone=True)
    put("METHOD-2026-0002/en.pdf", b"<!doctype html><p>cancelled</p>" + b" " * 300, is_gone=True)


def whole(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".") and "hints/" not in path.as_posix()
    }


@pytest.mark.usefixtures("published")
def test_the_folder_holds_exactly_what_the_portal_serves(tmp_path: Path) -> None:
    done = exporting.export(tmp_path / "site", BASE)
    made = whole(tmp_path / "site")
    plain = {name: body for name, body in made.items() if not name.endswith(".gz")}
    rows = [each for each in PublicFile.objects.all() if not (each.is_gone and not each.path.endswith("/"))]
    assert set(plain) == {
        each.path + ("index.html" if each.path.endswith("/") or not each.path else "") for each in rows
    }
    for each in rows:
        if not each.path:
            continue
        name = each.path + ("index.html" if each.path.endswith("/") else "")
        assert Client().get(BASE + each.path).content == plain[name]
    packed = {name.removesuffix(".gz"): gzip.decompress(body) for name, body in made.items() if name.endswith(".gz")}
    assert packed.items() <= plain.items()
    assert "METHOD-2026-0001/en.pdf" not in packed
    assert (done.files, done.written, sorted(done.gone)) == (
        8, 8, ["METHOD-2026-0002/en.pdf", "en/METHOD-2026-0002/"])  # fmt: skip


@pytest.mark.usefixtures("published")
def test_a_further_run_writes_what_changed(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    exporting.export(folder, BASE)
    again = exporting.export(folder, BASE)
    assert (again.written, again.removed) == (0, 0)
    put("en/", PAGE + b"new")
    PublicFile.objects.filter(path="feed.atom").delete()
    third = exporting.export(folder, BASE)
    assert third.written == 1
    assert third.removed == 2, "the feed, and the feed packed"
    assert (folder / "en/index.html").read_bytes() == PAGE + b"new"
    assert not (folder / "feed.atom").exists()
    # What somebody changed by hand is put right.
    (folder / "METHOD-2026-0001/index.html").write_bytes(b"altered")
    assert exporting.export(folder, BASE).written == 1
    assert b"altered" not in (folder / "METHOD-2026-0001/index.html").read_bytes()
    assert not any(each.name.startswith((".site.next", ".site.old")) for each in tmp_path.iterdir())


@pytest.mark.usefixtures("published")
def test_an_interrupted_run_leaves_the_old_site_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    exporting.export(folder, BASE)
    before = whole(folder)
    for each in ("en/", "METHOD-2026-0001/", "en/METHOD-2026-0001/"):
        put(each, PAGE + b"new" + each.encode())
    real, left = files.held, [2]

    def breaks(sha256: str, root: str = "") -> files.Bytes:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("the machine went away")
        return real(sha256, root)

    monkeypatch.setattr(files, "held", breaks)
    with pytest.raises(OSError, match="went away"):
        exporting.export(folder, BASE)
    assert whole(folder) == before
    monkeypatch.setattr(files, "held", real)
    done = exporting.export(folder, BASE)
    assert done.taken_over == 4, "two files, each also packed"
    assert (folder / "en/index.html").read_bytes().endswith(b"newen/")


@pytest.mark.usefixtures("published")
def test_a_folder_that_is_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(exporting.Foreign):
        exporting.export(tmp_path / "photographs", BASE)
    assert [each.name for each in (tmp_path / "photographs").iterdir()] == ["cat.jpg"]
    (tmp_path / "empty").mkdir()
    assert exporting.export(tmp_path / "empty", BASE).written


@pytest.mark.usefixtures("published")
def test_other_servers_are_told_what_is_gone(tmp_path: Path) -> None:
    exporting.export(tmp_path / "site", BASE)
    hints = tmp_path / "site" / "hints"
    gone = (hints / "gone.txt").read_text().splitlines()
    assert sorted(gone) == ["/alerts/METHOD-2026-0002/en.pdf", "/alerts/en/METHOD-2026-0002/"]
    told = dict(re.findall(r'"(/[^"]+)" "([^"]+)";', (hints / "nginx-http.conf").read_text()))
    assert told["/alerts/en/METHOD-2026-0002/"] == "en/METHOD-2026-0002/index.html"
    server = (hints / "nginx-server.conf").read_text()
    assert "application/atom+xml atom;" in server
    assert server.count("{") == server.count("}")


@pytest.mark.usefixtures("published")
def test_a_damaged_file_is_said_and_nothing_is_exported(tmp_path: Path) -> None:
    digest = PublicFile.objects.get(path="en/").sha256
    files.path_of(digest).with_name(digest + files.PACKED).write_bytes(b"damaged")
    with pytest.raises(files.Damaged):
        exporting.export(tmp_path / "site", BASE)
    assert not (tmp_path / "site").exists()


def test_the_mark_says_what_lies_there(tmp_path: Path, published: None) -> None:
    exporting.export(tmp_path / "site", BASE)
    said = json.loads((tmp_path / "site" / exporting.MARK).read_text())
    assert set(said["files"]) >= set(whole(tmp_path / "site"))
