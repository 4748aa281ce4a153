"""The user's own table: CSV and Parquet by symbol, whatever the file is called or holds."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from stockscan_tui.errors import UsageError
from stockscan_tui.store.own_table import MAX_COLUMNS, read_table

ROWS = """\
Symbol,Float (M),Sector,Shortable,IPO day,52w High,Größe
AAPL,15400.5,Tech,true,1980-12-12,199.6,1
na,N/A,"Health, and care",false,,,2
TRUE,3,,TRUE,2014-05-16,1e2,-
"""


def _file(tmp_path: Path, text: str, name: str = "own.csv") -> Path:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize(
    "name", ["own.csv", "a [1]*?.csv", "q'u\"o;te.csv", "no-ending", "back\\slash", "line\nbreak"]
)
def test_columns_are_numbers_words_or_yes_and_no(tmp_path: Path, name: str) -> None:
    own = read_table(_file(tmp_path, "\ufeff" + ROWS, name))
    assert own.numbers == {
        "float_m": {"AAPL": 15400.5, "TRUE": 3.0},
        "shortable": {"AAPL": 1.0, "NA": 0.0, "TRUE": 1.0},
        "_52w_high": {"AAPL": 199.6, "TRUE": 100.0},
        "groe": {"AAPL": 1.0, "NA": 2.0},
    }
    assert own.texts == {"sector": {"AAPL": "Tech", "NA": "Health, and care"}}
    assert len(own.problems) == 1
    assert "'IPO day' is left out: dates" in own.problems[0]


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    frame = pl.read_csv(
        _file(tmp_path, ROWS), null_values=["N/A", "-"], try_parse_dates=True
    ).with_columns(pl.col("Shortable").cast(pl.String).str.to_lowercase() == "true")
    assert frame.schema["IPO day"] == pl.Date
    file = tmp_path / "own.table"
    frame.with_columns(pl.Series("nested", [[1], [2], [3]])).write_parquet(file)
    own = read_table(file)
    csv = read_table(tmp_path / "own.csv")
    assert (own.numbers, own.texts) == (csv.numbers, csv.texts)
    assert "'nested' is left out" in own.problems[1]


def test_the_last_of_several_rows_counts_and_rows_without_a_symbol_are_counted(
    tmp_path: Path,
) -> None:
    own = read_table(_file(tmp_path, "My list, a title\n\nx;Ticker;w\n1;A;u\n2;a ;\n3;;v\n4;B;v\n"))
    assert own.numbers == {"x": {"A": 2.0, "B": 4.0}}
    assert own.texts == {"w": {"B": "v"}}
    assert own.problems == (
        "1 rows have no symbol and are left out.",
        "1 symbols have several rows; the last counts: A.",
    )


def test_words_that_could_act_on_a_terminal_are_harmless(tmp_path: Path) -> None:
    own = read_table(_file(tmp_path, "symbol,w\nA,x\x1b[2Jy\n"))
    assert own.texts == {"w": {"A": "x�[2Jy"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,x\nA,1\n", "no column called symbol or ticker. It begins with: name, x"),
        ("symbol,Chg\nA,1\n", "chg (column 'Chg') is a metric already"),
        ("symbol,x\nA,1\nB,1,2,3\n", "Line: 3"),
        ("symbol,a b,A_B\nA,1,2\n", "would both be a_b"),
        ("", "no column called"),
        ("symbol," + ",".join(f"c{n}" for n in range(MAX_COLUMNS)) + "\n", "201 columns"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_table(_file(tmp_path, text), taken=("chg",))
    assert said in str(refused.value)


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"PAR1 and no more")
    latin = tmp_path / "latin.csv"
    latin.write_bytes("symbol,w\nA,Größe\n".encode("latin-1"))
    for file in (broken, latin, tmp_path, tmp_path / "none.csv"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_table(file)


def test_more_rows_than_a_market_has_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "large.parquet"
    pl.DataFrame({"symbol": ["A"] * 1_000_001}).write_parquet(file)
    with pytest.raises(UsageError, match="more than 1,000,000 rows"):
        read_table(file)
