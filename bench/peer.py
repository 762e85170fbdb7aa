"""
The peer of the bench: certstream's own client, judging names as CertStreamMonitor does.

    python bench/peer.py --url ws://127.0.0.1:4000/ --messages 20000

The client is `certstream.listen_for_events` as it stands, with no option set: it parses
every message as JSON. The callback looks for the keywords in every name. Nothing is
stored or printed for a hit, which is in the peer's favour.

Prints one JSON line: messages, hits, seconds of the clock and of the processor from
the first message on, and the highest memory in use.
"""

import argparse
import json
import re
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import certstream

DEFAULT_KEYWORDS = "paypal|apple|account|secure|login"


class Watcher:
    """The callback, and what it counted."""

    def __init__(
        self, pattern: str, threshold: int, blacklist: str, messages: int
    ) -> None:
        self._keywords = re.compile(pattern)
        self._threshold = threshold
        self._blacklist = re.compile(blacklist) if blacklist else None
        self._limit = messages
        self.messages = 0
        self.hits = 0
        self.began_s = 0.0
        self.began_cpu_s = 0.0
        self.ended_s = 0.0
        self.ended_cpu_s = 0.0

    def __call__(self, message: dict[str, Any], _: object) -> None:
        if self.messages == 0:
            self.began_s, self.began_cpu_s = time.monotonic(), time.process_time()
        kind = message["message_type"]
        if kind == "certificate_update":
            names = message["data"]["leaf_cert"]["all_domains"]
        elif kind == "dns_entries":
            names = message["data"]
        else:
            return
        self.messages += 1
        for name in names:
            found = self._keywords.findall(name)
            if len(set(found)) < self._threshold:
                continue
            if self._blacklist is None or not self._blacklist.search(name):
                self.hits += 1
        if self.messages == self._limit:
            self.stop()

    def stop(self, *_: object) -> None:
        """
        Ends listen_for_events, which has one way out: an interrupt while it sleeps.

        While it reads, an interrupt only makes it go to sleep before it connects again.
        So interrupts go on coming; the clock is read at the first one.
        """
        if not self.ended_s:
            self.ended_s, self.ended_cpu_s = time.monotonic(), time.process_time()
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        raise KeyboardInterrupt


def keyword_pattern(text: str) -> str:
    """`default`, or a file with one keyword a line."""
    if text == "default":
        return DEFAULT_KEYWORDS
    words = (line.strip() for line in Path(text).read_text("utf-8").splitlines())
    return "|".join(re.escape(word) for word in words if word)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add("--url", required=True)
    add("--messages", type=int, default=0, help="end after so many; 0: no limit")
    add("--seconds", type=float, default=0, help="end after so long; 0: no limit")
    add("--keywords", type=keyword_pattern, default="default", metavar="FILE")
    add("--threshold", type=int, default=2)
    add("--blacklist", default="", help="a regular expression")
    args = parser.parse_args(argv)
    watcher = Watcher(args.keywords, args.threshold, args.blacklist, args.messages)
    signal.signal(signal.SIGALRM, watcher.stop)
    signal.setitimer(signal.ITIMER_REAL, args.seconds)
    certstream.listen_for_events(watcher, url=args.url)
    signal.setitimer(signal.ITIMER_REAL, 0)
    result = {
        "messages": watcher.messages,
        "hits": watcher.hits,
        "seconds": round(watcher.ended_s - watcher.began_s, 3)
        if watcher.messages
        else 0.0,
        "cpu_seconds": round(watcher.ended_cpu_s - watcher.began_cpu_s, 3),
        "max_rss_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
