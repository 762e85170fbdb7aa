"""In memory: the prefilter against a JSON parser; names judged; rules compiled."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.load import DEFAULT_KEYWORDS, POOL, Options, Pool
from bench.measured import Measured
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.brands import parse_brands
from ctmonitor.rules.ruleset import Rules, RuleSet
from ctmonitor.sources.entryscreen import LEAF_MARKS, ODD_NAMES
from ctmonitor.sources.message import MARKS
from ctmonitor.sources.screen import candidates

_BATCH = 1000  # frames; the daemon takes up to 2,000 at once


def prefilter(seconds: float) -> Measured:
    """The daemon's own prefilter on lite frames, a batch at a time."""
    ruleset = RuleSet(Rules("|".join(DEFAULT_KEYWORDS), threshold=2))
    filtered_by = ruleset.prefilter(MARKS)
    frames, hits = _frames()
    found = sum(len(candidates(batch, filtered_by)) for batch in _batches(frames))
    measured = _repeat(
        lambda: [candidates(batch, filtered_by) for batch in _batches(frames)],
        len(frames),
        seconds,
    )
    if found != hits:
        flaw = f"{found} candidates instead of {hits}"
        return Measured(measured.done, measured.seconds, measured.cpu_s, flaws=(flaw,))
    return measured


def json_loads(seconds: float) -> Measured:
    """The standard library's parser on the same frames."""
    frames, _ = _frames()
    return _repeat(lambda: [json.loads(frame) for frame in frames], POOL, seconds)


def judged(seconds: float, keywords: Sequence[str], brands: Path) -> Measured:
    """Names in which each brand is resembled, in the ways of phishing, one by one."""
    watched = _brands(brands)
    ruleset = RuleSet(Rules("|".join(keywords), threshold=2, brands=watched))
    names = [name for brand in watched for name in _look_alikes(brand)]
    found = sum(1 for name in names if ruleset.judge_name(name).reasons)
    measured = _repeat(
        lambda: [ruleset.judge_name(name) for name in names], len(names), seconds
    )
    if found != len(names):
        flaw = f"{found} of {len(names)} names have a reason"
        return Measured(measured.done, measured.seconds, measured.cpu_s, flaws=(flaw,))
    return measured


def compiled(keywords: Sequence[str], brands: Path) -> Measured:
    """Rules and prefilter made of their files, as at a start and at each reload."""
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    rules = Rules("|".join(keywords), threshold=2, brands=_brands(brands))
    RuleSet(rules).prefilter([*MARKS, *LEAF_MARKS], ODD_NAMES)
    elapsed_s = time.monotonic() - began_s
    return Measured(1, elapsed_s, time.process_time() - began_cpu_s, first_s=elapsed_s)


def _brands(path: Path) -> tuple[Brand, ...]:
    return parse_brands(path.read_text("utf-8"), str(path))


def _look_alikes(brand: Brand) -> list[str]:
    """Names that each hold a reason to name the brand."""
    text = max(brand.spellings, key=len)
    return [
        f"{text}-login.example.com",
        f"www.secure-{text}.example.top",
        f"{text}.com.account-update.example.net",
        f"*.verify.{text}24.example.co.uk",
    ]


def _frames() -> tuple[list[bytes], int]:
    """Messages as a client has them, without frame heads; and how many are hits."""
    pool = Pool(
        Options(
            kind="lite",
            hits=0.01,
            issuer_noise=0.0,
            keywords=DEFAULT_KEYWORDS,
            fragment=False,
            timestamped=False,
            seed=1,
        )
    )
    frames = []
    for slot in range(POOL):
        pool.freshen_message(slot, 0)
        frame = pool.view[pool.starts[slot] : pool.starts[slot + 1]]
        head = {126: 4, 127: 10}.get(frame[1], 2)  # RFC 6455, section 5.2
        frames.append(bytes(frame[head:]))
    return frames, pool.hits_among(POOL)


def _batches(frames: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [frames[at : at + _BATCH] for at in range(0, len(frames), _BATCH)]


def _repeat(run: Callable[[], object], frames: int, seconds: float) -> Measured:
    """`run`, which goes through so many frames, again and again."""
    done = 0
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    while (elapsed_s := time.monotonic() - began_s) < seconds:
        run()
        done += frames
    return Measured(done, elapsed_s, time.process_time() - began_cpu_s)
