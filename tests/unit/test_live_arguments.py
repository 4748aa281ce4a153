"""What the command line of a live run takes, and what a refusal says."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from stockscan_tui.cli.parser import parse_gateway, parse_symbols
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


def test_a_key_shows_in_no_repr() -> None:
    assert "secret" not in repr(Access("db-secret", "EQUS.MINI", "host"))


def test_refusals_say_what_to_do() -> None:
    assert "--dataset" in refusal("unknown dataset X", "X")
    assert "plan" in refusal("Not entitled to dataset", "X")
    assert "DATABENTO_API_KEY" in refusal("Authentication failed", "X")


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
