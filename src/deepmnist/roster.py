"""Who trains together, read from TF_CONFIG as Kubeflow, Vertex and SLURM scripts set it.

    {"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}

A job named "chief" holds worker 0 where there is one; otherwise worker 0 is the first of "worker".
What the workers do together is workers.py's business. Needs no TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from deepmnist.errors import ConfigError

VARIABLE = "TF_CONFIG"
JOBS = ("chief", "worker")  # in the order of their workers' numbers
MAX_PORT = 65_535


@dataclass(frozen=True)
class Roster:
    """All workers' addresses, host:port, in the order of their numbers; and which one this is."""

    index: int
    addresses: tuple[str, ...]

    def name(self, index: int) -> str:
        """`worker 1 (host:port)`."""
        return f"worker {index} ({self.addresses[index]})"


class _Task(msgspec.Struct):
    type: str
    index: int


class _Config(msgspec.Struct):
    cluster: dict[str, list[str]]
    task: _Task


def read(environment: Mapping[str, str] = os.environ) -> Roster | None:
    """The roster in TF_CONFIG; None where it is not set, or names this worker alone.

    ConfigError where it is not JSON, names no workers, or none of them is this one.
    """
    text = environment.get(VARIABLE, "")
    if not text.strip():
        return None
    roster = _roster(_decoded(text))
    return roster if len(roster.addresses) > 1 else None


def _decoded(text: str) -> _Config:
    try:
        return msgspec.json.decode(text, type=_Config)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise _refused(f"cannot be read: {error}") from error


def _roster(config: _Config) -> Roster:
    cluster, task = config.cluster, config.task
    others = [job for job in cluster if job not in (*JOBS, "evaluator")]
    if others:
        raise _refused(f"has a job {others[0]!r}; workers train in step here, without any other")
    if task.type not in JOBS:
        raise _refused(f"gives this process the job {task.type!r}; it can be chief or worker")
    addresses = tuple(address for job in JOBS for address in cluster.get(job, ()))
    own = cluster.get(task.type, [])
    if not 0 <= task.index < len(own):
        raise _refused(f"makes this {task.type} {task.index}, and the cluster has {len(own)}")
    for address in addresses:
        _check_address(address)
    if len(set(addresses)) < len(addresses):
        raise _refused("gives one address to two workers; each needs its own")
    before = len(cluster.get("chief", ())) if task.type == "worker" else 0
    return Roster(before + task.index, addresses)


def _check_address(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= MAX_PORT:
        raise _refused(f"has the address {address!r}; one is host:port")


def _refused(what: str) -> ConfigError:
    shape = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    return ConfigError(f"{VARIABLE} {what}; give it as {shape}, or unset it to train alone")
