"""A scanner for malware over clamd's protocol: a real server on a real socket, which knows one harmful text."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from tests import people, scene

from tocsin.centre.audit.models import Entry
from tocsin.centre.ledger.models import Taking
from tocsin.core.errors import Unavailable
from tocsin.transport.scanning import found_in

HARMFUL = b"what the scanner knows"
SIZE_LIMIT = 1 << 20


class Scanner(socketserver.StreamRequestHandler):
    """One session of `INSTREAM`, as clamd's manual describes it."""

    def handle(self) -> None:
        assert self.rfile.read(10) == b"zINSTREAM\0"
        held = b""
        while size := int.from_bytes(self.rfile.read(4), "big"):
            held += self.rfile.read(size)
            if len(held) > SIZE_LIMIT:
                self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.wfile.write(b"stream: Test.Known-1 FOUND\0" if HARMFUL in held else b"stream: OK\0")


@pytest.fixture
def scanner(tmp_path: Path) -> Iterator[str]:
    place = str(tmp_path / "clamd")
    with socketserver.ThreadingUnixStreamServer(place, Scanner) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield place
        server.shutdown()


def test_it_says_what_it_knows(scanner: str) -> None:
    assert found_in([b"harmless", b" bytes"], scanner) == ""
    assert found_in([], scanner) == ""
    assert found_in([HARMFUL[:7], HARMFUL[7:]], scanner) == "Test.Known-1", "also where it lies across two pieces"
    assert found_in([b"x" * 200_000 + HARMFUL], scanner) == "Test.Known-1"


def test_what_was_not_scanned_is_not_clean(scanner: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        found_in([b"x" * (SIZE_LIMIT + 1)], scanner)
    for nowhere in (str(tmp_path / "nowhere"), "127.0.0.1:1", "no address"):
        with pytest.raises(Unavailable):
            found_in([b"x"], nowhere)


@pytest.mark.django_db
@pytest.mark.usefixtures("store")
def test_the_file_of_a_circular_is_given_only_when_the_scanner_knows_nothing(
    scanner: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5.4.3: at each fetch, before the first byte and before anything is noted as taken."""
    made = scene.circular()
    address = reverse("circular-file", args=[made.number])
    people.let_in(client, "fleur_officer")

    def fetched(known: bytes, place: str) -> int:
        monkeypatch.setattr(f"{__name__}.HARMFUL", known)
        monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, scanner=place))
        return client.get(address).status_code

    before = Taking.objects.count()
    assert fetched(b"", scanner) == 302, "every text holds the empty one: this file is known"
    assert "Test.Known-1" in client.get(reverse("circulars")).content.decode()
    assert fetched(b"not in it", scanner + "-away") == 302
    assert Entry.objects.filter(action="circular.file-harmful").count() == 1
    assert Taking.objects.count() == before
    assert fetched(b"not in it", scanner) == 200
