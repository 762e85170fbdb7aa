"""
Hypothesis profiles: `fast` for each run, `deep` by HYPOTHESIS_PROFILE=deep, and `brief`
for a second Python, on which the same code has to behave the same.
"""

import os
import socket

from hypothesis import settings

# No deadlines: the machine's speed is no property of the code.
settings.register_profile("brief", max_examples=20, deadline=None, print_blob=True)
settings.register_profile("fast", max_examples=100, deadline=None, print_blob=True)
settings.register_profile("deep", max_examples=20_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_collection_finish() -> None:
    """dnstwist gives all sockets a time limit when it is imported: fakes would end."""
    socket.setdefaulttimeout(None)
