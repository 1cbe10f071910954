"""TF_CONFIG: who trains together; every form of it that is none is one line."""

from __future__ import annotations

import json

import pytest

from deepmnist import roster
from deepmnist.errors import ConfigError

TWO = ["one:2222", "two:2222"]


def read(cluster: object, job: str = "worker", index: int = 0) -> roster.Roster | None:
    given = {"cluster": cluster, "task": {"type": job, "index": index}}
    return roster.read({"TF_CONFIG": json.dumps(given)})


def test_workers_are_numbered_as_they_are_listed() -> None:
    found = read({"worker": TWO}, index=1)
    assert found == roster.Roster(1, tuple(TWO))
    assert found.name(1) == "worker 1 (two:2222)"


def test_a_chief_is_worker_0_and_the_others_follow() -> None:
    """As Kubeflow's TFJob and Vertex list them."""
    cluster = {"worker": TWO, "chief": ["first:1"]}
    assert read(cluster, "chief") == roster.Roster(0, ("first:1", *TWO))
    assert read(cluster, "worker", 1) == roster.Roster(2, ("first:1", *TWO))


def test_fields_of_the_launcher_s_own_are_passed_over() -> None:
    given = {"cluster": {"worker": TWO}, "task": {"type": "worker", "index": 0, "trial": "1"}}
    assert roster.read({"TF_CONFIG": json.dumps({**given, "environment": "cloud"})})


@pytest.mark.parametrize("environment", [{}, {"TF_CONFIG": ""}, {"TF_CONFIG": " "}])
def test_without_it_one_trains_alone(environment: dict[str, str]) -> None:
    assert roster.read(environment) is None


def test_a_single_worker_trains_alone() -> None:
    assert read({"chief": ["one:1"]}, "chief") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read"),
        ("\udcff", "cannot be read"),
        ("[]", "cannot be read"),
        ("{}", "cannot be read: Object missing required field `cluster`"),
        ('{"cluster": {"worker": ["a:1"]}}', "missing required field `task`"),
    ],
)
def test_what_is_no_roster_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"TF_CONFIG .*{told}.*; give it as"):
        roster.read({"TF_CONFIG": text})


@pytest.mark.parametrize(
    ("cluster", "job", "index", "told"),
    [
        ({"worker": TWO}, "worker", 2, "makes this worker 2, and the cluster has 2"),
        ({"worker": TWO}, "worker", -1, "makes this worker -1"),
        ({"worker": TWO}, "chief", 0, "makes this chief 0, and the cluster has 0"),
        ({}, "worker", 0, "the cluster has 0"),
        ({"worker": TWO, "ps": ["p:1"]}, "worker", 0, "has a job 'ps'"),
        ({"worker": TWO}, "evaluator", 0, "gives this process the job 'evaluator'"),
        ({"worker": ["one:1", "two"]}, "worker", 0, "has the address 'two'; one is host:port"),
        ({"worker": ["one:1", "two:0"]}, "worker", 0, "has the address 'two:0'"),
        ({"worker": ["one:1", "two:65536"]}, "worker", 0, "has the address"),
        ({"worker": ["one:1", "one:1"]}, "worker", 0, "one address to two workers"),
    ],
)
def test_a_roster_that_contradicts_itself_is_refused(
    cluster: object, job: str, index: int, told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        read(cluster, job, index)
    assert "\n" not in str(refused.value)
