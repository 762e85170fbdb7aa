"""How an explanation is shown."""

import json

from ctmonitor.cli.check_explain import as_lines, as_object
from ctmonitor.cli.check_verdicts import as_json
from ctmonitor.model.explanation import Explanation, NearMiss
from ctmonitor.model.verdict import NameVerdict, Outcome, Reason

LOOK_ALIKE = Explanation(
    verdict=NameVerdict(
        "*.Login.xn--pypal-4ve.co.uk",
        Outcome.MATCH,
        116,
        (
            Reason("login", "keyword"),
            Reason("p\u0430ypal", "confusable", 95, "PayPal"),
            Reason("login", "lure", 30, "PayPal"),
            Reason("deep", "structure", -10, "PayPal"),
            Reason("pay", "inside a word", 0, "Payback"),
        ),
        "xn--pypal-4ve.co.uk",
    ),
    threshold=2,
    alert_score=100,
    text="login.xn--pypal-4ve.co.uk",
    unicode="login.p\u0430ypal.co.uk",
    registrable="xn--pypal-4ve.co.uk",
    suffix="co.uk",
    tokens=("login", "p\u0430ypal"),
    skeleton="login.paypal.co.uk",
    near=(NearMiss("login", "keyword", "1 of 2 keywords", 1),),
)


def test_every_part_of_the_score_stands_below_its_rule() -> None:
    assert list(as_lines(LOOK_ALIKE)) == [
        "*.Login.xn--pypal-4ve.co.uk: a finding",
        "  host                login.xn--pypal-4ve.co.uk",
        "  in U-labels         login.p\u0430ypal.co.uk",
        "  registrable domain  xn--pypal-4ve.co.uk",
        "  public suffix       co.uk",
        "  tokens              login p\u0430ypal",
        "  skeleton            login.paypal.co.uk",
        "  allow-list          does not speak of it",
        "",
        "  rules that fired (keywords: 1 of 2 that make a finding)",
        "    +1  keyword  login",
        "",
        "  resembles PayPal (score: 115 of 100 that make a finding)",
        "    +95  confusable  p\u0430ypal",
        "    +30  lure        login",
        "    -10  structure   deep",
        "",
        "  resembles Payback, too (not scored)",
        "      inside a word  pay",
        "",
        "  did not count, or nearly fired",
        "    login  keyword    1 of 2 keywords",
    ]


def test_the_object_has_the_verdict_and_what_led_to_it() -> None:
    result = json.loads(json.dumps(as_object(LOOK_ALIKE)))
    assert result["verdict"] == "match"
    assert result["reasons"][1] == {
        "rule": "p\u0430ypal",
        "kind": "confusable",
        "weight": 95,
        "brand": "PayPal",
    }
    assert result["reasons"][0] == {"rule": "login", "kind": "keyword", "weight": 1}
    assert result["near"] == [
        {
            "rule": "login",
            "kind": "keyword",
            "why": "1 of 2 keywords",
            "missing": 1,
            "brand": "",
        }
    ]
    assert (result["registrable_domain"], result["skeleton"], result["tokens"]) == (
        "xn--pypal-4ve.co.uk",
        "login.paypal.co.uk",
        ["login", "p\u0430ypal"],
    )


def test_what_the_allow_list_did_is_told() -> None:
    verdict = NameVerdict(
        "a.example", Outcome.ALLOWED, 0, (Reason("=a.example", "allow-list", 0),)
    )
    allowed = Explanation(
        verdict,
        1,
        100,
        "a.example",
        "a.example",
        "a.example",
        "example",
        allowed_by="=a.example",
        is_popular=True,
    )
    lines = list(as_lines(allowed))
    assert lines[0] == "a.example: no finding: AllowFile allows it"
    assert "  allow-list          =a.example" in lines
    assert any(line.startswith("  popular ") for line in lines)


def test_nothing_of_a_name_acts_on_a_terminal() -> None:
    name = "a\x1b[2J\n\u202e.example"
    verdict = NameVerdict(name, Outcome.BELOW, 1, (Reason(name, "keyword"),))
    hostile = Explanation(
        verdict,
        1,
        100,
        name,
        name,
        name,
        name,
        (name,),
        name,
        near=(NearMiss(name, "regex", name),),
        notes=(name,),
    )
    for text in (*as_lines(hostile), as_json(as_object(hostile))):
        assert "\x1b" not in text
        assert "\n" not in text
        assert "\u202e" not in text
