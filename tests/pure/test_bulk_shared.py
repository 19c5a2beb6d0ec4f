"""The real deliveries of the bulk road end well, with the row counts that their inventory states."""

from __future__ import annotations

import gzip
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Rejection, Rows, Sample, Source
from tocsin.formats import arff, delimited, plain_list, shadowserver, zeek
from tocsin.reference.feeds import all_feeds

pytestmark = pytest.mark.shared

FORMATS: tuple[Format, ...] = tuple(module.FORMAT for module in (shadowserver, zeek, arff, plain_list, delimited))


@dataclass
class Outcome:
    """What one file came to."""

    format: str = ""
    rows: int = 0
    lines: set[int] = field(default_factory=set)
    rejected: Counter[str] = field(default_factory=Counter)
    refused: str = ""
    stated: int | None = None


def content_of(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def outcome(path: Path, profile: Profile | None = None, reader: Format | None = None) -> Outcome:
    content = content_of(path)
    sample = Sample(content[: 256 << 10], path.name, len(content))
    best = reader or max(FORMATS, key=lambda item: item.recognise(sample))
    if reader is None and best.recognise(sample) == 0:
        return Outcome()
    found = Outcome(best.name)
    try:
        for item in best.read(Source(path.name.removesuffix(".gz"), content=content), profile or Profile()):
            if isinstance(item, Rows):
                found.rows += item.frame.height
                found.lines.update(item.frame["position"].to_list())
            elif isinstance(item, Rejection):
                found.rejected[item.reason] += 1
            elif isinstance(item, Heading) and item.stated_count is not None:
                found.stated = item.stated_count
    except InputError as error:
        found.refused = error.reason
    return found


def records(folder: Path, pattern: str) -> tuple[int, int]:
    """Records that gave rows, and records that were refused, of all matching files."""
    outcomes = [outcome(path) for path in sorted(folder.glob(pattern))]
    assert outcomes
    return sum(len(found.lines) for found in outcomes), sum(found.rejected.total() for found in outcomes)


def test_every_shadowserver_report_is_read(shared_data: Path) -> None:
    paths = sorted((shared_data / "feeds" / "shadowserver-csv").glob("*.csv"))
    assert len(paths) == 127
    outcomes = [outcome(path) for path in paths]
    assert {found.format for found in outcomes} == {"shadowserver"}
    assert not any(found.refused for found in outcomes)
    # The inventory counts 2,598 rows with the headers; one line of sslv3-poodle.csv has too many cells.
    assert sum(found.rows for found in outcomes) + sum(found.rejected.total() for found in outcomes) == 2_598 - 127
    assert sum(found.rejected.total() for found in outcomes) == 1


def test_firehol_lists_hold_what_their_banner_states(shared_data: Path) -> None:
    paths = sorted((shared_data / "feeds" / "firehol-ipsets").glob("*set*"))
    assert len(paths) == 21
    outcomes = [outcome(path) for path in paths]
    assert all(found.format == "plain-list" and found.rows == found.stated for found in outcomes)
    assert sum(found.rows for found in outcomes) == 35_899


@pytest.mark.parametrize(
    ("folder", "pattern", "expected", "refused"),
    [
        ("csv/tweetfeed", "**/*.csv", 11_765, 0),
        ("csv/jpcert-phishurl", "*/*", 8_238, 0),
        ("csv/infoblox", "*.csv", 1_952 - 24, 0),
        ("csv/mcafee-atr", "*/*/*.csv", 71, 0),
        ("csv/trendmicro", "*/*.csv", 33, 0),
        ("feeds/blackbook", "*", 18_151, 0),
        ("feeds/zeek-intel", "*", 128_209, 0),
        ("feeds/ipsum", "**/*.*", 172_598, 0),
        ("feeds/openphish", "*", 300, 0),
        ("dga/philarkwright", "*", 100_000, 0),
        ("dga/opendns-benign", "*", 20_000, 0),
        ("alerts/kev", "*.csv*", 1_404, 0),
        ("misp/core-tests/tests", "event.csv", 36, 2),
        ("labelled/infoblox-decoydog-dns", "*", 14_323, 0),
    ],
)
def test_counts(shared_data: Path, folder: str, pattern: str, expected: int, refused: int) -> None:
    assert records(shared_data / folder, pattern) == (expected, refused)


@pytest.mark.parametrize(
    "folder", ["csv", "dga", "text-ioc", "crypto/ofac", "geo", "labelled", "logs/rita-proxy", "malformed/csv-injection"]
)
def test_every_file_ends_well(shared_data: Path, folder: str) -> None:
    paths = sorted((shared_data / folder).rglob("*"))
    assert paths
    for path in paths:
        if path.is_file():
            found = outcome(path)
            assert found.refused in {"", "missing-columns", "unknown-format", "empty-file"}, path


def test_the_load_file_in_bounded_memory(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "maltrail.csv"
    with (
        gzip.open(shared_data / "feeds" / "maltrail-bulk" / "maltrail-trails-all.csv.gz") as packed,
        path.open("wb") as out,
    ):
        while block := packed.read(1 << 20):
            out.write(block)
    tracemalloc.start()
    rows = with_port = 0
    for item in delimited.read(Source(path.name, path=path), Profile()):
        if isinstance(item, Rows):
            rows += item.frame.height
            with_port += item.frame.height - item.frame["port"].null_count() if "port" in item.frame.columns else 0
        assert not isinstance(item, Rejection)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 1_852_460
    assert with_port > 50_000
    assert peak < 300 << 20


RECORDED = {
    "spamhaus/drop": ("feeds/intelmq-parser-samples/spamhaus/drop.txt", 2),
    "spamhaus/asndrop": ("feeds/intelmq-parser-samples/spamhaus/asndrop.txt", 2),
    "dshield/block": ("feeds/intelmq-parser-samples/dshield/block.txt", 2),
    "openphish/community": ("feeds/openphish/feed.txt", 300),
    "tweetfeed/today": ("csv/tweetfeed/today.csv", 59),
    "stamparm/blackbook": ("feeds/blackbook/blackbook.csv.gz", 18_151),
    "stamparm/ipsum": ("feeds/ipsum/ipsum.txt.gz", 0),
    "cisa/kev": ("alerts/kev/known_exploited_vulnerabilities.csv.gz", 1_404),
    "dataplane/sshclient": ("feeds/intelmq-parser-samples/dataplane/sshclient.txt", 0),
    "bambenek/c2-ip": ("feeds/intelmq-parser-samples/bambenek/c2-ipmasterlist.txt", 1),
    "jpcert/phishurl": ("csv/jpcert-phishurl/2025/202509.csv.gz", 2_783),
    "ofac/wallets": ("crypto/ofac/sanctioned_addresses_XBT.txt", 435),
    "viriback/c2": ("feeds/abusech-feeds2stix/viriback/sample_data/dump.csv", 10),
    "vxvault/urls": ("feeds/abusech-feeds2stix/vxvault/sample_data/vxvault_sample.txt", 10),
    "abusech/malwarebazaar": ("feeds/abusech-feeds2stix/abuse_ch_malwarebazaar/sample_data/dump_20260226.csv", 0),
    "abusech/sslbl": ("feeds/abusech-feeds2stix/abuse_ch_sslblacklist/sample_data/sslblacklist_1.csv", 0),
}


@pytest.mark.parametrize("slug", RECORDED)
def test_a_feed_reads_what_was_recorded(shared_data: Path, slug: str) -> None:
    name, expected = RECORDED[slug]
    path = shared_data / name
    if not path.exists():
        [path] = sorted(path.parent.glob(path.name.split(".")[0] + "*"))
    feed = {item.slug: item for item in all_feeds()}[slug]
    reader = {item.name: item for item in FORMATS}[feed.profile.format]
    found = outcome(path, feed.profile, reader)
    assert not found.refused
    assert not found.rejected
    if expected:
        assert len(found.lines) == expected
    else:
        assert found.rows > 0
