"""What looks surest is found without asking those that never look so sure."""

from __future__ import annotations

from pathlib import Path

from tocsin.core.reading import Sample
from tocsin.formats import SELDOM_SURE, SURE, all_formats, recognise

FILES = sorted(path for path in Path(__file__).parent.rglob("*") if path.is_file() and path.suffix != ".py")
HEAD_BYTES = 256 << 10


def test_nobody_who_is_left_out_would_have_been_surer() -> None:
    sure = 0
    for path in FILES:
        head = path.read_bytes()[:HEAD_BYTES]
        sample = Sample(head, path.name, path.stat().st_size)
        scored = [(item.recognise(sample), -place, item) for place, item in enumerate(all_formats())]
        best, _, surest = max(scored, key=lambda entry: entry[:2])
        assert recognise(sample) is (surest if best > 0 else None), path
        assert all(score <= SURE for score, _, item in scored if item.name in SELDOM_SURE), path
        sure += best > SURE
    assert 10 < sure < len(FILES)
