"""Texts for people are in every language, whole and with the same placeholders."""

from __future__ import annotations

import ast
import re
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from django.conf import settings
from tests.tidy.tree import SOURCE, modules, texts

from tocsin.core.reasons import REASONS

LANGUAGES = [code for code, _ in settings.LANGUAGES if code != "en"]
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")
CALLS = {"_", "gettext", "gettext_lazy", "pgettext", "pgettext_lazy", "ngettext", "ngettext_lazy"}
IN_TEMPLATE = re.compile(r"""{%\s*trans(?:late)?\s+(?:"([^"]+)"|'([^']+)')""")


def _catalogue(language: str) -> Catalog:
    merged = Catalog(locale=language)
    for path in sorted(SOURCE.glob(f"**/locale/{language}/LC_MESSAGES/django.po")):
        with path.open("rb") as stream:
            for message in read_po(stream, locale=language):
                if message.id:
                    merged[message.id] = message
    return merged


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _marked() -> set[str]:
    """Texts that the source marks for translation."""
    found = set(REASONS.values())
    for name, _, tree in modules():
        if not name.startswith("src/tocsin/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in CALLS and node.args:
                place = 1 if getattr(node.func, "id", "").startswith("pgettext") else 0
                text = _literal(node.args[place]) if len(node.args) > place else None
                if text:
                    found.add(text)
    for name, text in texts():
        if name.startswith("src/") and Path(name).suffix in {".html", ".txt"}:
            found |= {first or second for first, second in IN_TEMPLATE.findall(text)}
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language: str) -> None:
    catalogue = _catalogue(language)
    known = {message.id[0] if isinstance(message.id, tuple) else message.id for message in catalogue if message.id}
    assert sorted(_marked() - known) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_is_empty_or_unsure(language: str) -> None:
    messages = [message for message in _catalogue(language) if message.id]
    assert messages, f"there is no catalogue for {language}"
    wrong = [
        message.id
        for message in messages
        if message.fuzzy or not all(message.string if isinstance(message.string, tuple) else [message.string])
    ]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_kept(language: str) -> None:
    wrong = []
    for message in _catalogue(language):
        if not message.id or isinstance(message.id, tuple):
            continue
        if set(PLACEHOLDER.findall(message.id)) != set(PLACEHOLDER.findall(str(message.string))):
            wrong.append(message.id)
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_pages_read_is_compiled_from_what_people_wrote(language: str) -> None:
    for path in sorted(SOURCE.glob(f"**/locale/{language}/LC_MESSAGES/django.po")):
        with path.with_suffix(".mo").open("rb") as stream:
            compiled = GNUTranslations(stream)
        with path.open("rb") as stream:
            written = [message for message in read_po(stream, locale=language) if message.id]
        stale = [each.id for each in written if isinstance(each.id, str) and _compiled(compiled, each) != each.string]
        assert stale == [], "run script/compile-messages"


def _compiled(found: GNUTranslations, message: Message) -> str:
    text = str(message.id)
    return found.pgettext(message.context, text) if message.context else found.gettext(text)
