"""Files of the public site in this process's memory, as long as nothing was published since: what readers ask for most.

The row of the database alone says what lies at an address, and every publication counts one up. Whoever answers from
here has asked for that number less than a second ago; with another number the shelf is empty. So a page that was
withdrawn is gone a second later in every process, whatever database it is.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, OrderedDict
from functools import cache
from http.client import responses
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings

from tocsin.products.alerts import addresses

from . import files
from .answers import Held, headers_of, language_for, redirect_headers, takes_gzip

if TYPE_CHECKING:
    from .models import PublicFile

FRESH_SECONDS = 1.0
"""How old the answer to "was anything published?" may be."""
ASK_SECONDS = 0.4
"""How often it is asked while somebody reads."""
MOST_BYTES = 64 << 20
LARGEST_BYTES = 1 << 20
"""What is larger is read from the disk each time."""
MOST_COUNTED = 20_000
_WIDGET = addresses.widget("")[:-1]


class Shelf:
    """Bounded; the file that nobody asked for the longest goes first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._written: dict[tuple[str, bool], tuple[bytes, bytes]] = {}
        self._bytes = 0
        self._changes = -1
        self._languages: tuple[str, ...] = ()
        self._checked_at = float("-inf")
        self._lock = threading.Lock()
        self.taken = Counter[str]()
        """How often each address was read since somebody last asked; of readers nothing is known."""
        self.shown_by = Counter[str]()
        """How often other hosts' pages showed the widget: the host alone."""

    # On the loop.

    def ready(self, path: str) -> Held | None:
        """What lies there, if that is known for certain; None: somebody must look."""
        if time.monotonic() - self._checked_at > FRESH_SECONDS:
            return None
        held = self._held.get(path)
        if held is not None:
            try:
                self._held.move_to_end(path)
            except KeyError:  # A thread has just let it go.
                return None
        return held

    @property
    def is_due(self) -> bool:
        """Whether it is time to ask again."""
        return time.monotonic() - self._checked_at > ASK_SECONDS

    def written(self, held: Held, is_packed: bool) -> tuple[bytes, bytes]:
        """The answer as it goes out: its head, up to the date, and its body."""
        found = self._written.get((held.path, is_packed))
        if found is None:
            body = held.packed if is_packed and held.packed is not None else held.plain
            headers = [*headers_of(held, is_packed, is_encrypted=is_encrypted()), ("Content-Length", str(len(body)))]
            head = "".join(f"{name}: {value}\r\n" for name, value in headers)
            found = (f"HTTP/1.1 {held.status} {responses[held.status]}\r\n{head}".encode("latin-1"), body)
            self._written[(held.path, is_packed)] = found
        return found

    def language(self, accept_language: str) -> str:
        """The one to which the root leads this reader."""
        return language_for(accept_language, self._languages)

    def count(self, path: str, referrer: str = "") -> None:
        if path in self.taken or len(self.taken) < MOST_COUNTED:
            self.taken[path] += 1
        if referrer and path.startswith(_WIDGET):
            host = host_of(referrer)
            if host and (host in self.shown_by or len(self.shown_by) < MOST_COUNTED):
                self.shown_by[host] += 1

    # In a thread.

    def check(self) -> None:
        """Ask whether anything was published."""
        from .models import PublicFile, PublicState

        begun = time.monotonic()
        changes = PublicState.objects.values_list("changes", flat=True).order_by("pk").first() or 0
        if changes != self._changes:
            languages = _languages_of(PublicFile.objects.filter(path=addresses.MADE_BY).first())
            with self._lock:
                self._held, self._written, self._bytes = OrderedDict(), {}, 0
                self._changes, self._languages = changes, languages
        self._checked_at = max(self._checked_at, begun)

    def look_up(self, path: str) -> Held | None:
        """What lies there now, and keep it; None: nothing does. Raises FileNotFoundError or Damaged."""
        from .models import PublicFile

        self.check()
        if (held := self._held.get(path)) is not None:
            return held
        changes = self._changes
        row = PublicFile.objects.filter(path=path).first()
        if row is None:
            return None
        body = files.held(row.sha256)
        held = Held(row.sha256, row.media_type, row.published_at, path, body.plain, body.packed, row.is_gone)
        if held.size_bytes <= LARGEST_BYTES:
            self._put(held, changes)
        return held

    def _put(self, held: Held, changes: int) -> None:
        with self._lock:
            if changes != self._changes or held.path in self._held:
                return
            self._held[held.path] = held
            self._bytes += held.size_bytes
            while self._bytes > self._most:
                path, old = self._held.popitem(last=False)
                self._bytes -= old.size_bytes
                self._written.pop((path, True), None)
                self._written.pop((path, False), None)

    def take_counts(self) -> Counter[str]:
        """How often each address was read since this was last asked."""
        found, self.taken = self.taken, Counter()
        return found

    def take_hosts(self) -> Counter[str]:
        """The same of the hosts that show the widget."""
        found, self.shown_by = self.shown_by, Counter()
        return found


def host_of(referrer: str) -> str:
    """The host alone; empty for what is no address."""
    try:
        return (urlsplit(referrer).hostname or "")[:253]
    except ValueError:
        return ""


def _languages_of(made_by: PublicFile | None) -> tuple[str, ...]:
    """In which the site has a home, as it says itself."""
    if made_by is None:
        return ()
    try:
        said = json.loads(files.read(made_by.sha256)).get("languages")
    except (OSError, files.Damaged, ValueError, AttributeError):  # Then the page at the root offers all of them.
        return ()
    return tuple(str(each) for each in said) if isinstance(said, list) else ()


def answer(shelf: Shelf, path: str, said: dict[str, str], date: str) -> bytes | None:
    """The whole answer to a GET, on the loop; None: Django shall see to it. `said` has the names in small letters."""
    if not path and (language := shelf.language(said.get("accept-language", ""))):
        if shelf.ready(path) is None:
            return None
        headers = [*redirect_headers(language), ("Content-Length", "0"), ("Date", date)]
        return ("HTTP/1.1 302 Found\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n").encode()
    held = shelf.ready(path)
    if held is None:
        return None
    is_packed = held.packed is not None and takes_gzip(said.get("accept-encoding", ""))
    shelf.count(path, said.get("referer", ""))
    if held.is_as_known(said):
        headers = [*headers_of(held, is_packed, is_encrypted=is_encrypted(), status=304), ("Date", date)]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        return f"HTTP/1.1 304 Not Modified\r\n{head}\r\n".encode("latin-1")
    begin, body = shelf.written(held, is_packed)
    return b"%bDate: %b\r\n\r\n%b" % (begin, date.encode("ascii"), body)


@cache
def is_encrypted() -> bool:
    return bool(settings.INSTALLATION.public_origin.startswith("https:"))


SHELF = Shelf()
"""That of this process."""
