"""What nobody but the user may do: act on the terminal, learn the key, run code, reach in."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stockscan_tui
from stockscan_tui.cli import main
from stockscan_tui.cli.welcome import TypedKey
from stockscan_tui.config import config_path, edit, key_path, read_key, rules_path, save_key
from stockscan_tui.config.rules import parse_rules
from stockscan_tui.delivery.request import Request
from stockscan_tui.doctor.database_child import Reading
from stockscan_tui.doctor.network import Target
from stockscan_tui.environment import without_key
from stockscan_tui.errors import StockscanError, UsageError
from stockscan_tui.feed.history import History
from stockscan_tui.feed.http_api import Caller
from stockscan_tui.feed.live import Access
from stockscan_tui.feed.splits import Splits
from stockscan_tui.log import LOG, write_log
from stockscan_tui.market.compiled import is_own
from stockscan_tui.market.text import printable
from stockscan_tui.run.reference import Sources
from stockscan_tui.run.scratch import Scratch
from stockscan_tui.run.workers import spread
from stockscan_tui.scan.watchlists import replace_text
from stockscan_tui.sim.archive import Tables
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.history import HistoryStub
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.process import GatewayProcess
from stockscan_tui.sim.tape import Tape
from stockscan_tui.store.lock import Hold, beside
from stockscan_tui.store.reader import Reader
from stockscan_tui.store.table_file import write_table
from stockscan_tui.store.writer import Writer
from stockscan_tui.ui.screens import key_entry
from stockscan_tui.ui.screens.key_entry import KeyChoice
from stockscan_tui.ui.welcome import WelcomeApp
from tests import wire
from tests.unit.store_batches import MINUTE, Row, batch

KEY = "db-SECRETsecretSECRETsecret12345"
USUAL = dict(os.environ)
PACKAGE = Path(stockscan_tui.__file__).parent
POSIX = pytest.mark.skipif(os.name != "posix", reason="a matter of POSIX modes")
TAPE = Tape.from_records(wire.random_rows(1, 2_000, 3, minutes=2), {"AAA": 1, "BBB": 2, "CCC": 3})

ATTACKS = (
    "\x1b[2J",
    "\x1b]0;owned\x07",
    "\x1b]52;c;b3duZWQ=\x1b\\",
    "\x1b]8;;http://evil\x07link\x1b]8;;\x07",
    "\x1bP+q544e\x1b\\",
    "\x9b31m",
    "\x9d0;owned\x9c",
    "A\u202egpj.exe",
    "A\u2066B\u2069",
    "A\u200bB\ufeffC\u2060",
    "z" + "\u0301" * 500,
    "A\tB\nC\rD\x08E\x7f",
    "\ud800\udfff\U000e0041\ue000",
    "\u2028\u2029\u0085",
)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.delenv("DATABENTO_API_KEY", raising=False)


def acts(text: str) -> bool:
    """Return whether anything in a text but line ends could act on a terminal."""
    return any(printable(line) != line for line in text.split("\n"))


# --- the code itself ------------------------------------------------------------------------------


@cache
def parsed() -> dict[str, ast.Module]:
    files = sorted(PACKAGE.rglob("*.py"))
    return {str(f.relative_to(PACKAGE)): ast.parse(f.read_text("utf-8")) for f in files}


@cache
def text_of(file: str) -> str:
    return (PACKAGE / file).read_text("utf-8")


@cache
def calls() -> list[tuple[str, ast.Call, str]]:
    """Return each call with its file and the dotted name of what is called."""
    return [
        (file, node, dotted(node.func))
        for file, tree in parsed().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


# Images of a run's own market, in a file that the same process made and alone can open.
OWN_IMAGES = {"engine/savepoints.py", "market/image.py"}
NEVER = re.compile(
    r"(eval|exec|compile|__import__|os\.system|os\.popen|os\.exec\w+|os\.spawn\w+|runpy\.\w+"
    r"|subprocess\.(getoutput|getstatusoutput)|(asyncio\.)?create_subprocess_shell"
    r"|tempfile\.mktemp|mktemp|pty\.spawn|importlib\.import_module"
    r"|joblib\.load|pd\.read_pickle)"
)


def test_nothing_runs_text_as_code_or_through_a_shell() -> None:
    for file, call, name in calls():
        assert not NEVER.fullmatch(name), f"{file}:{call.lineno} calls {name}"
        for keyword in call.keywords:
            assert keyword.arg != "shell", f"{file}:{call.lineno} has a shell"
            assert keyword.arg != "allow_pickle", f"{file}:{call.lineno} allows pickle"


def test_nothing_reads_pickles_but_a_runs_own_images() -> None:
    banned = {"pickle", "marshal", "shelve", "dill", "yaml", "joblib", "cloudpickle", "xmlrpc"}
    found = set()
    for file, tree in parsed().items():
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.partition(".")[0] in banned for name in names):
                found.add(file)
    assert found == OWN_IMAGES


def test_every_program_is_started_without_the_key() -> None:
    started = [
        (file, call)
        for file, call, name in calls()
        if name in ("subprocess.Popen", "subprocess.run", "subprocess.check_output")
    ]
    assert len(started) >= 5
    for file, call in started:
        given = {word.arg for word in call.keywords}
        needed = "of_own_process(" if "sys.executable" in text_of(file) else "without_key("
        assert "env" in given, f"{file}:{call.lineno}"
        assert needed in text_of(file), f"{file}:{call.lineno}"


# What may stand in a statement besides constants (names in capitals): names of our own tables and
# columns, conditions made of constants, and identifiers and file names that are quoted. A recovery
# copies our own tables, by the names in its TABLES.
SQL = re.compile(
    r"\s*(SELECT|COPY|ATTACH|DETACH|INSERT|DELETE|CREATE|UPDATE|DROP|ALTER|DESCRIBE|WITH|SET)\b"
)
QUOTED = re.compile(r"(_text|_name|_quoted|_said)\(.*\)")
OWN_NAMES: dict[str, set[str]] = {
    "store/export.py": {"chosen", "view.query", "view.within", "among", "view.order", "options"},
    "store/pruning.py": {"table"},
    "store/own_table.py": {"query", "value", "', '.join(fields)"},
}  # fmt: skip


def test_statements_are_made_of_constants_and_values_are_parameters() -> None:
    for file, tree in parsed().items():
        if file.startswith("store/recovery_"):
            continue
        known = OWN_NAMES.get(file, set())
        for node in ast.walk(tree):
            if not isinstance(node, ast.JoinedStr):
                continue
            begin = node.values[0]
            if not (isinstance(begin, ast.Constant) and SQL.match(str(begin.value))):
                continue
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    said = ast.unparse(part.value)
                    harmless = QUOTED.fullmatch(said) or re.fullmatch(r"[A-Z_0-9 +\[\]'a-z]*", said)
                    constant = harmless and re.match(r"_?[A-Z]|_[a-z]+\(", said)
                    assert constant or said in known, f"{file}:{node.lineno}: {said}"


def test_symbols_of_any_kind_are_values_for_the_database(tmp_path: Path) -> None:
    path = tmp_path / 'day\'s "own".duckdb'
    names = ("'; DROP TABLE bars; --", "\"; ATTACH 'x'", "$1", "?", "%s", *ATTACKS[:6])
    writer = Writer.open(path, dataset="X")
    writer.put(batch(1, [Row(n, MINUTE) for n in range(len(names))], symbols=names))
    writer.close(30)
    reader = Reader.open(path)
    try:
        assert reader.counts().bars == len(names)
        for name in names:
            assert len(reader.bars(name, 0, 2**62).minute) == 1
    finally:
        reader.release()
    assert sorted(file.name for file in tmp_path.glob("x*")) == []


# --- text from outside ----------------------------------------------------------------------------


@settings(max_examples=50)
@given(st.text())
def test_what_is_printable_acts_on_no_terminal(text: str) -> None:
    said = printable(text)
    assert printable(said) == said
    assert said.encode("utf-8") or not text
    assert len(said) == len(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800]", said)


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_made_visible(attack: str) -> None:
    assert "�" in printable(attack)
    assert "\x1b" not in printable(attack)


def test_letters_with_their_marks_stay() -> None:
    for word in ("Ünïcödé", "e\u0301", "ệ", "日本語", "नमस्ते", "ไทย", "§≈★"):
        assert printable(word) == word


def test_the_log_holds_no_lines_but_its_own(tmp_path: Path) -> None:
    path = tmp_path / "log"
    before = list(LOG.handlers), LOG.level
    write_log(path)
    (handler,) = set(LOG.handlers) - set(before[0])
    try:
        for attack in ATTACKS[:-2]:
            LOG.warning("said: %s", f"{attack}\n2026-11-20 10:00:00,000 INFO forged")
            try:
                raise ValueError(attack)
            except ValueError:
                LOG.exception("broke off")
    finally:
        handler.close()
        LOG.removeHandler(handler)
        LOG.setLevel(before[1])
    lines = path.read_text("utf-8").split("\n")
    assert len([line for line in lines if re.match(r"2026-11-20 10:00", line)]) == 0
    assert not any(re.search("[\x00-\x1f\x7f-\x9f\u202e\u2066\u200b]", line) for line in lines)
    assert any("Traceback" in line for line in lines)
    assert logging.getLogger("stockscan").handlers == before[0]


def hostile(tmp_path: Path, attack: str) -> list[list[str]]:
    """Return commands with an attack in every text that a user may have from somebody else."""
    folder = tmp_path / (attack.replace("/", "|").replace("\0", "")[:60] or "x")
    try:
        folder.mkdir()
    except (OSError, UnicodeEncodeError):
        folder = tmp_path
    said = json.dumps(attack)[1:-1]
    config, rules = folder / "config.toml", folder / "rules.toml"
    config.write_text(f'mark = "{said}"\n"{said}" = 3\n', "utf-8")
    rules.write_text(f'[[rule]]\nname = "{said}"\nwhen = "{said}"\n', "utf-8")
    (folder / "junk.dbn").write_bytes(b"junk")
    (folder / "closes.csv").write_text(f"symbol,close\n{said},{said}\n", "utf-8")
    (folder / "junk.duckdb").write_bytes(attack.encode("utf-8", "replace") * 9_000)
    dbn, database = str(folder / "junk.dbn"), str(folder / "junk.duckdb")
    return [
        ["config", "--config", str(config)],
        ["config", "--path", "--config", str(config)],
        ["rules", "check", str(rules)],
        ["replay", dbn, "--headless", "--offline", "--filter", attack],
        ["replay", dbn, "--headless", "--offline"],
        ["replay", dbn, "--headless", "--offline", "--prev-close", str(folder / "closes.csv")],
        ["report", "--db", database],
        ["why", attack, "--db", database],
        [attack],
        ["replay", dbn, f"--{attack}"],
        ["live", "--gateway", attack, "--headless"],
        ["live", "--symbols", f"@{attack}", "--headless"],
        ["demo", "--speed", attack, "--headless"],
        ["live", "--headless", "--log-file", f"{tmp_path}/none/{attack}"],
    ]


@pytest.mark.parametrize(
    "attack",
    [
        "\x1b[2J\x1b]0;owned\x07\x1bP+q\x1b\\\t",
        "A\u202e\u2066\x9d0;owned\x9c\u2028\r\n",
        "\udc9b\udcff",
    ],
)
def test_refusals_act_on_no_terminal(
    attack: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for arguments in hostile(tmp_path, attack):
        try:
            status = main(arguments)
        except SystemExit as left:
            status = int(str(left.code))
        told = capfd.readouterr()
        if arguments[1:2] != ["--path"]:
            assert status in (1, 2), arguments
            assert told.err
        assert not acts(told.out), arguments
        assert not acts(told.err), arguments


def test_values_of_the_environment_act_on_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for attack in ATTACKS[:5]:
        monkeypatch.setenv("STOCKSCAN_MARK", attack)
        assert main(["config"]) == 2
        monkeypatch.delenv("STOCKSCAN_MARK")
        monkeypatch.setenv("STOCKSCAN_TABLE", attack)
        assert main(["config"]) == 2
        monkeypatch.delenv("STOCKSCAN_TABLE")
        told = capsys.readouterr()
        assert not acts(told.out + told.err)


def test_a_csv_is_neither_formula_nor_escape_sequence(tmp_path: Path) -> None:
    words = ["=CMD()", "+1", "-1", "@SUM(A1)", "-", "=", "AAA+", "BRK.B", *ATTACKS[:12]]
    for name in ("table.csv", "table.parquet"):
        write_table(tmp_path / name, {"SYMBOL": words, "X": list(words)})
    raw = (tmp_path / "table.csv").read_text("utf-8")
    assert not acts(raw)
    lines = raw.splitlines()[1:]
    assert [line.partition(",")[0] for line in lines[:8]] == [
        "'=CMD()", "'+1", "'-1", "'@SUM(A1)", "-", "=", "AAA+", "BRK.B",
    ]  # fmt: skip
    with duckdb.connect() as connection:
        kept = connection.execute(
            "SELECT SYMBOL FROM read_parquet(?)", [str(tmp_path / "table.parquet")]
        ).fetchall()
    assert [row[0] for row in kept] == words


# --- the key --------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("before", [None, 0o644, 0o666, 0o400])
def test_the_key_file_is_its_owners_whatever_it_was(before: int | None) -> None:
    path = key_path()
    path.parent.mkdir(parents=True)
    if before is not None:
        path.write_text("old")
        path.chmod(before)
    masked = os.umask(0)
    try:
        save_key(KEY)
    finally:
        os.umask(masked)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key() == KEY
    assert [file.name for file in path.parent.iterdir()] == ["key"]


@POSIX
def test_a_config_or_rules_file_that_is_made_is_its_owners() -> None:
    masked = os.umask(0)
    try:
        edit.set_theme(None, "stockscan-light")
    finally:
        os.umask(masked)
    assert stat.S_IMODE(config_path().stat().st_mode) == 0o600
    config_path().chmod(0o640)
    edit.set_theme(None, "stockscan-dark")
    assert stat.S_IMODE(config_path().stat().st_mode) == 0o640


def test_no_representation_has_the_key() -> None:
    history = History(KEY)
    made = (
        Access(KEY, "X", "host"),
        Sources(Path(), "X", Splits.from_tables([], {}), key=KEY),
        history,
        Caller(KEY, None, 1.0),
        Target("X", "host", 1, key=KEY),
        TypedKey(KEY),
        Options(key=KEY),
    )
    for each in made:
        assert "SECRET" not in f"{each!r} {each}"


def test_other_programs_get_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABENTO_API_KEY", KEY)
    assert KEY not in without_key({"A": "b"}).values()
    assert without_key({"A": "b"})["A"] == "b"
    if not Path("/proc/self/environ").exists():
        pytest.skip("no /proc")
    gateway = GatewayProcess("--speed", "nonsense")
    environment = Path(f"/proc/{gateway.pid}/environ").read_bytes()
    gateway.close()
    assert KEY.encode() not in environment


def test_modules_in_the_folder_that_it_is_run_in_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w'); raise SystemExit(3)"
    folder = tmp_path / "sent"
    folder.mkdir()
    for name in ("json", "signal", "tempfile", "numpy", "duckdb", "exchange_calendars", "pandas"):
        (folder / f"{name}.py").write_text(trap)
    monkeypatch.chdir(folder)
    reading = Reading(folder / "day.duckdb")
    assert reading.condition() is None
    reading.close()
    gateway = GatewayProcess("--speed", "nonsense")
    with pytest.raises(StockscanError, match="--speed takes"):
        gateway.wait()
    gateway.close()
    said = spread(doubled, [1, 2], 1, progress=lambda *_: None, cancelled=lambda: False)
    assert sorted(said) == [(0, 2), (1, 4)]
    assert not (tmp_path / "sprung").exists()


def doubled(number: int, _go_on: object) -> int:
    return 2 * number


def test_a_capture_leaves_the_key_nowhere(tmp_path: Path) -> None:
    """All that a run writes and prints is searched, and what others see of its process."""
    work = tmp_path / "work"
    work.mkdir()
    of_run = without_key({"DATABENTO_API_KEY": KEY})
    # The exchange's calendar is in the usual cache by now; nothing else goes there.
    of_run.pop("XDG_CACHE_HOME")
    of_run |= {name: said for name, said in USUAL.items() if name == "XDG_CACHE_HOME"}
    with GatewayThread(TAPE, Options(key=KEY, speed=1_000)) as gateway:
        run = subprocess.Popen(
            [sys.executable, "-m", "stockscan_tui", "live", "--headless", "--json",
             "--gateway", f"127.0.0.1:{gateway.port}", "--db", str(work / "day.duckdb"),
             "--record", str(work / "dbn"), "--log-file", str(work / "log"), "--save-every", "0.3"],
            env=of_run, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd=work,
        )  # fmt: skip
        seen = Path(f"/proc/{run.pid}/cmdline")
        arguments = seen.read_bytes() if seen.exists() else b""
        never, end_s = threading.Event(), time.monotonic() + 120
        while not any(work.glob("dbn/*.dbn*")) and run.poll() is None:
            assert time.monotonic() < end_s
            never.wait(0.05)
        run.terminate()
        out, err = run.communicate(timeout=120)
        assert gateway.sessions_started
    assert run.returncode == 0, err
    assert b'"type":"summary"' in out
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert len(written) >= 3
    for content in (arguments, out, err, *written):
        for part in (KEY, KEY[3:], KEY[3:19]):
            assert part.encode() not in content


def test_addresses_of_webhooks_are_told_nowhere(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    secret = "SECRETTOKEN"  # noqa: S105 - none
    rules_path().parent.mkdir(parents=True)
    good = (
        '[[rule]]\nname = "a"\nmove = 3\ndeliver = ["hook"]\n[[webhook]]\nname = "hook"\n'
        f'url = "https://u:{secret}@example.com/{secret}"\nheaders = {{ Auth = "{secret}" }}\n'
    )
    wrong = (
        ("https://", "file:///etc/"), ("https://", "ftp://"), ('Auth = "', 'Auth = "\\n'),
        ("example.com/", "example.com/{nothing}"), ("example.com", "{symbol}.com"),
        ('name = "hook"', 'nama = "hook"'), ("u:", "u:[") ,
    )  # fmt: skip
    for text in (good, *(good.replace(*pair) for pair in wrong)):
        rules_path().write_text(text, "utf-8")
        refused = [main(["rules", "list", "--json"]), main(["rules", "check"])]
        assert refused == ([0, 0] if text is good else [1, 1])
        told = capsys.readouterr()
        assert secret not in told.out + told.err
    assert secret not in str(parse_rules(good, tmp_path / "rules.toml").webhooks[0].name)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x", "data:,"])
def test_only_http_is_spoken(url: str) -> None:
    answer = Request("GET", url, {}, None).answer(2.0)
    assert not answer.taken
    assert not answer.again


# --- who can reach in -----------------------------------------------------------------------------


def own_addresses() -> list[tuple[int, str]]:
    """Return this machine's addresses that are not loopback."""
    found = []
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as asked:
                # Nothing is sent: this only chooses the way.
                asked.connect((far, 9))
                found.append((int(family), str(asked.getsockname()[0])))
        except OSError:
            continue
    return [(family, address) for family, address in found if not address.startswith("127.")]


def test_the_simulated_servers_are_reached_by_loopback_alone() -> None:
    with GatewayThread(TAPE) as gateway, HistoryStub(Tables()) as stub:
        for port in (gateway.port, int(stub.url.rpartition(":")[2])):
            socket.create_connection(("127.0.0.1", port), 5).close()
            for family, address in [*own_addresses(), (int(socket.AF_INET6), "::1")]:
                with socket.socket(family) as outside:
                    outside.settimeout(5)
                    with pytest.raises(OSError, match=r"refused|unreachable|not supported|assign"):
                        outside.connect((address, port))
    for host in ("0.0.0.0", "::", "", "localhost", "192.0.2.1"):  # noqa: S104 - refused
        with pytest.raises(UsageError, match=r"127\.0\.0\.1 only"):
            Options(host=host)


@POSIX
def test_a_link_laid_in_the_way_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    database = tmp_path / "day.duckdb"
    beside(database, ".owner").symlink_to(victim)
    with pytest.raises(Exception, match="cannot be written"):
        Hold(database)
    assert victim.read_text() == "mine"
    Hold(database).release()
    assert victim.read_text() == "mine"


@POSIX
def test_temporary_files_are_the_users_alone_and_have_names_nobody_can_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked = os.umask(0)
    try:
        first, second = Scratch(), Scratch()
        modes = [stat.S_IMODE(each.path.stat().st_mode) for each in (first, second)]
        names = {each.path.name for each in (first, second)}
        first.close()
        second.close()
        made: list[str] = []
        opened = os.open

        def watching(path: str, flags: int, mode: int = 0o777) -> int:
            assert flags & os.O_EXCL
            made.append(Path(path).name)
            return opened(path, flags, mode)

        monkeypatch.setattr(os, "open", watching)
        for _ in range(2):
            replace_text(tmp_path / "file", "text")
    finally:
        os.umask(masked)
    assert modes == [0o700, 0o700]
    assert len(names) == len(set(made)) == 2
    for file, tree in parsed().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.match(r"/(var/)?tmp\b|/dev/shm", node.value), file


@POSIX
def test_compiled_code_is_not_taken_from_a_folder_that_others_write(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.touch()
    for mode, own in ((0o700, True), (0o755, True), (0o775, True), (0o777, False), (0o1777, False)):
        folder = tmp_path / f"{mode:o}"
        folder.mkdir()
        folder.chmod(mode)
        assert is_own(str(folder), str(source)) is own
    assert not is_own(str(tmp_path / "none"), str(source))
    if os.getuid() == 0:
        os.chown(tmp_path / "700", 12_345, 12_345)
        assert not is_own(str(tmp_path / "700"), str(source))
        os.chown(source, 12_345, 12_345)
        assert is_own(str(tmp_path / "700"), str(source))


def test_a_defect_on_the_screen_tells_no_variables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(choice: KeyChoice) -> str:
        key = choice.key
        raise RuntimeError(f"\x1b]0;owned\x07 a defect, with {len(key)} characters")

    monkeypatch.setattr(key_entry, "_use", broken)
    app = WelcomeApp("stockscan-dark")

    async def use() -> None:
        async with app.run_test() as pilot:
            app.push_screen(key_entry.KeyEntryScreen())
            await pilot.pause()
            app.screen.query_one(key_entry.KeyField).value = KEY
            await pilot.press("enter")
            await app.workers.wait_for_complete()
            await pilot.pause()

    with pytest.raises(RuntimeError, match="32 characters"):
        asyncio.run(use())
    told = capsys.readouterr()
    assert "RuntimeError" in told.err
    assert "in broken" in " ".join(told.err.split()), "a long path folds the line"
    assert "\x1b]0" not in told.err
    assert not any(part in told.out + told.err for part in (KEY, KEY[3:], "SECRET"))


DEFECTS = """
import sys, threading
from stockscan_tui.cli import main
module = sys.modules["stockscan_tui.cli.main"]
class Late:
    def __del__(self):
        raise ValueError("in passing " + sys.argv[1])
def defect(arguments):
    secret = "db-secret"
    Late()
    thread = threading.Thread(target=lambda: [][len(sys.argv[1])], name=sys.argv[1])
    thread.start()
    thread.join()
    raise LookupError("the end " + sys.argv[1])
module._run = defect
sys.exit(main([]))
"""


def test_a_defect_without_a_screen_acts_on_no_terminal_and_tells_no_variables() -> None:
    text = "\x1b]0;title\x07\x9b2J\u202e\nline"
    done = subprocess.run([sys.executable, "-c", DEFECTS, text], capture_output=True, text=True,
                          env={**os.environ, "PYTHONUTF8": "1"}, check=False)  # fmt: skip
    assert done.returncode == 1
    for told in ("ValueError: in passing �]0;title��2J�\nline", "IndexError",
                 "LookupError: the end �]0;title��2J�\nline"):  # fmt: skip
        assert told in done.stderr
    assert "db-secret" not in done.stderr
    assert all(c.isprintable() or c == "\n" for c in done.stderr)
