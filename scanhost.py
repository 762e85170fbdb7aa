#!/usr/bin/env python3
"""See ctmonitor/cli/scanhost.py."""

import sys

from ctmonitor.cli.scanhost import main

if __name__ == "__main__":
    sys.exit(main())
