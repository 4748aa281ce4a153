"""A live feed on the screen: how it stands, what is held still, and the question before the end."""

from __future__ import annotations

from dataclasses import replace

from stockscan_tui.market.snapshot import Phase, Snapshot
from stockscan_tui.ui.screens.board import BoardScreen
from stockscan_tui.ui.screens.leave import LeaveScreen
from stockscan_tui.ui.widgets.leaderboard import Leaderboard
from tests.ui.driving import Stage, on_stage
from tests.ui.market import market


def live(phase: Phase = Phase.LIVE, **changed: object) -> Snapshot:
    """Return a picture of a live feed."""
    still = market()
    feed = replace(still.feed, mode="LIVE", phase=phase, **changed)  # type: ignore[arg-type]
    return replace(still, feed=feed)


def test_a_break_is_on_the_status_line_and_dims_the_rows() -> None:
    down = live(Phase.DOWN, since_s=42.0, retry_s=3.0, message="the connection was reset")

    async def act(stage: Stage) -> None:
        assert "live" in stage.text()
        assert not stage.board.has_class("-stale")
        await stage.show(down, after_s=1)
        assert "DOWN 0:42, retry in 3 s" in stage.text()
        assert "the connection was reset · prices as of 10:41" in stage.text()
        assert stage.board.has_class("-stale")
        await stage.show(live(Phase.CATCHING_UP, progress=0.63), after_s=1)
        assert "catching up 63 %" in stage.text()
        assert not stage.app.screen.query_one(Leaderboard).has_class("-stale")

    on_stage(act, snapshot=live())


def test_what_became_of_a_gap_is_told() -> None:
    def after(gaps: int, healed: int) -> Snapshot:
        shown = live()
        return replace(shown, health=replace(shown.health, gaps=gaps, healed=healed, problems=()))

    async def act(stage: Stage) -> None:
        await stage.show(after(1, 0), after_s=1)
        assert "! 1 gap open" in stage.text()
        await stage.show(after(3, 2), after_s=1)
        assert "! 3 gaps, 1 open" in stage.text()
        await stage.show(after(2, 2), after_s=1)
        assert "2 gaps healed" in stage.text()

    on_stage(act, snapshot=live())


def test_a_feed_that_has_brought_nothing_says_what_it_waits_for() -> None:
    waiting = replace(live(Phase.DOWN, message="no answer", since_s=5.0), session_date=None)

    async def act(stage: Stage) -> None:
        await stage.until(lambda: "no answer" in stage.text())
        assert not isinstance(stage.app.screen, BoardScreen)
        stage.player.now = live()
        await stage.until(lambda: getattr(stage.app.screen, "ready", False) is True)
        assert isinstance(stage.app.screen, BoardScreen)

    on_stage(act, snapshot=waiting, wait=False)


def test_space_holds_the_picture_while_the_feed_goes_on() -> None:
    def moved() -> Snapshot:
        later = live()
        return replace(later, event_ns=later.event_ns + 9_000_000_000, mark=later.mark * 2)

    async def act(stage: Stage) -> None:
        first = stage.shown()
        before = stage.board.render_line(1).text
        await stage.pilot.press("space")
        await stage.show(moved(), after_s=3)
        assert "space goes on" in stage.text()
        assert stage.board.render_line(1).text == before
        await stage.pilot.press("space")
        await stage.show(moved(), after_s=3)
        assert stage.board.render_line(1).text != before
        assert stage.shown() == first
        assert stage.player.pauses == []

    on_stage(act, snapshot=live())


def test_q_asks_before_a_capture_is_stopped_and_ctrl_c_does_not() -> None:
    async def ask(stage: Stage) -> None:
        await stage.pilot.press("q")
        await stage.until(lambda: isinstance(stage.app.screen, LeaveScreen))
        assert "Stop capture?" in stage.text()
        await stage.pilot.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, BoardScreen))
        assert not stage.player.stopped
        await stage.pilot.press("q", "q")
        assert stage.player.stopped

    async def at_once(stage: Stage) -> None:
        await stage.pilot.press("ctrl+c")
        assert stage.player.stopped

    on_stage(ask, snapshot=live())
    on_stage(at_once, snapshot=live())
