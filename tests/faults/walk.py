"""Everything that some people and a program are shown by one installation, told as JSON: address → status and body.

Run as a program (`python -m tests.faults.walk LOGIN…`), so that it has its own settings and database. It follows every
link of every page, in the order of their addresses, and changes nothing but what reading changes.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import io
import json
import os
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

LINK = re.compile(rb"""(?:href|src|hx-get|action)=["']([^"'<>]*)["']""")
FORM_OF_POST = re.compile(rb"<form[^>]*method=[\"']?post.*?>", re.IGNORECASE | re.DOTALL)
LEFT_OUT = re.compile(r"/static/|/sign-out|/language|sign-in")
MOST_OF_A_KIND = 4
"""So many addresses that differ only in their numbers are opened."""
CHANGING = (
    (re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"'), "token"),
    (re.compile(r"\bTOC-[0-9A-Z-]+"), "mark"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?"), "moment"),
)


def main() -> None:
    """Print all that is shown."""
    import django

    django.setup()
    from django.conf import settings

    settings.ALLOWED_HOSTS.append("testserver")
    settings.PASSWORD_HASHERS = ["tests.quick_hasher.Quick"]
    found: dict[str, Any] = {}
    for login in sys.argv[1:]:
        for address, said in walked(login):
            found[f"{login} {address}"] = said
    print(json.dumps(found))


def walked(login: str) -> Iterator[tuple[str, Any]]:
    """Address → what this person is shown there, from the first page on."""
    from django.test import Client

    from tocsin.centre.members.models import Person

    client = Client(raise_request_exception=False, headers={"accept-language": "en"})
    client.force_login(Person.objects.get(login=login))
    waiting, seen, kinds = {"/"}, {"/"}, dict[str, int]()
    while waiting:
        address = min(waiting)
        waiting.remove(address)
        answer = client.get(address)
        body = b"".join(answer) if answer.streaming else answer.content
        yield address, [answer.status_code, answer.headers.get("Content-Type", ""), *told(body)]
        for link in links(body, address) if "html" in answer.headers.get("Content-Type", "") else ():
            kind = re.sub(r"[A-Z]{2}-\d{4}-\d+|\d+|[0-9a-f]{12,}|=[^&]*", "#", link)
            if link not in seen and kinds.get(kind, 0) < MOST_OF_A_KIND:
                kinds[kind] = kinds.get(kind, 0) + 1
                waiting.add(link)
            seen.add(link)


def links(body: bytes, address: str) -> list[str]:
    """Addresses on this site that a page leads to by reading, in order."""
    found = set()
    for link in LINK.findall(FORM_OF_POST.sub(b"", body)):
        target, _ = urldefrag(urljoin(address, html.unescape(link.decode())))
        if not urlsplit(target).netloc and target.startswith("/") and not LEFT_OUT.search(target):
            found.add(target)
    return sorted(found)


def told(body: bytes) -> list[str]:
    """The text of an answer without what differs each time; of an archive, of every file in it."""
    if body[:2] == b"\x1f\x8b":
        return told(gzip.decompress(body))
    if body[:4] == b"PK\x03\x04":
        archive = zipfile.ZipFile(io.BytesIO(body))
        return [f"{name} {line}" for name in archive.namelist() for line in told(archive.read(name))]
    if tarfile.is_tarfile(io.BytesIO(body)):
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            return [
                f"{each.name} {line}"
                for each in archive
                if (file := archive.extractfile(each)) is not None
                for line in told(file.read())
            ]
    if body[:4] == b"%PDF":
        return [f"PDF of some {len(body) // 2000} pages"]
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return [hashlib.sha256(body).hexdigest()]
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return [text]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
    main()
