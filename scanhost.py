#!/usr/bin/env python3
"""See ctmonitor/cli/scanhost.py."""

import gc
import sys

# Nothing of what is loaded now is ever garbage, and to look for some takes an eighth
# of the start.
gc.disable()

from ctmonitor.cli.scanhost import main  # noqa: E402

gc.enable()

if __name__ == "__main__":
    sys.exit(main())
