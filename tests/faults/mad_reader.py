"""A reading process that goes wrong where the real one goes on: started in its place by tests."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

from tocsin.centre.intake import reading, sandbox, together

REAL = reading.read_delivery
REAL_TOGETHER = together.read_together


def read_delivery(order: reading.Order, *rest: Any) -> reading.Outcome:
    """What it does depends on the name of the delivery."""
    match order.name:
        case "hangs":
            time.sleep(600)
        case "grows":
            held = []
            while True:
                held.append(bytearray(os.urandom(1 << 20) * 16))
                time.sleep(0.01)
        case "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "half a word":
            os.write(ANSWERS, b'{"outco')
            os.kill(os.getpid(), signal.SIGKILL)
        case "raises":
            raise ZeroDivisionError("a fault of our own")
        case "slow":
            time.sleep(3)
        case "connects":
            outcome = REAL(order, *rest)
            outcome.title = reach()
            return outcome
    return REAL(order, *rest)


def read_together(orders: Sequence[reading.Order], *rest: Any) -> dict[str, Any]:
    """The same for several at once, which are read together."""
    for order in orders:
        if order.name != "slow":
            read_delivery(order, *rest)
    return REAL_TOGETHER(orders, *rest)


def reach() -> str:
    """What comes of connecting to a listening port of this machine, and to the world."""
    said = []
    for address in (("127.0.0.1", int(os.environ["MAD_READER_PORT"])), ("192.0.2.1", 80)):
        try:
            socket.create_connection(address, timeout=2).close()
            said.append("reached")
        except OSError as error:
            said.append(type(error).__name__)
    return json.dumps(said)


if __name__ == "__main__":
    ANSWERS = os.dup(1)
    reading.read_delivery = read_delivery
    together.read_together = read_together
    sys.exit(sandbox.main())
