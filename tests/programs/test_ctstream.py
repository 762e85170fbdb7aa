"""ctstream.py as a person starts it, against logs on loopback."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.log import FakeLog
from tests.fakes.logentries import badly_framed, entries_for, many_entries
from tests.fakes.logserver import Front, LogServer
from tests.programs.program import CHECKOUT, Result, environment, run, settings

ONE, TWO = "one.example/2026", "two.example/2026"
_TIMEOUT_S = 30


@contextmanager
def serving(folder: Path, *logs: FakeLog | Front) -> Iterator[LogServer]:
    with LogServer(*logs) as server:
        (folder / "logs.json").write_bytes(server.log_list())
        yield server


# Of the list, and without the warning that operators of logs know no contact.
LISTED = ("--log-list", "logs.json", "--contact", "soc@example.org")


def stream(folder: Path, *options: str, once: bool = True) -> Result:
    ends = ("--once", "--start", "beginning") if once else ()
    return run("ctstream.py", *LISTED, *ends, *options, cwd=folder)


@contextmanager
def streaming(
    folder: Path, *options: str, errors: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    """The program while it follows; killed at the end of the `with` block."""
    process = subprocess.Popen(
        [
            sys.executable,
            CHECKOUT / "ctstream.py",
            *(*LISTED, "--poll-interval", "0.1", *options),
        ],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=errors,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(_TIMEOUT_S)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def log_of(size: int, name: str = ONE) -> FakeLog:
    return FakeLog(name, many_entries(size))


def indexes(out: str) -> list[int]:
    return [json.loads(line)["source"]["index"] for line in out.splitlines()]


def test_it_prints_a_line_for_each_entry_of_all_logs(folder: Path) -> None:
    two = FakeLog(TWO, entries_for([["b.example", "c.example"]]), has_leaf_index=False)
    with serving(folder, log_of(300), Front(two, "1", is_tiled=False)) as server:
        result = stream(folder)
        url = server.fronts[1].url.rstrip("/")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert len(lines) == 302
    assert f"[2026-09-21T14:13:20.000Z] {url} - [b.example, c.example]" in lines


def test_domains_only_prints_each_name_once(folder: Path) -> None:
    with serving(folder, log_of(600), log_of(600, TWO)):
        result = stream(folder, "--domains-only")
    names = result.out.splitlines()
    assert len(names) == len(set(names)) == 100
    assert set(names) == {
        n for k in range(50) for n in (f"host-{k}.example", f"n{k}.test")
    }


def test_names_of_strangers_are_safe_to_show(folder: Path) -> None:
    hostile = FakeLog(ONE, entries_for([["a\x1b[2Jb.example"]], "cert"))
    with serving(folder, hostile):
        assert "a\\x1b[2Jb.example" in stream(folder).out
        assert stream(folder, "--domains-only").out == "a\\x1b[2Jb.example\n"
        assert "a\\u001b[2Jb.example" in stream(folder, "--json").out


def test_json_and_certstream_messages_are_objects_a_line(folder: Path) -> None:
    with serving(folder, log_of(3)):
        assert indexes(stream(folder, "--json").out) == [0, 1, 2]
        for kind in ("full", "lite"):
            for number, line in enumerate(
                stream(folder, "--certstream", kind).out.splitlines()
            ):
                message = json.loads(line)
                assert message["message_type"] == "certificate_update"
                assert message["data"]["cert_index"] == number
                assert ("as_der" in message["data"]["leaf_cert"]) == (kind == "full")
        out = stream(folder, "--certstream", "domains-only").out
        assert json.loads(out.splitlines()[0]) == {
            "data": ["host-0.example", "n0.test"],
            "message_type": "dns_entries",
        }


def test_match_and_rules_of_a_file_choose_entries(folder: Path) -> None:
    names = [[f"h{n}.example"] for n in range(300)]
    names[100] = ["login.paypal.test", "other.example"]
    names[200] = ["paypal.test"]
    config = settings(folder, keywords="paypal|login", threshold=2)
    with serving(folder, FakeLog(ONE, entries_for(names, "cert"))):
        by_match = stream(folder, "--match", "PAYPAL", "--json")
        by_rules = stream(folder, "-c", str(config), "--json")
        names_alone = stream(folder, "--match", "PAYPAL", "--domains-only")
    assert indexes(by_match.out) == [100, 200]
    assert indexes(by_rules.out) == [100]
    assert names_alone.out == "login.paypal.test\npaypal.test\n"


@pytest.mark.parametrize(("first", "end"), [(0, 1), (255, 257), (256, 512), (300, 300)])
def test_from_and_to_are_half_open(folder: Path, first: int, end: int) -> None:
    with serving(folder, log_of(600), log_of(5, TWO)):
        where = ("--log", ONE, "--from", str(first), "--to", str(end))
        result = stream(folder, *where, "--json", once=False)
    assert result.code == 0
    assert indexes(result.out) == list(range(first, end))


def test_from_without_to_ends_with_the_log(folder: Path) -> None:
    with serving(folder, log_of(300)):
        result = stream(folder, "--log", ONE, "--from", "298", "--json", once=False)
    assert indexes(result.out) == [298, 299]


def test_a_range_beyond_the_log_prints_what_there_is_and_fails(folder: Path) -> None:
    with serving(folder, log_of(300)):
        where = ("--log", ONE, "--from", "298", "--to", "305")
        result = stream(folder, *where, "--json", once=False)
    assert (result.code, indexes(result.out)) == (1, [298, 299])
    assert "has 300 entries" in result.err


def test_limit_and_state_go_on_exactly_behind_the_last_line(folder: Path) -> None:
    with serving(folder, log_of(600)):
        seen = []
        for limit in (1, 254, 2, 300, 100):
            options = ("--state", "a.state", "--limit", str(limit), "--json")
            result = stream(folder, *options)
            assert result.code == 0
            seen += indexes(result.out)
    assert seen == list(range(600))


def test_a_state_that_cannot_be_used_is_set_aside(folder: Path) -> None:
    (folder / "a.state").write_text("{")
    with serving(folder, log_of(3)):
        result = stream(folder, "--state", "a.state", "--json")
        again = stream(folder, "--state", "a.state", "--json")
    assert (result.code, indexes(result.out)) == (0, [0, 1, 2])
    assert "is set aside as a.state.bad-" in result.err
    assert len(list(folder.glob("a.state.bad-*"))) == 1
    assert (again.out, again.err) == ("", "")


def test_a_state_that_cannot_be_written_is_told_before_anything_is_asked(
    folder: Path,
) -> None:
    with serving(folder, log_of(3)) as server:
        result = stream(folder, "--state", "missing/a.state")
        assert server.requests == []
    assert (result.code, result.out) == (2, "")
    assert "cannot be written" in result.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_the_state_of_what_was_printed(
    folder: Path, number: signal.Signals
) -> None:
    log = log_of(512)
    with serving(folder, log):
        options = ("--state", "a.state", "--start", "beginning", "--json")
        with streaming(folder, *options) as process:
            assert process.stdout is not None
            printed = [process.stdout.readline().decode() for _ in range(512)]
            process.send_signal(number)
            rest, err = process.communicate(timeout=_TIMEOUT_S)
        assert (process.returncode, rest, err) == (0, b"", b"")
        assert indexes("".join(printed)) == list(range(512))
        log.add(entries_for([["new.example"]]))
        assert indexes(stream(folder, "--state", "a.state", "--json").out) == [512, 513]


def test_a_reader_that_does_not_read_does_not_keep_it_from_ending(folder: Path) -> None:
    """The state tells no more than what went into the pipe: nothing is missing."""
    with serving(folder, log_of(5000)):
        options = ("--state", "a.state", "--start", "beginning", "--json")
        with streaming(folder, *options) as process:
            assert process.stdout is not None
            out = os.read(process.stdout.fileno(), 100)
            process.send_signal(signal.SIGTERM)
            assert process.wait(_TIMEOUT_S) == 0
            out += process.stdout.read()
    whole = out[: out.rfind(b"\n")].decode()
    (told,) = json.loads((folder / "a.state").read_text())["logs"].values()
    assert indexes(whole) == list(range(len(whole.splitlines())))
    assert told["next"] <= len(whole.splitlines()) < 5000


def test_a_reader_that_has_enough_ends_it_quietly(folder: Path) -> None:
    with (
        serving(folder, log_of(5000)),
        streaming(folder, "--start", "beginning") as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.wait(_TIMEOUT_S) == 0
        assert process.stderr.read() == b""


def test_a_full_disk_ends_it_and_what_is_missing_comes_again(folder: Path) -> None:
    with serving(folder, log_of(300)):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [
                    *(sys.executable, CHECKOUT / "ctstream.py", "--once", "--json"),
                    *(*LISTED, "--start", "beginning", "--state", "a.state"),
                ],
                cwd=folder,
                env=environment(),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        assert done.returncode == 1
        assert done.stderr == (
            "ctstream.py: standard output cannot be written: No space left on device. "
            "What is missing comes again with --state.\n"
        )
        options = ("--state", "a.state", "--json")
        assert indexes(stream(folder, *options).out) == list(range(300))


def test_what_is_malformed_is_told_with_log_and_index(folder: Path) -> None:
    broken = FakeLog(
        ONE,
        [*entries_for([["a.example"]]), *badly_framed().values()],
        has_leaf_index=False,
    )
    with serving(folder, Front(broken, "0", is_tiled=False)):
        result = stream(folder, "--domains-only")
    assert (result.code, result.out) == (0, "a.example\n")
    for index in range(2, broken.size):
        assert f"log {ONE}: entry {index} is malformed: leaf: " in result.err


def test_a_log_that_cannot_be_read_to_its_end_fails_the_run(folder: Path) -> None:
    gone = Front(log_of(5, TWO), "1")
    with serving(folder, log_of(5), gone):
        gone.name = "elsewhere"
        result = stream(folder, "--json", "--retries", "1")
    assert (result.code, indexes(result.out)) == (1, [0, 1, 2, 3, 4])
    assert f"log {TWO} could not be read to its end" in result.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--from", "1"), "--from and --to need the log that is meant"),
        (("--log", "a", "--from", "2", "--to", "1"), "--to lies before --from"),
        (("--log", "a", "--to", "1", "--state", "f"), "--state does not go with"),
        (("--match", "("), "is no regular expression"),
        (("--json", "--domains-only"), "not allowed with argument"),
        (("--limit", "0"), "'0' is no number from 1 on"),
        (("--start", "soon"), "is neither tip, beginning"),
        (("--log-list-key", "missing.pem"), "cannot be read as PEM"),
        (("--log", "nowhere"), "none is meant by 'nowhere'"),
    ],
)
def test_a_command_line_that_cannot_be_used_starts_nothing(
    folder: Path, options: tuple[str, ...], words: str
) -> None:
    with serving(folder, log_of(3)):
        result = stream(folder, *options, once=False)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


def test_stats_are_a_table_on_a_terminal(folder: Path) -> None:
    master, slave = pty.openpty()
    screen = b""
    try:
        with serving(folder, log_of(256)):
            listed = json.loads((folder / "logs.json").read_bytes())
            (operator,) = listed["operators"]
            operator["tiled_logs"][0]["description"] = "one [/bold]"
            (folder / "logs.json").write_text(json.dumps(listed))
            options = ("--stats", "--start", "beginning", "--json")
            with streaming(folder, *options, errors=slave) as process:
                os.close(slave)
                assert process.stdout is not None
                for _ in range(256):
                    process.stdout.readline()
                while b"following" not in screen:
                    readable, _, _ = select.select([master], [], [], _TIMEOUT_S)
                    assert readable, f"no table: {screen!r}"
                    screen += os.read(master, 65536)
                process.send_signal(signal.SIGTERM)
                assert process.wait(_TIMEOUT_S) == 0
    finally:
        os.close(master)
    shown = screen.decode()
    assert "one [/bold]" in shown  # as the list says it, and no markup
    assert "backlog=0" in shown


def test_an_ordinary_user_can_run_it(folder: Path) -> None:
    with serving(folder, log_of(3)):
        result = run(
            "ctstream.py",
            *("--log-list", "logs.json", "--once", "--start", "beginning", "--json"),
            cwd=folder,
            ordinary_user=True,
        )
    assert (result.code, indexes(result.out)) == (0, [0, 1, 2])
