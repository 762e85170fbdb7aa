"""Watched domains in S3 when it refuses, fails, hangs, or has another writer."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import boto3
import pytest

from ctmonitor.errors import Busy, StoreError, StoreUnavailable
from ctmonitor.model.own import DomainState
from ctmonitor.store.ownplace import open_states
from ctmonitor.store.owns3 import S3States
from tests.fakes.api import Reply
from tests.fakes.s3 import ENVIRONMENT, S3Relay, S3Server, refusal
from tests.unit.store.making import CHILD_ENVIRONMENT, NOON
from tests.unit.store.watching import DOMAIN, message

LEASE_S = 900.0


class Bucket:
    """An empty bucket behind a relay."""

    def __init__(self, s3: S3Server, relay: S3Relay) -> None:
        self.s3 = s3
        self.relay = relay
        self.name = s3.bucket()

    def open(self, prefix: str = "own", tries: int = 1) -> S3States:
        url = f"s3://{self.name}/{prefix}"
        return S3States(url, self.relay.url, now=lambda: NOON, read_s=5, tries=tries)


@pytest.fixture
def bucket(s3: S3Server) -> Iterator[Bucket]:
    with S3Relay(s3.url) as relay:
        yield Bucket(s3, relay)


@pytest.mark.parametrize(
    ("prefix", "key"),
    [
        ("", DOMAIN),
        ("/", DOMAIN),
        ("own", f"own/{DOMAIN}"),
        ("a/b (1)/", f"a/b (1)/{DOMAIN}"),
    ],
)
def test_a_state_has_the_key_that_people_expect(
    bucket: Bucket, prefix: str, key: str
) -> None:
    with closing(bucket.open(prefix)) as states, states.lock("a", LEASE_S):
        states.save(DomainState(DOMAIN))
        assert states.domains() == [DOMAIN]
        lock = key.removesuffix(DOMAIN) + ".lock"
        assert sorted(bucket.s3.keys(bucket.name)) == sorted([key, lock])
    assert bucket.s3.get(bucket.name, key).startswith(b'{"domain":"example.com",')


def test_other_folders_of_the_bucket_are_no_domains(bucket: Bucket) -> None:
    bucket.s3.put(bucket.name, "own/more/other.com", b"{}")
    bucket.s3.put(bucket.name, "own/.shared", b"{}")
    bucket.s3.put(bucket.name, "own2/x.com", b"{}")
    bucket.s3.put(bucket.name, "own/y.com", b"{}")
    with closing(bucket.open()) as states:
        assert states.domains() == ["y.com"]


def test_a_missing_bucket_is_told_with_what_to_do(bucket: Bucket) -> None:
    bucket.name = "no-such-bucket"
    sentence = r"no-such-bucket does not exist. Create it \(aws s3 mb s3://no-such-"
    with closing(bucket.open()) as states:
        for use in (
            lambda: states.load(DOMAIN),
            states.shared,
            states.domains,
            lambda: states.lock("a", LEASE_S).__enter__(),
        ):
            with pytest.raises(StoreError, match=sentence) as caught:
                use()
            assert not isinstance(caught.value, StoreUnavailable)


def test_the_right_that_is_missing_is_named(bucket: Bucket) -> None:
    denied = refusal(403, "AccessDenied", "Access Denied")
    objects = f"arn:aws:s3:::{bucket.name}/own/*"
    with closing(bucket.open()) as states:
        bucket.relay.fail("GET", DOMAIN, denied)
        with pytest.raises(StoreError) as caught:
            states.load(DOMAIN)
        assert f"s3:GetObject on {objects}, and s3:ListBucket" in str(caught.value)
        bucket.relay.fail("GET", bucket.name, denied)
        with pytest.raises(StoreError) as caught:
            states.domains()
        assert f"s3:ListBucket on arn:aws:s3:::{bucket.name}" in str(caught.value)
        with states.lock("a", LEASE_S):
            bucket.relay.fail("PUT", DOMAIN, denied)
            with pytest.raises(StoreError) as caught:
                states.save(DomainState(DOMAIN))
        assert f"s3:PutObject on {objects}" in str(caught.value)
        bucket.relay.fail("PUT", ".lock", denied)
        with pytest.raises(StoreError, match="s3:PutObject"), states.lock("b", LEASE_S):
            pytest.fail("locked")


@pytest.mark.parametrize(
    ("reply", "unavailable", "word"),
    [
        (refusal(403, "InvalidAccessKeyId", "no such key"), False, "AWS settings"),
        (refusal(403, "SignatureDoesNotMatch", "wrong"), False, "AWS settings"),
        (refusal(400, "ExpiredToken", "expired"), False, "ExpiredToken"),
        (refusal(503, "SlowDown", "reduce"), True, "Try again"),
        (refusal(500, "InternalError", "oops"), True, "InternalError"),
        (refusal(429, "TooManyRequests", "oops"), True, "TooManyRequests"),
        (Reply(502, b"<html>Bad gateway</html>"), True, "502"),
        (Reply(404, b""), None, ""),
        (Reply(body=b"half", missing=10), True, "cannot be reached"),
        (Reply(body=b"{", missing=300_000_000), False, "no document of ours"),
        (Reply(), False, "cannot be read"),
        (Reply(body=b"<html>Please log in</html>"), False, "cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_failing_service_is_told_as_what_it_is(
    bucket: Bucket, reply: Reply, unavailable: bool | None, word: str
) -> None:
    headers = {"Last-Modified": "Sat, 21 Nov 2026 12:00:00 GMT", "ETag": '"x"'}
    reply = replace(reply, headers=headers | dict(reply.headers))
    bucket.relay.fail("GET", DOMAIN, reply)
    with closing(bucket.open()) as states:
        if unavailable is None:
            assert states.load(DOMAIN) is None
            return
        with pytest.raises(StoreError, match=word) as caught:
            states.load(DOMAIN)
    assert isinstance(caught.value, StoreUnavailable) is unavailable
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)


def test_a_service_that_hangs_is_left_in_time(bucket: Bucket) -> None:
    bucket.relay.fail("GET", DOMAIN, Reply(is_silent=True))
    url = f"s3://{bucket.name}/own"
    with closing(S3States(url, bucket.relay.url, read_s=0.2, tries=1)) as states:
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            states.load(DOMAIN)
        assert states.load(DOMAIN) is None


def test_a_service_that_is_not_there_is_told(s3: S3Server) -> None:
    url = "http://127.0.0.1:1"
    with (
        closing(S3States("s3://some-bucket", url, tries=1)) as states,
        pytest.raises(StoreUnavailable, match=r"cannot be reached.*127\.0\.0\.1:1"),
    ):
        states.load(DOMAIN)


def test_a_list_that_is_none_is_our_error(bucket: Bucket) -> None:
    bucket.relay.fail("GET", bucket.name, Reply(body=b"<html>"))
    with closing(bucket.open()) as states, pytest.raises(StoreError, match="bucket"):
        states.domains()


def test_one_failure_is_tried_again(bucket: Bucket) -> None:
    with closing(bucket.open(tries=2)) as states, states.lock("a", LEASE_S):
        bucket.relay.fail("PUT", DOMAIN, refusal(503, "SlowDown"))
        states.save(DomainState(DOMAIN))
        assert states.load(DOMAIN) == DomainState(DOMAIN)


def test_an_answer_lost_on_its_way_does_not_look_like_another_run(
    bucket: Bucket,
) -> None:
    """The client's second attempt meets what its first one wrote."""
    lost = Reply(500)
    with closing(bucket.open(tries=2)) as states:
        bucket.relay.fail("PUT", ".lock", lost, is_lost=True)
        with states.lock("a", LEASE_S):
            bucket.relay.fail("PUT", DOMAIN, lost, is_lost=True)
            states.save(DomainState(DOMAIN), [message()])
            state = DomainState(DOMAIN, since="2026-11-21T12:00:00")
            states.save(state)
            assert states.load(DOMAIN) == state


def test_a_lock_that_was_renewed_unheard_is_still_ours(bucket: Bucket) -> None:
    clock = [NOON]
    url = f"s3://{bucket.name}/own"
    states = S3States(url, bucket.relay.url, now=lambda: clock[0], tries=1)
    with closing(states), states.lock("a", LEASE_S):
        clock[0] += timedelta(seconds=LEASE_S / 2)
        bucket.relay.fail("PUT", ".lock", Reply(500), is_lost=True)
        with pytest.raises(StoreUnavailable):
            states.renew()
        clock[0] += timedelta(seconds=1)
        states.renew()
        states.save(DomainState(DOMAIN))
        clock[0] += timedelta(seconds=LEASE_S - 1)
        with (
            closing(S3States(url, bucket.relay.url, now=lambda: clock[0])) as other,
            pytest.raises(Busy),
            other.lock("b", LEASE_S),
        ):
            pytest.fail("two runs at once")


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "PreconditionFailed"])
def test_of_two_writers_at_the_same_moment_one_is_told(
    bucket: Bucket, code: str
) -> None:
    with closing(bucket.open()) as states:
        bucket.relay.fail("PUT", ".lock", refusal(409, code))
        with pytest.raises(Busy), states.lock("a", LEASE_S):
            pytest.fail("locked")
        with states.lock("a", LEASE_S):
            bucket.relay.fail("PUT", DOMAIN, refusal(409, code))
            with pytest.raises(Busy, match=f"another run wrote {DOMAIN}"):
                states.save(DomainState(DOMAIN))


def test_what_another_program_wrote_meanwhile_is_not_written_over(
    bucket: Bucket,
) -> None:
    with closing(bucket.open()) as states, states.lock("a", LEASE_S):
        states.save(DomainState(DOMAIN), [message()])
        state = states.load(DOMAIN)
        assert state is not None
        bucket.s3.put(bucket.name, f"own/{DOMAIN}", b'"1234"')
        with pytest.raises(Busy):
            states.save(state)
        (item,) = states.box().due(NOON, 9, 60, "s")
        with pytest.raises(Busy):
            states.box().sent([item.id], NOON)
        assert bucket.s3.get(bucket.name, f"own/{DOMAIN}") == b'"1234"'
        bucket.s3.client.delete_object(Bucket=bucket.name, Key=f"own/{DOMAIN}")
        with pytest.raises(Busy):
            states.save(state)
        # Looked at again, it is another state.
        assert states.load(DOMAIN) is None
        states.save(state)


def test_of_two_that_find_nothing_one_writes_first(bucket: Bucket) -> None:
    with closing(bucket.open()) as first, closing(bucket.open()) as second:
        with first.lock("a", LEASE_S):
            # The second had looked before the first wrote.
            bucket.relay.fail("GET", ".lock", refusal(404, "NoSuchKey"))
            with pytest.raises(Busy), second.lock("b", LEASE_S):
                pytest.fail("two runs at once")
            assert first.load(DOMAIN) is None
            bucket.s3.put(bucket.name, f"own/{DOMAIN}", b'"1234"')
            with pytest.raises(Busy):
                first.save(DomainState(DOMAIN))
        assert bucket.s3.get(bucket.name, f"own/{DOMAIN}") == b'"1234"'


def test_a_lock_that_is_none_holds_nobody_up(bucket: Bucket) -> None:
    for body in (b"", b"\xff", b"[]", b'{"until": "soon", "owner": "x"}'):
        bucket.s3.put(bucket.name, "own/.lock", body)
        with closing(bucket.open()) as states, states.lock("a", LEASE_S):
            states.renew()


def test_without_keys_it_says_where_they_go(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers them
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with (
        closing(bucket.open()) as states,
        pytest.raises(StoreError, match="AWS_ACCESS_KEY_ID") as caught,
    ):
        states.load(DOMAIN)
    assert not isinstance(caught.value, StoreUnavailable)


def test_an_endpoint_that_is_no_address_is_refused(s3: S3Server) -> None:
    with pytest.raises(StoreError, match="State_Endpoint"):
        S3States("s3://some-bucket/x", "nowhere")


def test_a_password_in_the_endpoint_is_refused_unseen(s3: S3Server) -> None:
    with pytest.raises(StoreError) as caught:
        S3States("s3://some-bucket/x", "http://user:hunter2@127.0.0.1:1")
    assert "hunter2" not in str(caught.value)


def test_a_page_in_place_of_the_service_is_told(bucket: Bucket) -> None:
    page = Reply(body=b"<html>Please log in</html>")
    with closing(bucket.open()) as states:
        bucket.relay.fail("GET", DOMAIN, page)
        with pytest.raises(StoreError, match="no S3 service"):
            states.load(DOMAIN)
        with states.lock("a", LEASE_S):
            bucket.relay.fail("PUT", DOMAIN, page)
            with pytest.raises(StoreError, match="no S3 service"):
                states.save(DomainState(DOMAIN))


def test_the_password_of_a_proxy_is_not_shown(s3: S3Server) -> None:
    proxy = "http://user:hunter2@127.0.0.1:1"
    states = S3States("s3://some-bucket", "http://s3.example", proxy=proxy, tries=1)
    with closing(states), pytest.raises(StoreUnavailable, match="proxy") as caught:
        states.load(DOMAIN)
    assert "hunter2" not in str(caught.value)


def test_a_proxy_is_asked_instead(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with S3Relay(s3.url) as relay:
        relay.answer = lambda request: refusal(404, "NoSuchKey")
        endpoint = "http://s3.example"
        states = S3States("s3://some-bucket/x", endpoint, proxy=relay.url, tries=1)
        with closing(states):
            assert states.load(DOMAIN) is None
        (request,) = relay.requests
    assert request.path == f"http://s3.example/some-bucket/x/{DOMAIN}"


def test_without_boto3_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ctmonitor.store.owns3", raising=False)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(StoreError, match=r"pip install 'ctmonitor\[s3\]'"):
        open_states("s3://some-bucket/x")


def test_a_state_in_s3_needs_no_database() -> None:
    """A Lambda function starts cold."""
    program = "import sys, ctmonitor.store.owns3; sys.exit('sqlalchemy' in sys.modules)"
    command = [sys.executable, "-c", program]
    subprocess.run(command, env=CHILD_ENVIRONMENT, check=True, timeout=60)
