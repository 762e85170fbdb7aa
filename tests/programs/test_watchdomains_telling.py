"""What watchdomains.py tells, where, how often, and what it keeps to itself."""

import json
import signal
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.api import ApiServer, Reply
from tests.fakes.crtsh import FAULTS, FakeCrtSh, row
from tests.fakes.mailserver import mail_server
from tests.fakes.s3 import ENVIRONMENT, S3Server
from tests.fakes.tls import Authority
from tests.fakes.webhook import Webhook
from tests.programs.program import Daemon, environment, message, replaying, rows, run
from tests.programs.watching import (
    BAD_CA,
    PROGRAM,
    own_settings,
    told,
    types,
    until,
    watch,
    when,
)

WORD = "correct-horse-7"
HOOK = "T0K3N/b4ttery-staple"


def without_secrets(folder: Path, printed: Iterable[str]) -> None:
    """Neither password nor address of the webhook stands in any text."""
    texts = {"printed": "\n".join(printed).encode()}
    texts |= {
        path.name: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "own.conf"
    }
    for name, text in texts.items():
        for secret in (WORD, HOOK, "b4ttery"):
            assert secret.encode() not in text, name


def test_each_channel_gets_what_happened_and_no_secret_is_shown(folder: Path) -> None:
    printed = []
    with ExitStack() as stack:
        crtsh = stack.enter_context(FakeCrtSh({"example.com": []}))
        authority = Authority.create(folder)
        server = stack.enter_context(
            mail_server(authority.good(), login=("watch", WORD))
        )
        hook = stack.enter_context(ApiServer(lambda _: Reply()))
        apprise = stack.enter_context(Webhook())
        channels = {
            "Crtsh_URL": crtsh.url,
            "Authorised_CAs": "Let's Encrypt",
            "Webhook": f"{hook.url}/{HOOK}",
            "Smtp_Host": "localhost",
            "Smtp_Port": str(server.port),
            "Smtp_User": "watch",
            "Email_From": "ct@example.com",
            "Email_To": "anna@example.com bob@example.com",
            "SCAN__CA_File": "ca.pem",
            "REPORTING__Notification_Destination": apprise.address,
            "LOGGING__LogFile": "own.log",
            "LOGGING__LogType": "file",
            "LOGGING__LogLevel": "DEBUG",
        }
        own_settings(folder, **channels)
        silent = watch(folder, env={"SMTP_PASS": WORD})
        assert (silent.code, hook.requests, server.mails) == (0, [], [])
        crtsh.rows["example.com"] = [
            row(["*.dev.example.com", "a.example.com"], when(-1), issuer=BAD_CA)
        ]
        ran = watch(folder, "-v", "--report", "r.html", env={"SMTP_PASS": WORD})
        assert (ran.code, server.logins, server.secure) == (0, ["watch"], [True])
        (posted,) = (request.json() for request in hook.requests)
        assert posted["types"] == [
            "unauthorized_ca",
            "wildcard_certificate",
            "new_subdomain",
            "new_certificate",
        ]
        assert posted["names"] == ["*.dev.example.com", "a.example.com"]
        (mail,) = server.mails
        assert server.recipients == [["anna@example.com", "bob@example.com"]]
        assert mail["Subject"].startswith("[CRITICAL] example.com: ")
        assert [part.get_content_type() for part in mail.iter_parts()] == [
            "text/plain",
            "text/html",
        ]
        (note,) = apprise.told
        texts = [part.get_content() for part in mail.iter_parts()] + [note.body]
        for text in texts:
            for part in (
                "*.dev.example.com",
                "example.com",
                "Sectigo Limited",
                crtsh.rows["example.com"][0]["not_after"],
                posted["link"],
                posted["id"],
            ):
                assert part.replace("'", "&#x27;") in text, text
        printed += [silent.out, silent.err, ran.out, ran.err]
        # What one channel refuses is told as its own, and holds no other up.
        server.refused["bob@example.com"] = "550 nobody of that name"
        hook.answer = lambda _: Reply(500, f"no {HOOK}".encode())
        crtsh.rows["example.com"].append(row("b.example.com", when(-1)))
        failed = watch(folder, "--report", "r.json", env={"SMTP_PASS": WORD})
        assert failed.code == 1
        assert "bob@example.com is refused: 550" in failed.err
        assert "webhook at 127.0.0.1" in failed.err
        report = json.loads((folder / "r.json").read_text("utf-8"))
        assert report["partial"] is True
        assert {error["source"] for error in report["errors"]} == {"telling"}
        assert (len(server.mails), len(apprise.told)) == (2, 2)
        printed += [failed.out, failed.err]
        # With a wrong password nothing is told by mail; and on the command line it is
        # warned about.
        crtsh.rows["example.com"].append(row("c.example.com", when(-1)))
        wrong = watch(folder, "--smtp-pass", WORD + "x")
        assert wrong.code == 1
        assert "everybody on this machine can read a password" in wrong.err
        assert "refuses the login" in wrong.err
        printed += [wrong.out, wrong.err]
        # A later run completes it: each message once for each, under the same id.
        server.refused.clear()
        refused = {request.json()["id"] for request in hook.requests[1:]}
        hook.requests.clear()
        hook.answer = lambda _: Reply()
        mended = watch(folder, env={"SMTP_PASS": WORD})
        assert (mended.code, mended.out) == (0, "example.com: 3 certificates, 0 new\n")
        assert len(refused) == 2
        assert {request.json()["id"] for request in hook.requests} == refused
        for person in ("anna@example.com", "bob@example.com"):
            got = [
                mail["Message-ID"]
                for mail, people in zip(server.mails, server.recipients, strict=True)
                if person in people
            ]
            assert len(got) == len(set(got)) == 3, person
        printed += [mended.out, mended.err]
    without_secrets(folder, printed)


def test_no_login_without_tls_and_forms_by_setting_and_address(folder: Path) -> None:
    with (
        FakeCrtSh({"example.com": []}) as crtsh,
        mail_server() as server,
        ApiServer(lambda _: Reply()) as hook,
    ):
        asked = {"Crtsh_URL": crtsh.url, "Webhook": f"{hook.url}/{HOOK}"}
        own_settings(folder, Webhook_Format="slack", **asked)
        mail = (
            *("--smtp-host", "127.0.0.1", "--smtp-port", str(server.port)),
            *("--email-from", "ct@example.com", "--email-to", "a@example.com"),
        )
        assert watch(folder, *mail).code == 0
        crtsh.rows["example.com"].append(row("a.example.com", when(-1)))
        refused = watch(folder, *mail, "--smtp-user", "u", env={"SMTP_PASS": WORD})
        assert refused.code == 1
        assert "no login without TLS" in refused.err
        assert server.mails == []
        slack = hook.requests[0].json()
        assert slack["blocks"][0]["type"] == "header"
        assert slack["blocks"][-1]["type"] == "context"
        identity = slack["blocks"][-1]["elements"][0]["text"].removeprefix("id ")
        assert len(identity) == 16
        listed = told(watch(folder, "--list", "--format", "json"))
        assert identity in {alert["id"] for alert in listed["alerts"]}
        # A relay without login may be plain.
        own_settings(folder, Webhook_Format="teams", **asked)
        crtsh.rows["example.com"].append(row("b.example.com", when(-1)))
        assert watch(folder, *mail).code == 0
        assert [m["Message-ID"].partition(".")[0] for m in server.mails]
        card = hook.requests[1].json()["attachments"][0]["content"]
        assert card["type"] == "AdaptiveCard"
        assert "b.example.com" in json.dumps(card)
        without_secrets(folder, [refused.out, refused.err])


def test_many_messages_of_a_run_are_one_digest(folder: Path) -> None:
    domains: dict[str, list[dict[str, Any]]] = {"example.com": [], "example.org": []}
    with FakeCrtSh(domains) as crtsh, ApiServer(lambda _: Reply()) as hook:
        own_settings(
            folder,
            domains="example.com example.org",
            Crtsh_URL=crtsh.url,
            Webhook=hook.url,
            Digest_From="5",
            Quiet="new_certificate",
        )
        assert watch(folder).code == 0
        for number in range(4):
            crtsh.rows["example.com"].append(row(f"s{number}.example.com", when(-1)))
        assert watch(folder).code == 0
        assert [one.json()["kind"] for one in hook.requests] == ["own"] * 4
        assert {one.json()["types"][0] for one in hook.requests} == {"new_subdomain"}
        hook.requests.clear()
        for number in range(30):
            domain = ("example.com", "example.org")[number % 2]
            crtsh.rows[domain].append(row(f"t{number}.{domain}", when(-1)))
        crtsh.rows["example.com"].append(row("example.com", when(-1)))  # it is quiet
        last = watch(folder, "--format", "json")
        assert (last.code, len(types(told(last)))) == (0, 61)
        (digest,) = (one.json() for one in hook.requests)
    assert (digest["kind"], digest["domains"]) == (
        "own-digest",
        ["example.com", "example.org"],
    )
    named = {name for one in digest["messages"] for name in one["names"]}
    assert len(named) == 30


@pytest.mark.parametrize("kind", ["database", "directory", "bucket"])
def test_who_is_killed_before_it_told_tells_in_the_next_run(
    folder: Path, kind: str
) -> None:
    """kill -9 while the webhook is silent: the same id again, and then never more."""
    with ExitStack() as stack:
        crtsh = stack.enter_context(FakeCrtSh({"example.com": []}))
        hook = stack.enter_context(ApiServer(lambda _: Reply()))
        env = environment()
        state = {}
        if kind == "directory":
            state = {"State": "state"}
        elif kind == "bucket":
            s3 = stack.enter_context(S3Server())
            env = environment(**ENVIRONMENT)
            state = {"State": f"s3://{s3.bucket()}/own", "State_Endpoint": s3.url}
        own_settings(folder, Crtsh_URL=crtsh.url, Webhook=hook.url, **state)
        assert watch(folder, env=env).code == 0
        crtsh.rows["example.com"].append(row("a.example.com", when(-1)))
        # Its answer hangs until the next server: so long the message is on its way.
        slow = stack.enter_context(ApiServer(lambda _: Reply(is_silent=True)))
        config = own_settings(folder, Crtsh_URL=crtsh.url, Webhook=slow.url, **state)
        with Daemon(config, "--no-resolve-dns", env=env, command=PROGRAM) as victim:
            until(lambda: slow.requests)
            second = watch(folder, env=env)
            assert second.code == 1
            assert "another run is at work" in second.err
            victim.send(signal.SIGKILL)
            victim.process.wait(20)
        own_settings(folder, Crtsh_URL=crtsh.url, Webhook=hook.url, **state)
        again = watch(folder, "--format", "json", env=env)
        assert (again.code, told(again)["alerts"]) == (0, [])
        (sent,) = (one.json() for one in hook.requests)
        assert sent["id"] == slow.requests[0].json()["id"]
        assert watch(folder, env=env).code == 0
        assert len(hook.requests) == 1
        assert len(slow.requests) == 1


def test_it_goes_on_until_it_is_stopped_and_takes_up_what_the_daemon_saw(
    folder: Path,
) -> None:
    def record(number: int) -> None:
        feed = [message(f"n{number}.example.com", index=number)]
        daemon = replaying(folder, feed, OWN__Domains="example.com")
        assert run("certstreammonitor.py", "-c", daemon.name, cwd=folder).code == 0

    with FakeCrtSh({"example.com": []}) as crtsh, ApiServer(lambda _: Reply()) as hook:
        config = own_settings(
            folder, Source="logs crtsh", Crtsh_URL=crtsh.url, Webhook=hook.url
        )
        record(1)
        options = ("--no-resolve-dns", "--continuous", "--interval", "0.2")
        with Daemon(config, *options, "--report", "r.json", command=PROGRAM) as running:
            running.wait_for_out("example.com: 1 certificates, watched from now on")
            record(2)
            until(lambda: hook.requests)
            # A source that fails for a while stops nothing.
            crtsh.failure = FAULTS["502"]
            running.wait_for_err("failed: crtsh, example.com")
            crtsh.failure = None
            record(3)
            until(lambda: len(hook.requests) == 2)
            result = running.stop()
    assert result.code == 0
    assert "SIGTERM, ending" in result.err
    assert [one.json()["names"] for one in hook.requests] == [
        ["n2.example.com"],
        ["n3.example.com"],
    ]
    assert hook.requests[0].json()["source"] == "logs"
    # What was taken up needs the room no more; the last ones go with the next run.
    assert rows(folder / "found.sqlite3", "SELECT count(*) FROM ctm_own_sighting") <= [
        (1,)
    ]
    report: dict[str, Any] = json.loads((folder / "r.json").read_text("utf-8"))
    assert len(report["certificates"]) == 3
