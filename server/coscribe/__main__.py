"""`python -m coscribe` is `coscribe`."""

from __future__ import annotations

import sys

from coscribe.cli import main

sys.exit(main())
