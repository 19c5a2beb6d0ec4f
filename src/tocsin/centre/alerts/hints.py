"""What other web servers are told of an exported site: what is gone, how long files are kept, which types they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from tocsin.products.alerts import addresses

from .answers import ASKED_EACH_TIME, KEPT_FOR_GOOD, PERMISSIONS
from .public.frame import POLICY

FOLDER = "hints/"


class _Row(Protocol):
    @property
    def path(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def is_gone(self) -> bool: ...


def files_for(rows: Sequence[_Row], folder: Path, base: str) -> Iterator[tuple[str, bytes]]:
    """Name in the folder, and bytes."""
    gone = {each.path: _told_at(each.path) for each in rows if each.is_gone}
    yield f"{FOLDER}gone.txt", "".join(f"{base}{path}\n" for path in gone).encode()
    yield f"{FOLDER}nginx-http.conf", _map(gone, base).encode()
    yield f"{FOLDER}nginx-server.conf", _server(rows, folder, base).encode()


def _told_at(path: str) -> str:
    """The page that says why something is gone: its own, or that of its alert."""
    return f"{path}index.html" if path.endswith("/") else f"{path.split('/')[0]}/index.html"


def _map(gone: dict[str, str], base: str) -> str:
    """For the `http` of nginx: where it is said why something is gone."""
    lines = "".join(f'    "{base}{path}" "{page}";\n' for path, page in gone.items())
    return (
        "# Goes into `http`. What was cancelled is answered with 410 and the reason.\n"
        "map_hash_max_size 65536;\nmap_hash_bucket_size 256;\n"
        f'map $uri $tocsin_gone {{\n    default "";\n{lines}}}\n'
    )


def _server(rows: Sequence[_Row], folder: Path, base: str) -> str:
    """For a `server` of nginx."""
    types = _types(rows)
    listed = "".join(f"        {kind} {' '.join(sorted(endings))};\n" for kind, endings in sorted(types.items()))
    shared = (
        "        add_header X-Content-Type-Options nosniff always;\n"
        "        add_header Referrer-Policy no-referrer always;\n"
        f'        add_header Permissions-Policy "{PERMISSIONS}" always;\n'
    )
    page = f"        add_header Content-Security-Policy \"{POLICY}; frame-ancestors 'none'\" always;\n"
    open_to_all = "        add_header Access-Control-Allow-Origin * always;\n"
    asked = f'        add_header Cache-Control "{ASKED_EACH_TIME}" always;\n'
    inside = f"        gzip_static on;\n        charset utf-8;\n        types {{\n{_inner(listed)}        }}\n"
    framed = page.replace("frame-ancestors 'none'", "frame-ancestors *")
    return (
        "# Goes into a `server`; nginx-http.conf goes into `http`.\n"
        f"location = {base}{addresses.NOT_FOUND} {{\n        internal;\n        alias {folder}/{addresses.NOT_FOUND};\n"
        f"{shared}{page}}}\n"
        f"location ^~ {base}{FOLDER} {{ return 404; }}\n"
        f"location ^~ {base}assets/ {{\n        alias {folder}/assets/;\n{inside}{shared}{open_to_all}"
        f'        add_header Cache-Control "{KEPT_FOR_GOOD}";\n}}\n'
        f"location ^~ {base}widget/ {{\n        alias {folder}/widget/;\n        index index.html;\n{inside}{shared}"
        f"{open_to_all}{framed}{asked}}}\n"
        f"location ^~ /tocsin-gone/ {{\n        internal;\n        alias {folder}/;\n{inside}{shared}{page}{asked}}}\n"
        f"location ^~ {base} {{\n        alias {folder}/;\n        index index.html;\n{inside}{shared}{open_to_all}"
        f"{page}{asked}"
        f"        error_page 404 {base}{addresses.NOT_FOUND};\n"
        "        error_page 410 /tocsin-gone/$tocsin_gone;\n"
        '        if ($tocsin_gone != "") { return 410; }\n'
        "}\n"
    )


def _inner(lines: str) -> str:
    return "".join(f"    {line}\n" for line in lines.splitlines())


def _types(rows: Sequence[_Row]) -> dict[str, set[str]]:
    """Media type → endings of names; of an ending with several types, the one that most files have."""
    counts: dict[str, dict[str, int]] = {"html": {"text/html": 1}}
    for each in rows:
        name = each.path.rpartition("/")[2]
        if "." not in name or each.is_gone:
            continue
        ending, kind = name.rpartition(".")[2], each.media_type.partition(";")[0].strip()
        known = counts.setdefault(ending, {})
        known[kind] = known.get(kind, 0) + 1
    found: dict[str, set[str]] = {}
    for ending, kinds in counts.items():
        found.setdefault(max(kinds, key=lambda kind: (kinds[kind], kind)), set()).add(ending)
    return found
