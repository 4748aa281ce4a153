"""`stockscan doctor`: each finding provoked, what is said of it, and that no key is."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import duckdb
import pytest

from stockscan_tui.cli import doctor as cli_doctor
from stockscan_tui.cli import main
from stockscan_tui.cli import terminal as cli_terminal
from stockscan_tui.config import key_path, live_database, rules_path, save_key
from stockscan_tui.doctor import network, software, storage
from stockscan_tui.doctor.database_child import Reading
from stockscan_tui.doctor.files import Files
from stockscan_tui.doctor.finding import Check, Finding, State, examine, ok
from stockscan_tui.errors import UsageError
from stockscan_tui.scan.expression import Names
from stockscan_tui.sim.archive import Tables
from stockscan_tui.sim.gateway import GatewayThread
from stockscan_tui.sim.history import HistoryStub
from stockscan_tui.sim.options import Options
from stockscan_tui.sim.tape import Tape
from stockscan_tui.store.lock import beside
from stockscan_tui.store.writer import Writer
from tests import wire
from tests.unit.store_batches import MINUTE, Row, batch
from tests.unit.test_store_open import HOLDER, edit

KEY = "db-SECRETsecretSECRETsecret12345"
PARTS = (KEY, KEY[3:], KEY[-5:], "SECRET")
TAPE = Tape.from_records(wire.random_rows(1, 100, 2, minutes=1), {"AAA": 1, "BBB": 2})
TABLES = Tables(closes={"EQUS.MINI": {date(2026, 6, 12): {"AAA": 1.0}}})


# Nothing here is about how fast a busy machine is.
PATIENT_S = 30.0


def patiently(checks: Iterable[Check]) -> Iterator[Finding]:
    return examine(replace(check, limit_s=4 * PATIENT_S) for check in checks)


def network_of(target: network.Target) -> network.Network:
    return network.Network(target, PATIENT_S)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setattr(network, "ANSWER_S", PATIENT_S)
    monkeypatch.setattr(cli_doctor, "examine", patiently)
    for name in ("DATABENTO_API_KEY", "http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the compiled code for loaded: that takes a process a second."""
    monkeypatch.setattr(software, "compiled", lambda: (ok("compiled code", "loaded"),))


def states(findings: Sequence[Finding]) -> list[str]:
    return [finding.state.value for finding in findings]


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    """Return the command's lines of JSON by name, the worst of each."""
    worst: dict[str, dict[str, str]] = {}
    order = ("ok", "skipped", "warn", "fail")
    for line in capsys.readouterr().out.splitlines():
        said = json.loads(line)
        assert set(said) == {"type", "name", "state", "found", "do"}
        assert said["type"] == "check"
        assert said["found"]
        assert bool(said["do"]) == (said["state"] in ("warn", "fail"))
        before = worst.get(said["name"], said)
        worst[said["name"]] = max(before, said, key=lambda each: order.index(each["state"]))
    return worst


def test_a_new_users_machine_is_told_of_the_key_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(software, "compiled", partial(software.compiled, PATIENT_S))
    status = main(["doctor", "--offline", "--json"])
    found = told(capsys)
    assert status == int("fail" in [said["state"] for said in found.values()])
    assert list(found) == [
        "versions", "key", "entitlement", "gateway", "history", "clock", "time zones",
        "disk: data", "disk: cache", "disk: config", "database", "database blocks",
        "compiled code", "memory", "terminal", "config", "rules", "watchlists", "notifiers",
    ]  # fmt: skip
    # The rest is this machine's own.
    mine = [name for name in found if not name.startswith(("disk", "memory", "compiled"))]
    assert [name for name in mine if found[name]["state"] in ("warn", "fail")] == ["key"]
    assert {found[name]["state"] for name in ("entitlement", "gateway", "history")} == {"skipped"}
    assert not live_database("EQUS.MINI").parent.exists()


@pytest.mark.usefixtures("_quick")
def test_lines_for_a_person_have_words_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    key_path().parent.mkdir(parents=True)
    key_path().write_text(KEY)
    key_path().chmod(0o644)
    assert main(["doctor", "--offline"]) == 1
    said = capsys.readouterr().out
    lines = said.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("fail"))
    assert "others can read" in lines[at]
    assert lines[at + 1].strip().startswith("→ Run: chmod 600 ")
    assert lines[-1].endswith("skipped")
    assert "1 failed" in lines[-1]
    assert "\x1b" not in said
    assert not any(part in said for part in PARTS)


@pytest.mark.usefixtures("_quick")
def test_what_the_net_answers_is_told_and_nowhere_the_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    save_key(KEY)
    log = tmp_path / "log"
    with GatewayThread(TAPE, Options(key=KEY)) as gateway, HistoryStub(TABLES) as stub:
        more = ["--gateway", f"127.0.0.1:{gateway.port}", "--history", stub.url]
        assert main(["doctor", "--json", "--log-file", str(log), *more]) == 0
        assert gateway.sessions_started == 0
    out = capsys.readouterr()
    assert not any(part in out.out + out.err + log.read_text() for part in PARTS)
    found = {said["name"]: said for said in map(json.loads, out.out.splitlines())}
    assert found["key"]["found"] == "set, by the key file, mode 0600"
    assert found["entitlement"]["found"] == "the gateway lets the key in to EQUS.MINI, live"
    assert found["entitlement of the past"]["state"] == "warn"
    assert "up to 2026-06-13 00:00 UTC" in found["entitlement of the past"]["found"]
    assert "version" in found["gateway"]["found"]
    assert found["history"]["found"].startswith("127.0.0.1 answers by HTTP")
    assert found["clock"]["state"] == "ok"


@pytest.mark.parametrize(
    ("options", "said", "do"),
    [
        (Options(key="db-" + "x" * 29), "refused the key", "Check DATABENTO_API_KEY"),
        (Options(unlicensed=frozenset({"EQUS.MINI"})), "not entitled to live data", "your plan"),
        (Options(dataset="XNAS.ITCH"), "does not know the dataset", "Name one with --dataset"),
    ],
)
def test_a_refused_login_says_why(options: Options, said: str, do: str) -> None:
    with GatewayThread(TAPE, options) as gateway:
        target = network.Target("EQUS.MINI", "127.0.0.1", gateway.port, own_gateway=True, key=KEY)
        net = network_of(target)
        (refused,) = net.entitlement()
        assert states(net.gateway()) == ["ok"]
        assert states(net.history()) == states(net.clock()) == ["skipped"]
    assert refused.state is State.FAIL
    assert said in refused.found
    assert do in refused.do
    assert not any(part in repr((refused, target)) for part in PARTS)


class _Answering(BaseHTTPRequestHandler):
    ahead_s = 0.0
    location = ""
    asked: list[Mapping[str, str]]

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() - self.ahead_s, usegmt=True)

    def do_GET(self) -> None:
        self.asked.append(dict(self.headers))
        self.send_response(302 if self.location else 401)
        if self.location:
            self.send_header("location", self.location)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def answering() -> Iterator[tuple[str, type[_Answering]]]:
    class Handler(_Answering):
        asked: list[Mapping[str, str]] = []  # noqa: RUF012 - of this very class

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", Handler
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("ahead_s", "state", "said"),
    [
        (0.0, "ok", "within"),
        (60.0, "warn", r"(59|60|61)\.\d s ahead of"),
        (-3_600.0, "warn", "(3,599|3,600).* s behind"),
    ],
)
def test_a_clock_that_is_off_is_told(
    answering: tuple[str, type[_Answering]], ahead_s: float, state: str, said: str
) -> None:
    url, handler = answering
    handler.ahead_s = ahead_s
    target = network.Target("EQUS.MINI", "127.0.0.1", 1, history=url, key=KEY)
    (found,) = network_of(target).clock()
    assert found.state == state
    assert re.search(said, found.found)
    assert bool(found.do) == (state == "warn")


def test_the_key_is_not_sent_to_be_told_the_time_and_no_redirection_is_followed(
    answering: tuple[str, type[_Answering]],
) -> None:
    url, handler = answering
    handler.location = f"{url}/elsewhere"
    target = network.Target("EQUS.MINI", "127.0.0.1", 1, history=url, key=KEY)
    assert states(network_of(target).history()) == ["ok"]
    assert len(handler.asked) == 1
    assert "Authorization" not in handler.asked[0]


def test_who_is_not_there_or_is_no_gateway_is_told(
    answering: tuple[str, type[_Answering]],
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = int(nobody.getsockname()[1])
        target = network.Target("X.Y", "127.0.0.1", port, f"http://127.0.0.1:{port}", key=KEY)
        net = network_of(target)
        (gateway,), (history,) = net.gateway(), net.history()
        assert states([gateway, history, *net.clock()]) == ["fail", "fail", "skipped"]
        assert states(net.entitlement()) == ["skipped", "fail"]
    assert "Connection refused" in gateway.found
    assert "by TCP" in gateway.do
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])

        def hostile() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"SSH-2.0-\x1b]0;owned\x07\n" + b"x" * 100_000)

        thread = threading.Thread(target=hostile)
        thread.start()
        other = network_of(network.Target("X.Y", "127.0.0.1", port, own_gateway=True))
        (found,) = other.gateway()
        thread.join()
    assert found.state is State.FAIL
    assert "is no gateway of Databento's" in found.found
    lost = network_of(network.Target("X.Y", "no-such-host.invalid", 1, own_gateway=True))
    assert "cannot be resolved" in lost.gateway()[0].found
    assert "DNS" in lost.gateway()[0].do


def test_proxies_are_told_without_their_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:hunter2@127.0.0.1:9")
    net = network.Network(network.Target("X.Y", "127.0.0.1", 9), timeout_s=1.0)
    (found,) = net.history()
    assert found.state is State.FAIL
    assert "127.0.0.1:9" in found.do
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize("text", ["db-short", KEY + "x", "ab-" + KEY[3:], "x" * 5_000])
def test_what_is_no_key_is_told_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("DATABENTO_API_KEY", text)
    (found,) = network.key()
    assert found.state is State.FAIL
    assert "it is no key" in found.found
    assert text not in repr(found)


def test_a_key_that_nobody_wants_is_not_missed() -> None:
    assert states(network.key(needed=False)) == ["ok"]
    assert states(network.key()) == ["warn"]


# --- disks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "per_day", "state", "said"),
    [
        (500_000_000, 0, "fail", "500.0 MB free"),
        (50_000_000_000, 10_000_000_000, "warn", "full in 5 sessions"),
        (50_000_000_000, 100_000_000, "ok", "full in 500 sessions"),
        (50_000_000_000, 0, "ok", "50.0 GB free"),
    ],
)
def test_a_disk_that_is_full_or_soon_will_be_is_told(
    tmp_path: Path, free: int, per_day: int, state: str, said: str
) -> None:
    found = storage.disk("data", tmp_path, lambda: per_day, lambda _: free)
    assert states(found) == [state]
    assert said in found[0].found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_folder_that_keeps_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def broken(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", broken)
    found = storage.disk("data", tmp_path, free_of=lambda _: 10**12)
    assert states(found) == ["ok", "fail"]
    assert os.strerror(number) in found[1].found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="a matter of POSIX modes")
def test_a_folder_that_others_write_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    found = storage.disk("data", tmp_path, free_of=lambda _: 10**12)
    assert states(found) == ["ok", "warn"]
    assert "chmod o-w" in found[1].do


def test_a_network_file_system_is_told(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    line = "36 35 98:0 / {} rw - {} server:/x rw\n"
    mounts.write_text(line.format("/", "ext4") + line.format(tmp_path, "nfs4"))
    inside, outside = tmp_path / "a" / "b", Path("/usr")
    assert (storage.remote(inside, mounts), storage.remote(outside, mounts)) == ("nfs4", "")
    found = storage.disk("data", inside, free_of=lambda _: 10**12, mounts=mounts)
    assert states(found) == ["ok", "warn"]
    assert storage.remote(inside, tmp_path / "nothing") == ""


# --- the database ---------------------------------------------------------------------------------


def filled(path: Path, rows: int = 20_000) -> None:
    writer = Writer.open(path, dataset="EQUS.MINI")
    bars = [Row(0, MINUTE + n, volume=n * 7_919 % 65_521) for n in range(rows)]
    writer.put(batch(1, bars, symbols=("AAA",)))
    writer.close(30)


def database(path: Path) -> list[Finding]:
    reading = Reading(path)
    try:
        found = [*storage.database(path, reading)]
        return [*found, *storage.blocks(reading, lambda _: None)]
    finally:
        reading.close()


def test_a_good_database_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "day.duckdb"
    assert states(database(path)) == ["ok", "skipped"]
    filled(path)
    assert not path.with_name("day.duckdb.owner").exists()
    before = path.read_bytes()
    outside, inside = database(path)
    assert states([outside, inside]) == ["ok", "ok"]
    assert "EQUS.MINI, schema step" in outside.found
    assert "last minute 20" in outside.found
    assert "all 20," in inside.found
    assert path.read_bytes() == before


def test_damaged_blocks_are_found_and_the_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "day.duckdb"
    filled(path)
    content = bytearray(path.read_bytes())
    # Behind the headers, every other page: whatever is there belongs to some block.
    for at in range(3 * 4096 + 8192, len(content), 8192):
        content[at : at + 64] = bytes(64)
    path.write_bytes(content)
    found = database(path)
    assert State.FAIL in [each.state for each in found]
    assert any("damaged" in each.found or "recover" in each.do for each in found)
    assert path.read_bytes() == bytes(content)


def test_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    junk = tmp_path / "junk.duckdb"
    junk.write_text("symbol,close\n" * 2_000)
    other = tmp_path / "other.duckdb"
    edit(other, "CREATE TABLE notes (t VARCHAR)")
    for path, said in ((junk, "not a DuckDB"), (other, "not one that stockscan made")):
        refused, unread = database(path)
        assert (refused.state, unread.state) == (State.FAIL, State.SKIPPED)
        assert said in refused.found + refused.do
    old = tmp_path / "old.duckdb"
    filled(old, 1)
    edit(old, "UPDATE meta SET value = '1' WHERE name = 'schema_version'")
    outdated, _ = database(old)
    assert outdated.state is State.WARN
    assert "Start a run with it once" in outdated.do


def test_a_database_that_ends_its_reader_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "day.duckdb"
    dying = tmp_path / "dying"
    dying.write_text("#!/bin/sh\nkill -SEGV $$\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    refused, _ = database(path)
    assert refused.state is State.FAIL
    assert "ends whoever reads it (status -11)" in refused.found


def test_a_held_database_names_its_holder_and_its_copy_is_read(tmp_path: Path) -> None:
    path = tmp_path / "day.duckdb"
    filled(path)
    copy = beside(path, ".snapshot.duckdb")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, (time.time() - 7_200, time.time() - 7_200))
    (tmp_path / "day.duckdb.damaged-20260615-093000").mkdir()
    edit(path, "UPDATE meta SET value = 'X' WHERE name = 'dataset'")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    outside, old, aside, inside = database(path)
    holder.communicate("")
    assert states([outside, old, aside, inside]) == ["ok", "warn", "warn", "ok"]
    assert f"(PID {holder.pid})" in outside.found
    assert "2 h old" in old.found
    assert "day.duckdb.damaged-20260615-093000" in aside.found
    assert "of the copy read" in inside.found


@pytest.mark.usefixtures("_quick")
def test_hostile_names_do_not_act_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "\x1b]0;owned\x07\u202e"
    folder.mkdir()
    path = folder / "\x1b[2Jday.duckdb"
    path.write_text("no database")
    (folder / "rules.toml").write_text('[[rule]]\nname = "\\u001b[31m"\nwhen = "nothing"\n')
    more = ["--db", str(path), "--rules", str(folder / "rules.toml"), "--record", str(folder)]
    for form in ([], ["--json"]):
        assert main(["doctor", "--offline", *more, *form]) == 1
        out = capsys.readouterr()
        for sign in ("\x1b", "\x07", "\u202e", "\x9b"):
            assert sign not in out.out + out.err


# --- the program, the machine, the terminal -------------------------------------------------------


def test_versions_outside_their_bounds_are_told() -> None:
    needs = ["duckdb>=1.5", "textual<9,>=8.2", "numba>=0.63", "x>=1; extra == 'dev'"]
    held = {"stockscan-tui": "0.1.0", "duckdb": "1.4.4", "textual": "9.0.0", "numba": "0.63"}

    def version_of(name: str) -> str:
        if name not in held:
            raise PackageNotFoundError(name)
        return held[name]

    (found,) = software.versions(version_of, lambda _: needs)
    assert found.state is State.FAIL
    assert "duckdb is 1.4.4 and has to be >=1.5" in found.found
    assert "textual is 9.0.0 and has to be <9,>=8.2" in found.found
    assert "numba is" not in found.found
    held |= {"duckdb": "1.10.0", "textual": "8.2.8rc1"}
    assert states(software.versions(version_of, lambda _: needs)) == ["ok"]
    del held["numba"]
    assert "numba is not there" in software.versions(version_of, lambda _: needs)[0].found
    del held["stockscan-tui"]
    assert states(software.versions(version_of, lambda _: needs)) == ["warn"]


def test_little_memory_is_told() -> None:
    for free_mb, state in ((100.0, "fail"), (400.0, "warn"), (4_000.0, "ok"), (None, "skipped")):
        assert states(software.memory(lambda mb=free_mb: mb)) == [state]  # type: ignore[misc]
    assert (software.memory_free_mb() or 1) > 0


def test_code_that_is_not_compiled_yet_is_told() -> None:
    (found,) = software.compiled(limit_s=0.01)
    assert found.state is State.WARN
    assert "compiles for about" in found.do


def test_checks_that_hang_or_break_hold_up_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    never = threading.Event()

    def hang() -> Sequence[Finding]:
        never.wait()
        return ()

    def refuse() -> Sequence[Finding]:
        raise UsageError("The file x is wrong. Mend it.")

    def broken() -> Sequence[Finding]:
        raise ValueError(f"https://user:{KEY}@host")

    checks = (
        Check("hangs", hang, limit_s=0.05),
        Check("refuses", refuse),
        Check("breaks", broken),
        Check("works", lambda: (ok("works", "yes"),)),
    )
    found = list(examine(checks))
    never.set()
    assert [each.name for each in found] == ["hangs", "refuses", "breaks", "works"]
    assert states(found) == ["fail", "fail", "fail", "ok"]
    assert (found[1].found, found[1].do) == ("The file x is wrong.", "Mend it.")
    assert KEY not in repr(found)
    assert capsys.readouterr().err == ""


def answers(cells: int) -> Callable[[str], bytes]:
    return lambda _: f"\x1b[12;{cells + 1}R".encode()


def of_terminal(environ: Mapping[str, str], ask: Callable[[str], bytes]) -> dict[str, Finding]:
    found = cli_terminal.terminal(environ, at_terminal=True, ask=ask)
    return {each.name: each for each in found}


def test_what_a_terminal_cannot_do_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    width = len(cli_terminal.GLYPHS)
    monkeypatch.setattr(cli_terminal, "_size", lambda: (120, 36))
    assert states(cli_terminal.terminal({}, at_terminal=False)) == ["skipped"]
    assert of_terminal({"TERM": "dumb"}, answers(width))["terminal"].state is State.FAIL
    good = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    found = of_terminal(good, answers(width))
    assert {each.state for each in found.values()} == {State.OK}
    assert "120×36" in found["terminal"].found
    assert "true colour" in found["terminal"].found
    wide = of_terminal(good, answers(width + 9))["glyphs"]
    assert wide.state is State.WARN
    assert f"take {width + 9} cells" in wide.found
    assert of_terminal(good, lambda _: b"")["glyphs"].state is State.SKIPPED
    assert of_terminal({"TERM": "xterm"}, answers(width))["terminal"].state is State.WARN
    monkeypatch.setattr(cli_terminal, "_size", lambda: (60, 20))
    assert of_terminal(good, answers(width))["terminal"].state is State.WARN
    settings = {"escape-time": "500", "set-clipboard": "off"}
    monkeypatch.setattr(cli_terminal, "_tmux", settings.get)
    in_tmux = cli_terminal.multiplexer({"TMUX": "/tmp/x,1,0"})  # noqa: S108 - a variable's text
    assert states(in_tmux) == ["warn", "warn"]
    assert "500 ms" in in_tmux[0].found
    assert states(cli_terminal.multiplexer({"STY": "1.pts"})) == ["warn"]


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TERM": "xterm", "COLORTERM": "24bit"}, "true colour"),
        ({"TERM": "screen-256color"}, "256 colours"),
        ({"TERM": "linux"}, "16 colours"),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, "no colours (NO_COLOR)"),
    ],
)
def test_colours_are_those_of_the_environment(environ: dict[str, str], said: str) -> None:
    assert cli_terminal.colours(environ) == said


# --- files ----------------------------------------------------------------------------------------

RULES = """
sound = "no.wav"
[[rule]]
name = "loud"
move = 3
deliver = ["sound", "desktop", "log", "phone"]
[[command]]
name = "log"
run = ["no-such-program", "{symbol}"]
[[webhook]]
name = "phone"
url = "https://example.com/TOKEN"
"""


def files(config: Path | None = None, rules: Path | None = None) -> Files:
    return Files(config, rules, lambda _: Names())


def test_files_that_cannot_be_read_are_told_as_elsewhere(tmp_path: Path) -> None:
    config, rules = tmp_path / "config.toml", tmp_path / "rules.toml"
    config.write_text("\nmark = 'bid'\n")
    rules.write_text('[[rule]]\nname = "x"\nwhen = "nothing > 3"\n')
    found = files(config, rules)
    (refused,) = found.config()
    assert refused.state is State.FAIL
    assert f"{config}, line 2" in refused.found
    assert states(found.rules()) == ["skipped"]
    (refused,) = files(None, rules).rules()
    assert f"{rules}, line 3: rule 'x'" in refused.found
    assert states(files(None, rules).notifiers({})) == ["skipped"]


def test_programs_and_sounds_that_are_not_there_are_told(tmp_path: Path) -> None:
    rules = rules_path()
    rules.parent.mkdir(parents=True)
    rules.write_text(RULES)
    rules.chmod(0o644)
    found = files()
    good, shared = found.rules()
    assert (good.state, shared.state) == (State.OK, State.WARN)
    assert "chmod 600" in shared.do
    lacking = found.notifiers({}, which=lambda _: None)
    assert states(lacking) == ["warn", "warn", "warn"]
    said = " ".join(each.found for each in lacking)
    for word in ("notifies the desktop", "no.wav", "no-such-program"):
        assert word in said
    assert "TOKEN" not in said + good.found + shared.found
    (rules.parent / "no.wav").touch()
    rules.chmod(0o600)
    assert states(found.rules()) == ["ok"]
    assert states(found.notifiers({}, which=lambda name: f"/bin/{name}")) == ["ok"]


def test_watchlists_are_counted_and_a_bad_one_is_told() -> None:
    folder = rules_path().parent / "watchlists"
    folder.mkdir(parents=True)
    (folder / "main.txt").write_text("AAA\nBBB\n")
    assert files().watchlists()[0].found == "main (2)"
    (folder / "bad.txt").write_bytes(b"\xff\xfe\x00")
    assert states(files().watchlists()) == ["fail"]


def test_nothing_is_left_open(tmp_path: Path) -> None:
    """A database that was looked at can be written at once."""
    path = tmp_path / "day.duckdb"
    filled(path, 10)
    database(path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")
