"""What can be made to go wrong on the simulated gateway, seen by plain sockets; its life."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from stockscan_tui.errors import InputError, StockscanError, UsageError
from stockscan_tui.market.calendar import DAY_NS
from stockscan_tui.market.dbn import RType
from stockscan_tui.sim.faults import Fault, parse_fault
from stockscan_tui.sim.gateway import GatewayThread, Options
from stockscan_tui.sim.tape import Tape
from tests import wire
from tests.e2e.gateway_client import DATASET, PATIENCE_S, RawClient

ROWS = wire.random_rows(2, 2_000, 5, minutes=5)
SYMBOLS = {f"S{n}": n for n in range(1, 6)}
TAPE = Tape.from_records(ROWS, SYMBOLS)
AT_ONCE = Options(speed=math.inf, heartbeat_s=0.1)


def faulty(*specs: str, in_turn: bool = False) -> GatewayThread:
    faults = tuple(map(parse_fault, specs))
    return GatewayThread(TAPE, replace(AT_ONCE, faults=faults, faults_in_turn=in_turn))


def served_whole(gateway: GatewayThread) -> bool:
    with RawClient(gateway.port) as client:
        client.start("mbp-1")
        client.read_until(RawClient.quiet)
        return b"".join(client.of(RType.MBP_1)) == ROWS.tobytes()


@pytest.mark.parametrize("count", [0, 7])
def test_a_connection_ends_within_the_greeting(count: int) -> None:
    with faulty(f"drop@bytes={count}") as gateway, RawClient(gateway.port) as client:
        assert client.read_to_end() is False
        assert len(client.received) == count


@pytest.mark.parametrize("count", [80, 5_000])
@pytest.mark.parametrize(("kind", "broken"), [("drop", False), ("reset", True)])
def test_a_connection_ends_at_the_very_byte(kind: str, broken: bool, count: int) -> None:
    with faulty(f"{kind}@bytes={count}") as gateway, RawClient(gateway.port) as client:
        client.line()
        client.line()
        client.say(f"auth=0-0|dataset={DATASET}")
        if count > 80:
            client.line()
            client.subscribe("mbp-1")
            client.say("start_session=0")
        assert client.read_to_end() is broken
        assert len(client.received) == count


@pytest.mark.parametrize(("kind", "broken"), [("drop", False), ("reset", True)])
def test_a_connection_ends_before_the_record(kind: str, broken: bool) -> None:
    with faulty(f"{kind}@record=500") as gateway, RawClient(gateway.port) as client:
        client.start("mbp-1")
        assert client.read_to_end() is broken
        assert b"".join(client.of(RType.MBP_1)) == ROWS[:499].tobytes()


@pytest.mark.parametrize(("kind", "broken"), [("drop", False), ("reset", True)])
def test_a_connection_ends_after_a_time(kind: str, broken: bool) -> None:
    with faulty(f"{kind}@after=0.3") as gateway, RawClient(gateway.port) as client:
        client.start("mbp-1")
        assert client.read_to_end() is broken


def test_half_a_record_is_the_last_that_comes() -> None:
    with faulty("half@record=7") as gateway, RawClient(gateway.port) as client:
        client.start("mbp-1")
        assert client.read_to_end() is False
        assert client.received.endswith(ROWS[:7].tobytes()[:-40])


def test_a_stalled_connection_stands_without_a_heartbeat() -> None:
    with faulty("stall@record=10") as gateway, RawClient(gateway.port) as client:
        client.start("mbp-1")
        client.read_until(lambda seen: len(seen.of(RType.MBP_1)) == 9)
        # Three of its own heartbeats would have come to the other connection by then.
        gateway.set_faults(())
        with RawClient(gateway.port) as other:
            other.start("mbp-1")
            other.read_until(lambda seen: [r[-1] for r in seen.of(RType.SYSTEM)].count(0) == 3)
        assert client.still_open()


def test_an_error_ends_the_session_unless_it_is_a_mild_one() -> None:
    with faulty("error=3:too many@record=20") as gateway, RawClient(gateway.port) as client:
        client.start("mbp-1")
        assert client.read_to_end() is False
        assert len(client.of(RType.MBP_1)) == 19
        (error,) = client.of(RType.ERROR)
        assert error[16:].rstrip(b"\0\1\3") == b"too many"
        assert error[-2:] == bytes([3, 1])
    with faulty("error=7@record=20", "slow@record=100") as gateway:
        with RawClient(gateway.port) as client:
            client.start("mbp-1")
            client.read_until(RawClient.quiet)
            kinds = [record[1] for record in client.records()]
        assert kinds.count(RType.MBP_1) == len(ROWS)
        first = kinds.index(RType.MBP_1)
        assert kinds.index(RType.ERROR) == first + 19
        warning = first + 99 + 1
        assert kinds[warning] == RType.SYSTEM


def test_an_error_after_a_time_waits_for_the_metadata() -> None:
    with faulty("error=6@after=0") as gateway, RawClient(gateway.port) as client:
        client.start("mbp-1")
        assert client.read_to_end() is False
        (error,) = client.records()
        assert error[-2:] == b"\x06\x01"


def test_garbage_is_the_same_noise_each_time() -> None:
    noise = []
    with faulty("garbage@bytes=2000") as gateway:
        for _ in range(2):
            with RawClient(gateway.port) as client:
                client.start("mbp-1")
                client.read_until(lambda seen: len(seen.received) >= 2_000 + 4_096)
                noise.append(bytes(client.received[2_000:6_096]))
    assert noise[0] == noise[1]
    assert len(set(noise[0])) == 256


def test_refused_connections_end_at_once_and_then_one_is_served() -> None:
    with faulty("refuse=2") as gateway:
        for _ in range(2):
            with RawClient(gateway.port) as client:
                assert client.read_to_end() is False
                assert client.received == b""
        assert served_whole(gateway)
        assert gateway.connections == 3


def test_a_silent_gateway_accepts_and_says_nothing() -> None:
    with faulty("silent-accept", in_turn=True) as gateway, RawClient(gateway.port) as client:
        assert served_whole(gateway)
        assert client.still_open()


def test_a_handshake_can_be_malformed_or_refused() -> None:
    with faulty("bad-challenge", "auth=bad key", in_turn=True) as gateway:
        with RawClient(gateway.port) as client:
            assert client.line().startswith("lsg_version=")
            assert client.line() == "cram"
        with RawClient(gateway.port) as client:
            assert client.login() == "success=0|error=bad key"
            assert client.read_to_end() is False


def test_faults_in_turn_strike_one_connection_each() -> None:
    with faulty("refuse=2", "drop@record=1", in_turn=True) as gateway:
        counts: list[int] = []
        for _ in range(3):
            with RawClient(gateway.port) as client:
                if len(counts) == 2:
                    client.start("mbp-1")
                client.read_to_end()
                counts.append(len(client.of(RType.SYMBOL_MAPPING)))
        assert counts == [0, 0, 5]
        assert served_whole(gateway)


@pytest.mark.parametrize("reset", [False, True])
def test_every_connection_can_be_cut_now(reset: bool) -> None:
    with GatewayThread(TAPE, AT_ONCE) as gateway:
        with RawClient(gateway.port) as started, RawClient(gateway.port) as greeted:
            started.start("mbp-1")
            started.read_until(RawClient.quiet)
            greeted.line()
            gateway.drop_all(reset=reset)
            assert started.read_to_end() is reset
            assert greeted.read_to_end() is reset
        gateway.set_faults((Fault("drop", at_bytes=3),))
        with RawClient(gateway.port) as client:
            client.read_to_end()
            assert len(client.received) == 3


@pytest.mark.parametrize(
    "spec",
    [
        "", "fall", "drop", "drop@", "drop@bytes", "drop@bytes=-1", "drop@bytes=1.5",
        "drop=1@bytes=1", "drop@record=0", "reset@after=nan", "reset@after=x", "half@bytes=3",
        "half", "auth", "auth=", "auth=a|b", "error@record=3", "error=x@record=3",
        "error=256@record=3", "error=3", "slow@bytes=1", "refuse=x", "refuse=2@record=1",
        "silent-accept=2", "stall@line=3",
    ],
)  # fmt: skip
def test_what_is_no_fault_is_refused_in_words(spec: str) -> None:
    with pytest.raises(UsageError):
        parse_fault(spec)


def test_faults_are_written_as_they_are_meant() -> None:
    assert parse_fault("drop@bytes=1234") == Fault("drop", at_bytes=1234)
    assert parse_fault("drop@after=4.5") == Fault("drop", after_s=4.5)
    assert parse_fault("refuse=3") == Fault("refuse", times=3)
    assert parse_fault("auth=no@bytes=3") == Fault("auth", text="no@bytes=3")
    named = Fault("error", at_record=20, code=3, text="a: b")
    assert parse_fault("error=3:a: b@record=20") == named


def test_a_file_plays_as_its_records_do(tmp_path: Path) -> None:
    for name in ("day.mbp-1.dbn", "day.mbp-1.dbn.zst"):
        path = wire.write(tmp_path / name, wire.metadata(symbols=SYMBOLS), ROWS, b"\0" * 13)
        tape = Tape.from_file(path)
        assert tape.symbols(0) == SYMBOLS
        assert (tape.dataset, tape.schema) == (DATASET, "mbp-1")
        with GatewayThread(tape, AT_ONCE) as gateway:
            assert served_whole(gateway)


def test_a_file_of_several_days_remaps_where_its_metadata_does(tmp_path: Path) -> None:
    following = wire.DAY + timedelta(days=1)
    spans = {"S1": [(wire.DAY, following, 1), (following, following + timedelta(days=1), 9)]}
    path = wire.write(tmp_path / "x.dbn", wire.metadata(mappings=spans), ROWS)
    tape = Tape.from_file(path)
    midnight_ns = wire.OPEN_NS // DAY_NS * DAY_NS + DAY_NS
    assert tape.remaps == ((midnight_ns, "S1", 9),)
    assert (tape.symbols(0), tape.symbols(1)) == ({"S1": 1}, {"S1": 9})


def test_what_is_no_tape_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "x.dbn"
    with pytest.raises(InputError, match="cannot be read"):
        Tape.from_file(path)
    for content in (b"", b"not a DBN file at all", b"\x28\xb5\x2f\xfdxxxx"):
        path.write_bytes(content)
        with pytest.raises(InputError):
            Tape.from_file(path)
    wire.write(path, wire.metadata("trades", SYMBOLS), ROWS)
    with pytest.raises(InputError, match="other records"):
        Tape.from_file(path)
    wire.write(path, wire.metadata(None), ROWS)
    with pytest.raises(InputError, match="several schemas"):
        Tape.from_file(path)


def test_a_port_that_is_taken_and_a_wrong_option_are_told() -> None:
    with (
        GatewayThread(TAPE, AT_ONCE) as gateway,
        pytest.raises(StockscanError, match="another port"),
    ):
        GatewayThread(TAPE, replace(AT_ONCE, port=gateway.port))
    for wrong in ({"host": "0.0.0.0"}, {"speed": 0.0}, {"speed": math.nan}, {"port": 70_000}):  # noqa: S104
        with pytest.raises(UsageError):
            Options(**wrong)


SERVE = """
import os, sys
from stockscan_tui.sim.gateway import Options, run_gateway
from stockscan_tui.sim.tape import Tape
from tests.e2e.test_gateway_faults import TAPE
run_gateway(TAPE, Options(), sys.stdout, os.getppid())
"""
# Starts the gateway, passes its first line on, and dies.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, text=True)
sys.stdout.write(child.stdout.readline())
sys.stdout.flush()
sys.stdin.read()
"""


def test_a_gateway_process_tells_its_port_and_ends_on_sigterm() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().removeprefix("listening on 127.0.0.1:"))
        with RawClient(port) as client:
            assert client.login() == "success=1|session_id=1"
            process.send_signal(signal.SIGTERM)
            assert client.read_to_end() is False
        assert process.wait(PATIENCE_S) == 0


def test_a_gateway_process_ends_with_its_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline().removeprefix("listening on 127.0.0.1:"))
        with RawClient(port) as client:
            client.login()
            parent.kill()
            # The gateway alone holds the connection's other end.
            assert client.read_to_end() is False
