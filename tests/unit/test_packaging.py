"""What is built for others to install holds all that the program needs, and nothing else."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import stockscan_tui

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
NOT_PACKED = {".pyc", ".nbi", ".nbc"}


def _built(kind: str, folder: Path) -> Path:
    """Build from the tree, without a network, in a process of its own."""
    program = (
        "import sys; from hatchling import build; "
        f"print(build.build_{kind}(sys.argv[1]), file=sys.stderr)"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], cwd=ROOT, check=True,
                   capture_output=True)  # fmt: skip
    (built,) = folder.iterdir()
    return built


def _of_the_tree(folder: str) -> Iterator[str]:
    for path in (ROOT / folder).rglob("*"):
        hidden = "__pycache__" in path.parts or path.suffix in NOT_PACKED
        if path.is_file() and not hidden:
            yield path.relative_to(ROOT).as_posix()


def test_a_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    built = _built("wheel", tmp_path)
    with zipfile.ZipFile(built) as wheel:
        names = set(wheel.namelist())
    assert built.name.endswith("-py3-none-any.whl")
    info = f"stockscan_tui-{stockscan_tui.__version__}.dist-info"
    assert {name for name in names if not name.startswith(info)} == set(
        _of_the_tree("stockscan_tui")
    )
    assert f"{info}/licenses/LICENSE" in names
    assert "stockscan_tui/py.typed" in names
    assert "stockscan_tui/ui/screens/board.tcss" in names


def test_a_source_distribution_holds_the_tests_and_no_caches(tmp_path: Path) -> None:
    with tarfile.open(_built("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"LICENSE", "README.md", "pyproject.toml", *_of_the_tree("stockscan_tui")}
    assert needed <= names
    assert {name for name in _of_the_tree("tests") if name.endswith((".py", ".svg"))} <= names
    assert not [name for name in names if re.search(r"__pycache__|\.(nb[ci]|pyc|duckdb)$", name)]


def test_the_version_stands_in_one_place() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", stockscan_tui.__version__)


def test_each_dependency_has_a_version_that_it_begins_at() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    named = [*PROJECT["project"]["dependencies"], *(each for of in extras.values() for each in of)]
    assert [each for each in named if not re.search(r"\]$|[>=]=\d", each)] == []


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    # What bench measures beside us may be there or not.
    files = [path for path in _of_the_tree("stockscan_tui") if "/bench/" not in path]
    roots = {
        name.partition(".")[0]
        for path in files
        if path.endswith(".py")
        for name in _imported(ROOT / path)
    }
    foreign = roots - set(sys.stdlib_module_names) - {"stockscan_tui"}
    declared = {
        re.split(r"[^\w-]", each)[0].replace("-", "_")
        for each in PROJECT["project"]["dependencies"]
    }
    # Numba names the one version of llvmlite that it works with; tzdata is data,
    # and pandas, which databento brings, what bench measures beside us.
    assert foreign - {"llvmlite"} <= declared
    assert declared - foreign <= {"tzdata", "pandas"}
