"""The exports of tests/export, here too."""

from tests.export.conftest import exported, knowing

__all__ = ["exported", "knowing"]
