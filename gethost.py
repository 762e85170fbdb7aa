#!/usr/bin/env python3
"""See ctmonitor/cli/gethost.py."""

import sys

from ctmonitor.cli.gethost import main

if __name__ == "__main__":
    sys.exit(main())
