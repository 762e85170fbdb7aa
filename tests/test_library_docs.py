"""The examples of docs/library.md run, against logs on loopback."""

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest

from ctmonitor.stream import Entry, LogMonitor
from tests.fakes.log import FakeLog
from tests.fakes.logentries import entries_for
from tests.fakes.logserver import Front, LogServer
from tests.programs.program import CHECKOUT, environment

PAGE = (CHECKOUT / "docs" / "library.md").read_text("utf-8")
EXAMPLES = {
    title: code
    for title, section in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    for code in re.findall(r"```python\n(.*?)```", section, re.S)[:1]
}
SECOND_OF_STATE = re.findall(r"```python\n(.*?)```", PAGE, re.S)[3]
_TIMEOUT_S = 30


def script(folder: Path, code: str) -> Path:
    """
    An example as a program, with the list of the fake logs instead of Chrome's, and
    with a contact, without which it warns.
    """
    path = folder / "example.py"
    assert "LogMonitor(" in code
    given = "log_list='logs.json', "
    if "contact=" not in code:
        given += "contact='ct@example.org', "
    path.write_text(code.replace("LogMonitor(", f"LogMonitor({given}"))
    return path


@contextmanager
def logs(folder: Path, *extra: Front) -> Iterator[LogServer]:
    names = [[f"h{n}.example"] for n in range(150)]
    names[120] = ["login.paypal.test", "www.example"]
    one = FakeLog("one.example/2026", entries_for(names, "cert") * 2)
    with LogServer(one, *extra) as server:
        (folder / "logs.json").write_bytes(server.log_list())
        yield server


def run(folder: Path, code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, script(folder, code)],
        cwd=folder,
        env=environment(PYTHONPATH=str(CHECKOUT)),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_page_has_the_examples_that_are_run_here() -> None:
    assert list(EXAMPLES) == [
        "Entries, one after the other",
        "A function for each entry",
        "Going on where it ended",
        "A part of one log",
        "How it is doing",
    ]


def test_entries_one_after_the_other(tmp_path: Path) -> None:
    """It follows from the present end on, until it is stopped."""
    small = FakeLog("two.example/2026", entries_for([["a.example"]]))
    with logs(tmp_path, Front(small, "1", is_tiled=False)) as server:
        code = EXAMPLES["Entries, one after the other"].replace(
            "LogMonitor(", "LogMonitor(poll_seconds=0.1, "
        )
        process = subprocess.Popen(
            [sys.executable, "-u", script(tmp_path, code)],
            cwd=tmp_path,
            env=environment(PYTHONPATH=str(CHECKOUT)),
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                while server.fronts[1].count("ct/v1/get-sth") < 2:
                    assert process.poll() is None
                small.add(entries_for([["new.example"]]))
                assert process.stdout is not None
                lines = [process.stdout.readline() for _ in range(2)]
            finally:
                process.kill()
    assert lines == [
        "two.example/2026 2 ('new.example',)\n",
        "two.example/2026 3 ('new.example',)\n",
    ]


def test_a_function_for_each_entry(tmp_path: Path) -> None:
    with logs(tmp_path):
        lines = run(tmp_path, EXAMPLES["A function for each entry"])
    assert lines == ["login.paypal.test", "www.example"] * 2


def test_going_on_where_it_ended(tmp_path: Path) -> None:
    with logs(tmp_path) as server:
        code = EXAMPLES["Going on where it ended"]
        first = run(tmp_path, code)
        assert first == [f"one.example/2026 {n}" for n in range(300)]
        assert run(tmp_path, code) == []
        server.fronts[0].log.add(entries_for([["new.example"]], "cert"))
        assert run(tmp_path, code) == ["one.example/2026 300"]
        (told,) = json.loads((tmp_path / "positions.json").read_text())["logs"].values()
    assert told["next"] == 301


def test_positions_kept_elsewhere(tmp_path: Path) -> None:
    with logs(tmp_path):
        assert run(tmp_path, SECOND_OF_STATE) == [str(n) for n in range(300)]


def test_a_part_of_one_log(tmp_path: Path) -> None:
    other = Front(FakeLog("two.example/2026", entries_for([["a.example"]])), "1")
    with logs(tmp_path, other):
        lines = run(tmp_path, EXAMPLES["A part of one log"])
    assert [int(line.split()[0]) for line in lines] == list(range(100, 200))
    assert lines[0].startswith("100 CN=h100.example 2026-12-20 ")


def test_how_it_is_doing(tmp_path: Path) -> None:
    with logs(tmp_path):
        total, one = run(tmp_path, EXAMPLES["How it is doing"])
    assert total == "300 0 0 0"
    assert one.startswith("one.example/2026 finished 300 0 ")


@pytest.mark.parametrize("name", inspect.signature(LogMonitor).parameters)
def test_every_argument_has_its_place_on_the_page(name: str) -> None:
    table = PAGE.split("\n## LogMonitor\n")[1].split("\n## ")[0]
    assert f"`{name}`" in table


def test_every_attribute_of_an_entry_has_its_place_on_the_page() -> None:
    section = PAGE.split("\n## Entry\n")[1].split("\n## ")[0]
    properties = [
        name
        for name, value in vars(Entry).items()
        if isinstance(value, property) and not name.startswith("_")
    ]
    own = [field.name for field in fields(Entry)]
    missing = [name for name in (*properties, *own) if f"`{name}`" not in section]
    # `is_precert` is entry_type in short; the parsed parts are for our own programs.
    assert sorted(missing) == ["certificate", "is_precert", "raw"]
