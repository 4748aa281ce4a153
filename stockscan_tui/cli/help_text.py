"""What `--help` says behind the arguments: examples, files, environment, exit status."""

from __future__ import annotations

import argparse
import textwrap

WIDTH = 80
_COMMAND_WIDTH = 14

_ENVIRONMENT = """\
Environment:
  DATABENTO_API_KEY  the key; else the file `key` beside config.toml (mode 0600)
  STOCKSCAN_...      a setting, as in STOCKSCAN_THEME; before the file's
  NO_COLOR           no colours on the screen
"""
_STATUS = """\
Exit status: 0 done (also when stopped by a signal), 1 failed, 2 wrong usage,
3 another instance holds the database.
"""
_FILES = """\
Files (`stockscan config` prints where they are):
  config.toml        settings, lists, filters; rules.toml and watchlists/ beside
  DATASET.duckdb     captured days, one database a dataset (--db another one)
"""

MAIN = f"""\
Examples:
  stockscan demo                    a simulated day: no key, no network
  stockscan live --record ~/dbn     the whole market, its raw records kept
  stockscan replay day.mbp-1.dbn.zst
  stockscan COMMAND --help          more of each

Keys on the screen: ? shows them all.

{_FILES}
{_ENVIRONMENT}
{_STATUS}"""

_PLAYING = f"""
{_FILES}
{_ENVIRONMENT}
{_STATUS}"""
_READING = f"""
{_FILES}
{_STATUS}"""

OF: dict[str, str] = {
    "live": f"""\
Examples:
  stockscan live
  stockscan live --schema dual --record ~/dbn
  stockscan live --symbols @mine.txt --filter 'chg > 5 and rvol > 3'
  stockscan live --headless --json --gates > day.jsonl
  stockscan live --gateway 127.0.0.1:13000
{_PLAYING}""",
    "replay": f"""\
Examples:
  stockscan replay day.mbp-1.dbn.zst
  stockscan replay day.dbn.zst --from 09:30 --speed 120
  stockscan replay monday.dbn tuesday.dbn --headless --json --sort 'chg(5m)'
  stockscan replay day.dbn.zst --verify day.ohlcv-1m.dbn.zst --offline

Without --db, bars are kept by file in the cache, the last 20 sets of files.
{_PLAYING}""",
    "demo": f"""\
Examples:
  stockscan demo
  stockscan demo --seed 7 --speed 60
  stockscan demo --headless --json --for 30
{_PLAYING}""",
    "simulate": f"""\
Examples:
  stockscan simulate --port 13000 --from 09:29 --speed 10
  stockscan simulate --sessions 5 --speed max
  stockscan simulate --fault reset@record=500 --fault refuse=3

{_STATUS}""",
    "report": f"""\
Examples:
  stockscan report
  stockscan report --date 2026-11-20 --verify
  stockscan report --since 2026-11-01 --output november.csv
  stockscan report --symbols NVDA,TSLA --format json
{_READING}""",
    "why": f"""\
Examples:
  stockscan why ABCD
  stockscan why ABCD EFGH --date 2026-11-20 --format json
{_READING}""",
    "backtest": f"""\
Examples:
  stockscan backtest rules.toml day1.mbp-1.dbn.zst day2.mbp-1.dbn.zst
  stockscan backtest rules.toml --since 2026-11-01
  stockscan backtest rules.toml day.dbn.zst --rule 'gap up' --output firings.csv
{_READING}""",
    "export": f"""\
Examples:
  stockscan export bars > today.csv
  stockscan export bars --since 2026-01-01 --output 2026.parquet
  stockscan export bars --date 2026-11-20 --symbols NVDA,TSLA --format json
  stockscan export alerts --since 2026-11-01 --output alerts.csv
  stockscan export state --symbols @watchlist.txt
{_READING}""",
    "bench": """\
Examples:
  stockscan bench
  stockscan bench --only records --only replay
  stockscan bench --json > bench.jsonl

Exit status: 0 done, 1 something came to another result.
""",
    "rules": """\
Examples:
  stockscan rules check
  stockscan rules list mine.toml
  stockscan rules list --json

Exit status: 0 done, 1 the rules cannot be read, 2 wrong usage.
""",
    "rules check": """\
Examples:
  stockscan rules check
  stockscan rules check mine.toml
""",
    "rules list": """\
Examples:
  stockscan rules list
  stockscan rules list --json mine.toml
""",
    "doctor": f"""\
Examples:
  stockscan doctor
  stockscan doctor --offline
  stockscan doctor --json --gateway 127.0.0.1:13000

{_ENVIRONMENT}
Exit status: 0 all is well enough, 1 something failed, 2 wrong usage.
""",
    "config": f"""\
Examples:
  stockscan config
  stockscan config --path
  stockscan config > config.toml

{_ENVIRONMENT}
Exit status: 0 done, 1 failed, 2 wrong usage.
""",
    "completion": """\
Examples:
  stockscan completion bash >> ~/.bash_completion
  stockscan completion zsh > ~/.zfunc/_stockscan
  stockscan completion fish > ~/.config/fish/completions/stockscan.fish

For zsh, ~/.zfunc has to stand in fpath before compinit is called.
""",
}


class Formatter(argparse.HelpFormatter):
    """Help of 80 columns at most: a text that has lines of its own keeps them, others are filled.

    Args:
        prog: The command.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)
        self._width = min(self._width, WIDTH - 2)
        # Python forgets by how much the commands of a list are indented.
        self._action_max_length = _COMMAND_WIDTH

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text.strip():
            return "".join(f"{indent}{line}" for line in text.splitlines(keepends=True))
        return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)
