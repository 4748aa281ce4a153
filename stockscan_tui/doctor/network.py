"""The key, what it may have, whether Databento can be reached, and the clock."""

from __future__ import annotations

import math
import os
import re
import stat
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stockscan_tui.config.key import key_origin, read_key
from stockscan_tui.config.places import key_path
from stockscan_tui.doctor.finding import Finding, Once, fail, ok, skipped, warn
from stockscan_tui.environment import KEY_VARIABLE
from stockscan_tui.errors import UsageError
from stockscan_tui.feed.http_api import DATABENTO_URL, HistoryError
from stockscan_tui.feed.live import Access, refusal
from stockscan_tui.feed.probe import (
    LOOPBACK,
    Plan,
    ProbeError,
    ask_plan,
    ask_web,
    greet,
)
from stockscan_tui.market.calendar import SECOND_NS

ANSWER_S = 2.0
MOST_AHEAD_S = 2.0
_T = TypeVar("_T")
_FORM = re.compile(r"db-[!-~]{29}")
_DAY_NS = 86_400 * SECOND_NS
_PORTAL = "Make one at databento.com/portal/keys and set DATABENTO_API_KEY to it"


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked.

    Attributes:
        dataset: As in `EQUS.MINI`.
        host: The gateway's.
        port: The gateway's.
        history: Base URL of another historical API; None for Databento's.
        own_gateway: Whether the gateway is another one than Databento's; nobody else is asked then.
        key: The key, empty for none; shown nowhere.
        offline: Whether nobody is asked at all.
    """

    dataset: str
    host: str
    port: int
    history: str | None = None
    own_gateway: bool = False
    key: str = field(default="", repr=False)
    offline: bool = False


class Network:
    """What is asked of the net, each question once, however many checks need its answer.

    Args:
        target: Who is asked.
        timeout_s: For each answer.
    """

    def __init__(self, target: Target, timeout_s: float = ANSWER_S) -> None:
        self._target = target
        access = Access(target.key, target.dataset, target.host, target.port)
        log_in = bool(target.key)
        self._greeting = Once(lambda: _of(lambda: greet(access, timeout_s, log_in=log_in)))
        self._web = Once(lambda: _of(lambda: ask_web(target.history, timeout_s)))
        self._timeout_s = timeout_s

    @property
    def _silent(self) -> str:
        """Why the historical API is not asked, empty where it is."""
        if self._target.offline:
            return "--offline"
        elsewhere = self._target.own_gateway and self._target.history is None
        return "--gateway without --history asks nobody else" if elsewhere else ""

    def entitlement(self) -> Sequence[Finding]:
        """Say what the key may have, live and of the past."""
        if self._target.offline:
            return (skipped("entitlement", "--offline"),)
        if not self._target.key:
            return (skipped("entitlement", "there is no key to ask with"),)
        found = [self._live()]
        if not self._silent:
            found.append(self._past())
        return found

    def _live(self) -> Finding:
        dataset = self._target.dataset
        greeting = self._greeting.get()
        if isinstance(greeting, str):
            return skipped("entitlement", "the gateway cannot be asked: see `gateway`")
        if greeting.let_in:
            return ok("entitlement", f"the gateway lets the key in to {dataset}, live")
        said = refusal(greeting.said, dataset)
        happened, _, do = said.partition(". ")
        return fail("entitlement", happened, do or "See your plan at databento.com/portal.")

    def _past(self) -> Finding:
        dataset = self._target.dataset
        name = "entitlement of the past"
        try:
            plan = ask_plan(self._target.key, self._target.history, dataset, self._timeout_s)
        except HistoryError as error:
            happened, _, do = str(error).partition(". ")
            return fail(name, happened, do or "See your plan at databento.com/portal.")
        return _told_plan(name, dataset, plan, time.time_ns())

    def gateway(self) -> Sequence[Finding]:
        """Say whether the live gateway can be reached."""
        if self._target.offline:
            return (skipped("gateway", "--offline"),)
        greeting = self._greeting.get()
        where = f"{self._target.host}:{self._target.port}"
        if isinstance(greeting, str) and "cannot be resolved" in greeting:
            do = "See this machine's net and its name servers (DNS)."
            return (fail("gateway", greeting, do),)
        if isinstance(greeting, str):
            do = f"Let this machine connect to {where} by TCP: ask whoever keeps its firewall"
            if urllib.request.getproxies():
                do += "; the live feed goes through no proxy"
            return (fail("gateway", greeting, f"{do}."),)
        count = len(greeting.addresses)
        more = f", one of {count} addresses" if count > 1 else ""
        found = (
            f"{where} ({greeting.address}{more}) answers in {greeting.connect_ms:.0f} ms, "
            f"version {greeting.version}"
        )
        return (ok("gateway", found),)

    def history(self) -> Sequence[Finding]:
        """Say whether the historical API can be reached."""
        if self._silent:
            return (skipped("history", self._silent),)
        url = self._target.history or DATABENTO_URL
        parts = urlsplit(url)
        host = parts.hostname or ""
        through = _proxy(url) if self._target.history is None else ""
        web = self._web.get()
        if isinstance(web, str):
            do = "Let this machine reach it by HTTPS"
            do += f", or mend the proxy {through}" if through else ", or set HTTPS_PROXY"
            return (fail("history", web, f"{do}."),)
        by = f" through the proxy {through}" if through else ""
        found = f"{host} answers by {parts.scheme.upper()} (status {web.status}){by}"
        if parts.scheme == "http" and host not in LOOPBACK:
            do = "Name an https:// address: by http the key can be read on its way."
            return (warn("history", found, do),)
        return (ok("history", found),)

    def clock(self) -> Sequence[Finding]:
        """Say how far this machine's clock is from the historical API's."""
        if self._silent:
            return (skipped("clock", self._silent),)
        web = self._web.get()
        if isinstance(web, str) or web.ahead_s is None:
            return (skipped("clock", "nobody tells the time: see `history`"),)
        way = "ahead of" if web.ahead_s > 0 else "behind"
        off_s = abs(web.ahead_s)
        if off_s > MOST_AHEAD_S + web.within_s:
            found = f"{off_s:,.1f} s {way} the service's (± {web.within_s:.1f} s)"
            do = "Set it by NTP (timedatectl set-ntp true): lag and minutes go by it."
            return (warn("clock", found, do),)
        return (ok("clock", f"within {off_s + web.within_s:.1f} s of the service's"),)


def key_of(read: Callable[[], str] = read_key) -> str:
    """Return the key, empty where there is none that can be used."""
    try:
        return read()
    except UsageError:
        return ""


def key(*, needed: bool = True) -> Sequence[Finding]:
    """Say where the key comes from and whether it can be one; nothing of it is shown.

    Args:
        needed: Whether anybody is asked who wants one.
    """
    try:
        origin, text = key_origin(), read_key()
    except UsageError as error:
        path = key_path()
        if _open_to_others():
            return (fail("key", f"others can read {path}", f"Run: chmod 600 '{path}'."),)
        return (fail("key", str(error), _PORTAL + ", or write it there anew."),)
    if not text:
        if not needed:
            return (ok("key", "none, and the gateway on loopback needs none"),)
        return (warn("key", "none: `demo` and `replay` work, `live` does not", f"{_PORTAL}."),)
    if not _FORM.fullmatch(text):
        found = f"set, by {origin}, but it is no key: one has 32 characters and begins with db-"
        return (fail("key", found, f"{_PORTAL}."),)
    mode = "" if origin == KEY_VARIABLE or os.name != "posix" else ", mode 0600"
    return (ok("key", f"set, by {origin}{mode}"),)


def _open_to_others() -> bool:
    try:
        return bool(stat.S_IMODE(key_path().stat().st_mode) & 0o077)
    except OSError:
        return False


def time_zones() -> Sequence[Finding]:
    """Say whether New York's time is known."""
    do = "Install its data: pip install --upgrade tzdata."
    try:
        zone = ZoneInfo("America/New_York")
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return (fail("time zones", "America/New_York is not known", do),)
    hours = [datetime(2026, month, 1, 12, tzinfo=UTC).astimezone(zone).hour for month in (1, 7)]
    if hours != [7, 8]:
        return (fail("time zones", "America/New_York is wrong", do),)
    return (ok("time zones", f"it is {datetime.now(zone):%H:%M} in New York"),)


def _told_plan(name: str, dataset: str, plan: Plan, now_ns: int) -> Finding:
    if not plan.listed:
        found = f"{dataset} is not among the {plan.datasets} datasets of the service"
        return fail(name, found, "Name another one with --dataset.")
    age_s = (now_ns - plan.end_ns) / SECOND_NS if plan.end_ns is not None else math.inf
    schemas = ", ".join(plan.schemas)
    until = "nothing says up to when"
    if plan.end_ns is not None:
        until = f"up to {datetime.fromtimestamp(plan.end_ns / 1e9, UTC):%Y-%m-%d %H:%M} UTC"
    found = f"{dataset} {until}, of {plan.datasets} datasets; schemas: {schemas}"
    lacking = [word for word in ("mbp-1", "trades", "ohlcv-1m") if word not in plan.schemas]
    if lacking:
        do = "Name a schema that there is with --schema."
        return warn(name, f"{found}; not {', '.join(lacking)}", do)
    if age_s > 5 * _DAY_NS / SECOND_NS:
        do = "What is newer needs a plan for it: see databento.com/portal."
        return warn(name, found, do)
    return ok(name, found)


def _proxy(url: str) -> str:
    """Return host and port of the proxy on the way to a URL, without its password."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies: Mapping[str, str] = urllib.request.getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    if not named or urllib.request.proxy_bypass(host):
        return ""
    try:
        way = urlsplit(named if "://" in named else f"//{named}")
        return f"{way.hostname}:{way.port}" if way.port else str(way.hostname)
    except ValueError:
        return "(which cannot be read)"


def _of(ask: Callable[[], _T]) -> _T | str:
    try:
        return ask()
    except ProbeError as error:
        return str(error)
