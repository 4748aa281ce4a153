"""A short part of the torture, and that its witness would see a loss; the long form is by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stockscan_tui.config import edit, rule_edit
from stockscan_tui.config.key import save_key
from stockscan_tui.errors import UsageError
from stockscan_tui.scan.watchlists import Watchlists
from tests.e2e.torture import witness
from tests.e2e.torture.lives import BrokenPromiseError
from tests.e2e.torture.material import FIGURES, Day
from tests.e2e.torture.witness import Held

SHORT = ("kill/live/0:1", "disk/database/0:1", "race/two/0:1")


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
def test_what_is_killed_starved_and_raced_loses_nothing() -> None:
    """The long form: python -m tests.e2e.torture --kills 500 --disks 100 --races 50."""
    only = [word for attack in SHORT for word in ("--only", attack)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.torture", "--quiet", "--json", "--fork", *only],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert told["failures"] == []
    tried = told["tried"]
    assert (tried["kill: live"], tried["disk: database"], tried["race: two"]) == (1, 1, 1)


@contextmanager
def writing_at_most(size: int) -> Iterator[None]:
    """Let no file be written beyond a byte, as on a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE")
def test_settings_are_as_before_or_whole_at_whatever_byte_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, rules, key = (tmp_path / name for name in ("config.toml", "rules.toml", "key"))
    lists = Watchlists(tmp_path / "lists")
    monkeypatch.setattr("stockscan_tui.config.places.key_path", lambda: key)
    writings: list[tuple[Path, Callable[[], object]]] = [
        (config, lambda: edit.save_filter(config, "mine", "chg > 5")),
        (rules, lambda: rule_edit.set_enabled(rules, "move 5", on=True)),
        (tmp_path / "lists" / "held.txt", lambda: lists.toggle("held", "NVDA")),
        (key, lambda: save_key("db-" + "x" * 29)),
    ]
    config.write_text('theme = "nord"\n', "utf-8")
    rules.write_text("# mine\n", "utf-8")
    lists.create("held")
    lists.toggle("held", "AAPL")
    save_key("db-" + "y" * 29)
    for path, write in writings:
        before, size = path.read_bytes(), 0
        while True:
            try:
                with writing_at_most(size):
                    write()
            except UsageError:
                assert path.read_bytes() == before
                assert not list(path.parent.glob(".*"))
                size += 1
                continue
            assert path.read_bytes() != before
            assert size == path.stat().st_size
            break


def bars(count: int) -> pd.DataFrame:
    index = pd.MultiIndex.from_product(
        [["A", "B"], np.arange(count, dtype=np.int64)], names=["symbol", "minute"]
    )
    table = pd.DataFrame(100, index=index, columns=list(FIGURES))
    return table.assign(source=0)


def held(count: int = 4) -> Held:
    alerts = pd.DataFrame(
        {"ts": [1, 2], "symbol": ["A", "B"], "rule": "r", "price": 1.0, "values": "{}"},
        index=pd.Index(["r/A/1", "r/B/2"], name="alert_id"),
    )
    return Held(bars(count), alerts, pd.DataFrame())


def changed(column: str, value: int) -> Held:
    table = bars(4)
    table.loc[("A", 3), column] = value
    return replace(held(), bars=table)


DAY = Day(Path("day"), Path("rules"), Path("closes"), 0, 10, bars(4)[list(FIGURES)])


@pytest.mark.parametrize(
    "look",
    [
        lambda: witness.check_kept(held(4), held(3)),
        lambda: witness.check_kept(held(), changed("volume", 99)),
        lambda: witness.check_kept(held(), changed("low", 101)),
        lambda: witness.check_kept(held(), replace(held(), alerts=held().alerts.iloc[:1])),
        lambda: witness.check_within(changed("volume", 101), DAY),
        lambda: witness.check_whole(held(3), DAY),
        lambda: witness.check_whole(changed("close", 99), DAY),
        lambda: witness.check_whole(changed("trades", 99), DAY),
        lambda: witness.check_alerts(replace(held(), alerts=held().alerts.iloc[:1]), held(), 9),
        lambda: witness.check_alerts(held(), replace(held(), alerts=held().alerts.iloc[:1]), 9),
    ],
)
def test_the_witness_sees_a_loss(look: Callable[[], None]) -> None:
    with pytest.raises(BrokenPromiseError):
        look()


def test_the_witness_lets_pass_what_is_whole() -> None:
    witness.check_kept(held(3), held(4))
    witness.check_within(changed("volume", 99), DAY)
    witness.check_whole(held(), DAY)
    witness.check_alerts(held(), held(), 9)
