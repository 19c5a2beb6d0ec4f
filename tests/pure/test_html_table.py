"""Trackers on web pages: a table of values is a list, any other page is a document."""

from __future__ import annotations

import pytest

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Heading, Rows, Sample, Source
from tocsin.formats import html_table

PAGE = (
    "<!doctype html><html><head><title>C2 tracker</title></head><body><p>Hello</p>"
    "<table><thead><tr><th>Firstseen (UTC)</th><th>Host</th><th>Malware</th></tr></thead>"
    "<tr><td>2026-01-01 10:00:00</td><td><a href='/h'>192.0.2.1</a></td><td>Dridex &amp; co</td></tr>"
    "<tr><td>2026-01-01 11:00:00</td><td> 192.0.2.2\n</td><td>Heodo</td></tr></table></body></html>"
)


def test_a_tracker() -> None:
    assert html_table.recognise(Sample(PAGE.encode())) > 70
    heading, rows = list(html_table.read(Source("x.html", content=PAGE.encode()), Profile()))
    assert heading == Heading(title="C2 tracker")
    assert isinstance(rows, Rows)
    assert rows.frame.select("position", "value", "malware", "first_at").rows() == [
        (2, "192.0.2.1", "Dridex & co", "2026-01-01 10:00:00"),
        (3, "192.0.2.2", "Heodo", "2026-01-01 11:00:00"),
    ]


@pytest.mark.parametrize(
    "page",
    [
        "<html><body><p>We saw 192.0.2.1 and 192.0.2.2.</p></body></html>",
        "<html><table><tr><td>Home</td><td>News</td></tr><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table></html>",
        "<html><table><tr><td></table>",
        "192.0.2.1\n",
    ],
)
def test_other_pages_are_left_alone(page: str) -> None:
    assert html_table.recognise(Sample(page.encode())) == 0
    with pytest.raises(InputError, match="missing-columns"):
        list(html_table.read(Source("x.html", content=page.encode()), Profile()))
