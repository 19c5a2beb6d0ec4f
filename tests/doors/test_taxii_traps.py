"""What public TAXII servers stumble over: whatever is sent, a TAXII resource or error comes back, and never 500."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from django.conf import settings as django_settings
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import builders
from tests.doors.conftest import GiveKey, work
from tests.doors.taxii_readers import NOBODY, Program, is_problem, sent

from tocsin.centre.intake.models import Delivery
from tocsin.core.errors import InputError
from tocsin.taxii.envelopes import MOST_PARTS, named_objects
from tocsin.taxii.media_types import MEDIA_TYPE, accepts, is_taxii

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.usefixtures("store")]
RELEASED = "collections/released/objects/"
GOOD = json.dumps({"objects": [builders.indicator(1)]}).encode()


@pytest.fixture
def fleur(give_key: GiveKey) -> Program:
    return Program(Client(raise_request_exception=False), give_key("fleur_officer"), "ncb-fr")


def test_a_disk_that_fills_says_when_to_come_again(fleur: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.centre.intake.pressure.require_means", lambda: None)
    monkeypatch.setattr("tocsin.centre.intake.store.RESERVE_BYTES", 1 << 62)
    response = fleur.post(GOOD)
    assert is_problem(response, 507)
    assert int(response["Retry-After"]) > 0
    assert not Delivery.objects.exists()


BODIES = (
    b"", b"{}", b"[]", b"null", b'{"objects":[]}', b'{"objects":{}}', b'{"objects":null}', b'{"objects":[', b"\0",
    b"\xef\xbb\xbf" + GOOD, GOOD.decode().encode("utf-16"), b'{"objects":[{"id":"\xff"}]}',
    b'{"objects":[{"x":"\xff"}]}',
    b'{"objects":[{"x":"\xed\xa0\x80"}]}', b'{"objects":[{"id":"\\ud800"}]}', b'{"objects":[NaN]}',
    b'{"objects":[{"id":NaN}]}',
    b'{"objects":[Infinity]}', GOOD + b"x", GOOD + GOOD, gzip.compress(GOOD), b"[" * 60_000,
    b'{"objects":[' + b'{"a":' * 60_000,
    b'{"objects":[{"x":' + b"[" * 60_000 + b"]" * 60_000 + b"}]}", b'{"objects":' * 60_000, b"{'objects': []}",
)  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_what_is_no_envelope_is_422(fleur: Program, body: bytes) -> None:
    assert is_problem(fleur.post(body), 422)
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_objects_that_are_none_fail_one_by_one(fleur: Program) -> None:
    good, old = builders.indicator(1), {**builders.indicator(2), "labels": ["malicious-activity"]}
    del old["spec_version"], old["pattern_type"]  # As STIX 2.0 has it.
    odd = [7, None, "x", [], True, {}, {"id": "\0"}, {"id": 3, "type": []}, {"type": "indicator", "id": "indicator--1"},
           {**good, "id": "malware--00000000-0000-4000-8000-000000000001"}, 1e308]  # fmt: skip
    posted = fleur.post({"objects": [good, *odd, old], "more": "yes", "next": 7})
    assert (posted.status_code, posted.json()["total_count"]) == (202, len(odd) + 2)
    work()
    done = fleur.get(f"status/{posted.json()['id']}/").json()
    assert (done["status"], done["success_count"], done["failure_count"]) == ("complete", 2, len(odd))
    assert [each["id"] for each in done["successes"]] == [good["id"], old["id"]]
    assert "failures" not in done, "a list is whole or absent, and most of these state no identifier"


def test_an_envelope_of_millions_of_nothings_is_none() -> None:
    assert len(named_objects(b'{"objects":[' + b"{}," * 9_999 + b"{}]}")) == 10_000
    with pytest.raises(InputError):
        named_objects(b'{"objects":[' + b"{}," * MOST_PARTS + b"{},{}]}")


def test_lengths_and_encodings(fleur: Program) -> None:
    for encoding in ("gzip", "br", "deflate", "identity, gzip", "x"):
        assert is_problem(fleur.post(GOOD, **{"Content-Encoding": encoding}), 415)
    assert fleur.post(GOOD, **{"Content-Encoding": "Identity"}).status_code == 202
    address, headers = fleur.at("collections/inbox/objects/"), fleur.headers
    limit = fleur.get("").json()["max_content_length"]

    def streamed(body: bytes, **said: Any) -> Any:
        environ = {"wsgi.input": io.BytesIO(body), "CONTENT_TYPE": MEDIA_TYPE, "CONTENT_LENGTH": "", **said}
        return fleur.client.generic("POST", address, headers=headers, **environ)

    other = GOOD.replace(b"192.0.2.1", b"192.0.2.9")
    assert streamed(other, **{"wsgi.input_terminated": True}).status_code == 202, "in pieces, without a length"
    assert is_problem(streamed(other), 422), "neither in pieces nor with a length there is no body"
    assert is_problem(streamed(b" " * (limit + 1), **{"wsgi.input_terminated": True}), 413)
    assert is_problem(streamed(b"", CONTENT_LENGTH=str(1 << 60)), 413), "before anything is read"
    assert is_problem(streamed(GOOD, CONTENT_LENGTH=str(len(GOOD) + 9)), 422), "it ended early"


def test_before_and_behind_our_doors_refusals_are_taxii_too(fleur: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_problem(fleur.get("/taxii2/", Host="evil.example"), 400)
    assert is_problem(fleur.get(f"{RELEASED}?" + "&".join(f"a{n}=1" for n in range(2_000))), 400)
    assert is_problem(fleur.ask("TRACE", RELEASED), 405)
    assert is_problem(fleur.get(f"{RELEASED}?next=%00"), 400)
    arabic = fleur.get("", **{"Accept-Language": "ar"})
    assert arabic["Content-Language"] == "ar"
    # Refused before a language was chosen: that of the one before is not his who asks now.
    last = [fleur.get(f"{RELEASED}?next=%00", **{"Accept-Language": each}).json()["title"] for each in ("ar", "en")]
    assert last[1] == "The request is not understood."
    assert is_problem(fleur.get(f"{RELEASED}%00/"), 400)
    from tocsin.taxii import views

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(views, "_own", broken)
    assert is_problem(fleur.get("collections/"), 500), "even a fault of ours"


def test_methods(fleur: Program) -> None:
    sent(1)
    for path in ("/taxii2/", "", "collections/", "collections/released/", "collections/released/manifest/", RELEASED):
        for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
            answer = fleur.ask(method, path)
            assert is_problem(answer, 405)
            assert answer["Allow"] == ("GET, HEAD, POST" if path == RELEASED else "GET, HEAD")
        whole, bare = fleur.get(path), fleur.ask("HEAD", path)
        assert (bare.status_code, bare.content, bare["Content-Length"]) == (200, b"", str(len(whole.content)))
    assert is_problem(fleur.ask("PUT", f"{RELEASED}{NOBODY}/"), 405)
    assert is_problem(fleur.ask("PUT", "nothing/here/"), 404)


def test_whoever_asks_with_head_has_taken_nothing(fleur: Program) -> None:
    from tocsin.centre.ledger.models import Taking

    sent(1)
    fleur.ask("HEAD", RELEASED)
    assert not Taking.objects.exists()
    fleur.get(RELEASED)
    assert Taking.objects.exists()


@given(st.text(max_size=80), st.sampled_from(["", ", ", ";q=0", ";q=", '"', ";version="]))
def test_no_header_breaks_the_reading_of_media_types(text: str, glue: str) -> None:
    assert accepts(f"{text}{glue}") in {True, False}
    assert is_taxii(f"{text}{glue}") in {True, False}
    assert accepts(f"{MEDIA_TYPE}, {text.replace(chr(34), '')}") is True or "taxii" in text.lower()


PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([
        b"indicator", b"all", b"last,all", b"2026-11-20T10:00:00Z", b"5", b"0", b"-1", b"9" * 30, b'"', b",", b"2.1",
        b"\xff\xfe",
        NOBODY.encode(), b"9999-12-31T23:59:59.999999Z", b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59-14:00",
        b"first,last",
    ]),
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(["added_after", "limit", "next", "match[type]", "match[id]", "match[version]",
    "match[spec_version]",
                     "match[x]", "match", "match[", "x"]),
    st.text(max_size=6),
)  # fmt: skip
PATHS = st.one_of(
    st.sampled_from([
        "/taxii2/", "/taxii2", "", "collections/", "collections/released/", RELEASED, "collections/released/manifest/",
        f"{RELEASED}{NOBODY}/", f"{RELEASED}{NOBODY}/versions/", "collections/recalls/objects/",
        "collections/inbox/objects/",
        "collections/recalls/manifest/", "status/x/", f"status/{NOBODY[11:]}/", "/taxii2/public-alerts/collections/",
    ]),
    st.binary(max_size=10).map(lambda odd: f"/taxii2/{quote_from_bytes(odd, safe='')}/"),
    st.binary(max_size=10).map(lambda odd: f"{RELEASED}{quote_from_bytes(odd, safe='')}/versions/"),
)  # fmt: skip
HEADERS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
MEDIA = st.one_of(
    HEADERS, st.sampled_from([MEDIA_TYPE, "application/taxii+json", f'{MEDIA_TYPE};q="0"', "*/*;q=0.1", "a/b"])
)


def test_whatever_is_asked_the_answer_is_taxii(fleur: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Odd methods, addresses, queries, headers and bodies, all at once."""
    unbounded = {**django_settings.INSTALLATION.limits, "key_requests": 0}
    monkeypatch.setattr(django_settings, "INSTALLATION", replace(django_settings.INSTALLATION, limits=unbounded))
    sent(1, 2)

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        method=st.sampled_from(["GET", "GET", "GET", "POST", "POST", "HEAD", "DELETE", "PUT", "OPTIONS", "XX"]),
        path=PATHS, pairs=st.lists(st.tuples(NAMES, PIECES), max_size=4), accept=MEDIA, kind=MEDIA,
        body=st.one_of(st.sampled_from(BODIES), st.binary(max_size=40)), is_known=st.booleans(),
    )  # fmt: skip
    def ask(
        method: str, path: str, pairs: list[tuple[str, bytes]], accept: str, kind: str, body: bytes, is_known: bool
    ) -> None:
        query = "&".join(f"{quote_from_bytes(name.encode())}={quote_from_bytes(value)}" for name, value in pairs)
        said = {"Accept": accept, "Content-Type": kind, **({} if is_known else {"Authorization": accept})}
        answer = fleur.client.generic(
            method, fleur.at(path), body, content_type=kind, headers={**fleur.headers, **said}, QUERY_STRING=query
        )
        assert answer.status_code < 500
        assert answer["Content-Type"] == MEDIA_TYPE
        if method != "HEAD" and answer.status_code >= 400:
            assert is_problem(answer, answer.status_code)
        elif method != "HEAD":
            assert isinstance(answer.json(), dict)

    ask()
