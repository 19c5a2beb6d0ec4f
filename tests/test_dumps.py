"""What looks for values in a dump finds them where they stand open, and says nothing of what stands there by chance."""

from __future__ import annotations

import io

import polars as pl

from tests.dumps import HASHES, numbers_in, plain_of
from tocsin.lake.canonical import ipv4_numbers

VALUE = "198.51.100.7"


def test_an_open_column_of_numbers_is_found() -> None:
    made = io.BytesIO()
    ipv4_numbers(pl.Series([VALUE])).to_frame("ip").write_parquet(made)
    assert numbers_in([VALUE], {"file": plain_of(made.getvalue())}) == {VALUE: ["file"]}


def test_a_hash_is_found_where_it_stands_once() -> None:
    for make in HASHES:
        assert numbers_in([VALUE], {"file": b"x" + make(pl.Series([VALUE]))[0].tobytes()}) == {VALUE: ["file"]}


def test_four_bytes_that_stand_once_are_chance() -> None:
    number = ipv4_numbers(pl.Series([VALUE]))[0].to_bytes(4, "little")
    assert numbers_in([VALUE], {"one": b"x" + number, "two": b"none"}) == {}
    assert numbers_in([VALUE], {"one": b"x" + number, "two": number}) == {VALUE: ["one", "two"]}
