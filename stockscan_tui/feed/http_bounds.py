"""Answers over HTTP within bounds of size and time, and only from where they were asked for.

The official client takes whatever comes, for as long as anything comes, and follows redirects.
Importing this imports the official client and pandas with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

import requests
import urllib3
from databento import BentoError, DBNStore
from databento.common.http import BentoHttpAPI, check_backend_warnings, check_http_error

# A day of every symbol's minute bars is a twentieth of it, and what is no file far smaller: the
# client guesses at the encoding of texts, which takes a second for some megabytes.
MOST_BYTES = 1 << 30
MOST_TEXT_BYTES = 1 << 25
LONGEST_S = 900.0
_PIECE_BYTES = 1 << 16

Pairs = Iterable[tuple[str, str | None]]


class Bounded(BentoHttpAPI):
    """The client's requests, in place of its own; for any of its APIs as the first base.

    Each raises `requests.RequestException` where an answer takes longer than `LONGEST_S` or leads
    elsewhere, `BentoError` where it breaks off, ValueError where it is too large.
    """

    def _get(
        self, url: str, params: Pairs | None = None, basic_auth: bool = False
    ) -> requests.Response:
        return self._answer("GET", url, None, params, MOST_TEXT_BYTES, basic_auth=basic_auth)

    def _post(
        self,
        url: str,
        data: Mapping[str, object | None] | None = None,
        params: Pairs | None = None,
        basic_auth: bool = False,
    ) -> requests.Response:
        return self._answer("POST", url, data, params, MOST_TEXT_BYTES, basic_auth=basic_auth)

    def _stream(
        self,
        url: str,
        data: dict[str, object | None],
        basic_auth: bool,
        path: PathLike[str] | str | None = None,
    ) -> DBNStore:
        answer = self._answer("POST", url, data, None, MOST_BYTES, basic_auth=basic_auth)
        return DBNStore.from_bytes(answer.content)

    def _answer(
        self,
        method: str,
        url: str,
        data: Any,
        params: Any,
        most: int,
        *,
        basic_auth: bool,
    ) -> requests.Response:
        """Make a request and read all of its answer."""
        self._check_api_key()
        deadline_s = time.monotonic() + LONGEST_S
        with requests.request(
            method,
            url,
            params=params,
            data=data,
            headers=self._headers,
            auth=(self._key, "") if basic_auth else None,
            timeout=(self.TIMEOUT, self.TIMEOUT),
            stream=True,
            allow_redirects=False,
        ) as response:
            if response.is_redirect:
                # The key would go there too.
                raise requests.TooManyRedirects("it sends us elsewhere, where we do not go")
            response._content = _body(response, most, deadline_s)
            response._content_consumed = True
            check_backend_warnings(response)
            check_http_error(response)
            return response


def _body(response: requests.Response, most: int, deadline_s: float) -> bytes:
    """Read an answer piece by piece, as it comes, decompressed."""
    # Older versions wait until a piece is full.
    read = getattr(response.raw, "read1", response.raw.read)
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := read(_PIECE_BYTES, decode_content=True):
            size += len(piece)
            pieces.append(piece)
            if size > most:
                raise ValueError("it is larger than any answer should be")
            if time.monotonic() > deadline_s:
                raise requests.Timeout
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from error
    except urllib3.exceptions.HTTPError as error:
        raise BentoError(f"Error streaming response: {error}") from error
    return b"".join(pieces)
