"""Files of observations under a key: who has it reads what was written, who has not finds nothing in them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engines.test_lookup import VALUES, frame_of

from tocsin.core.observations import SCHEMA
from tocsin.credentials.content_keys import KeyMissing
from tocsin.lake import compaction, files, index, parquet, shown
from tocsin.lake.compaction import Parting, Recast
from tocsin.lake.keys import PLAIN, Keys, Veil, Writer, prefix_in, sealed_by
from tocsin.lake.questions.contributions import BATCHES, contributions
from tocsin.lake.questions.extract import rows_under, values_under
from tocsin.lake.questions.lookup import Sight, asked_for, lookup
from tocsin.lake.questions.networks import networks
from tocsin.lake.questions.recent import recent
from tocsin.lake.questions.shares import write_shares
from tocsin.lake.scope import Batches, Scope, Snapshot

KEYS = Keys(((7, bytes(range(32))),))
WORDS = ("zephyrquill.example", "Oxbowlantern", "198.18.7.91", "quartzmarten.example", "umberlatch told us")
WHOLE = Scope(Batches(range(9)), all_victims=True)


def frame() -> pl.DataFrame:
    row = {"batch": 1, "thing": ("domain", WORDS[0]), "role": "VICTIM", "country": "FR", "peer": WORDS[2],
           "peer_role": "VICTIM", "peer_country": "FR", "malware": WORDS[1], "seen": 1}  # fmt: skip
    made = frame_of([row, {**row, "batch": 2, "thing": VALUES[0]}])
    return made.with_columns(
        hostname=pl.lit(WORDS[3]), note=pl.lit(WORDS[4]), peer_ipv4=pl.lit(0xC612075B, pl.UInt32),
        network=pl.lit("198.18.0.0/16"),
    )  # fmt: skip


def marks() -> list[bytes]:
    """The words, the hashes that anybody can make of them, and the address as a number."""
    texts = pl.Series(WORDS)
    hashes = [each(texts) for each in (index.text_hash, index.guarded_hash, index.name_hash)]
    return [word.lower().encode() for word in WORDS] + [
        number.tobytes() for each in (*hashes, np.array([0xC612075B], "<u4")) for number in each
    ]


def found_in(path: Path) -> int:
    beside = [path, index.index_path(path), index.index_path(path).with_suffix(".facts")]
    held = [body for each in beside for body in (each.read_bytes(), each.read_bytes().lower())]
    return sum(any(mark in body for body in held) for mark in marks())


@pytest.mark.parametrize("sample", [4_096, 4], ids=["words that come again", "texts"])
def test_without_the_key_no_word_no_hash_and_no_address_is_found(
    tmp_path: Path, sample: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "SAMPLE_ROWS", sample)
    open_file, sealed, again = (tmp_path / f"{name}.parquet" for name in ("open", "sealed", "again"))
    files.write(frame(), open_file)
    files.write(frame(), sealed, KEYS.writer())
    files.write(frame(), again, KEYS.writer())
    assert found_in(open_file) > len(WORDS), "this test would find them"
    assert found_in(sealed) == 0
    assert (sealed_by(open_file), sealed_by(sealed)) == (None, 7)
    one, other = index.opened(sealed, KEYS), index.opened(again, KEYS)
    assert one is not None
    assert other is not None
    assert not set(one.hashes.tolist()) & set(other.hashes.tolist()), "two files do not tell that they hold the same"
    for keys in (PLAIN, Keys(((8, bytes(32)),))):
        with pytest.raises(KeyMissing):
            parquet.read(sealed, keys)
        with pytest.raises(KeyMissing):
            index.opened(sealed, keys)
        with pytest.raises(KeyMissing):
            lookup(Snapshot((sealed,), keys), Sight(WHOLE), asked_for("ipv4", "192.0.2.1"))
    with pytest.raises(pl.exceptions.PolarsError):  # Of the right number, and not the right one.
        parquet.read(sealed, Keys(((7, bytes(32)),)))


def answers(snapshot: Snapshot, folder: Path) -> dict[str, object]:
    """What every question says."""
    folder.mkdir()
    held = pl.DataFrame({"batch": [1, 2], "source": [1, 2], "received_at": [datetime(2026, 11, 20, tzinfo=UTC)] * 2,
                         "is_compared": [True, True]}, schema=BATCHES)  # fmt: skip
    now = datetime(2026, 11, 21, tzinfo=UTC)
    extract = rows_under(snapshot, WHOLE, Batches({1}), 10)
    assert extract is not None
    found = lookup(snapshot, Sight(WHOLE), asked_for("network", "198.18.7.0/24"), columns=tuple(SCHEMA))
    return {
        "looked up": (found.total, found.rows.rows()),
        "shown": lookup(snapshot, Sight(WHOLE), asked_for("domain", WORDS[0]), columns=shown.SHOWN).rows.rows(),
        "newest": recent(snapshot, WHOLE).rows.rows(),
        "networks": networks(snapshot, WHOLE, country="FR", since=None),
        "extract": extract.rows(),
        "values": values_under(snapshot, Batches({1, 2})).rows(),
        "contributions": contributions(snapshot, held, spans=[30], now=now, work=folder),
        "share": pl.read_parquet(write_shares(snapshot, WHOLE, ["FR"], folder)["FR"]).rows(),
    }


def test_every_question_answers_as_of_files_in_the_clear_also_where_some_are(tmp_path: Path) -> None:
    for name, seals in (("a", (None, None)), ("b", (KEYS.writer(), KEYS.writer())), ("c", (None, KEYS.writer()))):
        (tmp_path / name).mkdir()
        for number, seal in enumerate(seals):
            files.write(frame()[number : number + 1], tmp_path / name / f"{number}.parquet", seal)
    told = [
        answers(Snapshot(tuple(sorted((tmp_path / name).glob("*.parquet"))), KEYS), tmp_path / f"work-{name}")
        for name in "abc"
    ]
    assert told[0]["looked up"] != (0, [])
    assert told[0] == told[1] == told[2]


CHANGES: dict[str, Callable[[Path, Path, Keys], object]] = {
    "joined": lambda path, target, keys: compaction.merge([path], target, keys),
    "without": lambda path, target, keys: compaction.without(path, target, {2}, keys),
    "parted": lambda path, target, keys: compaction.part(path, target, Parting({1: 5}, frozenset(WORDS)), keys),
    "recast": lambda path, target, keys: compaction.recast(
        path, target, Recast(1, WORDS[0], is_network=False, country="DE", was=""), keys
    ),
    "sealed": compaction.sealed,
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_written_anew_is_sealed_and_the_same(tmp_path: Path, change: str) -> None:
    rows = frame().with_columns(country_basis=pl.lit("conflict"), network=pl.lit(None, pl.String))
    written = []
    for name, keys in (("open", PLAIN), ("sealed", KEYS)):
        path, target = tmp_path / f"{name}.parquet", tmp_path / f"{name}-new.parquet"
        files.write(rows, path)
        CHANGES[change](path, target, keys)
        written.append(target)
        assert (prefix_in(target) is None) == (keys is PLAIN)
    assert found_in(written[1]) == 0
    assert parquet.read(written[1], KEYS).rows() == parquet.read(written[0], PLAIN).rows() != []


def test_a_store_with_an_encryption_of_its_own_gets_files_in_the_clear_and_still_reads_sealed_ones(
    tmp_path: Path,
) -> None:
    own = Keys(KEYS.known, seals=False)
    sealed, opened = tmp_path / "sealed.parquet", tmp_path / "open.parquet"
    files.write(frame(), sealed, KEYS.writer())
    assert compaction.merge([sealed], opened, own) is not None
    assert pl.read_parquet(opened).height == 2
    index.index_path(sealed).unlink()
    files.index_anew(sealed, own)  # Beside a sealed file nothing is ever written in the clear.
    assert found_in(sealed) == 0


def test_a_writer_seals_and_opens_no_file_of_another() -> None:
    writer, other = KEYS.writer(), KEYS.writer()
    assert writer is not None
    assert other is not None
    key = Writer.of(writer.told()).fresh()
    assert KEYS.of(key.prefix) == key
    assert other.fresh().prefix[: len(other.head)] != key.prefix[: len(writer.head)]
    assert KEYS.known[0][1].hex() not in "".join(writer.told())


@given(
    st.binary(max_size=200),
    st.integers(0, 20),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=5),
)
def test_any_stretch_of_what_is_covered_opens_alone(body: bytes, stream: int, cuts: list[tuple[int, int]]) -> None:
    veil = Veil(b"", bytes(32), bytes(range(32)))
    covered = memoryview(veil.covered(body, stream))
    pieces = [(min(*cut, len(body)), min(max(cut), len(body))) for cut in cuts]
    opened = veil.opened((stream, covered, start, end) for start, end in pieces)
    assert opened == [body[start:end] for start, end in pieces]
    assert [veil.stretch((stream, covered, start, end)) for start, end in pieces] == opened
    assert len(body) < 16 or covered != body
