"""What 10 billion pictures take follows from what was measured, and from nothing else."""

from __future__ import annotations

from typing import Any

from benchmarks import scale_table


def ground(benchmark: str) -> dict[str, Any]:
    """What every file of figures tells of where and when."""
    machine = {"processor": "Abacus", "cores": 2, "system": "Linux x86_64"}
    return {"benchmark": benchmark, "date": "2026-11-24", "machine": machine}


CLUSTER: dict[str, Any] = {
    **ground("cluster"),
    "runs": {"ray_one_worker": {"rows_per_second": 10_000.0}},
    "two_workers_over_one": 1.93,
    "memory": [{"local_peak_bytes": 2**29, "worker_peak_bytes": 2**30}],
}
PACE: dict[str, Any] = {
    **ground("pace"),
    "crops_per_second": 500.0,
    "photo": {"milliseconds": 100.0, "milliseconds_decoding": 20.0},
}
PLAN: dict[str, Any] = {
    **ground("plan"),
    "bytes_per_piece": 10.0,
    "pieces_planned_per_second": 27_777.78,
    "pieces_read_per_second": 138_888.9,
    "files_per_second": 100_000.0,
}


def test_hours_bytes_and_parts_follow_from_the_rates() -> None:
    text = scale_table.written(CLUSTER, None, PACE, None)
    assert (
        "| images of 28x28 | 10,000 | 278 | 12 | 7.8 TB | 0.09 GB/s | 7.8 MB/s | 159 | 152,588 |"
        in text
    )
    assert (
        "| photos of a digit, 20 kB | 500 | 5,560 | 231 | 200.0 TB | 2.31 GB/s | 10.0 MB/s | 125 |"
        in text
    )
    assert "| `--read`, photos of a line, 3 MB | 10 | 278,000 |" in text
    assert "| the same, forms of 20 lines, 500 kB: at most | 0.6 | 4,500,000 |" in text
    assert "1.93 times what one does. A worker holds at most 1.00 GiB." in text


def test_a_plan_of_single_files_is_set_against_one_of_packed_ones() -> None:
    text = " ".join(scale_table.written(None, PLAN, None, None).split())
    assert "one of 100.00 GB, listed from local folders in 28 hours, written in 100, and" in text
    assert "row group it has 0.10 GB" in text


def test_training_is_told_by_layout() -> None:
    runs = [
        {
            "images": n,
            "layout": layout,
            "microseconds_per_image": 49.0,
            "peak_resident_bytes": 2**30,
        }
        for layout in ("npy", "shards")
        for n in (60_000, 600_000)
    ]
    figures = {**ground("scale"), "recipe": "fast", "runs": runs}
    text = " ".join(scale_table.written(None, None, None, figures).split())
    assert "from one mapped file of 600,000 images at 49 µs an image, 16 MB/s" in text
    assert "from shards of 600,000 images" in text


def test_where_and_when_each_figure_was_measured_is_told() -> None:
    text = " ".join(scale_table.written(CLUSTER, None, PACE, None).split())
    assert text.endswith(
        "Measured by cluster: Abacus, 2 cores, 2026-11-24; pace: Abacus, 2 cores, 2026-11-24."
    )


def test_what_has_not_been_measured_is_not_told() -> None:
    assert scale_table.written(None, None, None, None) == "Not measured.\n"
