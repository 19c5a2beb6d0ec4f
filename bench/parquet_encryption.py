"""What Parquet's own encryption would cost the files of observations (decision 26): ratios to plain files in one run.

    python bench/parquet_encryption.py [--rows 1000000]

The same rows are written plain and encrypted with one key; then read whole, filtered by two columns (Polars, as
joining and counting do), and in groups of 16,384 from an opened file (PyArrow, as a look-up does). CPU time. Prints one
JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as parquet_encryption

GROUP_ROWS = 16_384
OPENED_GROUPS = 300


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=1_000_000)
    told = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        print(json.dumps({"rows": told.rows, **ratios(generated(told.rows), Path(folder))}))


def generated(count: int) -> pl.DataFrame:
    """Rows that look like observations, sorted as the lake sorts them."""
    chance = random.Random(3)
    return pl.DataFrame(
        {
            "value": [".".join(str(chance.randrange(256)) for _ in range(4)) for _ in range(count)],
            "peer": [f"h{chance.randrange(1_000_000)}.example" for _ in range(count)],
            "batch": [chance.randrange(50) * 1000 for _ in range(count)],
            "country": [chance.choice(["FR", "JO", "BR", "KE"]) for _ in range(count)],
            "first": [1_700_000_000 + chance.randrange(10_000_000) for _ in range(count)],
        }
    ).sort("value")


def ratios(frame: pl.DataFrame, folder: Path) -> dict[str, float]:
    """Encrypted over plain."""
    key, plain, sealed = os.urandom(16), folder / "plain.parquet", folder / "sealed.parquet"
    encryption = pl.ParquetEncryptionProperties(footer_key=key)
    decryption = pl.ParquetDecryptionProperties(footer_key=key)
    common = {"row_group_size": GROUP_ROWS, "compression": "zstd"}
    wanted = pl.col("batch").is_in([1000, 2000])

    def some(path: Path, keys: pl.ParquetDecryptionProperties | None) -> None:
        pl.scan_parquet(path, decryption=keys).filter(wanted).select("value", "batch").collect()

    found = {
        "write": middle(lambda: frame.write_parquet(sealed, encryption=encryption, **common))
        / middle(lambda: frame.write_parquet(plain, **common)),
        "read_whole": middle(lambda: pl.read_parquet(sealed, decryption=decryption))
        / middle(lambda: pl.read_parquet(plain)),
        "read_filtered": middle(lambda: some(sealed, decryption)) / middle(lambda: some(plain, None)),
        "size": sealed.stat().st_size / plain.stat().st_size,
    }
    opens = parquet_encryption.create_decryption_properties(key)
    one = groups(pq.ParquetFile(plain, memory_map=True))
    other = groups(pq.ParquetFile(sealed, memory_map=True, decryption_properties=opens))
    found |= {"group_p50": other[0] / one[0], "group_p99": other[1] / one[1]}
    return {name: round(ratio, 2) for name, ratio in found.items()}


def groups(file: pq.ParquetFile) -> tuple[float, float]:
    """Middle and 99th hundredth of the CPU seconds that one group takes."""
    chance = random.Random(5)
    taken = sorted(
        cpu(lambda: file.read_row_group(chance.randrange(file.num_row_groups))) for _ in range(OPENED_GROUPS)
    )
    return taken[len(taken) // 2], taken[len(taken) * 99 // 100]


def middle(act: Callable[[], object]) -> float:
    return sorted(cpu(act) for _ in range(9))[4]


def cpu(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


if __name__ == "__main__":
    main()
