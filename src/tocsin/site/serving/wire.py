"""One connection: requests come in and answers go out, as fast as the client and the threads let them."""

from __future__ import annotations

import asyncio
import io
import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from http.client import responses
from typing import Any, cast

import h11

from .environ import Headers, NotUnderstood, environ_of, length_of, require_plain
from .incoming import Broken, Incoming
from .lanes import Answer, Lane
from .plain import Alike, Framed, by_h11, encoded
from .refusing import refusal
from .rules import Rules
from .sockets import Piece, pair_of, sent_together
from .state import Stage, State

log = logging.getLogger(__name__)
END = b"\r\n\r\n"
METHOD = re.compile(rb"[A-Za-z-]{0,20}(?: |\Z)")
"""How a request begins; what does not is no HTTP, and nobody waits for its end."""
STOPPING = "the server stops"


class Wire(asyncio.Protocol):
    """What one client sends and gets."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._rules: Rules = state.rules
        self._loop = asyncio.get_running_loop()
        self._http: h11.Connection | Framed | None = None
        self._alike = Alike()
        self._came = b""  # Of a head, or of what follows a request that is being answered.
        self._small: list[bytes] = []
        self._small_bytes = 0
        self._incoming: Incoming | None = None
        self._environ: dict[str, Any] = {}
        self._turn: Future[Answer | None] | None = None
        self._number = 0
        """Of the request: what a thread still makes of an earlier one is not wanted any more."""
        self._is_answered = False
        self._will_send_no_more = False
        self._is_reading_paused = False
        self._is_writing_paused = False
        self._written = 0
        self._together: list[Piece] | None = None
        """What is gathered before it is written."""
        self._room = asyncio.Event()
        self._room.set()
        self.stage = Stage.HEAD
        self.is_closed = False
        self.mark_at, self._mark = 0.0, 0
        """When the pace of the client was looked at, and how far it was then."""

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._rules.answer_bytes)
        self._descriptor: int = transport.get_extra_info("socket").fileno()
        self._client = pair_of(transport.get_extra_info("peername"))
        self._server = pair_of(transport.get_extra_info("sockname"))
        if not self._state.join(self):
            self.abort()

    def data_received(self, data: bytes) -> None:
        match self.stage:
            case Stage.HEAD:
                self._head_came(data)
            case Stage.BODY | Stage.ANSWER if self._wants_body:
                self._body_came(data)
            case Stage.LEAVING:
                pass
            case _:
                # Further requests wait until this one is answered.
                self._came += data
                self._pause_reading()

    def eof_received(self) -> bool:
        self._will_send_no_more = True
        if self.stage is Stage.BODY:
            self.refuse(400)
        elif self._wants_body:
            self._break_off("the client left")
        # What came before the end is answered still.
        return not self.is_closed and (self.stage is Stage.ANSWER or (self.stage is Stage.HEAD and bool(self._came)))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closed = True
        self._break_off("the client left")
        self._room.set()
        self._forget_small()
        self._state.is_gone(self)

    def pause_writing(self) -> None:
        self._is_writing_paused = True
        self._room.clear()

    def resume_writing(self) -> None:
        self._is_writing_paused = False
        self._room.set()
        if self.stage is Stage.HEAD and self._came:
            self._loop.call_soon(self._go_on)

    # A request comes in.

    @property
    def _wants_body(self) -> bool:
        return self._http is not None and self._http.their_state is h11.SEND_BODY

    def _head_came(self, data: bytes) -> None:
        if self._is_writing_paused:  # Who does not take answers gets no more of them.
            self._came += data
            self._pause_reading()
            return
        if not self._came and data:
            self._state.begins(self)
        self._came += data
        if self._came.startswith(b"\r\n"):  # Some clients send a line too many after a body.
            self._came = self._came[2:]
        end = self._came.find(END)
        if end < 0 or end > self._rules.head_bytes:
            if len(self._came) > self._rules.head_bytes:
                self.refuse(431)
            elif self._will_send_no_more or not METHOD.match(self._came):
                self.refuse(400)
            return
        head, self._came = self._came[: end + len(END)], self._came[end + len(END) :]
        try:
            self._begin(head)
        except NotUnderstood as error:
            self.refuse(error.status)
        except h11.RemoteProtocolError as error:
            self.refuse(error.error_status_hint)

    def _go_on(self) -> None:
        """With what came behind the last request, unless more came meanwhile and that was done."""
        if self.stage is Stage.HEAD and self._came:
            self._head_came(b"")

    def _begin(self, head: bytes) -> None:
        self._number += 1
        self._is_answered = False
        self._environ = {}
        if (plain := self._alike.read(head)) is not None:
            self._begin_plain(*plain)
            return
        require_plain(head[:-2])
        # A new one for each request: what follows on the connection is held here, never by it.
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=self._rules.head_bytes)
        self._http.receive_data(head)
        request = self._http.next_event()
        if not isinstance(request, h11.Request) or request.http_version not in (b"1.0", b"1.1"):
            raise NotUnderstood(400)
        headers = list(request.headers)
        length = length_of(headers, request.http_version)
        is_small = length is not None and length <= self._rules.small_bytes
        self._incoming = None if is_small else Incoming(self._rules.held_bytes, self._ask_for_more)
        self._environ = environ_of(
            request.method, request.target, request.http_version, headers,
            client=self._client, server=self._server, body=self._incoming or io.BytesIO(),  # type: ignore[arg-type]
        )  # fmt: skip
        self._state.asked(self)
        self._mark_now(0)
        self.stage = Stage.BODY if is_small else Stage.ANSWER
        if is_small and length:
            self._take_small(length)
        if self._incoming is not None:
            self._ask(self._state.lanes.bodies)
        came, self._came = self._came, b""
        self._body_came(came)

    def _begin_plain(self, target: bytes, headers: Headers) -> None:
        self._http, self._incoming = Framed(), None
        self._state.asked(self)
        self._mark_now(0)
        if (ready := self._state.at_once(target, headers)) is not None:
            self._is_answered, self.stage = True, Stage.ANSWER
            self._write(ready)
            self._end()
            return
        self._environ = environ_of(
            b"GET", target, b"1.1", headers, client=self._client, server=self._server, body=io.BytesIO(),
            known=self._alike.named,
        )  # fmt: skip
        self._ask(self._state.lanes.of(self._environ["PATH_INFO"]))

    def _take_small(self, length: int) -> None:
        if not self._state.may_take(length):
            self.refuse(503)
            return
        self._small_bytes = length
        self._state.small_bytes += length
        self._continue()

    def _body_came(self, data: bytes) -> None:
        if self._http is None or self._is_answered or isinstance(self._http, Framed):
            return
        try:
            if data:
                self._http.receive_data(data)
            while (event := self._http.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
                self._take(event)
        except h11.RemoteProtocolError as error:
            self._break_off("what the client sent is no body")
            if self._incoming is None:
                self.refuse(error.error_status_hint)

    def _take(self, event: Any) -> None:
        if isinstance(event, h11.Data):
            piece = bytes(event.data)
            if self._incoming is None:
                self._small.append(piece)
                return
            self._incoming.feed(piece)
            if self._incoming.is_full:
                self._pause_reading()
        elif isinstance(event, h11.EndOfMessage):
            assert isinstance(self._http, h11.Connection)
            self._came = self._http.trailing_data[0] + self._came
            if self._incoming is not None:
                self._incoming.end()
                return
            self._environ["wsgi.input"] = io.BytesIO(b"".join(self._small))
            self._forget_small()
            self._ask(self._state.lanes.of(self._environ["PATH_INFO"]))
        elif isinstance(event, h11.ConnectionClosed):
            self._break_off("the client left")

    def _forget_small(self) -> None:
        self._small = []
        self._state.small_bytes -= self._small_bytes
        self._small_bytes = 0

    def _ask(self, lane: Lane) -> None:
        """Give it to a thread."""
        if self.is_closed or self._is_answered:
            return
        self.stage = Stage.ANSWER
        number = self._number
        asker = self._state.lanes.askers.of(self._environ)
        self._turn = waits = lane.run(partial(self._answer_of, self._environ, number), asker)
        waits.add_done_callback(lambda done: self._tell(partial(self._answered, lane, number, done)))

    def _answer_of(self, environ: dict[str, Any], number: int) -> Answer | None:
        """In a thread. Who left, or was answered already, while it waited, asks for nothing any more."""
        if self.is_closed or number != self._number or self._is_answered:
            return None
        return self._state.lanes.answer(environ)

    def _tell(self, task: Callable[[], None]) -> None:
        """From a thread, have the loop do it; at the very end there is none any more."""
        try:
            self._loop.call_soon_threadsafe(task)
        except RuntimeError:
            log.debug("the loop ended")

    def _ask_for_more(self) -> None:
        self._tell(self._continue)

    def _continue(self) -> None:
        """Somebody wants the body."""
        self._state.lanes.bodies.reads_on(self._turn)
        if self.is_closed or self._is_answered:
            return
        if isinstance(self._http, h11.Connection) and self._http.they_are_waiting_for_100_continue:
            said = self._http.send(h11.InformationalResponse(status_code=100, headers=[], reason="Continue"))
            self._write(said or b"")
        if self._incoming is None or not self._incoming.is_full:
            self._mark_now(self._progress)
            self._resume_reading()

    # An answer goes out.

    def _answered(self, lane: Lane, number: int, done: Future[Answer | None]) -> None:
        lane.done(done)
        error = None if done.cancelled() else done.exception()
        answer = None if done.cancelled() or error is not None else done.result()
        if self.is_closed or number != self._number or self._is_answered:
            if answer is not None and answer.pieces is not None:
                self._state.lanes.stream().submit(answer.close)
            return
        if error is not None:
            if not isinstance(error, Broken):
                log.error("a request failed outside of Django", exc_info=error)
            self.refuse(500)
        elif answer is None:
            self.refuse(503)
        elif answer.pieces is None:
            self._together = []  # One packet for head and body: each would wake the client.
            self._start(answer)
            if answer.body and self._environ["REQUEST_METHOD"] != "HEAD":
                self._say(h11.Data(data=answer.body))
            self._write_together()
            self._end()
        else:
            self._start(answer)
            self._state.keep(self._loop.create_task(self._stream(answer)))

    def _start(self, answer: Answer) -> None:
        self._is_answered = True
        headers = [*answer.headers, ("Date", self._state.date())]
        if self._state.is_stopping or self._wants_body:
            headers.append(("Connection", "close"))
        lines = [encoded(name, value) for name, value in headers]
        self._mark_now(self._progress)
        if isinstance(self._http, Framed) and not self._http.fits(answer.status, lines):
            self._http = by_h11()
        try:
            if isinstance(self._http, Framed):
                self._write(self._http.head(answer.status, lines))
                return
            said = h11.Response(status_code=answer.status, headers=lines, reason=responses.get(answer.status, ""))
        except h11.LocalProtocolError:
            log.exception("an answer has headers that are none")
            self.abort()
        else:
            self._say(said)

    async def _stream(self, answer: Answer) -> None:
        lane = self._state.lanes.stream()
        assert answer.pieces is not None
        try:
            while not self.is_closed:
                piece = await self._loop.run_in_executor(lane, next, answer.pieces, None)
                if piece is None:
                    self._end()
                    return
                if piece and self._environ["REQUEST_METHOD"] != "HEAD":
                    self._say(h11.Data(data=piece))
                await self._room.wait()
        except Exception as error:  # What may not go on breaks off: the client sees that it is not whole.
            log.warning("an answer broke off: %s", type(error).__name__)
            self.abort()
        finally:
            lane.submit(answer.close)

    def _say(self, event: Any) -> None:
        assert self._http is not None
        try:
            for piece in self._http.send_with_data_passthrough(event) or ():
                self._write(piece)
        except h11.LocalProtocolError:
            log.exception("an answer is not what its headers say")
            self.abort()

    def _write(self, data: Piece) -> None:
        if self._together is not None:
            self._together.append(data)
        elif not self.is_closed and not self._transport.is_closing():
            self._written += len(data)
            self._transport.write(data)
            if self._transport.get_write_buffer_size():
                self._state.holds(self)

    def _write_together(self) -> None:
        """What was gathered, in one go where the client takes it."""
        pieces, self._together = self._together or [], None
        if self.is_closed or self._transport.is_closing() or not pieces:
            return
        if not self.unsent_bytes:
            whole = sum(map(len, pieces))
            pieces = sent_together(self._descriptor, pieces)
            self._written += whole - sum(map(len, pieces))
        for piece in pieces:
            self._write(piece)

    def _end(self) -> None:
        if self.is_closed:
            return
        self._say(h11.EndOfMessage())
        http = self._http
        assert http is not None
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE or self._state.is_stopping:
            self._leave()
            return
        if self._will_send_no_more and not self._came:
            self._leave()
            return
        self._http, self._incoming, self._environ, self.stage = None, None, {}, Stage.HEAD
        self._is_answered = False  # Or what is no request, or comes too slowly, could not be refused any more.
        self._state.idles(self)
        self._resume_reading()
        if self._came:
            self._state.begins(self)
            self._loop.call_soon(self._go_on)

    def refuse(self, status: int) -> None:
        """Answer from here, and close."""
        if self.is_closed or self._is_answered:
            return
        self._is_answered = True
        self._forget_small()
        self._break_off(STOPPING if self._state.is_stopping else "refused")
        headers, body = refusal(status, {"REMOTE_ADDR": self._client[0], **self._environ})
        reason = f"HTTP/1.1 {status} {responses[status]}"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        is_head = self._environ.get("REQUEST_METHOD") == "HEAD"
        self._write(f"{reason}\r\n{lines}\r\n".encode("latin-1") + (b"" if is_head else body))
        self._leave()

    def _leave(self) -> None:
        """Close, and let the client read its answer first: what it still sends would cut it off."""
        self.stage = Stage.LEAVING
        self._state.leaves(self)
        self._resume_reading()
        if self._transport.can_write_eof() and not self._transport.is_closing():
            try:
                self._transport.write_eof()
            except OSError:  # It left meanwhile.
                self.abort()

    def give_up(self) -> None:
        """The time for its head is over."""
        if self._came:
            self.refuse(408)
        else:
            self.abort()

    def abort(self) -> None:
        """End it at once."""
        self._break_off("given up")
        self._transport.abort()

    # What the round of the server asks.

    @property
    def unsent_bytes(self) -> int:
        """Of its answers, what its client has not taken yet."""
        return 0 if self.is_closed else self._transport.get_write_buffer_size()

    @property
    def _progress(self) -> int:
        """Bytes that came of the body and were taken of answers."""
        came = self._incoming.came_bytes if self._incoming is not None else sum(map(len, self._small))
        return came + self._written - self.unsent_bytes

    def _mark_now(self, progress: int) -> None:
        self.mark_at, self._mark = time.monotonic(), progress

    def look(self, now: float) -> None:
        """Give up a client that sends or takes too little."""
        if now - self.mark_at < self._rules.window_seconds:
            return
        moved = self._progress - self._mark
        self._mark_now(self._progress)
        waits_for_client = self.unsent_bytes > 0 or (
            self._wants_body and not self._is_reading_paused and not self._is_answered
        )
        if not waits_for_client or moved >= self._rules.window_bytes:
            return
        if self._is_answered:
            self.abort()
        else:
            self.refuse(408)

    def stop(self) -> None:
        """No more requests; what waits for a client goes, what is being answered stays."""
        if self.stage is Stage.HEAD:
            self._transport.close()

    def cut(self) -> None:
        """The time to stop is over: a body that is not whole is refused, and said so."""
        if self._wants_body and not self._is_answered:
            self.refuse(503)

    @property
    def is_under_way(self) -> bool:
        """Whether a request of it is not answered yet."""
        return self.stage in (Stage.BODY, Stage.ANSWER) or self.unsent_bytes > 0

    def _break_off(self, why: str) -> None:
        if self._incoming is not None:
            self._incoming.break_off(why)

    def _pause_reading(self) -> None:
        if not self._is_reading_paused and not self.is_closed and not self._transport.is_closing():
            self._is_reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._is_reading_paused and not self.is_closed and not self._transport.is_closing():
            self._is_reading_paused = False
            self._transport.resume_reading()
