"""Large libraries come when they are used; tables that need one are made when somebody looks into them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.core.later import LARGE, Table
from tocsin.core.observations import BY_NAME, FIELDS, NAMES, SCHEMA

USED = """
import sys
from concurrent.futures import ThreadPoolExecutor
from tocsin.core import later
later.put_off()
import inspect
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import parquet
assert pq is not None and not later.is_loaded(["polars", "typst"])
inspect.getmodule(later.put_off)
assert not later.is_loaded(["polars", "typst"])
assert not hasattr(pl, "__wrapped__")
assert not later.is_loaded(["polars"])
with ThreadPoolExecutor(8) as pool:
    frames = list(pool.map(lambda n: pl.DataFrame({"n": [n]}), range(64)))
assert later.is_loaded(["polars"]) and not later.is_loaded(["typst"])
assert [frame["n"][0] for frame in frames] == list(range(64))
import polars
assert polars is sys.modules["polars"] and polars.DataFrame is pl.DataFrame is type(frames[0])
table = pa.table({"n": [1]})
pq.write_table(table, sys.argv[1])
assert pl.read_parquet(sys.argv[1])["n"].to_list() == [1]
assert parquet.read_table(sys.argv[1]).equals(table)
assert pl.__version__ == polars.__version__
try:
    pl.no_such_thing
except AttributeError:
    print("well")
"""
PROCESSES = {
    "the portal": "import tocsin.site.wsgi, tocsin.site.urls",
    "a worker": "later.put_off(); import django; django.setup(); from tocsin.site import wiring; wiring.handlers()",
}


def _ran(program: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment |= {"DJANGO_SETTINGS_MODULE": "tocsin.site.settings", "TOCSIN_HOME": "/nonexistent"}
    ran = subprocess.run([sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout.strip()


def test_a_library_that_was_put_off_is_whole_when_it_is_used(tmp_path: Path) -> None:
    assert _ran(USED, str(tmp_path / "n.parquet")) == "well"


@pytest.mark.parametrize("name", list(PROCESSES))
def test_a_process_that_waits_holds_no_large_library(name: str) -> None:
    told = f"from tocsin.core import later\n{PROCESSES[name]}\nprint([n for n in later.LARGE if later.is_loaded([n])])"
    assert _ran(told) == "[]"
    assert {"polars", "pyarrow"} <= set(LARGE)


def test_a_table_is_made_once_and_not_before_it_is_asked() -> None:
    made: list[int] = []

    def make() -> dict[str, int]:
        made.append(1)
        return {"a": 1, "b": 2}

    table = Table(make)
    assert made == []
    assert (list(table), table["b"], len(table)) == (["a", "b"], 2, 2)
    assert {**table} == {"a": 1, "b": 2}
    assert made == [1]


def test_the_fields_are_typed_as_they_are_written() -> None:
    assert tuple(SCHEMA) == NAMES == tuple(BY_NAME) == tuple(each.name for each in FIELDS)
    assert all(SCHEMA[each.name] == each.dtype for each in FIELDS)
