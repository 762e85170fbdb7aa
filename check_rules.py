#!/usr/bin/env python3
"""See ctmonitor/cli/check_rules.py."""

import sys

from ctmonitor.cli.check_rules import main

if __name__ == "__main__":
    sys.exit(main())
