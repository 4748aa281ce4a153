"""Commands, webhooks and sounds: real programs, a real server, and none that holds up anybody."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from urllib.parse import parse_qs

import pytest

from stockscan_tui.clock import SystemClock
from stockscan_tui.delivery import ChannelStatus, Courier, Notice
from stockscan_tui.delivery.channel import MOST_WAITING, Channel
from stockscan_tui.delivery.command import CommandSender
from stockscan_tui.delivery.parcel import Parcel
from stockscan_tui.delivery.sound import SoundSender, player_arguments
from stockscan_tui.delivery.tally import DeliveryError
from stockscan_tui.delivery.webhook import WebhookSender
from stockscan_tui.market.fired import Fired, packed
from stockscan_tui.scan.rules import Command, Rule, Rules, Webhook
from tests.unit.test_delivery import AT_NS, fired

EVIL = 'A\'; rm -rf ~ "$(id)"\n\x1b]0;x\x07{price}\\'
HARMLESS = 'A\'; rm -rf ~ "$(id)"��]0;x�{price}\\'
# In a message, which is one line.
SAID = 'A\'; rm -rf ~ "$(id)" �]0;x�{price}\\ +3.4 %'
RULE = Rule("move", move=3.0, message="{symbol} {chg}", deliver=("out",))


def parcel(symbol: str = "NVDA", message: str = "{symbol} {chg}") -> Parcel:
    rule = replace(RULE, message=message)
    return Parcel(rule, Fired(AT_NS, symbol, "move", 181.2, packed([("chg", 3.4)])))


def python(script: str, *arguments: str, timeout_s: float = 20.0) -> Command:
    return Command("out", (sys.executable, "-c", script, *arguments), 0.0, timeout_s)


class SlowClock(SystemClock):
    """Notes what is waited for, and waits for nothing."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def wait(self, event: threading.Event, timeout_s: float) -> None:
        self.waits.append(round(timeout_s, 3))


@pytest.fixture
def never() -> threading.Event:
    return threading.Event()


# --- commands -----------------------------------------------------------------------------------


def test_a_command_gets_values_as_arguments_and_environment_but_not_the_key(
    tmp_path: Path, never: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABENTO_API_KEY", "db-secret")
    said = tmp_path / "said.json"
    script = (
        "import json,os,sys;json.dump([sys.argv[2:], dict(os.environ)], open(sys.argv[1], 'w'))"
    )
    sender = CommandSender(python(script, str(said), "{symbol}", "--x={message}", "{{{ts}"))
    sender.send(replace(parcel(EVIL), count=3), never)
    arguments, environ = json.loads(said.read_text("utf-8"))
    assert arguments[0] == HARMLESS
    assert arguments[1] == f"--x={SAID}"
    assert arguments[2] == f"{{{AT_NS}"
    assert environ["STOCKSCAN_SYMBOL"] == HARMLESS
    assert environ["STOCKSCAN_PRICE"] == "181.2"
    assert environ["STOCKSCAN_TS"] == str(AT_NS)
    assert json.loads(environ["STOCKSCAN_VALUES"]) == {"chg": 3.4}
    assert environ["STOCKSCAN_COUNT"] == "3"
    assert "DATABENTO_API_KEY" not in environ
    assert "db-secret" not in environ.values()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (python("raise SystemExit(3)"), "ended with status 3."),
        (python("import os; os.kill(os.getpid(), 9)"), "was ended by signal 9."),
        (Command("out", ("/nowhere/tell", "s3cret")), "tell cannot be started: No such file"),
        (Command("out", (sys.executable, "a\0b")), "cannot be started: an argument holds"),
        (python("import time; time.sleep(60)", timeout_s=0.3), "took over 0.3 s and was ended."),
    ],
)
def test_a_command_that_fails_is_told_in_a_sentence(
    command: Command, sentence: str, never: threading.Event
) -> None:
    with pytest.raises(DeliveryError) as error:
        CommandSender(command).send(parcel(), never)
    assert sentence in str(error.value)
    assert "s3cret" not in str(error.value)


def test_a_hanging_command_is_ended_with_all_that_it_started(
    tmp_path: Path, never: threading.Event
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = (
        "import subprocess, sys;"
        "subprocess.Popen([sys.executable, '-c', 'import sys,time; f=open(sys.argv[1], \"w\");"
        'f.write("up"); f.flush(); time.sleep(60)\', sys.argv[1]]).wait()'
    )
    sender = CommandSender(python(script, str(pipe), timeout_s=60))
    ended = threading.Event()

    def run() -> None:
        with pytest.raises(DeliveryError, match="signal 9"):
            sender.send(parcel(), never)
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    with pipe.open() as file:
        assert file.read(2) == "up"
        sender.abort()
        # The end of the pipe comes once nobody holds it any more.
        assert file.read() == ""
    assert ended.wait(20)


# --- webhooks -----------------------------------------------------------------------------------


@dataclass
class Asked:
    """A request as the server got it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str


Behave = Callable[[BaseHTTPRequestHandler, int], None]


class Server:
    """Answers on loopback as a test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.came = threading.Semaphore(0)
        self.release = threading.Event()
        self.behave: Behave = lambda handler, _: answer(handler, 204)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _handle(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode("utf-8")
                outer.asked.append(Asked(self.command, self.path, dict(self.headers), body))
                outer.came.release()
                outer.behave(self, len(outer.asked))

            do_GET = do_POST = do_PUT = _handle  # noqa: N815 - the base class's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook/s3cret?token=t0ken"

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def answer(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.close()


def hook(server: Server, **changes: object) -> Webhook:
    return replace(Webhook("out", server.url, timeout_s=10.0), **changes)  # type: ignore[arg-type]


def test_a_webhook_escapes_values_for_the_kind_of_its_body(
    server: Server, never: threading.Event
) -> None:
    for body, kind in (
        ('{"a": {"text": "{message}"}, "p": "{price}"}', "application/json"),
        ("chat=7&text={message}", "application/x-www-form-urlencoded"),
        ("{message} {nothing else}", "text/plain"),
    ):
        webhook = hook(server, body=body, content_type=kind, headers={"X-Key": "v"})
        WebhookSender(webhook, SystemClock()).send(parcel(EVIL), never)
    as_json, as_form, as_text = server.asked
    assert json.loads(as_json.body) == {"a": {"text": SAID}, "p": "181.20"}
    assert parse_qs(as_form.body) == {"chat": ["7"], "text": [SAID]}
    assert as_text.body.startswith(SAID)
    assert as_text.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert as_text.headers["X-Key"] == "v"
    assert as_text.method == "POST"


def test_values_in_an_address_stay_inside_their_part_of_it(
    server: Server, never: threading.Event
) -> None:
    webhook = hook(server, url=f"{server.url}&text={{message}}", method="GET")
    WebhookSender(webhook, SystemClock()).send(parcel("A&b=/../?#"), never)
    asked = server.asked[0]
    assert asked.method == "GET"
    assert not asked.body
    assert parse_qs(asked.path.partition("?")[2]) == {
        "token": ["t0ken"],
        "text": ["A&b=/../?# +3.4 %"],
    }


def test_a_user_in_the_address_is_sent_as_one_and_never_told(
    server: Server, never: threading.Event
) -> None:
    server.behave = lambda handler, _: answer(handler, 403)
    webhook = hook(server, url=server.url.replace("://", "://joe:pa%20ss@"))
    with pytest.raises(DeliveryError) as error:
        WebhookSender(webhook, SystemClock()).send(parcel(), never)
    assert server.asked[0].headers["Authorization"] == "Basic am9lOnBhIHNz"
    assert str(error.value) == f"{server.url.partition('/hook')[0]}/… answered 403."


@pytest.mark.parametrize(
    ("answers", "waits"),
    [
        ([500, 503, 502, 204], [1, 2, 4]),
        ([429, 204], [1]),
        ([(429, "7"), 204], [7]),
        ([(503, "100000"), 204], [60]),
        ([(429, "Fri, 01 Jan 2010 00:00:00 GMT"), 204], [0]),
        ([(429, "soon"), 204], [1]),
    ],
)
def test_a_webhook_tries_again_with_patience(
    server: Server,
    never: threading.Event,
    answers: list[int | tuple[int, str]],
    waits: list[float],
) -> None:
    def behave(handler: BaseHTTPRequestHandler, count: int) -> None:
        said = answers[count - 1]
        if isinstance(said, tuple):
            answer(handler, said[0], Retry_After=said[1])
        else:
            answer(handler, said)

    server.behave = behave
    clock = SlowClock()
    WebhookSender(hook(server), clock).send(parcel(), never)
    assert clock.waits == waits
    assert len(server.asked) == len(answers)


@pytest.mark.parametrize(("status", "tries"), [(500, 3), (404, 1), (302, 1), (308, 1)])
def test_a_webhook_gives_up_and_follows_nobody_elsewhere(
    server: Server, never: threading.Event, status: int, tries: int
) -> None:
    there = server.url
    server.behave = lambda handler, _: answer(handler, status, Location=f"{there}/elsewhere")
    with pytest.raises(DeliveryError) as error:
        WebhookSender(hook(server, retries=2), SlowClock()).send(parcel(), never)
    assert len(server.asked) == tries
    assert f"answered {status}" in str(error.value)
    assert "s3cret" not in str(error.value)
    assert "t0ken" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"url": "http://127.0.0.1:1/s3cret"}, "http://127.0.0.1:1/… cannot be reached: Conn"),
        ({"url": "tls"}, "/… cannot be reached: [SSL"),
        ({"url": "ftp://127.0.0.1/s3cret"}, "ftp://127.0.0.1/… is neither http nor https."),
        ({"url": "http://127.0.0.1:99999/s3cret"}, "/… cannot be"),
        ({"url": "http://127.0.0.1:x/s3cret"}, "/… cannot be"),
        ({"url": "http://127.0.0.1/s3cret it"}, "http://127.0.0.1/… cannot be"),
        ({"headers": {"X": "s3cret\r\nY: 1"}}, "a header is malformed."),
        ({"headers": {"X": "s3cret ✓"}}, "a header is malformed."),
    ],
)
def test_a_webhook_that_cannot_work_is_told_without_its_secrets(
    server: Server, never: threading.Event, changes: dict[str, object], sentence: str
) -> None:
    changes = {"retries": 0, **changes}
    if changes.get("url") == "tls":
        changes["url"] = server.url.replace("http", "https")
    webhook = hook(server, **changes)
    with pytest.raises(DeliveryError) as error:
        WebhookSender(webhook, SystemClock()).send(parcel(), never)
    assert sentence in str(error.value)
    assert "s3cret" not in str(error.value)
    assert "s3cret" not in repr(webhook)


def test_a_server_that_drips_is_left_when_the_time_is_over(
    server: Server, never: threading.Event
) -> None:
    def drip(handler: BaseHTTPRequestHandler, _: int) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not server.release.wait(0.02):
            try:
                handler.wfile.write(b"X-A: b\r\n")
            except OSError:
                return

    server.behave = drip
    begun_s = monotonic()
    with pytest.raises(DeliveryError, match=r"did not answer within 0\.3 s"):
        WebhookSender(hook(server, retries=0, timeout_s=0.3), SystemClock()).send(parcel(), never)
    assert monotonic() - begun_s < 5


def test_a_body_that_hangs_after_a_good_status_is_delivered_once(
    server: Server, never: threading.Event
) -> None:
    def hang(handler: BaseHTTPRequestHandler, _: int) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        server.release.wait(20)

    server.behave = hang
    WebhookSender(hook(server, timeout_s=0.3), SystemClock()).send(parcel(), never)
    assert len(server.asked) == 1


# --- channels and the courier -------------------------------------------------------------------


class Held:
    """A sender that waits for a test."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.came = threading.Semaphore(0)
        self.sent: list[str] = []

    def send(self, parcel: Parcel, stop: threading.Event) -> None:
        self.came.release()
        self.go.wait(20)
        self.sent.append(parcel.fired.symbol)
        self.came.release()

    def abort(self) -> None:
        self.go.set()


def test_a_channel_keeps_the_newest_hundred_and_counts_what_it_drops() -> None:
    sender = Held()
    channel = Channel("out", sender, SystemClock())
    channel.offer(parcel("FIRST"))
    assert sender.came.acquire(timeout=20)
    for number in range(250):
        channel.offer(parcel(f"S{number}"))
    assert channel.status() == ChannelStatus("out", dropped=150, waiting=MOST_WAITING)
    sender.go.set()
    for _ in range(1 + 2 * MOST_WAITING):
        assert sender.came.acquire(timeout=20)
    assert sender.sent == ["FIRST", *(f"S{number}" for number in range(150, 250))]
    channel.stop()
    channel.join(20)
    channel.offer(parcel())
    assert channel.status().waiting == 0


def test_a_channel_sends_no_faster_than_it_may() -> None:
    sender, clock = Held(), SlowClock()
    sender.go.set()
    channel = Channel("out", sender, clock, every_s=30.0)
    for number in range(3):
        channel.offer(parcel(f"S{number}"))
    for _ in range(6):
        assert sender.came.acquire(timeout=20)
    channel.stop()
    channel.join(20)
    assert all(29 < wait <= 30 for wait in clock.waits)
    assert len(clock.waits) == 3


def test_hanging_channels_hold_up_neither_the_screen_nor_each_other_nor_the_end(
    server: Server, tmp_path: Path
) -> None:
    server.behave = lambda handler, _: (server.release.wait(60), None)[1]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    up = "import sys,time; f=open(sys.argv[1],'w'); f.write('up'); f.flush(); time.sleep(60)"
    commands = (replace(python(up, str(pipe), timeout_s=60), name="hangs"),)
    rule = replace(RULE, deliver=("toast", "hangs", "out"))
    rules = Rules((rule,), commands, (hook(server, timeout_s=60.0),))
    toasts = threading.Semaphore(0)
    courier = Courier(rules, SystemClock(), lambda _: toasts.release(), environ={})
    courier.take([fired("A")])
    with pipe.open() as file:
        try:
            assert file.read(2) == "up"
            assert server.came.acquire(timeout=20)
            for symbol in "BC":
                courier.take([fired(symbol)])
            for _ in range(3):
                assert toasts.acquire(timeout=20)
            by_name = {status.name: status for status in courier.status()}
            assert by_name["hangs"].waiting <= 2
            begun_s = monotonic()
        finally:
            courier.close(timeout_s=2.0)
        assert monotonic() - begun_s < 20
        assert file.read() == ""


def test_a_courier_tells_by_command_webhook_and_status_without_secrets(
    server: Server, tmp_path: Path
) -> None:
    server.behave = lambda handler, count: answer(handler, 204 if count == 1 else 410)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    write = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    command = replace(python(write, str(pipe), "{message}"), name="tell")
    webhook = hook(server, body='{"text": "{message}"}', every_s=0.0)
    rules = Rules((replace(RULE, deliver=("tell", "out")),), (command,), (webhook,))
    courier = Courier(rules, SystemClock(), lambda _: None, simulated=True, environ={})
    try:
        courier.take([fired()])
        assert pipe.read_text("utf-8") == "SIMULATED NVDA +3.4 %"
        assert server.came.acquire(timeout=20)
        assert json.loads(server.asked[0].body) == {"text": "SIMULATED NVDA +3.4 %"}
        # A webhook that changes is another one; what stays goes on.
        courier.know(replace(rules, webhooks=(replace(webhook, every_s=0.01),)))
        courier.take([fired("AMD")])
        assert pipe.read_text("utf-8") == "SIMULATED AMD +3.4 %"
        assert server.came.acquire(timeout=20)
    finally:
        courier.close()
    names = [status.name for status in courier.status()]
    assert names == ["toast", "bell", "desktop", "sound", "tell", "out"]
    for secret in ("s3cret", "t0ken"):
        assert secret not in repr(courier.status())


# --- sounds -------------------------------------------------------------------------------------


def test_a_sound_that_cannot_be_played_rings_the_bell_and_says_why(
    tmp_path: Path, never: threading.Event
) -> None:
    rung: list[int] = []
    file = tmp_path / "ding.wav"
    file.write_bytes(b"RIFF")
    sounds = {
        str(tmp_path / "no\x1b.wav"): "There is no sound file",
        str(file): "No program here plays sounds",
    }
    for usual, sentence in sounds.items():
        sender = SoundSender(usual, lambda: rung.append(1), lambda _: [])
        with pytest.raises(DeliveryError, match=sentence):
            sender.send(parcel(), never)
    assert len(rung) == 2
    played = tmp_path / "played"
    script = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    find: Callable[[Path], list[str]] = lambda path: [  # noqa: E731 - shorter so
        sys.executable, "-c", script, str(played), str(path)
    ]  # fmt: skip
    SoundSender(str(file), lambda: rung.append(1), find).send(parcel(), never)
    assert played.read_text("utf-8") == str(file)
    assert len(rung) == 2


def test_the_bell_rings_on_the_screen_where_no_sound_is_set() -> None:
    rung = threading.Event()
    seen: list[Notice] = []

    def notify(notice: Notice) -> None:
        seen.append(notice)
        rung.set()

    rules = Rules((replace(RULE, deliver=("sound",)),))
    courier = Courier(rules, SystemClock(), notify, environ={})
    try:
        courier.take([fired()])
        assert rung.wait(20)
    finally:
        courier.close(timeout_s=20)
    assert [notice.kind for notice in seen] == ["bell"]
    sound = courier.status()[3]
    assert (sound.name, sound.failed) == ("sound", 0)


def test_a_player_is_found_that_can_play_the_file() -> None:
    def which(*there: str) -> Callable[[str], str | None]:
        return lambda name: f"/bin/{name}" if name in there else None

    wave, song = Path("/s/-d.wav"), Path("/s/d.mp3")
    assert player_arguments(wave, which("aplay", "mpv")) == ["/bin/aplay", "-q", "/s/-d.wav"]
    assert player_arguments(song, which("aplay")) == []
    assert player_arguments(song, which("aplay", "mpv"))[0] == "/bin/mpv"
