"""The README's pictures are those of the program as it is."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "screenshots"


def test_the_pictures_show_what_the_screens_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this fails, run `python screenshots/make.py` and look at what it makes."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.chdir(tmp_path)
    import make  # type: ignore[import-not-found]
    from studio.screen import read_screen  # type: ignore[import-not-found]

    make.write_rules(Path("rules.toml"), make.RULES)
    rules = make.RulesFile(Path("rules.toml"))
    run = make.play_and_pause(tmp_path / "demo.duckdb", rules.rules)
    try:
        for picture in make.PICTURES:
            if picture.name in ("board-small", "symbol", "alerts"):
                seen = asyncio.run(make.take(picture, run, make.Desk(rules=rules)))
                kept = (FOLDER / f"{picture.name}.svg").read_text("utf-8")
                assert lines(read_screen(seen).text) == lines(read_screen(kept).text), picture.name
    finally:
        run.close()


def lines(text: str) -> list[str]:
    """Return a screen's lines without what differs from run to run: how fast it was played."""
    return [re.sub(r"[\d,.]+k? rec/s", "… rec/s", line) for line in text.splitlines()]
