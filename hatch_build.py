"""Building or installing deepmnist brings the page's runtime along, where a network is there.

A wheel, and `pip install -e .`, fetch what page/runtime.py names, checked, into the package. Where
that fails the build goes on, loudly: the page then asks the server it came from.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path(__file__).parent / "src"


class RuntimeHook(BuildHookInterface):  # type: ignore[misc]  # hatchling has no types here
    """Fetches the runtime before a wheel's files are gathered."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before each wheel, an editable one's included."""
        runtime = _runtime()
        try:
            runtime.fetch()
        except Exception as error:  # noqa: BLE001  an installation needs no page
            self.app.display_warning(
                f"THE PAGE'S RUNTIME IS MISSING: {error}. The page will ask its server to read; "
                "to have it read in the browser, run: python -m deepmnist.page"
            )


def _runtime() -> ModuleType:
    """page/runtime.py by itself: what the rest of the package needs is not installed yet."""
    sys.path.insert(0, str(SOURCE))
    try:
        path = SOURCE / "deepmnist" / "page" / "runtime.py"
        spec = importlib.util.spec_from_file_location("deepmnist_page_runtime", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot load {path}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(SOURCE))
