"""certstreammonitor.py on signed logs, from settings to database and output."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import termios
import time
import urllib.request
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.api import ApiServer, Reply
from tests.fakes.feed import FeedServer
from tests.fakes.log import FakeLog
from tests.fakes.logentries import FakeEntry, entries_for, many_entries
from tests.fakes.logfaults import fault
from tests.fakes.logserver import Front, LogServer
from tests.fakes.proxies import microsocks
from tests.programs.program import (
    CHECKOUT,
    Daemon,
    Result,
    Tap,
    environment,
    message,
    rows,
    run,
    settings,
)

DAEMON = "certstreammonitor.py"
NOBODY = "ws://127.0.0.1:1/"  # a port at which nothing listens
HITS = [[f"paypal-login-{number:02}.example"] for number in range(40)]


def following(folder: Path, server: LogServer, **more: str) -> Path:
    """Settings that follow the server's logs, from their beginning."""
    (folder / "logs.json").write_bytes(server.log_list())
    values = {
        "SOURCES__Source": "logs",
        "SOURCES__Log_List": "logs.json",
        "SOURCES__Contact": "soc@example.org",
        "SOURCES__Start": "beginning",
        "SOURCES__Poll_Seconds": "1",
    }
    return settings(folder, **(values | more))  # type: ignore[arg-type]


def once(config: Path, *more: str) -> Result:
    return run(DAEMON, "-c", config.name, "--once", *more, cwd=config.parent)


def static(log: FakeLog, name: str = "static", **more: Any) -> Front:
    return Front(log, name, **more)


def classic(log: FakeLog, name: str = "classic", **more: Any) -> Front:
    return Front(log, name, is_tiled=False, **more)


def hit(host: str, kind: str = "cert") -> list[FakeEntry]:
    return entries_for([[host]], kind)


def hosts(folder: Path, database: str = "found.sqlite3") -> list[str]:
    found = rows(folder / database, "SELECT Domain FROM CertMon ORDER BY Domain")
    return [host for (host,) in found]


def places(folder: Path) -> list[tuple[str, int]]:
    """Where every finding was seen: log and index."""
    return rows(
        folder / "found.sqlite3",
        "SELECT log_name, log_index FROM ctm_seen ORDER BY log_name, log_index",
    )


def true_places(*logs: FakeLog) -> list[tuple[str, int]]:
    return sorted(
        (log.origin, index)
        for log in logs
        for index, entry in enumerate(log.entries)
        if any(name.startswith("paypal-login") for name in entry.names)
    )


def set_position(database: Path, log: FakeLog, position: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        update = "UPDATE ctm_cursor SET position = ? WHERE source = ?"
        assert (
            connection.execute(update, (position, f"log:{log.log_id.hex()}")).rowcount
            == 1
        )
        connection.commit()


def test_once_reads_logs_of_both_kinds_and_then_only_their_heads(folder: Path) -> None:
    one = FakeLog("one.example", many_entries(700, hits=HITS[:3]))
    two = FakeLog("two.example", many_entries(300, hits=HITS[3:5]))
    with LogServer(static(one), classic(two)) as server:
        config = following(folder, server)
        first = once(config)
        assert (first.code, first.err.count("ERROR")) == (0, 0)
        assert sorted(first.found) == [host for (host,) in HITS[:5]]
        assert first.tally["messages"] == 1000
        assert first.tally["gaps"] == first.tally["malformed"] == 0
        assert "\n2 logs followed: " in first.out
        agents = {request.headers["user-agent"] for request in server.requests}
        (agent,) = agents
        assert agent.startswith("ctmonitor/")
        assert agent.endswith(" (+soc@example.org)")
        for front in server.fronts:
            front.requests.clear()
        second = once(config)
        assert (second.code, second.found, second.tally["messages"]) == (0, [], 0)
        assert sorted(request.path for request in server.requests) == [
            "checkpoint",
            "ct/v1/get-sth",
        ]
    assert places(folder) == true_places(one, two)


def test_a_run_that_is_killed_loses_and_doubles_nothing(folder: Path) -> None:
    one = FakeLog("one.example", many_entries(12_000, hits=HITS))
    two = FakeLog("two.example", many_entries(6_000, hits=HITS))
    fronts = static(one, delay_s=0.1), classic(two, delay_s=0.1)
    with LogServer(*fronts) as server:
        config = following(folder, server, SOURCES__Max_Requests="2")
        with Daemon(config) as daemon:
            daemon.wait_for_out("] paypal-login-05.example")
            daemon.send(signal.SIGKILL)
        assert len(places(folder)) < len(true_places(one, two)), "it was too fast"
        for front in fronts:
            front.delay_s = 0
            front.requests.clear()
        again = once(config)
        assert again.code == 0
        assert again.tally["messages"] < 18_000, "it began from the beginning"
    assert places(folder) == true_places(one, two)
    assert hosts(folder) == [host for (host,) in HITS]


def test_one_issuance_in_three_logs_is_told_once_with_links_that_work(
    folder: Path,
) -> None:
    precert, final = hit("paypal-login.example", "both")
    rest = list(many_entries(300))
    one = FakeLog("one.example", [precert, *rest])
    two = FakeLog("two.example", [*rest, final])
    three = FakeLog("three.example", [precert, final, *rest])
    with LogServer(static(one, "1"), classic(two, "2"), static(three, "3")) as server:
        result = once(following(folder, server))
        assert result.found == ["paypal-login.example"]
        seen = rows(
            folder / "found.sqlite3",
            "SELECT log_name, log_index, entry_type, link FROM ctm_seen ORDER BY 1, 2",
        )
        for *_, link in seen:
            with urllib.request.urlopen(link) as reply:  # noqa: S310
                assert reply.status == 200
    assert [row[:3] for row in seen] == [
        ("one.example", 0, "PrecertLogEntry"),
        ("three.example", 0, "PrecertLogEntry"),
        ("three.example", 1, "X509LogEntry"),
        ("two.example", 300, "X509LogEntry"),
    ]
    assert rows(folder / "found.sqlite3", "SELECT count(*) FROM ctm_issuance") == [(1,)]


def test_a_log_begins_where_start_says(folder: Path) -> None:
    def logged(entry: FakeEntry, day: int) -> FakeEntry:
        moment = datetime(2026, 11, day, tzinfo=UTC)
        return entry.at(int(moment.timestamp() * 1000))

    entries = [
        logged(entry, day)
        for day, (name,) in enumerate(HITS[:9], start=1)
        for entry in hit(name)
    ]
    logs = FakeLog("one.example", entries), FakeLog("two.example", entries)
    with LogServer(static(logs[0]), classic(logs[1])) as server:
        for start, read in {"2026-11-04": 6, "2": 2, "tip": 0}.items():
            result = once(
                following(
                    folder,
                    server,
                    SOURCES__Start=start,
                    DATABASE__DBFile=f"{start}.sqlite3",
                )
            )
            assert (result.code, result.tally["messages"]) == (0, 2 * read)
            assert hosts(folder, f"{start}.sqlite3") == [
                host for (host,) in HITS[9 - read : 9]
            ]


def test_a_log_that_hangs_delays_no_other_nor_new_rules_nor_the_end(
    folder: Path,
) -> None:
    hung = static(FakeLog("hung.example", hit("paypal-login-hung.example")), "hung")
    hung.faults.append(fault("hang"))
    log = FakeLog("live.example", hit("paypal-login-first.example"))
    with (
        LogServer(hung, classic(log)) as server,
        Daemon(following(folder, server)) as daemon,
    ):
        daemon.wait_for_out("] paypal-login-first.example")
        log.add(hit("paypal-login-second.example"))
        daemon.wait_for_out("] paypal-login-second.example")
        assert hung.requests, "it was not asked"
        following(folder, server, keywords="bank|login")
        daemon.send(signal.SIGHUP)
        daemon.wait_for_err("SIGHUP: rules read again")
        log.add(hit("paypal-login-third.example") + hit("bank-login.example"))
        daemon.wait_for_out("] bank-login.example")
        result = daemon.stop()
    assert result.code == 0
    assert (result.tally["messages"], result.tally["findings"]) == (4, 3)
    assert "Task was destroyed" not in result.err


def test_positions_that_cannot_be_used_are_set_aside(folder: Path) -> None:
    names = ["damaged.example", "later.example", "good.example"]
    logs = [FakeLog(name, many_entries(10, hits=HITS[:1])) for name in names]
    with LogServer(*logs) as server:
        config = following(folder, server)
        assert once(config).code == 0
        database = folder / "found.sqlite3"
        for log, position in (
            (logs[0], '{"version": 1, "next": '),
            (logs[1], '{"version": 99, "next": 10}'),
        ):
            set_position(database, log, position)
        before = places(folder)
        result = once(config)
    assert result.code == 0
    errors = [line for line in result.err.splitlines() if " ERROR " in line]
    assert len(errors) == 2
    for log, words in ((logs[0], "damaged"), (logs[1], "99, not 1")):
        (line,) = (line for line in errors if log.log_id.hex() in line)
        assert words in line
        assert "begun anew" in line
    assert result.tally["messages"] == 20, "the good one is read on, the others anew"
    assert places(folder) == before
    kept = rows(database, "SELECT source FROM ctm_cursor ORDER BY source")
    assert len([source for (source,) in kept if source.startswith("aside:log:")]) == 2
    assert len([source for (source,) in kept if source.startswith("log:")]) == 3


def test_a_log_that_lies_is_not_believed_and_the_others_are(folder: Path) -> None:
    lies = many_entries(256, hits=[["paypal-login-liar.example"]])
    liar = static(FakeLog("liar.example", lies), "liar")
    liar.faults.append(fault("tile contradicts"))
    honest = FakeLog("honest.example", hit("paypal-login-honest.example"))
    with LogServer(liar, classic(honest)) as server:
        config = following(folder, server, SOURCES__Evidence_dir="proof")
        with Daemon(config) as daemon:
            daemon.wait_for_out("] paypal-login-honest.example")
            daemon.wait_for_err("log liar.example: CONTRADICTION (root)")
            assert daemon.stop().code == 0
    assert hosts(folder) == ["paypal-login-honest.example"]
    (about,) = (folder / "proof").glob("*/*/about.json")
    assert json.loads(about.read_text())["log"] == "liar.example"
    assert "head" in [path.name for path in about.parent.iterdir()]


def test_once_names_the_log_that_it_gave_up(folder: Path) -> None:
    gone = static(FakeLog("gone.example", hit("paypal-login-gone.example")), "gone")
    gone.faults.append(fault("not found"))
    log = FakeLog("live.example", hit("paypal-login-live.example"))
    with LogServer(gone, classic(log)) as server:
        result = once(following(folder, server))
    assert result.code == 1
    given_up = f"{DAEMON}: log gone.example: given up, "
    (line,) = (line for line in result.err.splitlines() if line.startswith(given_up))
    assert "404" in line
    assert result.found == ["paypal-login-live.example"]


@pytest.mark.parametrize("program", [DAEMON, "ctstream.py"])
def test_a_retired_log_that_is_given_up_is_told_with_the_way_out(
    folder: Path, program: str
) -> None:
    """It is chosen for as long as entries are left, and nobody serves them."""
    gone = static(FakeLog("gone.example", hit("paypal-login-gone.example")), "gone")
    gone.faults.append(fault("not found"))
    with LogServer(gone) as server:
        config = following(folder, server, SOURCES__Logs="gone.example")
        listed = json.loads((folder / "logs.json").read_bytes())
        (log,) = listed["operators"][0]["tiled_logs"]
        log["state"] = {"retired": {"timestamp": "2026-01-01T00:00:00Z"}}
        (folder / "logs.json").write_text(json.dumps(listed))
        result = run(program, "-c", config.name, "--once", cwd=folder)
    assert result.code == 1
    way_out = (
        "; state retired: when it was switched off for good, name it in [SOURCES] "
        "Exclude_Logs"
    )
    assert [line for line in result.err.splitlines() if line.endswith(way_out)]


def test_settings_that_no_log_meets_are_told(folder: Path) -> None:
    """Nothing would be found, and nobody would notice."""
    log = FakeLog("one.example", hit("paypal-login.example"))
    with LogServer(log) as server:
        config = following(folder, server, SOURCES__Logs="tow.example")
        read = once(config)
        listed = run(DAEMON, "-c", config.name, "--list-logs", cwd=folder)
        with Daemon(config) as daemon:
            daemon.wait_for_err("no log of logs.json is to be read, so nothing is")
        config = following(folder, server, SOURCES__Logs="tow.example, one.example")
        partly = once(config)
    in_vain = "no log of the list is meant by 'tow.example'"
    assert (read.code, read.found) == (1, [])
    assert f"{DAEMON}: no log of logs.json is to be read" in read.err
    assert (partly.code, partly.found) == (0, ["paypal-login.example"])
    assert all(in_vain in result.err for result in (read, listed, partly))


def test_the_kept_log_list_serves_when_the_list_is_gone(folder: Path) -> None:
    log = FakeLog("one.example", hit("paypal-login.example"))
    with LogServer(log) as server:
        with ApiServer(lambda request: Reply(body=server.log_list())) as listing:
            address = f"{listing.url}/list.json"
            config = following(folder, server, SOURCES__Log_List=address)
            assert once(config).found == ["paypal-login.example"]
        log.add(hit("paypal-login-2.example"))
        cache = folder / "cache" / "log_list.cache"
        kept = json.loads(cache.read_bytes())
        kept["fetched"] = "2026-01-01T00:00:00Z"
        cache.write_text(json.dumps(kept))
        second = once(config)
        assert (second.code, second.found) == (0, ["paypal-login-2.example"])
        assert "is not renewed" in second.err
        cache.unlink()
        third = once(config)
    assert third.code == 1
    assert f"{DAEMON}: no log list from {address}" in third.err


def test_everything_goes_through_the_proxy(folder: Path, tmp_path: Path) -> None:
    logs = [FakeLog(f"{n}.example", hit(f"paypal-login-{n}.example")) for n in (1, 2)]
    with (
        microsocks(tmp_path, "user", "secret") as proxy,
        LogServer(static(logs[0]), classic(logs[1])) as server,
        ApiServer(lambda request: Reply(body=server.log_list())) as listing,
    ):
        config = following(
            folder,
            server,
            SOURCES__Log_List=f"{listing.url}/list.json",
            SERVER__Proxy_Type="socks5h",
            SERVER__Proxy_Host=proxy.host,
            SERVER__Proxy_Port=str(proxy.port),
            SERVER__Proxy_Username="user",
            SERVER__Proxy_Password="secret",
        )
        result = once(config)
        assert sorted(result.found) == [
            "paypal-login-1.example",
            "paypal-login-2.example",
        ]
        assert f"proxy: socks5h://{proxy.host}:{proxy.port}" in result.out
        # Of the list one, and one of each connection to the logs.
        assert proxy.tunnels() == 1 + len(server.connections)


def test_old_settings_whose_feed_is_gone_read_the_logs(folder: Path) -> None:
    log = FakeLog("one.example", hit("paypal-login-old.example"))
    with LogServer(log) as server:
        config = following(
            folder,
            server,
            SOURCES__Source="",
            SOURCES__Failover_Minutes="0.02",
            SOURCES__Start="tip",
            SERVER__ACTServer=NOBODY,
        )
        with Daemon(config) as daemon:
            daemon.wait_for_err("the logs are read until one is back")
            daemon.wait_for_out("1 log followed: one.example")
            while server.fronts[0].count("checkpoint") < 2:  # one gave the position
                time.sleep(0.02)
            server.fronts[0].log.add(many_entries(255, hits=HITS[:1]))
            daemon.wait_for_out("] paypal-login-00.example")
            result = daemon.stop()
    assert result.code == 0
    assert "source: logs, when no feed could be read for 0.02 minutes" in result.out
    assert result.found == ["paypal-login-00.example"]


def test_a_host_that_feed_and_logs_bring_is_told_once(folder: Path) -> None:
    log = FakeLog("one.example", hit("paypal-login-log.example"))
    tap = Tap()
    with LogServer(classic(log)) as server, FeedServer(tap) as feed:
        config = following(
            folder,
            server,
            SOURCES__Source="certstream logs",
            SERVER__ACTServer=feed.url,
        )
        with Daemon(config) as daemon:
            daemon.wait_for_out("] paypal-login-log.example")
            tap.put(
                message("paypal-login-log.example", index=1),
                message("paypal-login-feed.example", index=2),
            )
            daemon.wait_for_out("] paypal-login-feed.example")
            log.add(hit("paypal-login-feed.example") + hit("paypal-login-end.example"))
            daemon.wait_for_out("] paypal-login-end.example")
            result = daemon.stop()
    assert result.code == 0
    assert sorted(result.found) == [
        "paypal-login-end.example",
        "paypal-login-feed.example",
        "paypal-login-log.example",
    ]
    assert result.tally["messages"] == 5
    cursors = rows(folder / "found.sqlite3", "SELECT source FROM ctm_cursor")
    assert sorted(source.split(":")[0] for (source,) in cursors) == [
        "certstream",
        "log",
    ]


def test_the_logs_are_listed_with_what_is_left_out(folder: Path) -> None:
    logs = [FakeLog(f"{name}.example", many_entries(9)) for name in ("a", "b", "c")]
    fronts = static(logs[0], "a"), classic(logs[1], "b"), static(logs[2], "c")
    with LogServer(*fronts) as server:
        config = following(folder, server, SOURCES__Exclude_Logs="c.example")
        listed = run(DAEMON, "-c", config.name, "--list-logs", "--json", cwd=folder)
        assert listed.code == 0
        assert "no positions are shown" in listed.err
        assert not (folder / "found.sqlite3").exists(), "to list makes no database"
        assert once(config).code == 0
        logs[0].add(many_entries(2))
        fronts[1].faults.append(fault("not found"))
        objects = run(DAEMON, "-c", config.name, "--list-logs", "--json", cwd=folder)
        table = run(DAEMON, "-c", config.name, "--list-logs", cwd=folder)
        assert not fronts[2].requests, "a log that is left out is not asked"
    by_name = {each["log"]: each for each in map(json.loads, objects.out.splitlines())}
    assert [
        (name, each["kind"], each["position"], each["head"], each["backlog"])
        for name, each in sorted(by_name.items())
    ] == [
        ("a.example", "static", 9, 11, 2),
        ("b.example", "rfc6962", 9, None, None),
        ("c.example", "static", None, None, None),
    ]
    assert by_name["a.example"]["note"] == "followed"
    assert "404" in by_name["b.example"]["note"]
    assert by_name["c.example"]["note"] == "left out: excluded by 'c.example'"
    head, *lines = table.out.splitlines()
    assert head.split()[:4] == ["log", "operator", "kind", "state"]
    assert len(lines) == 3
    assert "\x1b" not in table.out


def test_a_name_is_not_cut_short_on_a_narrow_terminal(folder: Path) -> None:
    name = f"{'long' * 10}.example"
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 40))
    try:
        with LogServer(FakeLog(name)) as server:
            config = following(folder, server)
            done = subprocess.run(
                [sys.executable, CHECKOUT / DAEMON, "-c", config, "--list-logs"],
                cwd=folder,
                env=environment(TERM="xterm"),
                stdout=slave,
                check=False,
            )
        shown = os.read(master, 65536).decode()
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 0
    assert name in shown


def test_a_directory_that_could_hold_no_evidence_is_told_at_start(folder: Path) -> None:
    (folder / "shut").mkdir(mode=0o500)
    with LogServer(FakeLog("one.example")) as server:
        config = following(folder, server, SOURCES__Evidence_dir="shut/evidence")
        result = run(
            DAEMON, "-c", config.name, "--once", cwd=folder, ordinary_user=True
        )
    assert result.code == 0
    assert f"Evidence_dir: {folder / 'shut'} cannot be written" in result.err


def test_a_log_that_the_list_no_longer_names_keeps_its_position(folder: Path) -> None:
    stays, goes = (
        FakeLog(name, many_entries(9)) for name in ("a.example", "b.example")
    )
    with LogServer(stays, goes) as server:
        assert once(following(folder, server)).code == 0
        del server.fronts[1]
        result = once(following(folder, server))
    assert result.code == 0
    assert result.err.count("it no longer names 1 of the logs") == 1
    assert goes.log_id.hex() in result.err
    kept = rows(folder / "found.sqlite3", "SELECT source FROM ctm_cursor")
    assert (f"log:{goes.log_id.hex()}",) in kept


def reset(config: Path, log: str, *more: str) -> Result:
    return run(DAEMON, "-c", config.name, "--reset-log", log, *more, cwd=config.parent)


def test_a_log_that_forked_for_good_is_begun_anew_by_a_command(folder: Path) -> None:
    one = FakeLog("one.example/2026", many_entries(9, hits=HITS[:1]))
    with LogServer(static(one, "a")) as server:
        config = following(folder, server)
        assert once(config).code == 0
        forked = one.forked(3, hit("paypal-login-new.example")[0])
        forked.add(many_entries(2))
        server.fronts[0].log = forked
        bad = once(config)
        assert (bad.code, bad.found) == (1, [])
        assert "CONTRADICTION" in bad.err
        done = reset(config, "one.example/2026")
        assert (done.code, done.err) == (0, "")
        assert "it was read up to entry 9, and the head believed was one" in done.out
        assert "begins anew, at Start = beginning" in done.out
        again = once(config)
    assert (again.code, again.found) == (0, ["paypal-login-new.example"])
    kept = rows(folder / "found.sqlite3", "SELECT source FROM ctm_cursor")
    assert [name.partition(":")[0] for (name,) in sorted(kept)] == ["aside", "log"]


def test_a_log_that_is_to_begin_anew_has_to_be_one_that_was_read(folder: Path) -> None:
    logs = [FakeLog(f"one.example/{year}", many_entries(9)) for year in (2026, 2027)]
    with LogServer(*logs) as server:
        config = following(folder, server)
        early = reset(config, "one.example/2026")
        assert early.code == 2
        assert not (folder / "found.sqlite3").exists()
        assert once(config).code == 0
        for wanted, *more, words in (
            ("one.example", "means 2 logs: one.example/2026, one.example/2027"),
            ("two.example", "No position is stored of a log that 'two.example' means"),
            ("ab" * 32, f"No position is stored of log {'ab' * 32}"),
            ("one.example/2026", "--dry-run", "--dry-run stores nothing"),
        ):
            result = reset(config, wanted, *more)
            assert (result.code, result.out) == (2, "")
            assert words in result.err
        statement = "SELECT source FROM ctm_cursor"
        kept = rows(folder / "found.sqlite3", statement)
        assert sorted(kept) == sorted((f"log:{log.log_id.hex()}",) for log in logs)
        by_id = reset(config, f"log:{logs[0].log_id.hex().upper()}")
    assert by_id.code == 0
    assert (f"log:{logs[0].log_id.hex()}",) not in rows(
        folder / "found.sqlite3", statement
    )


def test_once_needs_logs(folder: Path) -> None:
    config = settings(folder, SERVER__ACTServer=NOBODY)
    result = once(config)
    assert result.code == 2
    assert "--once reads logs to their end, and a feed has none" in result.err
    assert not (folder / "found.sqlite3").exists()


def test_settings_of_logs_are_checked_without_a_connection(folder: Path) -> None:
    with LogServer(FakeLog()) as server:
        config = following(folder, server, SOURCES__Verify="no", SOURCES__Contact="")
        result = run(DAEMON, "-c", config.name, "--check-config", cwd=folder)
        assert result.code == 0
        assert "Verify = no: entries of logs are taken as served" in result.err
        assert "Contact is empty" in result.err
        assert "NOT verified" in result.out
        assert server.requests == []
        (folder / "logs.json").unlink()
        without = once(config)
    assert without.code == 2
    assert "[SOURCES] Log_List: 'logs.json' cannot be read" in without.err
