"""A plan is measured of pieces that no file stands behind, a listing of true files."""

from pathlib import Path

from benchmarks import plan


def test_every_piece_is_planned_and_every_file_listed(tmp_path: Path) -> None:
    planned = plan.plan_of(tmp_path / "out", 3_000)
    assert planned["complete"]
    assert planned["parts"] == 3
    assert 5 < planned["bytes_per_piece"] < 100
    assert plan.listing_of(tmp_path / "files", 1_200)["files"] == 1_200
