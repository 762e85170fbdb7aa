"""Where watchdomains.py remembers: directories, buckets, and what is wrong there."""

import json
from pathlib import Path
from typing import Any

from tests.fakes.certspotter import FakeCertSpotter, issuance
from tests.fakes.crtsh import FakeCrtSh, row
from tests.fakes.s3 import ENVIRONMENT, S3Relay, S3Server, refusal
from tests.programs.watching import day, own_settings, told, types, watch, when


def listed(*domains: str) -> dict[str, list[dict[str, Any]]]:
    """Three issuances a domain, with ids 1 to 3."""
    return {
        domain: [
            issuance(n, f"s{n}.{domain}", not_before=day(-9), not_after=day(80))
            for n in range(1, 4)
        ]
        for domain in domains
    }


def test_a_bucket_takes_over_old_marks_and_outlives_what_is_damaged(
    folder: Path,
) -> None:
    domains = ("a.example", "b.example", "xn--bcher-kva.example")
    with (
        S3Server() as s3,
        FakeCertSpotter(listed(*domains)) as spotter,
    ):
        env = ENVIRONMENT
        bucket = s3.bucket()
        own_settings(
            folder,
            domains=" ".join(domains),
            Source="certspotter",
            Certspotter_URL=spotter.url,
            Certspotter_Hourly="0",
            State=f"s3://{bucket}/team/own",
            State_Endpoint=s3.url,
        )
        # What the Lambda scripts of old kept: the last id, with quotes or without.
        s3.put(bucket, "team/own/a.example", b"2")
        s3.put(bucket, "team/own/xn--bcher-kva.example", b' "1"\n')
        first = watch(folder, "--format", "json", env=env)
        assert first.code == 0, first
        new = {
            tuple(alert["names"])
            for alert in told(first)["alerts"]
            if alert["type"] == "new_certificate"
        }
        assert new == {
            ("s3.a.example",),
            ("s2.xn--bcher-kva.example",),
            ("s3.xn--bcher-kva.example",),
        }
        assert {f"team/own/{domain}" for domain in domains} <= {*s3.keys(bucket)}
        kept = json.loads(s3.get(bucket, "team/own/a.example"))
        assert kept["marks"]["certspotter"]["position"] == "3"
        # One is damaged: it is set aside and told, and the others go on.
        s3.put(bucket, "team/own/b.example", b'{"domain": "b.exa')
        spotter.issuances["a.example"].append(
            issuance(4, "s4.a.example", not_before=day(-1), not_after=day(80))
        )
        second = watch(folder, "--format", "json", "--report", "r.json", env=env)
        assert types(told(second)) == [
            "new_certificate",
            "new_subdomain",
            "state_lost",
        ]
        (lost,) = (
            alert for alert in told(second)["alerts"] if alert["type"] == "state_lost"
        )
        assert (lost["severity"], lost["domain"]) == ("high", "b.example")
        aside = f"team/own/{lost['detail']['set_aside']}"
        assert s3.get(bucket, aside) == b'{"domain": "b.exa'
        assert told(second)["domains"]["b.example"]["is_first"] is True
        third = watch(folder, "--format", "json", env=env)
        assert (third.code, types(told(third))) == (0, [])
        alerts = told(watch(folder, "--list", "--format", "json", env=env))["alerts"]
        assert lost["id"] in {alert["id"] for alert in alerts}
        done = watch(folder, "--ack", lost["id"], env=env)
        assert (done.code, done.err) == (0, "")
        # No bucket, no rights: before anything is asked, with what to do.
        spotter.requests.clear()
        gone = watch(folder, "--state", "s3://no-such-bucket-here/x", env=env)
        assert gone.code == 2, gone
        assert "no-such-bucket-here" in gone.err
        with S3Relay(s3.url) as relay:
            relay.fail("GET", "/own/.shared", *[refusal(403, "AccessDenied")] * 9)
            relay.fail("GET", "/own/.lock", *[refusal(403, "AccessDenied")] * 9)
            own_settings(
                folder,
                domains=" ".join(domains),
                Source="certspotter",
                Certspotter_URL=spotter.url,
                State=f"s3://{bucket}/team/own",
                State_Endpoint=relay.url,
            )
            refused = watch(folder, env=env)
        assert refused.code == 2, refused
        assert "s3:GetObject" in refused.err
        assert spotter.requests == []
    assert not (folder / "found.sqlite3").exists()


def test_a_directory_holds_all_that_is_remembered(folder: Path) -> None:
    with FakeCrtSh({"example.com": [], "example.org": []}) as crtsh:
        own_settings(
            folder,
            domains="example.com example.org",
            Crtsh_URL=crtsh.url,
            State="kept/here",
        )
        assert watch(folder).code == 0
        place = folder / "kept" / "here"
        assert {"example.com", "example.org"} <= {each.name for each in place.iterdir()}
        assert (place / "example.com").stat().st_mode & 0o077 == 0
        assert not (folder / "found.sqlite3").exists()
        (place / "example.com").write_bytes(b"")
        crtsh.rows["example.org"].append(row("a.example.org", when(-1)))
        second = watch(folder, "--format", "json")
        assert types(told(second)) == ["new_certificate", "new_subdomain", "state_lost"]
        # One that cannot be read by this user: that domain fails, the other goes on.
        (place / "example.com").unlink()
        (place / "example.com").mkdir()
        crtsh.rows["example.org"].append(row("b.example.org", when(-1)))
        third = watch(folder, "--format", "json", "--report", "r.json")
        assert third.code == 1
        assert types(told(third)) == ["new_certificate", "new_subdomain"]
        assert told(third)["errors"][0]["domain"] == "example.com"
        report = json.loads((folder / "r.json").read_text("utf-8"))
        assert report["partial"] is True
        assert "failed: state, example.com" in third.err
        # What all share is not thrown away, since CAs that a person added are in it.
        (place / ".shared").write_bytes(b'{"version"')
        fourth = watch(folder)
        assert fourth.code == 2
        assert "put a copy of it back, or remove it" in fourth.err
