"""certstreammonitor.py --check-config: what is in force, before anything starts."""

from pathlib import Path

from tests.data import VECTORS
from tests.programs.program import CHECKOUT, environment, run, settings

DAEMON = "certstreammonitor.py"
SECRETS = {
    "SERVER__ACTServer": "wss://reader:feedsecret@feed.example/",
    "SERVER__Proxy_Host": "proxy.example",
    "SERVER__Proxy_Port": "3128",
    "SERVER__Proxy_Username": "someone",
    "SERVER__Proxy_Password": "${PROXY_SECRET}",
    "DATABASE__URL": "postgresql://ct:dbsecret@db.example/ct",
    "REPORTING__Notification_Destination": "slack://slacksecret/b/c",
    "REPORTING__Fallback_Destination": "json://fallback.example/fallbacksecret",
    "REPORTING__Heartbeat_URL": "https://ping.example/pingsecret?key=pingsecret",
    "SAFEBROWSING__Safe_Browsing_API_Key": "apisecret",
    "CONNECT__Proxy": "socks5h://me:connectsecret@localhost:9050",
}


def test_it_prints_what_is_in_force_with_secrets_masked(folder: Path) -> None:
    config = settings(folder, **SECRETS)  # type: ignore[arg-type]
    result = run(
        DAEMON,
        *("-c", config.name, "--check-config"),
        cwd=folder,
        env=environment(PROXY_SECRET="envsecret"),
    )
    assert result.code == 0
    lines = result.out.splitlines()
    assert "SearchKeywords = paypal|login" in lines
    assert "DetectionThreshold = 2" in lines
    assert any(line.startswith("Stall_Seconds = 60") for line in lines), "a default"
    assert "feed.example" in result.out
    assert "db.example" in result.out
    assert "Heartbeat_URL = https://ping.example/********" in result.out
    assert "secret" not in (result.out + result.err).replace("PROXY_SECRET", "")
    assert [path.name for path in folder.iterdir()] == [config.name]


def test_what_it_prints_is_a_settings_file_that_means_the_same(folder: Path) -> None:
    config = settings(folder, SERVER__ACTServer="ws://127.0.0.1:1/")
    first = run(DAEMON, "-c", config.name, "--check-config", cwd=folder)
    (folder / "printed.conf").write_text(first.out)
    second = run(DAEMON, "-c", "printed.conf", "--check-config", cwd=folder)
    assert second.code == 0
    in_force = [line for line in first.out.splitlines() if not line.startswith("#")]
    again = [line for line in second.out.splitlines() if not line.startswith("#")]
    assert again == in_force


def test_the_shipped_example_is_in_order() -> None:
    # In the checkout, as README has it: the brands it names lie there.
    result = run(DAEMON, "--conf", "conf/example.conf", "--check-config", cwd=CHECKOUT)
    assert (result.code, result.err) == (0, "")


def test_wrong_settings_end_with_2_and_every_problem(folder: Path) -> None:
    path = VECTORS / "conf" / "everything_wrong.conf"
    result = run(DAEMON, "-c", path, "--check-config", cwd=folder)
    assert (result.code, result.out) == (2, "")
    problems = [line for line in result.err.splitlines() if str(path) in line]
    assert len(problems) >= 10


def test_it_warns_of_misspelt_keys_and_of_slow_patterns(folder: Path) -> None:
    config = settings(
        folder,
        keywords="(a|aa)+$|paypal",
        SERVER__ACTServer="ws://127.0.0.1:1/",
        SEARCH__BlacklistKeyword="x",
    )
    result = run(DAEMON, "-c", config.name, "--check-config", cwd=folder)
    assert result.code == 0
    assert "BlacklistKeywords" in result.err, "the nearest known key"
    assert "[SEARCH] SearchKeywords is very slow on some names" in result.err
    assert "# note: every message is parsed" in result.out
