"""README and docs: every link leads somewhere, every Python block runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples/README.md"]
LINK = re.compile(r"\[[^\]]+\]\(([^)#]+)\)")
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
TWO_SCREENS = 100  # lines


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_that_is_there(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_python_of_a_page_runs_as_it_stands(page: str, tmp_path: Path) -> None:
    (block,) = PYTHON.findall((ROOT / page).read_text())
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", block],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs").is_dir()


def test_the_readme_names_both_commands_and_fits_two_screens() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make train" in text
    assert "make test" in text
    assert len(text.splitlines()) <= TWO_SCREENS


def test_every_module_is_in_the_design_page() -> None:
    page = (ROOT / "docs" / "design.md").read_text()
    package = ROOT / "src" / "deepmnist"
    rooms = [path.stem for path in package.iterdir() if path.suffix in {"", ".py"}]
    named = [room for room in rooms if not room.startswith("__")]
    assert [room for room in named if not re.search(rf"\b{room}\b", page)] == []
