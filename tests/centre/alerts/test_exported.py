"""An exported site verifies as a whole: each of its files is covered, and one changed byte is found wherever it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone
from tests import alert_life

from tocsin.centre.alerts import exporting, files, shelf
from tocsin.centre.alerts.models import PublicFile
from tocsin.cli import alert_verify
from tocsin.credentials.alert_verification import Keys, Outcome
from tocsin.products.alerts import addresses, printed

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.usefixtures("public_site")]


def found_wrong(folder: Path) -> list[str]:
    alert_verify._keys_of.cache_clear()
    verdicts = dict(alert_verify._all((folder,), Keys()))
    return [path for path, each in verdicts.items() if each.outcome is not Outcome.VERIFIED]


def test_each_file_is_covered_and_one_changed_byte_is_found_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printed, "files_of", lambda edition: [])
    alert_life.in_public(alert_life.begun())
    folder = tmp_path / "exported"
    exporting.export(folder, "/alerts/")
    assert found_wrong(folder) == []
    every = sorted(each for each in folder.rglob("*") if each.is_file() and each.name != exporting.MARK)
    assert any(each.name.endswith(files.PACKED) for each in every)
    assert folder / addresses.SITE_LIST in every
    by_kind: dict[tuple[str, ...], Path] = {}
    for path in every:
        parts = path.relative_to(folder).parts
        by_kind[parts[0] if len(parts) > 1 and "." not in parts[0] else "", *path.suffixes[-2:]] = path
    for path in by_kind.values():
        body = path.read_bytes()
        middle = len(body) // 2
        changed = bytes([*body[:middle], body[middle] ^ 1, *body[middle + 1 :]]) if body else b"x"
        for other in (changed, body + b"x") if path.name.endswith(files.PACKED) else (changed,):
            path.write_bytes(other)
            assert found_wrong(folder), f"{path.relative_to(folder)}: {body!r} as {other!r}"
        path.write_bytes(body)
    missing = folder / addresses.page(addresses_number(), "fr") / "index.html"
    missing.unlink()
    assert str(missing) in found_wrong(folder)


def addresses_number() -> str:
    row = PublicFile.objects.exclude(alert=None).select_related("alert").first()
    assert row is not None
    assert row.alert is not None
    return row.alert.number or ""


@pytest.mark.parametrize(
    ("said", "languages"),
    [
        (b'{"languages": ["en", "ar"]}', ("en", "ar")), (b'{"software": "before"}', ()), (b"[]", ()), (b"no json", ()),
        (b'{"languages": null}', ()), (b'{"languages": 7}', ()), (None, ()),
    ],
)  # fmt: skip
def test_the_mark_of_another_version_leads_nobody_astray(said: bytes | None, languages: tuple[str, ...]) -> None:
    """Without languages in it, the page at the root offers all of them."""
    if said is None:
        assert shelf._languages_of(None) == ()
        said = b"lost"
        digest = files.digest_of(said)
    else:
        digest = files.keep(said)
    row = PublicFile(path=addresses.MADE_BY, sha256=digest, size=len(said), published_at=timezone.now())
    assert shelf._languages_of(row) == languages
