"""Two texts beside one another: nothing of either is lost in the drawing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tocsin.centre.alerts import comparing

WORDS = st.lists(st.sampled_from(["one", "two", "ثلاثة", " ", "\n", "  ", ".", "four five", "\u202e"]), max_size=14)


@given(WORDS, WORDS)
def test_what_stayed_and_went_is_the_old_text_and_what_stayed_and_came_the_new(
    one: list[str], other: list[str]
) -> None:
    old, new = "".join(one), "".join(other)
    found = list(comparing.pieces(old, new))
    assert "".join(each.text for each in found if each.kind != "new") == old
    assert "".join(each.text for each in found if each.kind != "old") == new


def test_a_sentence_that_was_written_anew_is_read_as_one() -> None:
    found = list(comparing.pieces("Everybody who waits", "Hers alone now"))
    assert [(each.kind, each.text) for each in found] == [("old", "Everybody who waits"), ("new", "Hers alone now")]


def test_a_path_finds_what_a_difference_names() -> None:
    content = {"texts": {"title": "a", "image_texts": {"photo.png": "b"}}}
    for path, value in (("texts.title", "c"), ("texts.image_texts.photo.png", "d")):
        comparing.put(content, path, value)
        assert comparing.at(content, path) == value
    assert content == {"texts": {"title": "c", "image_texts": {"photo.png": "d"}}}
