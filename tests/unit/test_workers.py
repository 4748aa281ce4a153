"""Jobs in processes of their own: results, failures, and an end when nobody wants them."""

from __future__ import annotations

import multiprocessing
import os
import sys
from threading import Event

import pytest

from stockscan_tui.environment import KEY_VARIABLE
from stockscan_tui.errors import InputError, StockscanError
from stockscan_tui.run.workers import GoOn, in_turn, spread


def double(job: int, go_on: GoOn) -> int | None:
    return 2 * job if go_on(0.5) else None


def fail(job: int, go_on: GoOn) -> int:
    if job == 1:
        raise InputError("day 1 cannot be read.")
    if job == 2:
        raise ValueError("a defect")
    os._exit(3)


def forever(job: int, go_on: GoOn) -> int:
    while go_on(0.1):
        Event().wait(0.05)
    return job


def environment(_job: int, _go_on: GoOn) -> list[str]:
    return [*os.environ, str(sys.flags.safe_path)]


def noted(_place: int, _done: float) -> None:
    pass


def never() -> bool:
    return False


def test_all_jobs_are_done_whichever_way_they_are_spread() -> None:
    heard: list[tuple[int, float]] = []

    def note(place: int, done: float) -> None:
        heard.append((place, done))

    wanted = {0: 6, 1: 8, 2: 10}
    assert dict(in_turn(double, [3, 4, 5], progress=note, cancelled=never)) == wanted
    assert dict(spread(double, [3, 4, 5], 2, progress=note, cancelled=never)) == wanted
    assert sorted(heard) == sorted(2 * [(0, 0.5), (1, 0.5), (2, 0.5)])


@pytest.mark.parametrize(
    ("job", "kind", "said"),
    [(1, InputError, "day 1"), (2, StockscanError, "defect"), (3, StockscanError, "status 3")],
)
def test_a_failure_in_a_process_is_told_in_words(
    job: int, kind: type[StockscanError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        list(spread(fail, [job], 1, progress=noted, cancelled=never))
    assert not multiprocessing.active_children()


def test_what_is_cancelled_ends_with_its_processes() -> None:
    heard = Event()

    def note(_place: int, _done: float) -> None:
        heard.set()

    assert not list(spread(forever, [1, 2, 3], 2, progress=note, cancelled=heard.is_set))
    assert not multiprocessing.active_children()
    assert not list(in_turn(forever, [1], progress=note, cancelled=heard.is_set))


def test_a_process_has_no_key_and_whoever_began_it_still_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "db-0123456789")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    ((_, there),) = spread(environment, [1], 1, progress=noted, cancelled=never)
    assert KEY_VARIABLE not in there
    assert {"PYTHONSAFEPATH", "True"} <= set(there)
    assert os.environ[KEY_VARIABLE] == "db-0123456789"
    assert "PYTHONSAFEPATH" not in os.environ
