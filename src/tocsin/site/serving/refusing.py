"""What the server says itself, instead of Django: short, in the words of each door and the reader's language."""

from __future__ import annotations

import json
from collections.abc import Mapping

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation.trans_real import parse_accept_lang_header

from tocsin.centre import refusals

from .rules import RETRY_SECONDS

TAXII = "application/taxii+json;version=2.1"
PLAIN = {400: "Bad request", 408: "Too slow", 431: "The headers are too long", 501: "Not implemented"}
"""What only programs get to see, which send what no browser does."""


def refusal(status: int, said: Mapping[str, str]) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body; `said` is what is known of the request, as WSGI names it."""
    path = said.get("PATH_INFO", "")
    door = "taxii" if path.startswith("/taxii2/") else "api" if path.startswith("/api/") else "pages"
    text, kind, body = _text(status, said), "text/plain; charset=utf-8", ""
    match door:
        case "taxii":
            kind, body = TAXII, json.dumps({"title": text, "http_status": str(status)})
        case "api":
            reason = "unavailable" if status == 503 else "not-understood"
            shape = {"reason": reason, "text": text, "position": "", "field": "", "excerpt": ""}
            kind, body = "application/json; charset=utf-8", json.dumps(shape)
    content = (body or text + "\n").encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(content))), ("Connection", "close")]
    headers += [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
    if status == 503:
        headers.append(("Retry-After", str(RETRY_SECONDS)))
    facts = {"status": status, "door": door, "view": "", "method": "", "actor": ""}
    facts["address"] = said.get("REMOTE_ADDR", "")
    refusals.told("busy" if status == 503 else "input", facts)
    return headers, content


def _text(status: int, said: Mapping[str, str]) -> str:
    if status != 503:
        return PLAIN.get(status, PLAIN[400])
    for code, _quality in parse_accept_lang_header(said.get("HTTP_ACCEPT_LANGUAGE", "")[:200]):
        language = code.partition("-")[0]
        if language in dict(settings.LANGUAGES):
            with translation.override(language):
                return _("Not now. Try again in a moment.")
    with translation.override(settings.LANGUAGE_CODE):
        return _("Not now. Try again in a moment.")
