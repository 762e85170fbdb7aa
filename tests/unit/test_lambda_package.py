"""The package of the Lambda function; without the network."""

import importlib
import json
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import lambda_package
from scripts.lambda_package import PACKAGES, PackageError, names, pack, pins


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(
        tmp_path / "x-1-py3-none-any.whl",
        {
            "x/__init__.py": b"one",
            "x/__init__.pyi": b"types",
            "x/__pycache__/__init__.cpython-313.pyc": b"compiled",
            "x-1.data/purelib/y.py": b"two",
            "x-1.data/scripts/x": b"#!python",
            "x-1.dist-info/METADATA": b"Name: x",
        },
    )


def make_wheel(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return path


def test_files_lie_where_the_function_finds_them(tmp_path: Path, wheel: Path) -> None:
    output = tmp_path / "build" / "lambda.zip"
    count = pack([wheel], output)
    with zipfile.ZipFile(output) as made:
        assert made.testzip() is None
        found = {one.filename: one for one in made.infolist()}
        assert made.read("y.py") == b"two"
    assert len(found) == count
    assert {name for name in found if not name.startswith("ctmonitor/")} == {
        *("LICENSE", "x/__init__.py", "y.py", "x-1.dist-info/METADATA"),
    }
    assert "ctmonitor/cli/watchdomains.py" in found
    assert "ctmonitor/watch/page.html" in found
    assert not any("__pycache__" in name for name in found)
    # Lambda's user is not the owner of what is unpacked.
    assert {one.external_attr >> 16 for one in found.values()} == {0o644}


def test_the_same_wheels_give_the_same_bytes(tmp_path: Path, wheel: Path) -> None:
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    other = make_wheel(tmp_path / "z-1.whl", {"z.py": b"three"})
    pack([wheel, other], first)
    later = shutil.copy(wheel, tmp_path / "later.whl")
    os.utime(later, (2_000_000_000, 2_000_000_000))
    pack([other, Path(later)], second)
    assert first.read_bytes() == second.read_bytes()


def test_what_is_too_large_replaces_nothing(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "lambda.zip"
    output.write_bytes(b"of before")
    monkeypatch.setattr(lambda_package, "MAX_BYTES", 1000)
    with pytest.raises(PackageError, match="of which Lambda takes 1,000"):
        pack([wheel], output)
    assert output.read_bytes() == b"of before"
    assert [path.name for path in tmp_path.glob("lambda*")] == ["lambda.zip"]


def test_two_wheels_do_not_overwrite_each_other(tmp_path: Path, wheel: Path) -> None:
    other = make_wheel(tmp_path / "z-1.whl", {"y.py": b"another"})
    with pytest.raises(PackageError, match=r"y\.py comes twice"):
        pack([wheel, other], tmp_path / "lambda.zip")


def test_all_that_is_packed_has_a_version() -> None:
    found = pins(names(PACKAGES))
    assert len(found) == len(set(found)) > 10
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", each) for each in found)
    boto3 = pins(["Boto3", "python_dateutil"])
    assert [each.partition("==")[0] for each in boto3] == ["Boto3", "python_dateutil"]


def test_what_has_no_version_is_named() -> None:
    with pytest.raises(PackageError, match="no version of nothing-of-the-kind"):
        pins(["idna", "nothing-of-the-kind"])


def test_an_architecture_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARCH", "amd64")
    with pytest.raises(SystemExit):
        lambda_package.main([])
    assert "ARCH=amd64: choose from x86_64, arm64" in capsys.readouterr().err


class _Template(yaml.SafeLoader):
    """Reads `!Ref x` and its kind as the value alone."""


def _tagged(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


_Template.add_multi_constructor("!", _tagged)


def test_the_template_fits_the_package_and_the_function() -> None:
    folder = PACKAGES.parent
    with (folder / "template.yaml").open(encoding="utf-8") as opened:
        template = yaml.load(opened, _Template)  # noqa: S506 # a SafeLoader
    function = template["Resources"]["Function"]["Properties"]
    assert function["Runtime"] == f"python{lambda_package.PYTHON}"
    assert function["Code"] == "../../build/lambda.zip"
    architectures = template["Parameters"]["Architecture"]["AllowedValues"]
    assert set(architectures) == set(lambda_package.ARCHITECTURES)
    module, _, name = function["Handler"].rpartition(".")
    told = str(getattr(importlib.import_module(module), name).__doc__)
    assert [
        one for one in function["Environment"]["Variables"] if one not in told
    ] == []
    role = template["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
    policy = json.loads((folder / "policy.json").read_text(encoding="utf-8"))
    rights = [
        {
            each["Sid"]: each["Action"]
            for each in one["Statement"]
            if each["Sid"] != "Log"
        }
        for one in (role, policy)
    ]
    assert rights[0] == rights[1]
