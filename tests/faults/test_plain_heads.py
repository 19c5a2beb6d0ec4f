"""Most requests are read without h11, and answered without it: as h11 would have read and answered them."""

from __future__ import annotations

import socket
import threading
import time

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocsin.site.serving.environ import NotUnderstood, named, require_plain
from tocsin.site.serving.hands import Hands
from tocsin.site.serving.plain import Alike, Framed, by_h11, encoded, read
from tocsin.site.serving.sockets import sent_together

NAMES = st.sampled_from(
    [
        b"Accept",
        b"host",
        b"HOST",
        b"Connection",
        b"Content-Length",
        b"Transfer-Encoding",
        b"Expect",
        b"X_Y",
        b"X-\xe9",
        b"Upgrade",
        b"a b",
        b"",
        b"Authorization",
        b" folded",
        b"TE",
        b"Cookie",
    ]
)
VALUES = st.one_of(
    st.sampled_from(
        [b"", b"keep-alive", b"close", b"0", b"7", b"chunked", b"localhost", b" spaced \t", b"a\x00b", b"\xff"]
    ),
    st.binary(max_size=12),
)
FIRSTS = st.one_of(
    st.sampled_from(
        [
            b"GET / HTTP/1.1",
            b"GET /a?b=%20 HTTP/1.1",
            b"GET / HTTP/1.0",
            b"POST / HTTP/1.1",
            b"GET  / HTTP/1.1",
            b"GET *",
            b"GET http://h/ HTTP/1.1",
            b"GET /\xe9 HTTP/1.1",
            b"get / HTTP/1.1",
            b"GET / HTTP/1.1 ",
            b"GET /a b HTTP/1.1",
        ]
    ),
    st.binary(max_size=20),
)


@given(FIRSTS, st.lists(st.tuples(NAMES, st.sampled_from([b":", b": ", b"", b" : "]), VALUES), max_size=6))
@example(b"GET / HTTP/1.1", [(b"host", b": ", b"localhost"), (b"Accept", b":", b"*/*")])
def test_what_is_read_plainly_means_the_same_to_h11(first, said):
    lines = [first, *(name + between + value for name, between, value in said)]
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    head = head[: head.index(b"\r\n\r\n") + 4]
    found = read(head)
    if found is None:
        return
    require_plain(head[:-2])  # Nothing that is refused as ambiguous is taken on the short way.
    other = h11.Connection(h11.SERVER)
    other.receive_data(head)
    request = other.next_event()
    assert (request.method, request.http_version) == (b"GET", b"1.1")
    assert found == (request.target, list(request.headers))
    assert isinstance(other.next_event(), h11.EndOfMessage)
    assert not other.they_are_waiting_for_100_continue


def test_what_programs_and_browsers_send_is_read_plainly():
    head = (
        b"GET /taxii2/?limit=5 HTTP/1.1\r\nHost: localhost:8443\r\nUser-Agent: python-requests/2.32\r\n"
        b"Accept-Encoding: gzip, deflate\r\nAccept: application/taxii+json;version=2.1\r\n"
        b"Connection: keep-alive\r\n\r\n"
    )
    assert read(head) is not None
    for odd in (
        b"Connection: close",
        b"Content-Length: 0",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Host: other",
        b" folded",
        b"Name : value",
        b"Value: a\nb",
        b"Value: a\x00",
        b"nothing",
    ):
        assert read(head[:-2] + odd + b"\r\n\r\n") is None, odd
    with pytest.raises(NotUnderstood):
        require_plain(b"GET / HTTP/1.1\r\nHost: a\nX: b")


HEADS = st.tuples(FIRSTS, st.lists(st.tuples(NAMES, VALUES), max_size=2))


@given(st.lists(st.one_of(HEADS, st.sampled_from([(b"GET /a HTTP/1.1", []), (b"GET /b?c HTTP/1.1", [])])), max_size=6))
@example([(b"GET /a HTTP/1.1", []), (b"GET /b HTTP/1.1", []), (b"POST /b HTTP/1.1", []), (b"GET /c HTTP/1.1", [])])
def test_what_came_before_on_a_connection_changes_nothing_in_how_a_head_is_read(said):
    alike = Alike()
    for first, more in said:
        lines = [first, b"Host: h", *(name + b": " + value for name, value in more)]
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        head = head[: head.index(b"\r\n\r\n") + 4]
        expected = read(head)
        assert alike.read(head) == expected
        if expected is not None:
            assert alike.named == named(expected[1])


@given(st.lists(st.binary(max_size=300_000), min_size=1, max_size=5), st.sampled_from([0, 1, 4_096, 1 << 22]))
@settings(max_examples=20, deadline=None)
def test_pieces_leave_in_their_order_and_each_byte_once(pieces, room):
    one, other = socket.socketpair()
    with one, other:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        one.setblocking(False)
        left, came = list(pieces), b""
        other.settimeout(5)
        while any(map(len, left)):
            left = sent_together(one.fileno(), left)
            assert all(map(len, left))
            while len(came) + sum(map(len, left)) < sum(map(len, pieces)):
                came += other.recv(1 << 20)
        assert came == b"".join(pieces)
    assert sent_together(other.fileno(), pieces) == pieces  # It is closed.


def test_headers_of_answers_are_those_that_django_gave():
    for _ in range(2):
        assert encoded("Vary", " Accept") == (b"Vary", b"Accept")
        assert encoded("Set-Cookie", " a=b\N{SNOWMAN}") == (b"Set-Cookie", b"a=b?")


@given(
    st.sampled_from([200, 302, 404, 503, 599]),
    st.binary(max_size=50),
    st.sampled_from([b"close", b"keep-alive", b""]),
    st.lists(
        st.tuples(st.sampled_from([b"X-One", b"Set-Cookie"]), st.sampled_from([b"a", b"b; c", b"\xe9"])), max_size=3
    ),
)
def test_an_answer_is_framed_as_h11_reads_it(status, body, connection, more):
    headers = [(b"Content-Length", b"%d" % len(body)), *more, *([(b"Connection", connection)] if connection else [])]
    assert Framed.fits(status, headers)
    ours = Framed()
    wire = ours.head(status, headers) + b"".join(ours.send_with_data_passthrough(h11.Data(data=body)))
    wire += b"".join(ours.send_with_data_passthrough(h11.EndOfMessage()))
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    client.send(h11.EndOfMessage())
    client.receive_data(wire)
    answer, came = client.next_event(), b""
    while isinstance(event := client.next_event(), h11.Data):
        came += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert (answer.status_code, came) == (status, body)
    assert list(answer.headers.raw_items()) == headers
    assert (ours.our_state is h11.MUST_CLOSE) == (connection == b"close")


def _all_of(framed, body):
    for event in (h11.Data(data=body), h11.EndOfMessage()):
        framed.send_with_data_passthrough(event)


def test_what_cannot_be_framed_by_its_length_goes_by_h11():
    length = (b"Content-Length", b"3")
    odd = [(200, []), (204, [length]), (304, [length]), (200, [length, length]), (100, [length])]
    odd += [(200, [(b"content-length", b"x")]), (200, [length, (b"Transfer-Encoding", b"chunked")])]
    for status, headers in odd:
        assert not Framed.fits(status, headers)
    made = by_h11()
    said = made.send(h11.Response(status_code=200, headers=[("Server", "t")]))
    assert b"chunked" in said
    made.send(h11.EndOfMessage())
    assert made.our_state is made.their_state is h11.DONE
    for name, value in ((b"X", b"a\r\nSet-Cookie: b"), (b"X\r\n", b"a"), (b"X", b"\x00")):
        with pytest.raises(h11.LocalProtocolError):
            Framed().head(200, [length, (name, value)])
    for body in (b"ab", b"abcd"):
        framed = Framed()
        framed.head(200, [length])
        with pytest.raises(h11.LocalProtocolError):
            _all_of(framed, body)


def test_the_thread_that_worked_last_works_next():
    hands, here, told = Hands(3, "test"), [], threading.Semaphore(0)

    def task():
        here.append(threading.current_thread().name)
        return told.release

    for _ in range(20):
        hands.do(task)
        told.acquire()
    assert set(here) == {"test_0"}
    gate = threading.Event()

    def waits():
        gate.wait(10)
        return task()

    for _ in range(3):
        hands.do(waits)
    gate.set()
    for _ in range(3):
        told.acquire()
    assert {"test_0", "test_1", "test_2"} == set(here)
    hands.end()
    hands.do(task)
    time.sleep(0.01)
    assert len(here) == 23
    for each in threading.enumerate():
        if each.name.startswith("test_"):
            each.join(10)
            assert not each.is_alive()
