"""Minutes of good and hostile load at once: every answer is checked, and memory is watched.

    python -m benchmarks.soak [--minutes 10]

Good clients ask by each protocol and know what must come, bit for bit, from the same model in this
process; one told 503 comes again, since the hostile may take all connections for a moment. Hostile
ones send what is no request, too much, too slowly, or leave; each knows which refusals are right.
An answer that differs, a 500, or a good client refused is a failure. Memory is the service's
resident set, looked at each second; its growth is from the end of the first fifth, when all buffers
have been used, to the end: medians of a tenth of the run.
"""

from __future__ import annotations

import base64
import json
import random
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from benchmarks import results, terminal
from benchmarks.serve import serving
from deepmnist import images as contract
from deepmnist import pictures, prediction, rejection, transcription

JSON = {"Content-Type": "application/json"}
INFER, PREDICT = "/v2/models/digits/infer", "/v1/models/digits:predict"
SEND_S = 3  # seconds that the service gives a client here, so that slow ones are many
MIB = 2**20
GROWTH_MIB = 16  # more than this is a leak
CONNECTIONS = 64
RETRIES, RETRY_S = 10, 0.5  # of a good client that is told 503

Client = Callable[[random.Random], None]


class WrongAnswerError(Exception):
    """An answer that must not be."""


def main(
    minutes: Annotated[float, typer.Option(min=0.05)] = 10,
    good: Annotated[int, typer.Option(min=1, help="Clients of each good kind.")] = 1,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Run, print, write benchmarks/results/soak.json; status 1 where something was wrong."""
    options = ["--quiet", "--send-timeout", str(SEND_S), "--max-connections", str(CONNECTIONS)]
    with serving(*options) as (port, process):
        soak = Soak(port, Expected())
        kinds = {**soak.good(), **soak.hostile()}
        clients = [(name, kind) for name, kind in kinds.items() for _ in range(good)]
        stop = time.perf_counter() + 60 * minutes
        threads = [
            threading.Thread(target=soak.repeat, args=(name, kind, stop, seed + number))
            for number, (name, kind) in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        memory = []
        while time.perf_counter() < stop:
            memory.append(resident(process.pid))
            time.sleep(min(1, 60 * minutes / 50))
        for thread in threads:
            thread.join()
        alive = soak.answers_still()
    figures = {
        "minutes": minutes,
        "requests": dict(sorted(soak.requests.items())),
        "statuses": {str(status): n for status, n in sorted(soak.statuses.items())},
        "retried": soak.retried,
        "wrong": soak.wrong[:20],
        "wrong_count": len(soak.wrong),
        "answers_at_the_end": alive,
        **_memory(memory),
    }
    print(json.dumps(figures, indent=2))
    print(results.write("soak", figures))
    raise typer.Exit(int(bool(soak.wrong) or not alive or figures["growth_mib"] > GROWTH_MIB))


def _memory(seen: list[float]) -> dict[str, Any]:
    """Resident MiB: at the start, settled, at the end, at most; and how much it grew."""
    part = max(1, len(seen) // 10)
    settled = statistics.median(seen[2 * part : 3 * part])
    end = statistics.median(seen[-part:])
    return {
        "memory_mib": {"first": seen[0], "settled": settled, "end": end, "most": max(seen)},
        "growth_mib": end - settled,
        "memory_samples": len(seen),
    }


def resident(pid: int) -> float:
    """MiB of a process that are in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has no resident set")


class Expected:
    """Requests and what must be answered to each, made in this process by the same model."""

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        model = prediction.load()
        self.images = generator.integers(0, 256, (64, 28, 28)).astype(np.uint8)
        self.images[:32] = [contract.prepare(_picture(generator, 1)) for _ in range(32)]
        self.scores = rejection.scores(model, self.images)
        self.labels = [str(best) for best in self.scores.probabilities.argmax(axis=1)]
        how = transcription.way([], None, None)
        self.pictures, self.pages, self.digits = [], [], []
        for _ in range(12):
            content = cv2.imencode(".png", _picture(generator, 3))[1].tobytes()
            answer = transcription.transcribe(content, None, model, how)
            self.pictures.append(content)
            self.pages.append([transcription.plain(answer)])
            grey = pictures.decode_reduced(content, "", contract.WORK_SIDE).grey
            prepared = contract.prepare(grey)[np.newaxis]
            self.digits.append(rejection.scores(model, prepared).probabilities[0].tolist())


def _picture(generator: np.random.Generator, digits: int) -> np.ndarray:
    """A page of a few digits, in a hand of OpenCV's."""
    page = np.full((120, 90 * digits + 60), 225, np.uint8)
    text = "".join(str(generator.integers(10)) for _ in range(digits))
    for number, mark in enumerate(text):
        place = (40 + 90 * number, 85)
        cv2.putText(page, mark, place, cv2.FONT_HERSHEY_SIMPLEX, 2.2, 40, 5, cv2.LINE_AA)
    return page


class Soak:
    """Clients of one service, and what became of them."""

    def __init__(self, port: int, expected: Expected) -> None:
        self.port = port
        self.expected = expected
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.retried = 0  # good requests that were told 503 and came again
        self._lock = threading.Lock()

    def repeat(self, name: str, client: Client, stop: float, seed: int) -> None:
        """One client, again and again."""
        random_ = random.Random(seed)
        while time.perf_counter() < stop:
            try:
                client(random_)
            except (OSError, HTTPException) as error:
                if name in self.good():
                    self._note(f"{name}: {type(error).__name__}: {error}")
            except WrongAnswerError as error:
                self._note(f"{name}: {error}")
            with self._lock:
                self.requests[name] += 1

    def _note(self, text: str) -> None:
        with self._lock:
            self.wrong.append(text)

    def answers_still(self) -> bool:
        """Whether the service is as ready as it was."""
        return self._ask("GET", "/v2/health/ready", b"", {})[0] == 200

    def _ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        with self._lock:
            self.statuses[answer.status] += 1
        if answer.status >= 500 and answer.status != 503:
            raise WrongAnswerError(f"{answer.status} to {path}: {content[:200]!r}")
        return answer.status, content

    # ---- good ------------------------------------------------------------------------------------

    def good(self) -> dict[str, Client]:
        """Clients that must be answered, and rightly."""
        return {
            "json": self.json,
            "bytes": self.bytes,
            "predict": self.predict,
            "read": self.read,
            "about": self.about,
        }

    def _right(self, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        """The answer to a good request; one told to come again does so, as a good client will."""
        for _ in range(RETRIES):
            status, content = self._ask("POST" if body else "GET", path, body, headers or {})
            if status == 200:
                return content
            if status != 503:
                break
            self.retried += 1
            time.sleep(RETRY_S)
        raise WrongAnswerError(f"{status} to {path}: {content[:200]!r}")

    def _some(self, random_: random.Random) -> list[int]:
        return [random_.randrange(64) for _ in range(random_.choice((1, 1, 1, 2, 8, 40)))]

    def json(self, random_: random.Random) -> None:
        """The Open Inference Protocol, numbers as JSON."""
        rows = self._some(random_)
        tensor = {"name": "image", "shape": [len(rows), 28, 28], "datatype": "UINT8"}
        data = self.expected.images[rows].ravel().tolist()
        body = json.dumps({"inputs": [{**tensor, "data": data}]}).encode()
        answer = json.loads(self._right(INFER, body, JSON))
        found = {output["name"]: output["data"] for output in answer["outputs"]}
        expected = self.expected.scores.probabilities[rows].ravel().tolist()
        if found["probabilities"] != expected:
            raise WrongAnswerError("probabilities differ")
        if found["label"] != [self.expected.labels[row] for row in rows]:
            raise WrongAnswerError("labels differ")

    def bytes(self, random_: random.Random) -> None:
        """The same, as bytes in both directions."""
        rows = self._some(random_)
        images = (self.expected.images[rows] / np.float32(255)).astype("<f4")
        parameters = {"binary_data_size": images.nbytes}
        tensor = {"name": "image", "shape": images.shape, "datatype": "FP32"}
        asked = {
            "inputs": [{**tensor, "parameters": parameters}],
            "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}],
        }
        head = json.dumps(asked).encode()
        headers = {"Inference-Header-Content-Length": str(len(head))}
        content = self._right(INFER, head + images.tobytes(), headers)
        found = np.frombuffer(content[-40 * len(rows) :], "<f4").reshape(-1, 10)
        if not np.array_equal(found, self.expected.scores.probabilities[rows]):
            raise WrongAnswerError("probabilities differ")

    def predict(self, random_: random.Random) -> None:
        """TensorFlow Serving's API, a picture and numbers."""
        row, number = random_.randrange(64), random_.randrange(12)
        picture = {"b64": base64.b64encode(self.expected.pictures[number]).decode()}
        image = (self.expected.images[row] / np.float32(255)).astype(float).tolist()
        body = json.dumps({"instances": [picture, image]}).encode()
        found = json.loads(self._right(PREDICT, body, JSON))["predictions"]
        expected = [
            self.expected.digits[number],
            self.expected.scores.probabilities[row].tolist(),
        ]
        if [each["probabilities"] for each in found] != expected:
            raise WrongAnswerError("probabilities differ")

    def read(self, random_: random.Random) -> None:
        """A picture of some digits."""
        number = random_.randrange(12)
        headers = {"Content-Type": "image/png"}
        content = self._right("/read", self.expected.pictures[number], headers)
        if json.loads(content) != self.expected.pages[number]:
            raise WrongAnswerError("what was read differs")

    def about(self, random_: random.Random) -> None:
        """What is told besides; not as often, for it says much."""
        for path in ("/metrics", "/v2/models/digits", "/v1/models/digits", "/openapi.json"):
            self._right(path)
        time.sleep(0.2)

    # ---- hostile ---------------------------------------------------------------------------------

    def hostile(self) -> dict[str, Client]:
        """Clients that must be refused, and harm nobody."""
        return {
            "garbage": self.garbage,
            "bombs": self.bombs,
            "too large": self.too_large,
            "slow": self.slow,
            "leaves": self.leaves,
            "crowd": self.crowd,
        }

    def _refused(self, path: str, body: bytes, headers: dict[str, str], *allowed: int) -> None:
        status, content = self._ask("POST", path, body, headers)
        if status not in (*allowed, 503):
            raise WrongAnswerError(f"{status} to a bad request for {path}: {content[:100]!r}")
        if set(json.loads(content)) != {"error"}:
            raise WrongAnswerError(f"a refusal in another shape: {content[:100]!r}")

    def garbage(self, random_: random.Random) -> None:
        """What is no request, and nearly one."""
        tensor = b'{"inputs":[{"name":"image","shape":[1,28,28],"datatype":"FP32","data":%s}]}'
        bodies = [
            random_.randbytes(random_.randrange(2000)),
            b"[" * random_.randrange(1, 1_000_000),
            b'{"instances":' * random_.randrange(1, 10_000),
            tensor % b"[NaN]",
            tensor % (b"[" * 10_000 + b"]" * 10_000),
            tensor % (b"[" + b"9" * 5000 + b"]"),
            tensor % b"[1e999]",
            b'{"instances":[{"b64":"' + random_.randbytes(30).hex().encode() + b'"}]}',
        ]
        path = random_.choice((INFER, PREDICT))
        self._refused(path, random_.choice(bodies), JSON, 400, 422)

    def bombs(self, random_: random.Random) -> None:
        """Pictures that are small until they are decoded, or that are none."""
        side = random_.choice((9_000, 30_000))
        head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + side.to_bytes(4, "big") * 2
        contents = [head + b"\x08\0\0\0\0" + random_.randbytes(100), random_.randbytes(5000)]
        contents.append(self.expected.pictures[0][: random_.randrange(1, 200)])
        headers = {"Content-Type": "image/png"}
        self._refused("/read", random_.choice(contents), headers, 422)

    def too_large(self, random_: random.Random) -> None:
        """A body that says it is too large."""
        headers = {"Content-Length": str(10 ** random_.randrange(8, 15)), **JSON}
        self._refused(random_.choice((INFER, PREDICT, "/read")), b"", headers, 413)

    def slow(self, random_: random.Random) -> None:
        """A byte at a time, of headers or of a body."""
        head = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(random_.choice((head, head[: random_.randrange(1, 40)])))
            started = time.perf_counter()
            connection.settimeout(0.25)
            while time.perf_counter() < started + 4 * SEND_S:
                connection.sendall(b"x")
                try:
                    status = connection.recv(100)[9:12]
                except TimeoutError:
                    continue
                if status not in (b"408", b"503", b"400"):
                    raise WrongAnswerError(f"{status!r} to a slow client")
                return
            raise WrongAnswerError("a slow client was waited for")

    def leaves(self, random_: random.Random) -> None:
        """A good request, and nobody there for the answer."""
        body = json.dumps({"instances": [np.zeros((28, 28)).tolist()] * 4}).encode()
        sent = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        sent += body
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(sent[: random_.choice((10, len(sent) // 2, len(sent)))])
        time.sleep(0.01)

    def crowd(self, random_: random.Random) -> None:
        """Many connections for a moment, never so many that the good find no room."""
        held = [
            socket.create_connection(("127.0.0.1", self.port), timeout=60)
            for _ in range(CONNECTIONS // 4)
        ]
        time.sleep(random_.random())
        for connection in held:
            connection.close()


if __name__ == "__main__":
    terminal.run(main)
