"""What the command line of a live run takes, and where its key comes from."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui import config
from stockscan_tui.cli.parser import parse_gateway, parse_symbols
from stockscan_tui.config import read_config, read_key
from stockscan_tui.errors import UsageError
from stockscan_tui.feed.live import Access, refusal
from stockscan_tui.market.volume_curve import VolumeCurve, shipped_curve
from tests.playing import weekdays


def test_symbols_come_from_a_list_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("\ufeffaapl, MSFT  # two of them\n\nbrk.b\nAAPL\n", "utf-8")
    assert parse_symbols("ALL_SYMBOLS") == ()
    assert parse_symbols("a,B, c") == ("A", "B", "C")
    assert parse_symbols(f"@{file}") == ("AAPL", "MSFT", "BRK.B")
    for wrong in ("", ",", f"@{tmp_path}", f"@{tmp_path / 'none'}", "A|B", "A B"):
        with pytest.raises(UsageError, match="--symbols"):
            parse_symbols(wrong)


@pytest.mark.parametrize("wrong", ["", "host", "host:", ":1", "host:0", "host:65536", "host:x"])
def test_a_gateway_is_a_host_and_a_port(wrong: str) -> None:
    assert parse_gateway("127.0.0.1:13000") == ("127.0.0.1", 13_000)
    assert parse_gateway("[::1]:7") == ("::1", 7)
    with pytest.raises(UsageError, match="HOST:PORT"):
        parse_gateway(wrong)


def test_the_key_comes_from_the_environment_or_a_file_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "config_path", lambda: tmp_path / "config.toml")
    monkeypatch.delenv("DATABENTO_API_KEY", raising=False)
    assert read_key() == ""
    file = tmp_path / "key"
    file.write_text("db-from-file\n", "utf-8")
    file.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600") as refused:
        read_key()
    assert "db-from-file" not in str(refused.value)
    file.chmod(0o600)
    assert read_key() == "db-from-file"
    monkeypatch.setenv("DATABENTO_API_KEY", " db-from-environment ")
    assert read_key() == "db-from-environment"


def test_a_key_shows_in_no_repr() -> None:
    assert "secret" not in repr(Access("db-secret", "EQUS.MINI", "host"))


def test_refusals_say_what_to_do() -> None:
    assert "--dataset" in refusal("unknown dataset X", "X")
    assert "plan" in refusal("Not entitled to dataset", "X")
    assert "DATABENTO_API_KEY" in refusal("Authentication failed", "X")


def test_the_config_takes_splits_renames_and_a_cost(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        'max_cost_usd = 2\nrenames = { OLD = "NEW" }\n'
        '[[splits]]\nsymbol = "A"\nex_date = 2026-06-15\nratio = 0.1\n',
        "utf-8",
    )
    read = read_config(file)
    assert (read.max_cost_usd, read.renames) == (2, {"OLD": "NEW"})
    assert read.splits[0]["ex_date"] == date(2026, 6, 15)
    for wrong in ("max_cost_usd = -1", "splits = 3", 'splits = ["A"]', "renames = []"):
        file.write_text(wrong, "utf-8")
        with pytest.raises(UsageError, match=r"max_cost_usd|splits|renames"):
            read_config(file)


def test_the_days_volume_is_done_at_its_end_and_half_days_go_by_in_less_time() -> None:
    curve = VolumeCurve()
    whole, half = weekdays().day(date(2026, 6, 15)), weekdays().day(date(2026, 7, 2))
    assert shipped_curve().sum() == pytest.approx(1)
    for day in (whole, half):
        shares = [curve.share(day, at) for at in (day.pre_ns, day.regular_ns, day.post_ns)]
        assert shares == pytest.approx([0.0, 0.03, 0.97])
        assert curve.share(day, day.post_end_ns) == pytest.approx(1.0)
    flat = VolumeCurve(np.ones(960))
    noon_ns = (whole.regular_ns + whole.post_ns) // 2
    assert flat.share(whole, noon_ns) == pytest.approx((330 + 195) / 960)
