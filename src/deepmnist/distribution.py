"""Several workers in step, by TensorFlow's MultiWorkerMirroredStrategy and its collectives.

Each process is one worker with one device. Variables are each worker's own: they start equal and
take equal steps, since a sum over workers is the same bits on all of them. The strategy carries the
sums, and watches over the workers; a lost one ends the sums of all, and is named.
What is summed is the business of others.
"""

from __future__ import annotations

import gc
import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.distribute import collective_all_reduce_strategy
from tensorflow.python.eager import context

from deepmnist import devices, stopping
from deepmnist.errors import DeepMNISTError, LostError, RunError, reason
from deepmnist.roster import Roster

JOIN_S = 120  # for all workers to be there
LOOK_EVERY_S = 10  # between two looks whether all others live
LOOK_S = 5  # for a worker to answer such a look
LOOKS = 2  # that a worker may miss
LINGER_S = 8  # a worker stays when another is lost, so that the rest find this one alive

LOST = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)


class Together:
    """One of several workers; see workers.Workers for what each method does."""

    def __init__(self, roster: Roster) -> None:
        """Wait for the others. RunError, naming who is missing, where they do not come in time."""
        self.roster = roster
        self.index, self.count = roster.index, len(roster.addresses)
        self._asked_to_stop = False
        self._strategy = _joined(roster)
        self._total = tf.function(
            lambda values: self.run(self._all_reduced, values),
            input_signature=[tf.TensorSpec((None,), tf.int32)],
            autograph=False,
        )

    def name(self, index: int) -> str:
        return self.roster.name(index)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._strategy.run(function, args=arguments)

    def summed(self, tensors: Sequence[Any]) -> list[Any]:
        """As one flat tensor: each collective costs a round through all workers."""
        flat = tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)
        shapes = [tf.shape(tensor) for tensor in tensors]
        parts = tf.split(self._all_reduced(flat), [tf.reduce_prod(shape) for shape in shapes])
        return [
            tf.ensure_shape(tf.reshape(part, shape), tensor.shape)
            for part, shape, tensor in zip(parts, shapes, tensors, strict=True)
        ]

    def total(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        return self._total(np.asarray(values, np.int32)).numpy()

    def stopped(self) -> bool:
        return self._asked_to_stop

    @contextmanager
    def watched(self, advice: str) -> Iterator[None]:
        try:
            yield
        except LOST as error:
            raise self._lost(error, advice) from error

    def stop(self) -> None:
        """Have `stopped` say so."""
        self._asked_to_stop = True

    def leave(self) -> None:
        """Look after the others no more."""
        self._strategy.extended._check_health_thread_should_stop.set()

    def _all_reduced(self, values: tf.Tensor) -> tf.Tensor:
        replica = tf.distribute.get_replica_context()
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(values))

    def _lost(self, error: tf.errors.OpError, advice: str) -> DeepMNISTError:
        """Who is lost, as far as this worker can find out; it stays until the others have, too."""
        until = time.monotonic() + LINGER_S
        names = [self.name(index) for index in self._silent()]
        time.sleep(max(0.0, until - time.monotonic()))
        if names:
            were = "was" if len(names) == 1 else "were"
            return LostError(f"{' and '.join(names)} {were} lost; {advice}")
        first = _first_line(error.message)
        return LostError(f"the workers lost each other, though all answer ({first}); {advice}")

    def _silent(self) -> list[int]:
        """Numbers of the workers that do not answer, or were started anew."""
        others = [index for index in range(self.count) if index != self.index]
        with ThreadPoolExecutor(len(others)) as threads:
            answers = threads.map(_answers, others)
            return [index for index, answer in zip(others, answers, strict=True) if not answer]


@contextmanager
def joined(roster: Roster) -> Iterator[Together]:
    """This worker among those of `roster`, as long as it lasts.

    SIGINT and SIGTERM are noted for Workers.stopped; the second one of them ends the process.
    RunError where another does not come in time, or this one's address cannot be had.
    """
    together = Together(roster)
    with stopping.noted(together.stop):
        try:
            yield together
        finally:
            together.leave()


def _joined(roster: Roster) -> tf.distribute.MultiWorkerMirroredStrategy:
    tf.get_logger().setLevel(logging.CRITICAL)  # what it logs of lost workers is told in one line
    gpus = devices.prepare_gpus()
    if gpus:  # one worker, one device: several of a machine each get theirs by CUDA_VISIBLE_DEVICES
        tf.config.set_visible_devices(tf.config.list_physical_devices("GPU")[0], "GPU")
    _check_port_is_free(roster)
    _look_after_each_other()
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(
            _resolver(roster), _communication(on_gpu=bool(gpus))
        )
    except (RuntimeError, tf.errors.OpError) as error:
        missing = _missing(roster, error)
    gc.collect()  # the half-made strategy and its threads, which must not last until Python ends
    raise missing


def _resolver(roster: Roster) -> tf.distribute.cluster_resolver.ClusterResolver:
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(roster.addresses)}),
        task_type="worker",
        task_id=roster.index,
        rpc_layer="grpc",
    )


def _communication(on_gpu: bool) -> tf.distribute.experimental.CommunicationOptions:
    kinds = tf.distribute.experimental.CommunicationImplementation
    kind = kinds.AUTO if on_gpu else kinds.RING
    return tf.distribute.experimental.CommunicationOptions(implementation=kind)


def _look_after_each_other() -> None:
    """The strategy's own looks, sooner than it would; its newer service ends a process unasked."""
    context.context().configure_coordination_service(service_type="")
    extended = collective_all_reduce_strategy.CollectiveAllReduceExtended
    extended._check_health_initial_timeout = JOIN_S
    extended._check_health_interval = LOOK_EVERY_S
    extended._check_health_timeout = LOOK_S
    extended._check_health_retry_limit = LOOKS


def _check_port_is_free(roster: Roster) -> None:
    """TensorFlow itself would end the process."""
    port = int(roster.addresses[roster.index].rpartition(":")[2])
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", port))
        except OSError as error:
            raise RunError(
                f"{roster.name(roster.index)} cannot listen on port {port}: {reason(error)}; "
                "give it another in TF_CONFIG"
            ) from error


def _missing(roster: Roster, error: Exception) -> RunError:
    others = [index for index in range(len(roster.addresses)) if index != roster.index]
    names = [roster.name(index) for index in others if not _listens(roster.addresses[index])]
    if names:
        return RunError(
            f"{' and '.join(names)} did not come within {JOIN_S} s; look whether each runs and its "
            "port can be reached, then start all of them again"
        )
    return RunError(f"the workers cannot join: {_first_line(error)}; start all again")


def _first_line(text: object) -> str:
    return next(iter(str(text).splitlines()), "no reason was given")


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), LOOK_S).close()
    except OSError:
        return False
    return True


def _answers(index: int) -> bool:
    task = f"/job:worker/replica:0/task:{index}"
    try:
        context.context().check_collective_ops_peer_health(task, timeout_in_ms=LOOK_S * 1_000)
    except tf.errors.OpError:
        return False
    return True
