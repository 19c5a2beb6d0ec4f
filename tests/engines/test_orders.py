"""What a cluster is told is sealed, and the settings say which cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import InputError
from tocsin.credentials.content_keys import KeyMissing
from tocsin.lake import orders
from tocsin.lake.engine import EMBEDDED, engine_at
from tocsin.lake.spark import Spark
from tocsin.site import installation

KEY = bytes(range(32))


@given(st.recursive(st.none() | st.integers() | st.text() | st.binary(), st.lists, max_leaves=8))
def test_what_is_sealed_opens_with_its_key_as_what_it_is(value: object) -> None:
    body = orders.sealed(value, KEY, orders.ORDER)
    assert orders.opened(body, KEY, orders.ORDER) == value
    assert body != orders.sealed(value, KEY, orders.ORDER)
    for other, kind in ((bytes(32), orders.ORDER), (KEY, orders.ANSWER)):
        with pytest.raises(KeyMissing):
            orders.opened(body, other, kind)


@given(st.data())
def test_nothing_that_was_changed_is_taken_for_an_order(data: st.DataObject) -> None:
    body = bytearray(orders.sealed(["the order"], KEY, orders.ORDER))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(KeyMissing):
        orders.opened(bytes(body), KEY, orders.ORDER)
    with pytest.raises(KeyMissing):
        orders.opened(bytes(body[:place]), KEY, orders.ORDER)


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "engine-key"
    key = orders.made_key(path)
    assert orders.made_key(path) == key == orders.key_in(path)
    assert path.stat().st_mode & 0o077 == 0
    assert [each.name for each in path.parent.iterdir()] == ["engine-key"]


def test_a_worker_may_have_the_key_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    keys = {path: orders.made_key(path) for path in (here, there)}
    assert orders.key_of_worker(str(here)) == keys[here]
    monkeypatch.setenv(orders.KEY_VARIABLE, str(there))
    assert orders.key_of_worker(str(here)) == keys[there]


@pytest.mark.parametrize("held", ["", "no key", "00" * 31, "zz" * 32])
def test_what_is_no_key_is_said_so(tmp_path: Path, held: str) -> None:
    path = tmp_path / "engine-key"
    with pytest.raises(KeyMissing, match="engine-key"):
        orders.key_in(path)
    path.write_text(held, encoding="ascii")
    with pytest.raises(KeyMissing, match="engine-key"):
        orders.key_in(path)


def settings(folder: Path, text: str) -> installation.Installation:
    (folder / "tocsin.toml").write_text(text, encoding="utf-8")
    return installation.load(folder)


def test_the_settings_name_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_ENGINE", raising=False)
    plain = settings(tmp_path, "")
    assert engine_at(plain.engine, plain.engine_key_file, plain.engine_options) is EMBEDDED
    assert settings(tmp_path, 'engine = "embedded"').engine == ""
    lines = [
        'engine = "spark://m:7077"',
        'engine_key = "/srv/key"',
        "[engine_options]",
        '"spark.cores.max" = 8',
        '"spark.x" = true',
    ]
    text = "\n".join(lines)
    told = settings(tmp_path, text)
    assert (told.engine, told.engine_key_file) == ("spark://m:7077", Path("/srv/key"))
    assert told.engine_options == {"spark.cores.max": "8", "spark.x": "true"}
    assert isinstance(engine_at(told.engine, told.engine_key_file, told.engine_options), Spark), "and nothing is begun"
    monkeypatch.setenv("TOCSIN_ENGINE", "sc://other:15002")
    assert settings(tmp_path, text).engine == "sc://other:15002"
    assert settings(tmp_path, text).is_made


@pytest.mark.parametrize("text", ['engine = "sparc://m:7077"', 'engine = "duckdb"', 'engine_options = "many"',
                                  '[engine_options]\n"hive.x" = 1'])  # fmt: skip
def test_a_misspelt_engine_is_no_other(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_ENGINE", raising=False)
    with pytest.raises(InputError, match="engine"):
        settings(tmp_path, text)
