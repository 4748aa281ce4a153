"""A short part of the torture: a few kills, full disks and a race; the long form is by hand."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SHORT = ("kill/live/0:3", "disk/database/0:1", "race/two/0:1")


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
def test_what_is_killed_starved_and_raced_loses_nothing() -> None:
    """The long form: python -m tests.e2e.torture --kills 500 --disks 100 --races 50."""
    only = [word for attack in SHORT for word in ("--only", attack)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.torture", "--quiet", "--json", *only],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert told["failures"] == []
    tried = told["tried"]
    assert (tried["kill: live"], tried["disk: database"], tried["race: two"]) == (3, 1, 1)
