"""The quality bench: labels by rule, figures, and a whole run on a few names."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from bench import fit, quality
from bench.hostlists import (
    PHISHING,
    TOP,
    Labels,
    WatchedBrand,
    exchanged,
    is_tuning,
    phishing,
    registrable,
)
from tests.data import shared

BRANDS = (
    WatchedBrand("paypal", ("paypal",), ("paypal.com",)),
    WatchedBrand("chase", ("chase",), ("chase.com",)),
    WatchedBrand("ing", ("ing",), ("ing.nl",)),
)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("paypal-login.xyz", "whole word"),
        ("mypaypallogin.com", "inside a word"),
        ("pay-pal.com", "inside a word"),
        ("paypal.com.evil.ru", "sub-domain"),
        ("paypa1.com", "look-alike characters"),
        ("xn--pypal-4ve.com", "look-alike characters"),
        ("paypl-login.com", "typing error"),
        ("purchase.com", "inside a word"),
        ("ing.example.ru", "sub-domain"),
    ],
)
def test_a_visible_brand_gets_a_label(name: str, how: str) -> None:
    if "xn--" in name:  # the labels have their letters from Unicode's own table
        shared("hostnames/lists/unicode_confusables.txt.gz")
    assert [label.how for label in Labels(BRANDS).of(name)] == [how]


@pytest.mark.parametrize(
    "name", ["booking.com", "example.com", "chas.com", "papyrus.com", "co.uk"]
)
def test_what_is_not_visible_gets_none(name: str) -> None:
    assert Labels(BRANDS).of(name) == []


def test_the_threshold_is_strict_and_a_lot_decides_ties() -> None:
    benign = [5.0, 4.0, 4.0, 4.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    hosts = [6.0, 4.0, 4.0, 0.0]

    assert quality.threshold(benign, 0.3) == 4
    assert quality.share_above(hosts, 4) == 0.25
    # One of the three alarms allowed is above; two of the four tied ones are drawn.
    assert quality.recall_by_lot(hosts, benign, 0.3) == 0.25 + 2 / 4 * 0.5


def test_a_name_without_a_score_is_never_an_alarm() -> None:
    assert quality.threshold([0.0, 0.0, 0.0, 0.0], 0.5) == 0
    assert quality.recall_by_lot([0.0, 1.0], [0.0, 0.0, 0.0, 0.0], 0.5) == 0.5


def test_the_fit_finds_what_tells_them_apart() -> None:
    draw = np.random.default_rng(1)
    values = draw.integers(0, 2, (4000, 2)).astype(float)
    truth = (draw.random(4000) < 1 / (1 + np.exp(2 - 3 * values[:, 0]))).astype(float)

    weights = fit._logistic(values, truth, np.ones(4000))

    assert weights[0] == pytest.approx(3, abs=0.4)
    assert weights[1] == pytest.approx(0, abs=0.3)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of lists of the recorded data's shape, with a few names each."""
    folder = tmp_path / "hostnames"
    hosts = [f"paypal-login{n}.xyz" for n in range(40)] + ["www.paypal.com", "bit.ly"]
    hosts += [f"paypl.account-{n}.top" for n in range(40)]
    ordinary = [f"www.{word}-{n}.de" for word in ("haus", "garten") for n in range(99)]
    lists = {f"phishing/{name}": [] for name in PHISHING}
    lists["phishing/blocklistproject_phishing.txt.gz"] = hosts
    lists["ct-stream/certstream_de_24h.txt.gz"] = [*ordinary, "purchase.example.de"]
    lists |= {f"benign/{name}": ["example.com", "site.org"] for name in TOP}
    lists["benign/misp_moz_top500.txt.gz"] = ["bit.ly"]
    for name in (
        "maltrail_dynamic_domain",
        "maltrail_free_web_hosting",
        "misp_dynamic_dns",
        "misp_link_in_bio",
        "misp_public_ipfs_gateways",
        "misp_url_shortener",
    ):
        lists[f"lists/{name}.txt.gz"] = []
    for name, names in lists.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("\n".join(names).encode()))
    return tmp_path


def test_phishing_hosts_are_one_a_domain_and_neither_benign_nor_own(data: Path) -> None:
    found = phishing(data, BRANDS, [])

    assert len(found) == 80
    assert {host.how for host in found} == {"whole word", "typing error"}
    assert {host.group for host in found} == {"blocklist"}


def test_suffixes_are_exchanged_for_a_domain_as_a_whole(data: Path) -> None:
    names = ["www.haus.de", "haus.de", "www.ing.nl"]

    first, second, own = exchanged(names, data, ["ing.nl"])

    assert first in ("www.haus.com", "www.haus.org")
    assert first == f"www.{second}"
    assert own == "www.ing.nl"


def test_a_whole_run_prints_the_tables_and_draws(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, brands = tmp_path / "quality.svg", tmp_path / "brands.json"
    rows = [
        {"brand": b.name, "names": b.spellings, "domains": b.domains} for b in BRANDS
    ]
    brands.write_text(json.dumps(rows))

    code = quality.main(
        ["--data", str(data), "--brands", str(brands), "--picture", str(picture)]
    )

    assert code == 0
    printed = capsys.readouterr().out
    ours = next(line for line in printed.splitlines() if line.startswith("| ours"))
    assert "100 / 100" in ours
    assert "| typing error |" in printed
    assert picture.read_text().startswith("<svg")


def test_both_halves_have_names() -> None:
    halves = {is_tuning(registrable(f"www.example{n}.com")) for n in range(20)}

    assert halves == {True, False}
