"""What a first start compiles, ahead of the market, and what it says meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from numba.core import event

from stockscan_tui.cli.warming import Telling, Warming, warm
from stockscan_tui.engine import compiling
from stockscan_tui.engine.compiling import DOING, StoppedError, compile_ahead
from tests import wire

_LATER = """
import json, sys
from stockscan_tui.cli import main
from stockscan_tui.engine.compiling import compile_ahead
from stockscan_tui.market import arithmetic, kernel
from stockscan_tui.market.compiled import is_compiled

def known():
    functions = {**vars(kernel), **vars(arithmetic)}
    return {name: len(of.signatures) for name, of in functions.items() if is_compiled(of)}

compile_ahead(lambda _done: None)
before = known()
assert main(["replay", *sys.argv[1:], "--headless", "--json", "--offline"]) == 0
after = known()
print(json.dumps({name: count for name, count in after.items() if count != before[name]}))
"""


def _compile(times: int) -> Callable[[], None]:
    def work() -> None:
        for _ in range(times):
            with event.trigger_event("numba:compile"):
                pass

    return work


def test_a_replay_needs_nothing_that_was_not_compiled_ahead(tmp_path: Path) -> None:
    symbols = {f"S{n}": n for n in range(1, 6)}
    records = wire.random_rows(1, 2_000, 5, minutes=5)
    day = wire.write(tmp_path / "day.mbp-1.dbn", wire.metadata(symbols=symbols), records)
    command = [sys.executable, "-c", _LATER, str(day), "--db", str(tmp_path / "day.duckdb")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout.splitlines()[-1]) == {}


def test_it_is_said_how_far_it_is_while_something_is_compiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiling, "_load", _compile(200))
    assert warm(Telling(), lambda: False)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"stockscan: {DOING}, 0 %"
    assert said[-1] == f"stockscan: {DOING}, 100 %"
    assert len(said) == 11


def test_nothing_is_said_where_all_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[float] = []
    monkeypatch.setattr(compiling, "_load", _compile(0))
    compile_ahead(said.append)
    assert said == []


def test_it_is_given_up_between_two_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[float] = []
    monkeypatch.setattr(compiling, "_load", _compile(200))
    with pytest.raises(StoppedError) as raised:
        compile_ahead(said.append, lambda: len(said) == 3)
    assert len(said) == 3
    assert raised.value.exit_status == 0


def test_what_a_process_of_its_own_compiles_is_waited_for() -> None:
    warming = Warming()
    warm(lambda _doing, _done: None, lambda: False, warming)
    assert warming._process.returncode == 0
