"""What templates draw: values that would deceive, maps, badges."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from tocsin.site import drawing
from tocsin.site.templatetags import tocsin as tags


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain.example", "plain.example"),
        ("invoice_\u202efdp.exe", 'invoice_<span class="unseen">U+202E</span>fdp.exe'),
        ("a\x00b\nc", 'a<span class="unseen">U+0000</span>b<span class="unseen">U+000A</span>c'),
        ("zero\u200bwidth\u00ad", 'zero<span class="unseen">U+200B</span>width<span class="unseen">U+00AD</span>'),
        ("tag\U000e0041", 'tag<span class="unseen">U+E0041</span>'),
        ("<b>&\u2066", '&lt;b&gt;&amp;<span class="unseen">U+2066</span>'),
        ("مرحبا", "مرحبا"),
        (None, ""),
        (7, "7"),
    ],
)
def test_signs_that_deceive_are_written_out(text: object, expected: str) -> None:
    assert tags.unmasked(text) == expected
    assert tags.technical(text) == f'<bdi dir="ltr" class="technical">{expected}</bdi>'


def test_every_member_of_the_map_is_drawn_once() -> None:
    facts = drawing.world()
    svg = tags.world_map({"FR": 5, "AU": 900, "SG": 3}, "7d")
    drawn = re.findall(r'#([A-Z]{2})"', svg)
    assert len(drawn) == len(set(drawn))
    assert set(drawn) | facts.small == set(facts.codes)
    assert len(re.findall("<circle", svg)) == len(facts.small)
    assert f'href="{reverse("country", args=["SG"])}?span=7d"' in svg


def test_large_countries_are_shapes_and_not_dots() -> None:
    large = {"AU", "BR", "CA", "CN", "IN", "RU", "US", "FR", "KZ", "AR", "DZ", "NZ"}
    assert large & drawing.world().small == set()


@pytest.mark.parametrize("code", sorted(drawing.world().codes))
def test_a_country_lies_inside_its_own_map(code: str) -> None:
    svg = tags.country_map({code: 3, "FR": 9}, code)
    left, _top, wide, high = (float(number) for number in re.search(r'viewBox="([^"]+)"', svg)[1].split())  # type: ignore[index]
    facts = drawing.world()
    x, y = facts.places[code]
    box = facts.boxes.get(code, (x, y, x, y)) if code not in facts.small else (x, y, x, y)
    assert wide >= drawing.CROP_LEAST
    assert left >= 0
    assert left + wide <= facts.width + 0.2
    assert box[0] >= left - 0.2
    assert box[2] <= left + wide + 0.2
    assert svg.count('class="own"') == 1
    assert high == pytest.approx(wide * drawing.CROP_SHAPE, abs=0.2)


def test_neighbours_are_links_and_the_far_side_is_not_drawn() -> None:
    svg = tags.country_map({"FR": 5, "ES": 7, "AU": 9}, "FR", "90d")
    assert f'href="{reverse("country", args=["ES"])}?span=90d"' in svg
    assert "#AU" not in svg
    assert tags.country_map({"FR": 1}, "ZZ") == ""
