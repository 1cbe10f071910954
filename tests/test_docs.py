"""README and docs: links lead somewhere, Python blocks run, measured figures come from JSON."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benchmarks import results, tables
from deepmnist import recipes
from tests.test_architecture import LEVELS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples/README.md"]
LINK = re.compile(r"\[[^\]]+\]\(([^)#]+)\)")
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
TWO_SCREENS = 100  # lines

LOG = "experiments.md"  # dated: it tells of runs whose JSON is gone
TIME = r"(?:micro|milli)?seconds?|minutes?|hours?|days?|s|ms|us|µs"
MEMORY = r"[kKMGTP]i?B|(?:million |billion |trillion )?bytes|(?:kilo|mega|giga|tera)(?:byte|bit)s?"
THINGS = r"(?:images|pictures|photos|crops|requests|answers|rows|files|parts|steps)"
RATE = rf"(?:{THINGS}|[kMGT]?B|[kMGT]?bit|[GT]?FLOP)/s|{THINGS} a second"
UNITS = rf"%|{TIME}|{MEMORY}|{RATE}"
FIGURE = re.compile(rf"(?<![\w.,])\d[\d.,]*(?: |-|\n\s*)?(?:{UNITS})(?!\w)")
CHOICES = {  # numbers with a unit that were chosen, or follow from what was, and are not measured
    "128 MiB": "the largest picture file",
    "95 %": "the level of every interval",
    "10 Gbit/s": "a network",
    "51 million bytes": "a shard: 65,536 images of 784 bytes",
    "100,352 bytes": "a block: 128 images",
    "292 million bytes": "the blocks that are kept",
    "8 bytes": "a whole number of 64 bits",
    "7.84 trillion bytes": "10 billion images",
    "10 billion bytes": "their labels",
    "0.6 billion bytes": "their blocks, 8 bytes each",
    "30 million bytes": "their shards' names and hashes, 200 bytes each",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_that_is_there(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_python_of_a_page_runs_as_it_stands(page: str, tmp_path: Path) -> None:
    block = "\n".join(PYTHON.findall((ROOT / page).read_text()))
    assert block
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", block],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs").is_dir()


EXTRAS = re.compile(r"(?:deepmnist|\.|/src)\[([a-z,-]+)\]")


def test_every_extra_that_is_named_can_be_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    folders = [ROOT / "src", ROOT / "benchmarks", ROOT / "docs", ROOT / "examples"]
    files = [file for folder in folders for file in folder.rglob("*.[pm][yd]")]
    texts = [file.read_text() for file in [*files, ROOT / "README.md", ROOT / "pyproject.toml"]]
    named = {name for text in texts for found in EXTRAS.findall(text) for name in found.split(",")}
    assert {"bench", "contenders", "train"} <= named
    assert named <= {*project["optional-dependencies"]}


def test_the_image_of_the_cluster_s_page_can_train_as_the_page_has_it_do() -> None:
    page = (ROOT / "docs" / "cluster.md").read_text()
    dockerfile = page.split("```dockerfile\n")[1].split("```")[0]
    (extras,) = EXTRAS.findall(dockerfile)
    assert {*extras.split(",")} == {"train", "cluster"}


def test_the_readme_names_both_commands_and_fits_two_screens() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make train" in text
    assert "make test" in text
    assert len(text.splitlines()) <= TWO_SCREENS


MEASURED = json.loads((results.FOLDER / "recipes.json").read_text())["recipes"]


@pytest.mark.parametrize("name", [name for name in MEASURED if "configuration" in MEASURED[name]])
def test_what_was_measured_of_a_recipe_is_of_the_recipe_as_it_is(name: str) -> None:
    config = recipes.RECIPES[name]
    measured = recipes.checked(MEASURED[name]["configuration"])  # fields of later days by default
    assert recipes.difference(measured, config) == ""


@pytest.mark.parametrize("page", tables.PAGES, ids=lambda page: page.name)
def test_a_page_gives_the_figures_of_the_json(page: Path) -> None:
    text = page.read_text()
    assert text == tables.rewritten(text, tables.PAGES[page]()), "run: python -m benchmarks.tables"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != LOG], ids=lambda page: page.name
)
def test_no_page_gives_a_measured_figure_by_hand(page: Path) -> None:
    assert unbacked(page.read_text()) == [], (
        f"where it is measured, benchmarks/tables.py writes it, or docs/{LOG} tells of it; "
        "where it is chosen, CHOICES lists it"
    )


@pytest.mark.parametrize(
    "text",
    [
        *("99.2 %", "99.2%", "in 7 s.", "20 microseconds", "a 0.32\n s", "5,826 hours", "3 days"),
        *("1,335 images/s", "900 requests a second", "9.5 MB/s", "a 10-gigabit network"),
        *("1.2 GiB)", "200.0 TB", "20 kB", "12.9 bytes", "45 million bytes", "7 terabytes"),
    ],
)
def test_a_figure_typed_by_hand_is_found(text: str) -> None:
    assert len(unbacked(f"It is {text}, or so.")) == 1
    assert unbacked(f"<!-- measured -->\n{text}\n<!-- /measured -->\n") == []


@pytest.mark.parametrize(
    "text",
    [
        *("{accuracy:.2%}", "28x28", "5,000 steps of 50", "Python 3.11", "5,000 images", "95 %"),
        *("status 130, while a second ends it", "10 billion pictures", "32 files, 8 bits"),
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert unbacked(text) == []


def unbacked(text: str) -> list[str]:
    """Numbers with a unit of measurement, outside the blocks that the JSON gives."""
    found = (" ".join(figure.split()) for figure in FIGURE.findall(tables.BLOCK.sub("", text)))
    return [figure for figure in found if figure not in CHOICES]


LEVEL = re.compile(r"^ {4}(\d)  (.*(?:\n {7}.*)*)", re.MULTILINE)


def test_every_module_is_in_the_design_page_at_the_level_that_is_held() -> None:
    """Every module has a level (test_architecture.py), so that none is left out here."""
    page = (ROOT / "docs" / "design.md").read_text()
    block = page.split("holds the levels:\n\n")[1].split("\n\n")[0]
    shown = {int(level): {*names.split()} for level, names in LEVEL.findall(block)}
    assert shown == {level: {*names.split()} for level, names in LEVELS.items()}
