"""Files in a real object store: what a folder can do, a bucket can; what it refuses is said plainly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.fs
import pytest
from tests import object_store
from tests.generated_lake import rows

from tocsin.core.errors import InputError, Unavailable
from tocsin.lake import buckets, compaction, files, index, parquet
from tocsin.lake.keys import Keys
from tocsin.transport import objects

KEYS = Keys(((7, bytes(range(32))),))
pytestmark = pytest.mark.any_database


@pytest.fixture
def folder(object_server: object_store.Store, tmp_path: Path) -> Iterator[Path]:
    """A folder that stands for a prefix of its own."""
    stands = tmp_path / "observations"
    buckets.mount(buckets.Mount(stands, object_server.at(tmp_path.name), "observations"))
    yield stands
    buckets.mount()


def written(folder: Path, name: str = "day=2026-11-22/1-0.parquet", keys: Keys = KEYS) -> Path:
    """A file of the lake that lies in the bucket."""
    work = folder.parent / "work"
    work.mkdir(exist_ok=True)
    made = files.write(rows(9_000, ("FR", "BR")), work / "made.parquet", keys.writer())
    files.move_into(made, folder.parent, f"observations/{name}")
    assert list(work.iterdir()) == []
    return folder / name


@pytest.mark.parametrize("keys", [KEYS, Keys()], ids=["sealed", "in the clear"])
def test_a_file_is_read_as_one_of_this_machine(folder: Path, keys: Keys) -> None:
    path = written(folder, keys=keys)
    assert not path.exists(), "Parquet has no copy here"
    frame = rows(9_000, ("FR", "BR"))
    assert files.whole(files.read(path, keys)).equals(files.whole(frame))
    assert parquet.scan(path, keys).select("batch").collect()["batch"].equals(frame["batch"])
    with parquet.opened(path, keys) as opened:
        assert opened.num_row_groups == 2
        assert opened.read_row_group(1, columns=["position"]).num_rows == 9_000 - files.ROW_GROUP
    for each in index.beside(path):
        assert each.exists(), "what is mapped has a copy here"
        each.unlink()
    found = index.opened(path, keys)
    assert found is not None
    assert files.has_index(path, keys)
    assert index.is_of(parquet.read(path, keys), path, keys)
    assert buckets.size(path) > 10_000
    joined = compaction.join(compaction.Joining((path,), folder.parent / "work", "a-"), keys)
    assert joined is not None
    assert joined.rows == 9_000


def test_listing_and_letting_go(folder: Path) -> None:
    paths = [written(folder, f"day=2026-11-{day}/{day}-0.parquet") for day in (21, 22)]
    held = dict(buckets.listed(folder))
    assert set(held) == {each for path in paths for each in (path, *index.beside(path))}
    assert all(abs(time.time() - written_at) < 60 for written_at in held.values())
    for each in (paths[0], *index.beside(paths[0])):
        buckets.remove(each)
        buckets.remove(each)
    assert not buckets.exists(paths[0])
    assert not index.index_path(paths[0]).exists()
    assert index.opened(paths[0], KEYS) is None
    assert len(list(buckets.listed(folder))) == 3
    with pytest.raises(FileNotFoundError):
        files.file_digest(paths[0])
    with pytest.raises(FileNotFoundError):
        buckets.here(paths[0])
    assert not [each for each in folder.rglob(".*") if each.is_file()]


def test_more_than_one_page_of_a_listing(folder: Path, object_server: object_store.Store) -> None:
    bucket = object_server.at(folder.parent.name)
    for number in range(1_005):
        bucket.put_bytes(f"observations/many/{number:04d}", b"x")
    assert len(list(buckets.listed(folder / "many"))) == 1_005


def test_names_that_must_be_spelled(folder: Path, object_server: object_store.Store) -> None:
    bucket = object_server.at(folder.parent.name)
    for name in ("a b+c/ü=1&2.txt", "100%/~x"):
        assert bucket.put_bytes(name, b"abc")
        assert bucket.get_bytes(name) == b"abc"
        assert bucket.part(name, 1, 1) == b"b"
    assert {name for name, _ in bucket.listed("a b")} == {"a b+c/ü=1&2.txt"}


def test_an_upload_in_parts_that_nobody_finished_is_given_up(folder: Path, object_server: object_store.Store) -> None:
    """As a program leaves it that copies files there and is killed."""
    bucket = object_server.at(folder.parent.name)
    other = object_server.at(f"{folder.parent.name}-other")
    there = pyarrow.fs.S3FileSystem(
        access_key=object_store.KEYS[0], secret_key=object_store.KEYS[1], region="us-east-1",
        endpoint_override=object_server.endpoint.removeprefix("http://"), scheme="http", background_writes=False,
    )  # fmt: skip
    streams = [there.open_output_stream(f"tocsin/{each.prefix}/observations/half") for each in (bucket, other)]
    for stream in streams:
        stream.write(b"x" * (12 << 20))
    assert bucket.forget_unfinished(time.time() - 3_600) == 0, "somebody may be at it"
    assert bucket.forget_unfinished(time.time() + 60) == 1
    assert bucket.forget_unfinished(time.time() + 60) == 0
    assert other.forget_unfinished(time.time() + 60) == 1, "and that of others was left alone"
    with pytest.raises(OSError, match=r"."):
        streams[0].close()
    assert not buckets.exists(folder / "half")


def test_copies_are_bounded(folder: Path, object_server: object_store.Store) -> None:
    bucket = object_server.at(folder.parent.name)
    buckets.mount(buckets.Mount(folder, bucket, "observations", copies_bytes=25_000))
    folder.mkdir()
    others = [folder / "lies-in.txt", folder / "1-0.parquet"]
    for path in others:
        path.write_bytes(bytes(30_000))
    for number in range(6):
        bucket.put_bytes(f"observations/{number}.index", bytes(10_000))
        assert buckets.here(folder / f"{number}.index").read_bytes() == bytes(10_000)
    held = sorted(path.name for path in folder.glob("*.index"))
    assert len(held) <= 3
    assert "5.index" in held
    assert all(path.exists() for path in others), "what is no copy is left alone"
    assert buckets.here(folder / "0.index").stat().st_size == 10_000


def test_copies_of_what_is_gone_go_everywhere(folder: Path, object_server: object_store.Store) -> None:
    """Rows that were purged leave other machines, too: here another one has removed the file."""
    paths = [written(folder, f"day=2026-11-{day}/{day}-0.parquet") for day in (21, 22)]
    bucket = object_server.at(folder.parent.name)
    for name, _ in list(bucket.listed("observations/day=2026-11-21")):
        bucket.remove(name)
    assert buckets.forget_gone() == 2
    assert not any(each.exists() for each in index.beside(paths[0]))
    assert all(each.exists() for each in index.beside(paths[1]))


def test_an_index_that_another_machine_made_anew_is_taken(folder: Path) -> None:
    path = written(folder)
    for each in index.beside(path):
        each.write_bytes(b"of another version")
    assert index.opened(path, KEYS) is not None


@pytest.mark.parametrize(
    ("keys", "bucket", "said"),
    [
        (("nobody", "tocsinsecret0123"), "tocsin", "does not know the access key"),
        ((object_store.KEYS[0], "wrong"), "tocsin", "the secret key does not belong to the access key"),
        (object_store.READER, "tocsin", "may not do that there"),
        (object_store.KEYS, "nowhere", "no bucket of that name"),
    ],
)
def test_what_it_refuses_is_said(
    object_server: object_store.Store, keys: tuple[str, str], bucket: str, said: str
) -> None:
    def asked() -> None:
        there = object_server.at("x", keys, bucket)
        list(there.listed(""))
        there.put_bytes("y", b"z")

    with pytest.raises(Unavailable, match=said) as told:
        asked()
    assert keys[1] not in str(told.value)


def test_a_store_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "BACK_OFF_SECONDS", 0.001)
    nobody = objects.object_store("s3://b/p?endpoint=http://127.0.0.1:9", "a\nb")
    with pytest.raises(Unavailable, match="does not answer"):
        nobody.size("x")


def test_one_of_two_that_take_a_name_at_once(object_server: object_store.Store) -> None:
    bucket = object_server.at("race")
    assert bucket.put_bytes("mark", b"one", only_new=True)
    assert not bucket.put_bytes("mark", b"two", only_new=True)
    assert bucket.get_bytes("mark") == b"one"


@pytest.mark.parametrize(
    ("address", "keys"),
    [
        ("http://bucket/x", "a\nb"),
        ("s3:///x", "a\nb"),
        ("s3://key:secret@bucket/x", "a\nb"),
        ("s3://bucket/x?endpoint=ftp://h", "a\nb"),
        ("s3://bucket/x?endpont=https://h", "a\nb"),
        ("s3://bucket/x?endpoint=https://h/path", "a\nb"),
        ("s3://bucket/x", "only one line\n"),
        ("s3://bucket/x", ""),
    ],
)  # fmt: skip
def test_a_line_that_names_no_bucket(address: str, keys: str) -> None:
    with pytest.raises(InputError):
        objects.object_store(address, keys)
    assert "secret" not in repr(objects.object_store("s3://bucket/x", "key\nsecret"))
