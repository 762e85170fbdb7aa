#!/usr/bin/env python3
"""See ctmonitor/cli/watchdomains.py."""

import sys

from ctmonitor.cli.watchdomains import main

if __name__ == "__main__":
    sys.exit(main())
