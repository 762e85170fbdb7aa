"""[REPORTING] Notify_On: the daemon queues what it finds, scanhost.py delivers it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctmonitor.model.clock import now_utc
from tests.fakes.webhook import Webhook
from tests.programs.program import Result, message, replaying, rows, run

HOST, OTHER = "login-paypal.example", "paypal-login.example"
MESSAGES = [message(HOST, "www.example"), message(OTHER, index=2)]
QUEUED = "SELECT key, payload FROM ctm_outbox WHERE state = 'due' ORDER BY id"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as endpoint:
        yield endpoint


def configure(folder: Path, notify_on: str, destination: str, **more: str) -> str:
    told = {"REPORTING__Notify_On": notify_on}
    if destination:
        told["REPORTING__Notification_Destination"] = destination
    return replaying(folder, MESSAGES, **told, **more).name


def daemon(folder: Path, config: str, *options: str) -> Result:
    result = run("certstreammonitor.py", "-c", config, *options, cwd=folder)
    assert result.code == 0, result.err
    return result


def flush(folder: Path, config: str) -> Result:
    return run("scanhost.py", "-c", config, "--flush", cwd=folder)


def queued(folder: Path) -> list[tuple[str, str]]:
    return rows(folder / "found.sqlite3", QUEUED)


def test_what_the_daemon_found_is_delivered_by_scanhost(
    folder: Path, webhook: Webhook
) -> None:
    config = configure(folder, "found", webhook.address)
    told = daemon(folder, config)
    assert told.found == [HOST, OTHER]
    assert "notifications: queued for 1 destination, sent by scanhost.py\n" in told.out
    assert webhook.told == []
    (key, payload), _ = queued(folder)
    assert key.startswith(f"{HOST}:found:")
    alert = json.loads(payload)
    assert (alert["event"], alert["names"]) == ("found", [HOST, "www.example"])
    assert flush(folder, config).code == 0
    assert sorted(one.subject for one in webhook.told) == [
        "login-paypal[.]example was found",
        "paypal-login[.]example was found",
    ]
    assert queued(folder) == []
    # Known hosts are not told again, nor is what was delivered.
    daemon(folder, config)
    assert flush(folder, config).code == 0
    assert len(webhook.told) == 2


def test_both_queues_findings_too(folder: Path, webhook: Webhook) -> None:
    daemon(folder, configure(folder, "both", f"{webhook.address} {webhook.address}"))
    told = [(key.split(":")[0], key.rpartition(":")[2]) for key, _ in queued(folder)]
    assert told == [(HOST, "0"), (HOST, "1"), (OTHER, "0"), (OTHER, "1")]


def test_the_default_and_a_dry_run_queue_nothing(
    folder: Path, webhook: Webhook
) -> None:
    config = configure(folder, "up", webhook.address)
    assert "notifications:" not in daemon(folder, config).out
    assert queued(folder) == []
    (folder / "found.sqlite3").unlink()
    config = configure(folder, "found", webhook.address)
    told = daemon(folder, config, "--dry-run")
    assert told.found == [HOST, OTHER]
    assert "notifications:" not in told.out
    assert not (folder / "found.sqlite3").exists()


def test_tags_lead_findings_and_sites_to_their_destinations(
    folder: Path, webhook: Webhook
) -> None:
    with Webhook() as other, Webhook() as all_of_it:
        destinations = f"triage={webhook.address} soc={other.address} "
        config = configure(
            folder,
            "both",
            destinations + all_of_it.address,
            REPORTING__Notify_Tags="found=triage up=soc",
            ENRICH__ASN="no",
            ENRICH__Domain="no",
            SCAN__Resolver="127.0.0.1:1",
        )
        told = daemon(folder, config)
        assert "notifications: queued for 2 destinations" in told.out
        assert flush(folder, config).code == 0
        heard = [len(one.told) for one in (webhook, other, all_of_it)]
        assert heard == [2, 0, 2]


def test_without_a_destination_the_banner_says_so(folder: Path) -> None:
    config = configure(folder, "found", "")
    line = "notifications: none, [REPORTING] Notification_Destination is empty\n"
    assert line in daemon(folder, config).out
    assert queued(folder) == []
    checked = run("certstreammonitor.py", "-c", config, "--check-config", cwd=folder)
    assert f"# {line}" in checked.out


# Look-alikes: an alarm a domain, a brand and a day

BRANDS = [{"brand": "PayPal", "names": ["paypal"], "domains": ["paypal.com"]}]
LOOK_ALIKES = [
    f"{part}paypa1-secure-login.com" for part in ("", "www.", "signin.", "account.")
]


def test_look_alikes_of_a_domain_come_in_one_message_a_day(
    folder: Path, webhook: Webhook
) -> None:
    (folder / "brands.json").write_text(json.dumps(BRANDS))
    more = {"SEARCH__BrandFile": "brands.json", "REPORTING__Export_File": "names.txt"}
    config = configure(folder, "found", webhook.address, **more)
    today = now_utc().date()
    feed = folder / "feed.jsonl"
    feed.write_bytes(message(*LOOK_ALIKES[:3]) + b"\n" + message(HOST) + b"\n")
    assert daemon(folder, config).found == [*LOOK_ALIKES[:3], HOST]
    assert flush(folder, config).code == 0
    subjects = sorted(one.subject for one in webhook.told)
    domain = "paypa1-secure-login[.]com"
    assert subjects == [
        "login-paypal[.]example was found",
        f"{domain} resembles PayPal: 3 hosts found",
    ]
    (alarm,) = (one.body for one in webhook.told if "3 hosts" in one.subject)
    assert "Resembles: PayPal: homoglyph paypa1 +" in alarm
    # One more, later on the same day: it waits for the next.
    feed.write_bytes(message(LOOK_ALIKES[3], index=3) + b"\n")
    told = daemon(folder, config, "--json")
    (reported,) = map(json.loads, told.out.splitlines())
    assert reported["matches"][0]["brand"] == "PayPal"
    assert reported["matches"][0]["registrable_domain"] == "paypa1-secure-login.com"
    result = flush(folder, config)
    assert (result.code, result.err) == (0, "")
    if now_utc().date() == today:  # it is not midnight just now
        assert len(webhook.told) == 2
        assert len(queued(folder)) == 1
    assert (folder / "names.txt").read_text().splitlines() == sorted(
        [*LOOK_ALIKES, HOST]
    )
    explained = run(
        "gethost.py", "-c", config, "--explain", "--format=json", cwd=folder
    )
    brands = {
        reason["brand"]
        for line in explained.out.splitlines()
        for reason in json.loads(line)["reasons"]
        if reason["kind"] == "homoglyph"
    }
    assert brands == {"PayPal"}
