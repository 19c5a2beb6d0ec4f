"""Everything that some people and a program are shown by one installation, told as JSON: address → status and body.

Run as a program (`python -m tests.faults.walk MOMENT LOGIN…`), so that it has its own settings and database. It follows
the links of every page, one of each kind, and changes nothing but what reading changes.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import io
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from tocsin.core.errors import Refused

LINK = re.compile(rb"""(?:href|src|hx-get)=["']([^"'<>]*)["']""")
LEFT_OUT = re.compile(r"/static/|/sign-out|/sign-in|/language|/account/|[?&]sample=")
"""What leads elsewhere, signs out, or chooses acts by their hashes, in which marks of copies differ each time."""
MOST_OF_A_KIND = 1
"""So many addresses that differ only in what they name are opened."""
NAMES = re.compile(r"[A-Z]{2,3}-\d{4}-\d+|(?<=/)[A-Z]{2}(?=/)|(?<=/)[\w-]{16,}(?=/|$)|\d+|=[^&]*")
CHANGING = (
    (re.compile(r'(csrfmiddlewaretoken" value|"X-CSRFToken"|X-CSRFToken&quot;)(=|: ?)("|&quot;)\w+'), "token"),
    (re.compile(r"\bTOC-[0-9A-Z-]+"), "mark"),
    (re.compile(r"\bA[Q-Za-f][\w-]{38,}"), "cursor"),
    (re.compile(r"[0-9a-f]{32}(?=\.\d*\.\d+\.cursor)"), "bound"),
)
MACHINE = (
    "/api/v1/received", "/api/v1/circulars", "/api/v1/permissions", "/api/v1/lookup?value=198.51.100.23",
    "/api/v1/observations", "/api/v1/countries/FR/packages", "/api/v1/feeds", "/api/v1/recalls", "/taxii2/",
)  # fmt: skip
"""Where a program begins; what TAXII names from there on is followed."""
PACKED = ("FR", "DE", "BR", "KE", "US")
"""Countries whose packages are made anew."""


def main(at: str, *logins: str) -> None:
    """Print all that is shown at that moment."""
    import django
    from django.utils import timezone

    moment = datetime.fromisoformat(at)
    timezone.now = lambda: moment
    # What else lies on this disk comes and goes while people walk.
    shutil.disk_usage = lambda path: SimpleNamespace(total=10**12, used=10**11, free=9 * 10**11)
    django.setup()
    from django.conf import settings

    settings.ALLOWED_HOSTS.append("testserver")
    found: dict[str, Any] = {}
    for login in logins:
        for address, said in (*walked(login, moment), *asked(login, moment)):
            found[f"{login} {address}"] = said
    found |= packed(moment)
    print(json.dumps(found))


def packed(at: datetime) -> dict[str, Any]:
    """Country → its package, made now, as it opens."""
    from tocsin.centre.release import archives
    from tocsin.centre.release.services import make_packages

    made = make_packages(PACKED, at - timedelta(days=90), at, None, at, processes=1)
    with tempfile.TemporaryDirectory() as folder:
        copies = {each: archives.copy_out(each, Path(folder), at) for each in made}
        return {f"package of {each.country}": [each.rows, *told(path.read_bytes())] for each, path in copies.items()}


def walked(login: str, at: datetime) -> Iterator[tuple[str, Any]]:
    """Address → what this person is shown there, from the first page on, page by page in their order."""
    from django.test import Client

    from tocsin.centre.members.models import Person
    from tocsin.centre.members.sessions import PROVED_AT

    client = Client(raise_request_exception=False, headers={"accept-language": "en"})
    client.force_login(Person.objects.get(login=login))
    session = client.session
    session[PROVED_AT] = at.timestamp()
    session.save()
    waiting, kinds = ["/"], {"/": 1}
    for address in waiting:
        answer = client.get(address)
        body = b"".join(answer) if answer.streaming else answer.content
        kind_of_answer = answer.headers.get("Content-Type", "")
        yield plain(address), [answer.status_code, kind_of_answer, *told(body)]
        for link in links(body, address) if "html" in kind_of_answer else ():
            kind = NAMES.sub("#", link)
            if kinds.setdefault(kind, 0) < MOST_OF_A_KIND:
                kinds[kind] += 1
                waiting.append(link)


def asked(login: str, at: datetime) -> Iterator[tuple[str, Any]]:
    """Address → what a program of this person gets."""
    from django.test import Client

    from tocsin.centre.members.models import Person
    from tocsin.centre.members.services import add_key

    person = Person.objects.get(login=login)
    try:
        _, secret = add_key(
            person=person, name="walk", scopes=["read", "packages", "taxii"], by=login, at=at,
            expires_at=at + timedelta(days=9),
        )  # fmt: skip
    except Refused:
        return
    client = Client(raise_request_exception=False, headers={"authorization": f"Bearer {secret}"})
    waiting = list(MACHINE)
    for address in waiting:
        answer = client.get(address)
        body = b"".join(answer) if answer.streaming else answer.content
        yield plain(address), [answer.status_code, answer.headers.get("Content-Type", ""), *told(body)]
        if address.startswith("/taxii2/") and answer.status_code == 200:
            waiting += _further(address, json.loads(body))


def _further(address: str, body: dict[str, Any]) -> list[str]:
    """What a resource of TAXII leads to: roots, collections, their objects, the next page of them."""
    if "api_roots" in body:
        roots = [urlsplit(root).path.rstrip("/") for root in body["api_roots"]]
        return [f"{root}/{rest}" for root in roots for rest in ("", "collections/")]
    if "collections" in body:
        able = [each["id"] for each in body["collections"] if each.get("can_read")]
        return [f"{address}{each}/{rest}/?limit=40" for each in able for rest in ("objects", "manifest")]
    if body.get("more") and "&next=" not in address:
        return [f"{address}&next={quote(str(body['next']))}"]
    return []


def links(body: bytes, address: str) -> list[str]:
    """Addresses on this site that a page leads to by reading, in its order."""
    found = {}
    for link in LINK.findall(body):
        target, _ = urldefrag(urljoin(address, html.unescape(link.decode())))
        if not urlsplit(target).netloc and target.startswith("/") and not LEFT_OUT.search(target):
            found[target] = None
    return list(found)


def plain(text: str) -> str:
    """A text without what differs each time."""
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return text


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
    return [plain(text)]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
    main(*sys.argv[1:])
