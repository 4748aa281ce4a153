"""Delivers an alert to an address; one request at a time, tried again while that can help."""

from __future__ import annotations

import base64
import json
import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote, urlsplit

from stockscan_tui.clock import Clock
from stockscan_tui.delivery.parcel import Parcel
from stockscan_tui.delivery.tally import DeliveryError
from stockscan_tui.scan.rules import Webhook

if TYPE_CHECKING:
    from stockscan_tui.delivery.request import Answer

MOST_BACKOFF_S = 60.0
_TOO_MANY = 429


class WebhookSender:
    """Makes the requests of one webhook; its channel's thread owns it.

    Args:
        webhook: The address and what is sent.
        clock: Wall time.
    """

    def __init__(self, webhook: Webhook, clock: Clock) -> None:
        self._webhook = webhook
        self._clock = clock
        self._abort: Callable[[], None] = lambda: None

    def send(self, parcel: Parcel, stop: threading.Event) -> None:
        """Send an alert, again after 1, 2, 4 … seconds where a refusal is not final.

        Raises:
            DeliveryError: It was refused, or not taken by the last try; the sentence names scheme
                and host alone.
        """
        url, headers = _address(self._webhook.url, parcel)
        body = body_of(self._webhook, parcel)
        for tried in range(self._webhook.retries + 1):
            if stop.is_set():
                return
            answer = self._request(url, headers | dict(self._webhook.headers), body)
            if answer.taken:
                return
            sentence = f"{_shown(self._webhook.url)} {answer.sentence}."
            if not answer.again or tried == self._webhook.retries:
                raise DeliveryError(sentence)
            self._clock.wait(stop, self._pause_s(tried, answer.retry_after))

    def abort(self) -> None:
        """Break off the request that is under way."""
        self._abort()

    def _request(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        # Loaded by the first request: most runs make none.
        from stockscan_tui.delivery.request import Request  # noqa: PLC0415 - as above

        webhook = self._webhook
        content = {"Content-Type": _content_type(webhook.content_type)}
        sent = None if webhook.method == "GET" else body
        request = Request(webhook.method, url, headers if sent is None else content | headers, sent)
        self._abort = request.abort
        return request.answer(webhook.timeout_s)

    def _pause_s(self, tried: int, retry_after: str) -> float:
        """Return how long to wait before the next try."""
        wished = _seconds(retry_after, self._clock.wall_ns())
        return min(2.0**tried if math.isnan(wished) else max(wished, 0.0), MOST_BACKOFF_S)


def _seconds(retry_after: str, wall_ns: int) -> float:
    """Return a Retry-After header's seconds from now, NaN for one that says nothing."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return math.nan
    aware = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return (aware - datetime.fromtimestamp(wall_ns / 1e9, UTC)).total_seconds()


def body_of(webhook: Webhook, parcel: Parcel) -> bytes:
    """Return the body, each value escaped for the kind of text that it stands in."""
    kind = webhook.content_type.lower()
    escape: Callable[[str], str] = str
    if "json" in kind:
        escape = _in_json
    elif "form-urlencoded" in kind:
        escape = quote_plus
    return parcel.fill(webhook.body, escape).encode("utf-8", "replace")


def _in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _content_type(said: str) -> str:
    plain_text = said.lower().startswith("text/") and "charset" not in said.lower()
    return f"{said}; charset=utf-8" if plain_text else said


def _address(url: str, parcel: Parcel) -> tuple[str, dict[str, str]]:
    """Return the address with values in its path and query, and what a user in it stands for."""
    parts = urlsplit(url)
    path = parcel.fill(parts.path, _in_address)
    query = parcel.fill(parts.query, _in_address)
    user, at, host = parts.netloc.rpartition("@")
    whole = f"{parts.scheme}://{host}{path}" + (f"?{query}" if query else "")
    if not at:
        return whole, {}
    secret = base64.b64encode(unquote(user).encode("utf-8")).decode("ascii")
    return whole, {"Authorization": f"Basic {secret}"}


def _in_address(text: str) -> str:
    return quote(text, safe="")


def _shown(url: str) -> str:
    """Return the part of an address that holds no secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"
