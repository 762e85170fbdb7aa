"""
The memory of a program that reads logs, or domains, in bodies of a megabyte each.

Source: mallopt(3); the documentation of `gc.freeze` and `gc.set_threshold`.
"""

import ctypes
import gc
import platform

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
# What glibc keeps instead of giving it back after each body, only to get it again,
# page by page, for the next one: that was a tenth of the time of a log of RFC 6962.
_KEPT_BYTES = 64 * 2**20
_MAPPED_APART_BYTES = 32 * 2**20  # glibc takes no more

# Entries make no cycles. Looking for them every 700 objects, as Python does by default,
# took another twentieth; of a cycle over own domains, whose certificates make none
# either, a fifth.
_NEW_OBJECTS = 50_000


def settle() -> None:
    """To be called once, when all modules are loaded and before the work begins."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 50)
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_APART_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
