"""The direction of imports is the one that docs/architecture.md draws."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
_LINT = "from importlinter.cli import lint_imports_command as run; run()"
# The one import that goes round: `python -m ctmonitor.settings` prints the page.
_AS_PROGRAM = ("ctmonitor.settings", "ctmonitor.settings_page")
ROOT_SCRIPTS = sorted(ROOT.glob("*.py"))


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def _contract(kind: str) -> dict[str, Any]:
    contracts = _pyproject()["tool"]["importlinter"]["contracts"]
    return next(contract for contract in contracts if contract["type"] == kind)


def test_the_import_contract_of_pyproject_holds() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LINT, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_below_ctmonitor_has_its_layer() -> None:
    """What stands in no layer could import anything."""
    layers = _contract("layers")["layers"]
    named = set(re.findall(r"ctmonitor\.\w+", " ".join(layers)))
    package = ROOT / "ctmonitor"
    present = {
        f"ctmonitor.{path.stem}"
        for path in package.iterdir()
        if (path.is_dir() and (path / "__init__.py").exists())
        or (path.suffix == ".py" and path.stem != "__init__")
    }
    assert present - named == set()


def test_what_does_no_io_does_not_fetch_addresses_either() -> None:
    """The contract cannot name a part of urllib, of which urllib.parse is harmless."""
    sources = _contract("forbidden")["source_modules"]
    files = [
        file
        for source in sources
        for file in sorted((ROOT / source.replace(".", "/")).rglob("*.py"))
    ]
    assert len(files) > 10
    fetching = [file.name for file in files if "urllib.request" in file.read_text()]
    assert fetching == []


def test_no_two_modules_import_each_other_by_any_way_round() -> None:
    graph = grimp.build_graph("ctmonitor", cache_dir=None)
    imports = {
        module: {
            imported
            for imported in graph.find_modules_directly_imported_by(module)
            if (module, imported) != _AS_PROGRAM
        }
        for module in graph.modules
    }
    assert len(imports) > 20  # the package was found
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as exc:
        pytest.fail(f"imports go round: {' <- '.join(exc.args[1])}")


def test_every_command_of_pyproject_has_its_script_in_the_checkout() -> None:
    entries = _pyproject()["project"]["scripts"].values()
    modules = {entry.removesuffix(":main") for entry in entries}
    assert modules == {f"ctmonitor.cli.{path.stem}" for path in ROOT_SCRIPTS}


@pytest.mark.parametrize("script", ROOT_SCRIPTS, ids=lambda path: path.name)
def test_a_script_of_the_checkout_only_calls_main_of_its_module(script: Path) -> None:
    tree = ast.parse(script.read_text("utf-8"))
    docstring, *statements = tree.body
    assert isinstance(docstring, ast.Expr)
    assert [ast.unparse(statement) for statement in statements] == [
        "import sys",
        f"from ctmonitor.cli.{script.stem} import main",
        "if __name__ == '__main__':\n    sys.exit(main())",
    ]
    assert script.stat().st_mode & 0o111, f"{script.name} is not executable"
