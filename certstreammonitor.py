#!/usr/bin/env python3
"""See ctmonitor/cli/certstreammonitor.py."""

import sys

from ctmonitor.cli.certstreammonitor import main

if __name__ == "__main__":
    sys.exit(main())
