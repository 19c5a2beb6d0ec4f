"""Documents read as expected: a case is a folder with an input and what must come out of it.

Write `expected.json` anew with `python -m tests.golden.test_documents`, then read the difference.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tocsin.core.profiles import Profile
from tocsin.core.reading import Enclosed, Heading, Proposal, Rejection, Sample, Source, Thing
from tocsin.formats import certfr, html, mail, prose, rules

CASES = sorted((Path(__file__).parent / "documents").iterdir())
FORMATS = (certfr.FORMAT, html.FORMAT, mail.FORMAT, prose.FORMAT, rules.FORMAT)


def outline(path: Path) -> dict[str, object]:
    """What a reader yields, in a form that a person can check against the input."""
    source = Source(path.name, path)
    head = path.read_bytes()[: 256 << 10]
    found = max(FORMATS, key=lambda item: item.recognise(Sample(head, path.name, len(head))))
    seen: dict[str, list[object]] = {"proposals": [], "things": [], "rejections": [], "enclosed": []}
    heading: dict[str, object] = {}
    for item in found.read(source, Profile()):
        match item:
            case Proposal():
                seen["proposals"].append([item.kind, item.value, item.shown_as, item.page, item.offset, item.score])
            case Thing():
                seen["things"].append([item.standard, item.type, item.id, item.version, item.name, list(item.labels),
                                       [list(pair) for pair in item.refs], list(item.external_ids), item.raw.decode()])  # fmt: skip  # noqa: E501
            case Rejection():
                seen["rejections"].append([item.position, item.unit, item.reason])
            case Enclosed():
                seen["enclosed"].append([item.position, item.source.name, item.source.read_all().decode()])
            case Heading():
                heading = {name: getattr(item, name) for name in ("title", "marking", "language", "producer")}
    return {"format": found.name, "heading": heading, **{name: entries for name, entries in seen.items() if entries}}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads_as_expected(case: Path) -> None:
    (given,) = case.glob("input.*")
    assert outline(given) == json.loads((case / "expected.json").read_text())


if __name__ == "__main__":
    for each in CASES:
        (path,) = each.glob("input.*")
        (each / "expected.json").write_text(json.dumps(outline(path), indent=1, ensure_ascii=False) + "\n")
