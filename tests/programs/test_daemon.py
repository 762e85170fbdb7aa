"""certstreammonitor.py from settings to output, as a process."""

import gzip
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.data import VECTORS, vector_messages
from tests.fakes.feed import FeedServer, Peer, serve
from tests.programs.program import (
    CHECKOUT,
    FINDING,
    GOLDEN,
    Daemon,
    Tap,
    encoded,
    environment,
    message,
    replaying,
    rows,
    run,
    settings,
)

DAEMON = "certstreammonitor.py"
# As the logs' X.509 entries have them; the precertificates' hashes are of nothing.
SHA1_OF_RENEWPLAN = "77e6c1dce2c03fcf294adc1ffb6b6667dddf5191"
SHA1_OF_IBANK = "316080fa88ac64fd2e709aba50ca4f88cc5e0feb"
SHA1_OF_KIMTWIDDLE = "bc3253f68b226648fd17448bafd125f5d3bcb665"
HEARTBEAT = vector_messages("heartbeat_python_server_2017-10.json")[0]


def of_host(file: str, host: str) -> list[bytes]:
    """The recorded messages of a file in which a host occurs."""
    return [line for line in vector_messages(file) if host.encode() in line]


def masked(text: str) -> str:
    return re.sub(r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\]", "[TIME]", text, flags=re.M)


# What is printed


def test_a_replay_prints_banner_findings_and_summary_in_the_promised_form(
    folder: Path,
) -> None:
    config = replaying(
        folder,
        [
            *of_host("go_1.9_rfc6962_full.jsonl", "renewplan-mytariff.com"),
            *vector_messages("rust_live_ct_lite.jsonl"),
            *of_host("go_1.9_lite.jsonl", "shelldorado"),
            *of_host("go_1.9_rfc6962_domains.jsonl", "kimtwiddle"),
        ],
        keywords="renewplan|mytariff|dragon|portal|ruralus|shell|dorado|kim|twiddle",
        SEARCH__BlacklistKeywords="^www[.]dev",
    )
    zone = timezone(timedelta(hours=-11))
    result = run(
        DAEMON, "-c", config.name, cwd=folder, env=environment(TZ="Etc/GMT+11")
    )
    assert result.code == 0
    assert masked(result.out) == (GOLDEN / "daemon_replay.txt").read_text()
    printed = {match["time"] for match in FINDING.finditer(result.out)}
    now = datetime.now(zone).replace(tzinfo=None)
    assert all(
        abs(now - datetime.fromisoformat(time)) < timedelta(minutes=30)
        for time in printed
    ), "the time is not the local one"
    assert rows(
        folder / "found.sqlite3",
        "SELECT Domain, SAN, Issuer, Fingerprint, Startime, StillInvestig "
        "FROM CertMon WHERE Domain LIKE '%dragonjar%'",
    ) == [
        (
            "portal.dragonjar.org",
            "portal.dragonjar.org",
            "/C=US/CN=WR1/O=Google Trust Services",
            "30:AF:23:FE:9B:E0:77:2E:FF:5C:05:26:70:0B:79:FF:56:6B:BE:3A",
            "2026-05-20T17:48:12",
            None,
        )
    ]


def test_heartbeats_in_a_recording_are_no_messages(folder: Path) -> None:
    heartbeat = b'{"message_type":"heartbeat","timestamp":1508532970.93171}'
    config = replaying(folder, [heartbeat, message("paypal-login.example"), heartbeat])
    assert run(DAEMON, "-c", config.name, cwd=folder).tally["messages"] == 1


def test_json_keeps_standard_output_for_objects(folder: Path) -> None:
    config = replaying(
        folder,
        [
            message("login.paypal.example", "plain.example", index=7),
            b'{"data":["paypal-login.example"],"message_type":"dns_entries"}',
        ],
    )
    result = run(DAEMON, "-c", config.name, "--json", cwd=folder)
    first, second = map(json.loads, result.out.splitlines())
    assert result.code == 0
    assert first.pop("time").endswith("Z")
    assert first == {
        "host": "login.paypal.example",
        "novelty": "new",
        "matches": [
            {
                "name": "login.paypal.example",
                "score": 2,
                "brand": "",
                "registrable_domain": "",
                "reasons": [
                    {"rule": "login", "kind": "keyword", "weight": 1, "brand": ""},
                    {"rule": "paypal", "kind": "keyword", "weight": 1, "brand": ""},
                ],
            }
        ],
        "names": ["login.paypal.example", "plain.example"],
        "issuer": "/C=US/CN=E7/O=Test CA",
        "serial": "7",
        "not_before": "2026-11-21T11:14:45Z",
        "not_after": "2027-02-19T11:14:44Z",
        "fingerprint_sha1": f"{7:040x}",
        "fingerprint_sha256": f"{7:064x}",
        "feed": "feed.jsonl",
        "log": "https://log.example/one",
        "index": 7,
        "entry_type": "X509LogEntry",
        "link": "",
        "seen": "2026-11-21T12:34:25Z",
    }
    assert second["host"] == "paypal-login.example"
    assert "detection threshold: 2" in result.err
    assert "messages=2 candidates=2 findings=2" in result.err


def test_a_dry_run_prints_and_stores_nothing(folder: Path) -> None:
    seen_twice = [message("paypal-login.example")] * 2
    config = replaying(folder, seen_twice, DATABASE__DBFile="no/such/found.sqlite3")
    result = run(DAEMON, "-c", config.name, "--dry-run", cwd=folder)
    assert (result.code, result.found) == (0, ["paypal-login.example"])
    assert "database: none (dry run)" in result.out
    assert sorted(path.name for path in folder.iterdir()) == [
        "daemon.conf",
        "feed.jsonl",
    ]


def test_the_log_file_gets_its_directory_and_rotates(folder: Path) -> None:
    log = folder / "var" / "log dir" / "ct.log"
    config = replaying(
        folder,
        [message("paypal.example")],
        LOGGING__LogType="file",
        LOGGING__LogFile=str(log),
        LOGGING__LogLevel="10",
    )
    first = run(DAEMON, "-c", config.name, cwd=folder)
    assert first.code == 0
    assert first.err == "", "with a log file standard error is for warnings"
    assert "detection threshold not reached: paypal.example (paypal)" in log.read_text()

    log.write_text("x" * 10_000_000)
    second = run(DAEMON, "-c", config.name, "-v", cwd=folder)
    assert "INFO source: replay of feed.jsonl" in second.err, "-v tells on stderr too"
    assert log.with_name("ct.log.1").stat().st_size == 10_000_000
    assert "messages=1" in log.read_text()


def test_syslog_falls_back_to_standard_error_where_there_is_none(folder: Path) -> None:
    config = replaying(folder, [], LOGGING__LogType="syslog")
    result = run(DAEMON, "-c", config.name, cwd=folder)
    assert result.code == 0
    if Path("/dev/log").exists():
        assert "log: syslog\n" in result.out
    else:
        assert "log: standard error\n" in result.out
        assert "INFO the source ended: messages=0" in result.err


def test_names_that_the_terminal_cannot_show_are_escaped(folder: Path) -> None:
    config = replaying(folder, [message("paypal-login.b\u00fccher.example")])
    posix = environment(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    for arguments in ((), ("--dry-run", "--json")):
        result = run(DAEMON, "-c", config.name, *arguments, cwd=folder, env=posix)
        assert result.code == 0
        assert "paypal-login.b\\xfccher.example" in result.out
    listed = run("gethost.py", "-c", config.name, cwd=folder, env=posix)
    assert listed.out.splitlines()[2] == "paypal-login.b\\xfccher.example None"
    assert rows(folder / "found.sqlite3", "SELECT Domain FROM CertMon") == [
        ("paypal-login.b\u00fccher.example",)
    ]


@pytest.mark.parametrize("last_line_read", ["certstreammonitor.py with", "log: "])
def test_a_closed_pipe_ends_the_daemon_without_traceback(
    folder: Path, last_line_read: str
) -> None:
    names = [f"paypal-login-{number}.example" for number in range(5000)]
    config = replaying(folder, [message(name) for name in names])
    with subprocess.Popen(
        [sys.executable, CHECKOUT / DAEMON, "-c", config.name],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while not process.stdout.readline().startswith(last_line_read):
            pass
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(60) == 1
    assert "WARNING standard output was closed" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", [DAEMON, "gethost.py", "check_rules.py"])
def test_help_shows_examples_and_version_the_name(folder: Path, command: str) -> None:
    shown = run(command, "--help", cwd=folder)
    assert shown.code == 0
    assert f"examples:\n  {command} -c conf/example.conf" in shown.out
    version = run(command, "--version", cwd=folder)
    assert version.code == 0
    assert re.fullmatch(rf"{re.escape(command)} \d+\.\d+\.\d+\S*\n", version.out)


# What is found (M1)


def test_precertificate_and_certificate_in_several_logs_are_one_issuance(
    folder: Path,
) -> None:
    host = "renewplan-mytariff.com"
    # The tiled log's precertificate comes first and bears the hash of nothing.
    sightings = [
        *of_host("go_1.9_lite.jsonl", host),
        *of_host("go_1.9_full.jsonl", host),
        *of_host("go_1.9_rfc6962_lite.jsonl", host),
        *of_host("go_1.9_rfc6962_full.jsonl", host),
    ]
    # Two certificates on which no hash is the same, and which are two issuances.
    others = [
        *of_host("go_1.9_lite.jsonl", "kimtwiddle"),
        *of_host("go_1.9_lite.jsonl", "ibank.menath"),
    ]
    config = replaying(
        folder,
        [*sightings, *others],
        keywords="renewplan|kimtwiddle|ibank",
        SEARCH__DetectionThreshold="1",
    )
    result = run(DAEMON, "-c", config.name, cwd=folder)
    assert result.found == [
        host,
        f"www.{host}",
        "www.kimtwiddle.de",
        "www.www.kimtwiddle.de",
        "ibank.menath-transporte.de",
        "www.ibank.menath-transporte.de",
    ]
    assert result.tally["messages"] == 2 + 2 + 1 + 1 + 2 + 2
    database = folder / "found.sqlite3"
    assert rows(
        database,
        "SELECT serial, as_precert, as_certificate, sha1 FROM ctm_issuance "
        "ORDER BY serial",
    ) == [
        ("54be00d8ef75c1fad3cadfd6979955c7", 1, 1, SHA1_OF_RENEWPLAN),
        ("5be01a969de67281c2368371f8237e71", 1, 1, SHA1_OF_IBANK),
        ("7c6d65a81fde8fbeaf2aeffa8fa7b49", 1, 1, SHA1_OF_KIMTWIDDLE),
    ]
    assert rows(
        database,
        "SELECT log, log_index, entry_type FROM ctm_seen s JOIN ctm_issuance i "
        "ON s.issuance_id = i.id WHERE serial LIKE '54be%' ORDER BY log, log_index",
    ) == [
        ("http://127.0.0.1:9711/rfc", 17, "X509LogEntry"),
        ("https://127.0.0.1:7402/peers", 10, "PrecertLogEntry"),
        ("https://127.0.0.1:7402/peers", 17, "X509LogEntry"),
    ]
    again = run(DAEMON, "-c", config.name, cwd=folder)
    assert (again.found, again.tally["findings"]) == ([], 0)


def test_common_name_and_every_san_are_judged(folder: Path) -> None:
    one = json.loads(message("plain.example", "www.LOGIN-PayPal.example", "x.example"))
    one["data"]["leaf_cert"]["subject"]["CN"] = "Paypal.Login.example."
    config = replaying(folder, [encoded(one)])
    result = run(DAEMON, "-c", config.name, cwd=folder)
    assert result.found == ["www.login-paypal.example", "paypal.login.example"]


# File of tests/vectors/certstream, what of its names is made this file's own, and the
# hosts that hold it; read off the files by hand.
RECORDED = {
    "elixir_2018_sample0_chain_der_redacted.json": (
        "firmyfarmaceutyczneeu",
        [
            "{}.redirect.rejestracjadomen.pl",
            "www.{}.redirect.rejestracjadomen.pl",
        ],
    ),
    "elixir_2018_sample1_chain_der_redacted.json": (
        "rundschleifmaschinen",
        ["{}-service.de", "www.{}-service.de"],
    ),
    "elixir_2018_sample2_chain_der_redacted.json": ("runaflohmarkt", ["www.{}.de"]),
    "elixir_2020-02_argon2020_x509_chain.json": (
        "smm-cheap",
        ["access.{}.com", "www.access.{}.com"],
    ),
    "elixir_2022-11_xenon2023_x509_lite_phish.json": (
        "leroymerlln",
        ["api.github.{}.com", "github.github.{}.com", "github.{}.com"],
    ),
    "elixir_2024-03_yeti2025_precert_lite.json": (
        "d7zdnegbre53n",
        ["*.{}.amplifyapp.com", "{}.amplifyapp.com"],
    ),
    "go_2022-07_yeti2022-2_precert_lite.json": ("cmslieferhit", ["{}.e06.k-k.de"]),
    "python_server_2017-10_placeholder_der.json": (
        "zigarette",
        ["e-{}-liquid-shop.de", "www.e-{}-liquid-shop.de"],
    ),
    "python_server_2017-11_full_as_der.json": ("theaffairsite", ["app.{}.com"]),
    "python_server_2017-11b_full_as_der.json": ("rawlivingvibrant", ["{}energy.com"]),
    "go_1.9_domains.jsonl": ("shelldorado", ["dev.{}.de", "www.dev.{}.de"]),
    "go_1.9_full.jsonl": ("shelldorado", ["dev.{}.de", "www.dev.{}.de"]),
    "go_1.9_lite.jsonl": ("shelldorado", ["dev.{}.de", "www.dev.{}.de"]),
    "go_1.9_rfc6962_domains.jsonl": ("kimtwiddle", ["www.{}.de", "www.www.{}.de"]),
    "go_1.9_rfc6962_full.jsonl": ("kimtwiddle", ["www.{}.de", "www.www.{}.de"]),
    "go_1.9_rfc6962_lite.jsonl": ("kimtwiddle", ["www.{}.de", "www.www.{}.de"]),
    "rust_live_ct_domains_only.jsonl": ("ruralus", ["{}.com", "*.{}.com"]),
    "rust_live_ct_full.jsonl": ("ruralus", ["{}.com", "*.{}.com"]),
    "rust_live_ct_lite.jsonl": ("ruralus", ["{}.com", "*.{}.com"]),
    "rust_synthetic_domains_only.jsonl": ("xn--bcher-kva", ["{}.example.test"]),
    "rust_synthetic_full.jsonl": ("xn--bcher-kva", ["{}.example.test"]),
    "rust_synthetic_lite.jsonl": ("cn-only", ["{}.example.test"]),
}


def test_every_recorded_message_is_understood_on_one_connection(folder: Path) -> None:
    folders = {path.name for path in (VECTORS / "certstream").iterdir()}
    assert folders == {*RECORDED, "heartbeat_python_server_2017-10.json"}
    expected, messages = set(), []
    for number, (file, (word, hosts)) in enumerate(RECORDED.items()):
        own = f"{word}-file{number}"
        expected |= {host.format(own) for host in hosts}
        messages += [
            line.replace(word.encode(), own.encode()) for line in vector_messages(file)
        ]
    # The largest first, so that each file's neighbours are of other generations.
    messages.sort(key=len, reverse=True)

    def script(peer: Peer) -> None:
        peer.handshake()
        for number, one in enumerate(messages):
            if number % 5 == 0:
                peer.send_text(HEARTBEAT)
            if number % 3 == 0:
                peer.send_text(one)
            elif number % 3 == 1:
                peer.send_binary(one)
            else:
                peer.send_fragments(one, [1, 0, len(one) // 2])
        peer.send_text(b'{"data":["file999-end"],"message_type":"dns_entries"}')
        peer.wait_closed()

    with FeedServer(script) as server:
        config = settings(
            folder, keywords="file[0-9]+", threshold=1, SERVER__ACTServer=server.url
        )
        with Daemon(config) as daemon:
            daemon.wait_for_out(" file999-end ")
            result = daemon.stop()
        assert len(server.connections) == 1
    assert result.code == 0
    assert sorted(result.found) == sorted(expected | {"file999-end"})
    assert result.tally["messages"] == len(messages) + 1
    assert result.tally["malformed"] == 0
    assert rows(folder / "found.sqlite3", "SELECT count(*) FROM CertMon") == [
        (len(expected) + 1,)
    ]


# Export_File


def test_all_names_of_the_database_are_written_when_a_replay_ends(folder: Path) -> None:
    names = folder / "names.txt"
    config = replaying(
        folder,
        [message("b.paypal-login.example", "www.example")],
        REPORTING__Export_File="names.txt",
    )
    result = run(DAEMON, "-c", config.name, cwd=folder)
    *_, line, tally = result.out.splitlines()
    assert (result.code, line) == (0, "names written to names.txt: 1")
    assert tally.startswith("messages=1 ")
    names.chmod(0o640)
    (folder / "feed.jsonl").write_bytes(message("A.paypal-login.example") + b"\n")
    result = run(DAEMON, "-c", config.name, "--json", cwd=folder)
    assert json.loads(result.out)["host"] == "a.paypal-login.example"
    assert "names written to names.txt: 2" in result.err
    assert names.read_text() == "a.paypal-login.example\nb.paypal-login.example\n"
    assert names.stat().st_mode & 0o777 == 0o640
    # A dry run stores nothing, so there is nothing to be written.
    names.write_text("")
    run(DAEMON, "-c", config.name, "--dry-run", cwd=folder)
    assert names.read_text() == ""


def test_the_names_are_written_after_a_signal(folder: Path) -> None:
    with FeedServer(serve([message("paypal-login.example")])) as server:
        config = settings(
            folder, SERVER__ACTServer=server.url, REPORTING__Export_File="names.txt"
        )
        with Daemon(config) as daemon:
            daemon.wait_for_out("paypal-login.example")
            assert not (folder / "names.txt").exists()
            assert daemon.stop(signal.SIGTERM).code == 0
    assert (folder / "names.txt").read_text() == "paypal-login.example\n"


def test_an_export_file_that_cannot_be_written_is_told(folder: Path) -> None:
    (folder / "names").mkdir()
    config = replaying(
        folder, [message("paypal-login.example")], REPORTING__Export_File="names"
    )
    for option in ("--check-config", "--dry-run"):
        result = run(DAEMON, "-c", config.name, option, cwd=folder)
        assert result.code == 2
        assert "[REPORTING] Export_File: 'names' is a directory." in result.err
    config.write_text(config.read_text().replace("= names", "= feed.jsonl/names"))
    result = run(DAEMON, "-c", config.name, cwd=folder)
    assert (result.code, result.found) == (2, [])
    assert "'feed.jsonl/names'" in result.err


# Signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stores_what_came_prints_the_summary_and_exits_0(
    folder: Path, number: signal.Signals
) -> None:
    with FeedServer(serve([message("paypal-login.example")])) as server:
        config = settings(folder, SERVER__ACTServer=server.url)
        with Daemon(config) as daemon:
            daemon.wait_for_out("paypal-login.example")
            result = daemon.stop(number)
        (peer,) = server.connections
        server.wait_for_ended()
        assert [frame.close_code for frame in peer.closes] == [1000]
    assert result.code == 0
    assert result.out.splitlines()[-1] == (
        "messages=1 candidates=1 findings=1 malformed=0 dropped=0 reconnects=0 gaps=0"
    )
    assert f"stopped by {number.name}: messages=1" in result.err
    assert f"source: certstream {server.url} " in result.out
    assert "database: found.sqlite3, table CertMon" in result.out
    assert "keywords: 2, BlacklistKeywords: empty, blocks nothing" in result.out


def test_a_hangup_exchanges_rules_and_loses_no_message(folder: Path) -> None:
    """Each message holds a name for the old rules and one for the new."""
    tap = Tap()

    def both(start: int, end: int) -> list[bytes]:
        return [
            message(f"alpha-{n}.example", f"beta-{n}.example", index=n)
            for n in range(start, end)
        ]

    with FeedServer(tap) as server:
        address = {"SERVER__ACTServer": server.url, "SOURCES__Queue_Messages": "100000"}
        config = settings(folder, keywords="alpha", threshold=1, **address)
        with Daemon(config) as daemon:
            tap.put(*both(0, 1500))
            daemon.wait_for_out(" alpha-10.example ")
            settings(folder, keywords="beta", threshold=1, **address)
            daemon.send(signal.SIGHUP)
            daemon.wait_for_err("SIGHUP: rules read again. Looking for these")
            # One that the old rules' prefilter would not let pass.
            tap.put(message("beta-alone.example"), *both(1500, 3000))
            daemon.wait_for_out(" beta-2999.example ")

            config.write_text("[SEARCH]\nSearchKeywords = (\nDetectionThreshold = 0\n")
            daemon.send(signal.SIGHUP)
            daemon.wait_for_err("DetectionThreshold")
            tap.put(*both(3000, 3001))
            daemon.wait_for_out(" beta-3000.example ")
            result = daemon.stop()
        assert len(server.connections) == 1
    assert result.code == 0
    found = set(result.found)
    for n in range(3001):
        kinds = {f"alpha-{n}.example" in found, f"beta-{n}.example" in found}
        assert kinds == {True, False}, f"message {n} was judged by not exactly one rule"
    assert "beta-alone.example" in found
    assert result.tally["messages"] == result.tally["findings"] == 3002
    kept = re.findall("SIGHUP: the old rules stay in force: (.*)", result.err)
    assert len(kept) >= 3, "each problem of the file is told"
    assert any("SearchKeywords" in line for line in kept)
    assert any("DetectionThreshold" in line for line in kept)


# The store


def test_a_locked_database_delays_findings_and_a_second_signal_ends_the_wait(
    folder: Path,
) -> None:
    database = folder / "found.sqlite3"
    taps = Tap(), Tap()
    with FeedServer(*taps) as server:
        config = settings(folder, SERVER__ACTServer=server.url)
        with Daemon(config) as patient, closing(sqlite3.connect(database)) as other:
            server.wait_for_connections(1)
            with Daemon(config) as hasty:
                server.wait_for_connections(2)
                other.execute("BEGIN EXCLUSIVE")
                for number, tap in enumerate(taps):
                    tap.put(message(f"paypal-login-{number}.example", index=number))
                patient.wait_for_err("messages come in")
                hasty.wait_for_err("messages come in")
                hasty.send(signal.SIGTERM)
                hasty.wait_for_err("stopped by SIGTERM: storing what was received")
                ended = hasty.stop(signal.SIGINT)
            later = [message(f"paypal-login-{n}.example", index=n) for n in range(2, 9)]
            taps[0].put(*later)
            patient.wait_for_err("is locked by another program")
            assert "paypal-login" not in patient.out, "told before it was stored"
            other.rollback()
            patient.wait_for_err("the store can be used again, nothing was lost")
            patient.wait_for_out("paypal-login-8.example")
            result = patient.stop()
    assert ended.code == 1
    assert "second signal, ending at once" in ended.err
    assert ended.found == []
    hosts = [f"paypal-login-{n}.example" for n in (0, *range(2, 9))]
    assert (result.code, result.found) == (0, hosts)
    assert result.err.count("Findings are kept and stored") == 1
    assert result.tally["messages"] == result.tally["findings"] == 8
    assert result.tally["dropped"] == 0
    stored = rows(database, "SELECT Domain FROM CertMon ORDER BY Domain")
    assert [host for (host,) in stored] == hosts


def test_a_full_disk_is_told_once_and_waited_for(folder: Path) -> None:
    database = folder / "found.sqlite3"
    tap = Tap()
    with FeedServer(tap) as server:
        config = settings(folder, SERVER__ACTServer=server.url)
        with Daemon(config) as daemon:
            tap.put(message("first-paypal-login.example", index=0))
            daemon.wait_for_out("first-paypal-login.example")
            # No file of this process may grow any more, as on a full disk.
            pid = daemon.process.pid
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
            tap.put(*(message(f"paypal-login-{n}.example", index=n) for n in range(9)))
            daemon.wait_for_err("Findings are kept and stored")
            assert " paypal-login-" not in daemon.out, "told before it was stored"
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
            daemon.wait_for_out("paypal-login-8.example")
            result = daemon.stop()
    assert result.code == 0
    assert result.err.count("Findings are kept and stored") == 1
    assert len(result.found) == result.tally["findings"] == 10
    assert rows(database, "PRAGMA integrity_check") == [("ok",)]
    assert rows(database, "SELECT count(*) FROM CertMon") == [(10,)]


# How it ends when something is wrong


def refused(folder: Path, *arguments: str) -> str:
    """Standard error of a start that ended with code 2 and did nothing."""
    result = run(DAEMON, *arguments, cwd=folder, ordinary_user=True)
    assert result.code == 2
    assert result.out == "", "something was printed before the state was looked at"
    return result.err


def test_without_a_configuration_file_nothing_starts(folder: Path) -> None:
    assert "give one with -c FILE" in refused(folder)
    assert "absent.conf" in refused(folder, "-c", "absent.conf")


def test_all_problems_of_the_settings_are_told_at_once(folder: Path) -> None:
    path = VECTORS / "conf" / "everything_wrong.conf"
    err = refused(folder, "-c", str(path))
    for word in (
        "SearchKeywords",
        "DetectionThreshold",
        "Stall_Seconds",
        "Queue_Messages",
        "ACTServer",
        "NO_SUCH_VARIABLE",
        "Proxy_Type",
        "LogLevel",
    ):
        lines = [line for line in err.splitlines() if word in line]
        assert any(str(path) in line for line in lines), f"{word} is not told of"


def test_an_unwritable_directory_is_told_before_anything_is_connected(
    folder: Path,
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o555)
    with FeedServer(serve([])) as server:
        for db_file in ("closed/found.sqlite3", "closed/deeper/found.sqlite3"):
            config = settings(
                folder, DATABASE__DBFile=db_file, SERVER__ACTServer=server.url
            )
            err = refused(folder, "-c", config.name)
            assert "closed" in err
            assert "mode" in err or "Create it" in err, "no next step"
        assert server.connections == []


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (b"this is no database, but text of some length " * 20, "Name another file"),
        (b"SQLite format 3\0" + b"\xff" * 8192, "Name another file"),
    ],
)
def test_a_corrupt_database_is_told_and_left_alone(
    folder: Path, damage: bytes, told: str
) -> None:
    database = folder / "found.sqlite3"
    database.write_bytes(damage)
    config = replaying(folder, [])
    err = refused(folder, "-c", config.name)
    assert "found.sqlite3" in err
    assert told in err
    assert database.read_bytes() == damage


def test_files_that_the_settings_name_must_be_readable(folder: Path) -> None:
    config = settings(
        folder, SOURCES__Source="replay", SOURCES__Replay_File="absent.jsonl.gz"
    )
    for more in ((), ("--check-config",)):
        err = refused(folder, "-c", config.name, *more)
        assert "[SOURCES] Replay_File: 'absent.jsonl.gz' cannot be read" in err
    (folder / "no.pem").write_text("no certificate")
    (folder / "secret.pem").touch(mode=0o000)
    for ca_file in ("no.pem", "secret.pem"):
        config = settings(
            folder,
            SERVER__ACTServer="wss://127.0.0.1:1/",
            SERVER__CA_File=ca_file,
        )
        assert ca_file in refused(folder, "-c", config.name)
    config = settings(
        folder,
        SERVER__ACTServer="ws://127.0.0.1:1/",
        LOGGING__LogType="file",
        LOGGING__LogFile="daemon.conf/ct.log",
    )
    assert "LogType = stderr" in refused(folder, "-c", config.name)
    assert not (folder / "found.sqlite3").exists()


@pytest.mark.parametrize("break_off", ["cut short", "damaged"])
def test_a_broken_recording_ends_with_1_and_keeps_what_stood_before(
    folder: Path, break_off: str
) -> None:
    # Names that do not compress, so that the break lies behind many messages.
    numbers = [os.urandom(24).hex() for _ in range(6000)]
    good = b"\n".join(message(f"paypal-login-{n}.example") for n in numbers)
    packed = gzip.compress(good)
    half = len(packed) // 2
    broken = packed[:half]
    if break_off == "damaged":
        broken += b"\xff" * 64 + packed[half + 64 :]
    (folder / "feed.jsonl.gz").write_bytes(broken)
    config = settings(
        folder, SOURCES__Source="replay", SOURCES__Replay_File="feed.jsonl.gz"
    )
    result = run(DAEMON, "-c", config.name, cwd=folder)
    assert result.code == 1
    assert "Replay_File 'feed.jsonl.gz' cannot be read to its end" in result.err
    found = result.found
    assert found == [f"paypal-login-{n}.example" for n in numbers[: len(found)]]
    # A block of what can be unpacked is judged at a time.
    assert len(found) > 1500
    assert result.tally["findings"] == len(found)
    assert rows(folder / "found.sqlite3", "SELECT count(*) FROM CertMon") == [
        (len(found),)
    ]
