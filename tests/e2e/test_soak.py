"""Two tiny sessions, three faults: bars, verdicts, gaps and alerts are right at the end.

The long form is for the hand: `python -m tests.soak`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.tape import Material
from tests.soak.week import Plan, Week, compare, wrongs

FAULTS = ("cut at a random byte", "gateway killed", "program stands still")


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="/proc")
def test_two_sessions_with_faults_are_whole_at_the_end(tmp_path: Path) -> None:
    plan = Plan(
        folder=tmp_path,
        material=Material(sessions=2, symbols=60, records=15_000, seed=1),
        tapes=None,
        speed=6_000.0,
        faults_every_s=3 * 3_600.0,
        night_s=3.0,
        sample_s=1.0,
        save_s=0.5,
        deals=FAULTS,
        tape_volume=False,
    )
    outcome = Week(plan).play()
    found = compare(outcome)
    assert not wrongs(outcome, found)
    assert [done.name for done in outcome.faults] == list(FAULTS)
    assert found["equal"] == found["expected"] > 1_000
    assert outcome.alerts >= found["alerts"] > 0
    # The night was lived through: the second session's minutes are its own.
    assert [elapsed for *_, elapsed in found["lost"][:2]] == [960, 960]
