"""A cheap load client: requests made beforehand, sent over kept connections, from one thread.

Answers are only looked at as far as is needed to know that they are 200 and where they end. A paced
run counts latency from when a request was due, not from when it could be sent, so that a server
which stalls is charged for those it kept waiting.
"""

from __future__ import annotations

import select
import selectors
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

LENGTH = b"content-length: "
END = b"\r\n\r\n"


@dataclass
class Connection:
    """A kept connection, with at most one request under way."""

    socket: socket.socket
    received: bytes = b""
    due: float = 0.0  # when its request should have been sent


@dataclass
class Outcome:
    """What a run saw."""

    seconds: float
    latencies: list[float] = field(default_factory=list)  # seconds

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds

    def figures(self) -> dict[str, float]:
        """The rate, and latencies in milliseconds."""
        cuts = statistics.quantiles(self.latencies, n=100)
        return {
            "requests": len(self.latencies),
            "rate": self.rate,
            "p50_ms": 1e3 * cuts[49],
            "p99_ms": 1e3 * cuts[98],
            "max_ms": 1e3 * max(self.latencies),
        }


def post(path: str, body: bytes, content_type: str, *headers: str) -> bytes:
    """A POST as bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {content_type}"]
    lines += [f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + END + body


def run(
    port: int, request: bytes, connections: int, seconds: float, rate: float | None = None
) -> Outcome:
    """Send a request again and again: as fast as it is answered, or `rate` times a second.

    RuntimeError where an answer is not 200.
    """
    outcome = Outcome(seconds)
    with _connected(port, connections) as (selector, idle):
        started = time.perf_counter()
        sent = 0
        while (now := time.perf_counter()) < started + seconds:
            while idle and (rate is None or started + sent / rate <= now):
                connection = idle.pop()
                connection.due = now if rate is None else started + sent / rate
                sent += 1
                _send(connection, request)
            wait = 0.1 if rate is None or not idle else max(0.0, started + sent / rate - now)
            for key, _ in selector.select(min(wait, 0.1)):
                connection = key.data
                if _answered(connection):
                    outcome.latencies.append(time.perf_counter() - connection.due)
                    idle.append(connection)
    return outcome


@contextmanager
def _connected(
    port: int, connections: int
) -> Iterator[tuple[selectors.BaseSelector, list[Connection]]]:
    """Connections that are closed in the end, whatever the answers were."""
    with selectors.DefaultSelector() as selector, ExitStack() as sockets:
        yield selector, [_connection(port, selector, sockets) for _ in range(connections)]


def _connection(port: int, selector: selectors.BaseSelector, sockets: ExitStack) -> Connection:
    found = sockets.enter_context(socket.create_connection(("127.0.0.1", port)))
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found.setblocking(False)
    connection = Connection(found)
    selector.register(found, selectors.EVENT_READ, connection)
    return connection


def _send(connection: Connection, request: bytes) -> None:
    """Send it whole; where the system's buffer is full, wait for the server to read."""
    rest = memoryview(request)
    while rest:
        try:
            rest = rest[connection.socket.send(rest) :]
        except BlockingIOError:
            select.select([], [connection.socket], [])


def _answered(connection: Connection) -> bool:
    try:
        more = connection.socket.recv(1 << 20)
    except BlockingIOError:
        return False
    if not more:
        raise RuntimeError("the server closed a connection")
    received = connection.received = connection.received + more
    head = received.find(END)
    if head < 0:
        return False
    if received[9:12] != b"200":
        raise RuntimeError(f"the answer is {received[:300]!r}")
    at = received.find(LENGTH) + len(LENGTH)
    if len(received) < head + len(END) + int(received[at : received.find(b"\r", at)]):
        return False
    connection.received = b""
    return True
