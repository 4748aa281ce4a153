"""The expression language: what it reads, what it finds, and what it says of mistakes."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stockscan_tui.market.calendar import SECOND_NS
from stockscan_tui.market.indicator import IndicatorKey, Kind
from stockscan_tui.market.metrics import REGISTRY, MetricKey, parse_metric, values_of
from stockscan_tui.market.snapshot import Floats, Snapshot, Words
from stockscan_tui.scan.expression import (
    MAX_NESTING,
    Expression,
    ExpressionError,
    Memory,
    Names,
    complete,
    parse,
)
from stockscan_tui.scan.gates import SHIPPED, SHIPPED_FULL
from stockscan_tui.scan.lists import DEFAULT_LISTS
from tests.ui.market import market

NAN = np.nan
SYMBOLS = ("NVDA", "NVO", "AAPL", "ABC-A", "BRK.B", "GAP")
MARK = np.array([10.0, 5.0, 4.99, NAN, 2.0, 1.0])
CHANGE = np.array([5.0, -3.0, 3.0, NAN, 8.0, 0.0])


def six(**changed: Any) -> Snapshot:
    """Return six symbols with the marks and changes above; gap is never known."""
    code = np.array([0, 1, -1, 1, 0, 2])
    fields: dict[str, Any] = {
        "symbols": SYMBOLS,
        "by_symbol": np.array(sorted(range(6), key=SYMBOLS.__getitem__)),
        "mark": MARK,
        "prev_close": MARK / (1 + CHANGE / 100),
        "regular_open": np.full(6, NAN),
        "cache": {MetricKey("chg"): CHANGE},
        "own": {"float_shares": np.array([1e6, 2e6, NAN, 4e6, 5e6, 6e6])},
        "words": {"sector": Words(code, ("Tech", "Health Care", "Retail"))},
        "signs": {
            "warrant": np.array([0, 0, 0, 1, 0, 0], np.bool_),
            "watched": np.array([1, 0, 0, 0, 0, 0], np.bool_),
            "watched:my tech": np.array([1, 1, 0, 0, 0, 0], np.bool_),
        },
    }
    return market(6, **(fields | changed))


NAMES = Names(
    own=("float_shares",),
    words=("sector",),
    filters={"cheap": "mark < 5", "either": "chg > 5 or mark < 2", "all": ""},
    watchlists=("my tech",),
)


def found(text: str, snapshot: Snapshot | None = None) -> str:
    """Return the symbols for which an expression holds, in its order."""
    s = snapshot or six()
    return " ".join(s.symbols[row] for row in parse(text, NAMES).rows(s))


def refused(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse(text, NAMES)
    return caught.value


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("chg > 3", "BRK.B NVDA"),
        ("chg >= 3", "AAPL BRK.B NVDA"),
        ("chg = 3", "AAPL"),
        ("chg == 3", "AAPL"),
        ("chg != 3", "BRK.B GAP NVDA NVO"),
        ("chg -3..3", "AAPL GAP NVO"),
        ("chg - 3 .. 3%", "AAPL GAP NVO"),
        ("chg 3..8", "AAPL BRK.B NVDA"),
        ("chg+1 4 .. 6", "AAPL NVDA"),
        ("mark chg..float_shares", "GAP NVDA NVO"),
        ("0 <= chg < mark < 10", "AAPL GAP"),
        ("float_shares < 4m", "NVDA NVO"),
        ("float_shares 1500k..0.005b", "ABC-A BRK.B NVO"),
        ("mark-5 >= 0", "NVDA NVO"),
        ("mark - chg * 2 > 0 or chg / 2 = 4", "BRK.B GAP NVO"),
        ("10 - 2 - 3 = chg", "NVDA"),
        ("16 / 2 / 2 = chg - 4 * (-1) * (1 - 2)", "BRK.B"),
        ("abs(chg) = 3 and -chg = 3", "NVO"),
        ("min(mark, chg) < 2 and max(mark, chg) > 4", "NVO"),
        ("chg > 5 or chg > 2 and mark > 9", "BRK.B NVDA"),
        ("(chg > 5 or chg > 2) and mark > 9", "NVDA"),
        ("not chg > 3 and mark > 4", "AAPL NVO"),
        ("not (chg > 3 and mark > 4)", "AAPL ABC-A BRK.B GAP NVO"),
        ("warrant", "ABC-A"),
        ("not warrant and not not (chg > 3)", "BRK.B NVDA"),
        ("watched", "NVDA"),
        ("watched(my tech) or warrant", "ABC-A NVDA NVO"),
        ('watched("My Tech")', "NVDA NVO"),
        ("5 < 6 and mark > 9", "NVDA"),
        ("1 > 2", ""),
    ],
)
def test_conditions_hold_where_a_reader_expects_it(text: str, symbols: str) -> None:
    assert found(text) == symbols


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("NV", "NVDA NVO"),
        ("nv", "NVDA NVO"),
        ("NVD,AA , BR", "AAPL BRK.B NVDA"),
        ("NVD aa brk.b", "AAPL BRK.B NVDA"),
        ("ABC-A", "ABC-A"),
        ("AB", "ABC-A"),
        ("gap", "GAP"),
        ('"gap"', "GAP"),
        ("gap NVO,", "GAP NVO"),
        ("NV AA and chg > 0", "AAPL NVDA"),
        ("(NV or gap) and not NVO", "GAP NVDA"),
        ("not NV gap", "AAPL ABC-A BRK.B"),
        ("'warrant'", ""),
        ("'warrant' NVO", "NVO"),
        ("", "AAPL ABC-A BRK.B GAP NVDA NVO"),
        (" \t", "AAPL ABC-A BRK.B GAP NVDA NVO"),
    ],
)
def test_words_that_are_no_metric_are_the_beginnings_of_symbols(text: str, symbols: str) -> None:
    assert found(text) == symbols


@pytest.mark.parametrize("text", ["NV", "nv aapl", "NV, AAP", "BRK.B ABC-A", "A,B,,C,"])
def test_prefixes_side_by_side_are_a_union(text: str) -> None:
    prefixes = tuple(text.upper().replace(",", " ").split())
    assert found(text) == " ".join(s for s in sorted(SYMBOLS) if s.startswith(prefixes))


def test_a_metric_alone_is_a_symbol_with_a_hint() -> None:
    assert parse("gap").hint == "gap alone is a symbol prefix; for the metric write gap > 0"
    assert "write rsi(14) > 0" in parse("rsi").hint
    assert 'write sector = "…"' in parse("sector", NAMES).hint
    assert "the keyword is or" in parse("NV OR AA").hint
    assert [parse(text).hint for text in ("GAP", '"gap"', "warrant", "gap > 0", "")] == [""] * 5


def test_words_are_compared_whatever_their_capitals() -> None:
    assert found('sector = "health  care"') == "ABC-A NVO"
    assert found("sector == TECH and mark > 5") == "NVDA"
    assert found("sector != tech") == "ABC-A GAP NVO"
    assert found("sector = gap or sector = 5") == ""
    assert found("sector = tech", six(words={})) == ""


def test_missing_data_makes_a_comparison_false_and_is_counted() -> None:
    for text in ("gap > 0", "gap <= 0", "gap != 0", "gap - gap = 0", "min(gap, 1) < 2", "gap 0..9"):
        assert found(text) == ""
        assert parse(text).unknown(six()) == {MetricKey("gap"): 6}
    assert found("not gap > 0 and not mark > 3") == "ABC-A BRK.B GAP"
    unknown = parse("(mark > 1 and chg > 3 or sector = tech) and gap > mark", NAMES).unknown(six())
    assert {str(key): count for key, count in unknown.items()} == {
        "gap": 6,
        "chg": 1,
        "mark": 1,
        "sector": 1,
    }
    assert parse("NV and warrant and volume > 5").unknown(six()) == {}


def test_a_division_by_zero_is_missing_data() -> None:
    assert found("mark / chg > 0 or mark / chg <= 0") == "AAPL BRK.B NVDA NVO"
    assert found("1 / 0 > 0 or 0 / (1 - 1) = 0 or not 1 / 0 > 0") == found("")


def test_a_filter_of_many_terms_finds_what_pandas_finds() -> None:
    s = market(500)
    names = ("chg", "mark", "gap", "dvol", "chg(5m)", "spread_pct")
    columns = {n.translate({40: "_", 41: None}): values_of(parse_metric(n), s) for n in names}
    text = (
        "chg > 2 and dvol >= 20k and not spread_pct > 1.5 and mark * 2 - gap < 90 or chg(5m) > 1.1"
    )
    query = (
        "chg > 2 and dvol >= 20e3 and not spread_pct > 1.5 and mark * 2 - gap < 90 or chg_5m > 1.1"
    )
    expected = np.asarray(pd.DataFrame(columns).eval(query, engine="python"))
    assert 0 < expected.sum() < 500
    assert parse(text).mask(s).tolist() == expected.tolist()
    rows = parse(text).rows(s)
    assert [s.symbols[row] for row in rows] == sorted(
        symbol for symbol, held in zip(s.symbols, expected, strict=True) if held
    )


def test_every_metric_can_be_compared_in_every_spelling_of_its_own() -> None:
    for metric in REGISTRY.values():
        expression = parse(f"{metric.example} > 0 and not 3 < {metric.example}")
        assert expression.keys == {parse_metric(metric.example)}
    spaced = parse("rsi( 14 , 5m ) < 30 or high (pre) > 2 or chg(5) > 1")
    assert {str(key) for key in spaced.keys} == {"rsi(14, 5m)", "high(pre)", "chg(5m)"}


def test_keys_name_what_must_be_kept_in_saved_filters_too() -> None:
    names = Names(filters={"low": "rsi(14) < 30", "both": "@low and not warrant"})
    keys = parse("crosses_above(mark, ema(20, 5m)) or @both or abs(-gap) 1..vwap", names).keys
    assert {str(key) for key in keys} == {
        *("mark", "ema(20, 5m)", "rsi(14)", "warrant", "gap", "vwap")
    }


def test_indicators_that_are_kept_are_compared() -> None:
    kept = {IndicatorKey(Kind.RSI, 14, 1): np.array([20.0, 40, NAN, 10, 80, 25])}
    assert found("rsi(14) < 30", six(indicators=kept)) == "ABC-A GAP NVDA"


def test_what_is_shipped_can_be_read() -> None:
    for gates in (SHIPPED, SHIPPED_FULL):
        for text in (gates.pre, gates.regular, gates.post):
            assert not parse(text).empty
    for toplist in DEFAULT_LISTS:
        assert parse(toplist.filter or "").hint == ""


def test_saved_filters_stand_as_in_brackets() -> None:
    assert found("@cheap and chg > 2") == "AAPL BRK.B"
    assert found("@either and chg < 1") == "GAP"
    assert found("not @either and @all") == "AAPL ABC-A NVDA NVO"


def test_saved_filters_that_hold_themselves_or_mistakes_are_refused() -> None:
    loop = Names(filters={"a": "mark > 1 and @b", "b": "not (@a)", "bad": "chg >> 5"})
    for text, words in (
        ("chg > 1 or @a", "Column 12: the saved filter @a is wrong at its column 14: .* itself"),
        ("@bad", "Column 1: the saved filter @bad is wrong at its column 6: "),
    ):
        with pytest.raises(ExpressionError, match=words):
            parse(text, loop)
    assert "Did you mean @cheap?" in str(refused("@cheep"))


def test_saved_filters_cannot_multiply_without_end() -> None:
    doubling = {f"f{n}": f"@f{n + 1} and @f{n + 1}" for n in range(40)} | {"f40": "mark > 1"}
    with pytest.raises(ExpressionError, match="too long or nested too deep"):
        parse("@f0", Names(filters=doubling))
    chain = {f"f{n}": f"(@f{n + 1})" for n in range(99)} | {"f99": "mark > 1"}
    with pytest.raises(ExpressionError, match="wrong at its column"):
        parse("@f0", Names(filters=chain))
    assert parse("@f80", Names(filters=chain)).keys == {MetricKey("mark")}
    deep = Names(filters={"deep": "(" * 30 + "mark > 1" + ")" * 30})
    assert not parse("@deep and not (@deep)", deep).empty
    with pytest.raises(ExpressionError, match="nested too deep"):
        parse("@deep and " + "(" * 30 + "@deep" + ")" * 30, deep)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("CHG > 5", 1, "CHG in capitals is a symbol; the metric is chg."),
        ("mark > 1 and 5<CHG_OPEN", 16, "the metric is chg_open"),
        ("CHG=5", 1, "the metric is chg"),
        ("CHG(5m) > 2", 1, "the metric is chg"),
        ("MIN(mark, 2) > 2", 1, "the function is min"),
        ("Rvol > 2", 1, "the metric is rvol"),
        ("mark > NV", 8, "NV in capitals is a symbol, which has no value of its own."),
        ("chg > 5 AND mark > 1", 9, "the keyword is and"),
        ("NV AND mark > 1", 4, "the keyword is and"),
        ("rvool > 3", 1, "Did you mean rvol?"),
        ("chg > 5 and rvool(5m) > 3", 13, "Did you mean rvol?"),
        ("crosses_over(mark, vwap)", 1, "no metric is called crosses_over"),
        ("abc-a", 1, "no metric is called abc"),
        ("chg(500m) > 2", 5, "a window is 1 to 120 minutes"),
        ("rsi > 30", 1, "rsi takes a period"),
        ("mark(5m) > 2", 6, "mark takes nothing in brackets"),
        ("mark > 1 chg > 2", 10, "‘and’ or ‘or’ is missing before chg"),
        ("NV warrant", 4, "‘and’ or ‘or’ is missing before warrant"),
        ("chg > 5)", 8, "this bracket closes none"),
        ("(chg > 5) > 3", 1, "this is a condition"),
        ("5 + warrant", 12, "a comparison must follow"),
        ("chg > 5x", 7, "5x is no number"),
        ("dvol > 100,000", 11, "without commas"),
        ("chg > 5 && NV", 9, "write and"),
        ("chg > \u202e5", 7, "� has no meaning here"),
        ("chg > 5 \x1b[31m", 9, "� has no meaning here"),
        ("low..high", 4, "a range stands after what it is of"),
        ("min(mark) > 1", 9, "a second value of min(a, b)"),
        ("min(mark, 1, 2) > 1", 12, "written without commas"),
        ("sector > tech", 8, "compared with = or !="),
        ("chg > sector", 7, "sector holds words"),
        ("sector = health care", 17, "several words stand in quotes"),
        ('chg = "tech"', 7, "a text is no number"),
        ("'no such'", 1, "is not the beginning of a symbol"),
        ("5 and NV", 1, "a number alone is no condition"),
        ("watched(mine)", 9, "no watchlist is called 'mine'"),
        ("abs((mark > 1)) > 1", 5, "this is a condition"),
    ],
)
def test_a_mistake_is_told_with_its_column_and_the_nearest_name(
    text: str, column: int, words: str
) -> None:
    error = refused(text)
    assert (error.column, words in str(error)) == (column, True), str(error)
    assert str(error) == f"Column {column}: {error.problem}"
    assert str(error).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        *(
            "chg >",
            "chg > 5 and",
            "not",
            "(chg > 5",
            "chg 3..",
            "chg 3",
            "chg + 1",
            "min(mark",
            "@",
        ),
        *("chg(5", 'sector = "Hea', "sector =", "prev_close", "crosses_ab", "chg > rv", "@che"),
        *("crosses_above(mark,", "mark > rsi", "abs(", "chg > 5.", "chg !", "chg > -"),
    ],
)
def test_a_text_that_goes_on_is_incomplete(text: str) -> None:
    if text == "chg > 5.":
        assert parse(text).mask(six()).any()
        return
    assert refused(text).incomplete


@pytest.mark.parametrize(
    "text", ["chg > > 5", "chg > 5)", "rvool > 3", "@nothing", "chg > zz", "5 and NV", "chg > $"]
)
def test_a_mistake_that_typing_on_does_not_mend_is_not_incomplete(text: str) -> None:
    assert not refused(text).incomplete


def test_length_and_nesting_have_limits() -> None:
    deep = MAX_NESTING
    assert found("(" * deep + "mark > 9" + ")" * deep) == "NVDA"
    assert found("(" * deep + "mark" + ")" * deep + " > 9") == "NVDA"
    assert found("not (NVDA and " * deep + "NV" + ")" * deep) == found("")
    assert found("-(1-" * deep + "mark" + ")" * deep + " > 0") == ""
    assert found("not " * 400 + "NV") == found("NV")
    assert found(f"{'-' * 1000}mark > 9") == "NVDA"
    assert found(" or ".join(["(NVD)"] * 60)) == "NVDA"
    assert found(f"mark{' + 1' * 480} > 489") == "NVDA"
    assert found(" or ".join(["mark>9"] * 190)) == "NVDA"
    for text in ("(" * (deep + 1), "abs(" * (deep + 1), "(" * 2000, "not (" * 400):
        assert "up to 50 times" in str(refused(text))
    assert "up to 2,000 characters" in str(refused("mark > 1" + " " * 2000))
    assert refused("NV " * 1000).column == 2001


def test_nesting_at_its_limit_fits_into_a_stack_that_is_half_used() -> None:
    def under(frames: int) -> str:
        return under(frames - 1) if frames else found("(" * 50 + "mark > 9" + ")" * 50)

    assert sys.getrecursionlimit() >= 1000
    assert under(300) == "NVDA"


def test_an_empty_expression_is_every_row() -> None:
    s = six()
    assert parse("").empty
    assert parse("").rows(s) is s.by_symbol
    assert parse("").mask(s).all()
    assert not parse("NV").empty


def test_new_symbols_are_found_by_an_expression_that_was_used_before() -> None:
    expression = parse("NV or sector = tech", NAMES)
    s = six()
    assert expression.mask(s).sum() == 3
    renamed = six(symbols=("A", "NV1", "NV2", "NV3", "C", "D"))
    assert expression.mask(renamed).tolist() == [True, True, True, True, True, False]
    assert expression.mask(s).sum() == 3
    retold = six(words={"sector": Words(np.array([1, 1, 0, 1, 1, 1]), ("Tech", "Retail"))})
    assert expression.mask(retold).tolist() == [True, True, True, False, False, False]
    more = market(80)
    assert parse("K").mask(more).sum() == sum(name.startswith("K") for name in more.symbols)


def at(second: int, *marks: float, memory: Memory, expression: Expression) -> list[bool]:
    """Return where an expression holds when marks are such at a second."""
    s = six()
    count = len(marks)
    short = replace(
        s, event_ns=second * SECOND_NS, mark=np.array(marks), symbols=SYMBOLS[:count], cache={}
    )
    return [bool(held) for held in expression.mask(short, memory)]


def test_a_crossing_is_seen_once_and_by_those_that_crossed() -> None:
    memory, expression = Memory(), parse("crosses_above(mark, 10)")
    steps = [
        ((9.0, 11.0, NAN), [False, False, False]),  # the first only takes note
        ((11.0, 9.0, 11.0), [True, False, False]),
        ((12.0, 10.0, 9.0), [False, False, False]),
        ((10.0, 11.0, NAN), [False, True, False]),  # over it at last; equal is no crossing
        ((11.0, NAN, 11.0), [False, False, True]),  # what was missing in between does not matter
    ]
    for second, (marks, expected) in enumerate(steps):
        for _ in range(2):  # the same instant again says the same
            assert at(second, *marks, memory=memory, expression=expression) == expected


def test_a_crossing_is_seen_in_a_branch_that_does_not_matter() -> None:
    memory, expression = Memory(), parse("mark > 100 and crosses_below(mark, 10) or mark < 0")
    both = parse("mark > 100 or crosses_below(mark, 10)")
    at(0, 11.0, memory=memory, expression=expression)
    assert at(1, 9.0, memory=memory, expression=both) == [True]


def test_crossings_hold_as_long_as_told_and_take_new_symbols() -> None:
    memory, expression = Memory(hold_ns=60 * SECOND_NS), parse("crosses_below(mark, 10)")
    at(0, 11.0, memory=memory, expression=expression)
    assert at(5, 9.0, 11.0, memory=memory, expression=expression) == [True, False]
    assert at(65, 12.0, 9.0, memory=memory, expression=expression) == [True, True]
    assert at(66, 12.0, 9.0, memory=memory, expression=expression) == [False, True]
    assert at(64, 12.0, 9.0, memory=memory, expression=expression) == [True, False]
    assert not any(expression.mask(six()))


def names_of(text: str, cursor: int | None = None) -> list[str]:
    found = complete(text, len(text) if cursor is None else cursor, NAMES)
    return [choice.text for choice in found]


def test_completion_offers_what_begins_so_first() -> None:
    assert names_of("spr")[:2] == ["spread", "spread_pct"]
    assert names_of("chg > 5 and rvo")[0] == "rvol"
    assert names_of("cross") == ["crosses_above(", "crosses_below("]
    assert names_of("rs")[0] == "rsi(14)"
    assert names_of("pct")[0] in {"spread_pct", "range_pct", "hod_pct"}
    assert names_of("spraed") == ["spread", "spread_pct"]
    assert names_of("flo") == ["float_shares"]
    assert names_of("not (sec")[0] == "sector"
    assert names_of("@") == ["@cheap", "@either", "@all"]
    assert names_of("mark > 1 and @ch") == ["@cheap"]
    assert names_of("mark > 5 ") == ["and", "or"]
    assert names_of("mark > 5 a") == ["and"]
    assert names_of("high(p") == ["pre)", "post)"]
    assert names_of("watched(") == ["my tech)"]
    assert names_of('sector = "ma') == []
    assert len(names_of("")) > 30
    assert names_of("mark > 1" + " " * 2000) == []


def test_a_completion_says_what_it_is_and_where_it_goes() -> None:
    text = "not warr and chg > 5"
    best = complete(text, 6, NAMES)[0]
    assert text[: best.begin] + best.text + text[best.end :] == "not warrant and chg > 5"
    assert best.doc == REGISTRY["warrant"].doc
    assert names_of("rsi(14) > 3", 2)[0] == "rsi"
    assert names_of("high(5m) > 3", 6) == ["5m", "15m"]
    for cursor in range(-1, len(text) + 2):
        for choice in complete(text, cursor, NAMES):
            assert choice.doc
            assert choice.begin <= choice.end <= len(text)


def test_masks_are_flags_in_slot_order() -> None:
    s = market(40)
    values: Floats = values_of(MetricKey("chg"), s)
    for text in ("chg > 1", "NV", "warrant", "1 < 2", "watched(my tech)", "", "not chg > 1"):
        mask = parse(text, NAMES).mask(s)
        assert mask.dtype == np.bool_
        assert mask.shape == (40,)
    assert (parse("chg > 1").mask(s) == (values > 1)).all()
