"""What the service counts, for Prometheus.

Routes are counted by their template, never by the path that was asked, so that no client can make
new series. Confidences are counted by whole batches in NumPy: one call of the client library for
each image would cost more than the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from deepmnist.rejection import Scores

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CONFIDENCES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
METHODS = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"}
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "deepmnist_requests",
            "Requests answered, by method, route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "deepmnist_request_seconds",
            "Time from a request's headers to its answer's last byte.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._batches = Histogram(
            "deepmnist_batch_images",
            "Images the model ran at once.",
            ("model", "version"),
            buckets=IMAGES,
            registry=self.registry,
        )
        self._rejected = Counter(
            "deepmnist_rejections",
            "Images whose answer was not accepted by the model's own threshold.",
            ("model", "version"),
            registry=self.registry,
        )
        self._loads = Counter(
            "deepmnist_loads",
            "Models loaded, or refused and not put in place.",
            ("outcome",),
            registry=self.registry,
        )
        self.refused_connections = Counter(
            "deepmnist_refused_connections",
            "Connections beyond the limit, answered with 503 or closed.",
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "deepmnist_requests_in_flight", "Requests not yet answered.", registry=self.registry
        )
        self._confidences = _Confidences()
        self.registry.register(self._confidences)
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = (method if method in METHODS else "other", route, status)
        children = self._children.get(key)
        if children is None:
            children = (self._requests.labels(*map(str, key)), self._seconds.labels(route))
            self._children[key] = children
        children[0].inc()
        children[1].observe(seconds)

    def loaded(self, outcome: str) -> None:
        """Count a model that was 'loaded' or 'refused'."""
        self._loads.labels(outcome).inc()

    def observer(self, model: str, version: str, threshold: float) -> Callable[[Scores], None]:
        """Counts the batches of one version of a model."""
        batches = self._batches.labels(model, version)
        rejected = self._rejected.labels(model, version)
        confidences = self._confidences.of(model, version)

        def observe(scores: Scores) -> None:
            batches.observe(len(scores.single))
            found = scores.confidence
            rejected.inc(int(np.count_nonzero(found < threshold)))
            confidences.add(found)

        return observe

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)


class _Confidence:
    """How often each confidence came, of one version of a model."""

    def __init__(self) -> None:
        self.counts = np.zeros(len(CONFIDENCES), np.int64)
        self.total = 0.0

    def add(self, confidences: NDArray[np.float32]) -> None:
        places = np.searchsorted(CONFIDENCES, np.minimum(confidences, 1.0))
        self.counts += np.bincount(places, minlength=len(CONFIDENCES))
        self.total += float(confidences.sum())


class _Confidences(Collector):
    """The histogram of confidences, as Prometheus collects it."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], _Confidence] = {}

    def of(self, model: str, version: str) -> _Confidence:
        return self._found.setdefault((model, version), _Confidence())

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(
            "deepmnist_confidence",
            "Confidence of each answer.",
            labels=("model", "version"),
        )
        for labels, found in list(self._found.items()):
            below = np.cumsum(found.counts)
            buckets = [(str(edge), int(n)) for edge, n in zip(CONFIDENCES, below, strict=True)]
            family.add_metric(labels, [*buckets, ("+Inf", int(below[-1]))], found.total)
        yield family
