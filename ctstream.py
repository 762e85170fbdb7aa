#!/usr/bin/env python3
"""See ctmonitor/cli/ctstream.py."""

import sys

from ctmonitor.cli.ctstream import main

if __name__ == "__main__":
    sys.exit(main())
