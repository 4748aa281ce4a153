"""The official client's HTTP calls at one base URL, and what goes wrong with them in words.

Each call blocks its thread for up to the timeout; any thread may make one.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import zstandard

from stockscan_tui.errors import StockscanError
from stockscan_tui.market.calendar import MINUTE_NS
from stockscan_tui.market.text import printable

if TYPE_CHECKING:
    from databento import BentoHttpError
    from databento.historical.api.metadata import MetadataHttpAPI
    from databento.historical.api.symbology import SymbologyHttpAPI
    from databento.historical.api.timeseries import TimeseriesHttpAPI
    from databento.reference.api.adjustment import AdjustmentFactorsHttpAPI
    from databento.reference.api.corporate import CorporateActionsHttpAPI

DATABENTO_URL = "https://hist.databento.com"

_T = TypeVar("_T")
_LONGEST_REASON = 300
# Under which the refusal of the key itself is remembered, and with it of everything.
_KEY = ""
# What an answer raises that does not hold what it should.
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
# The cases of a refusal that name the instant up to which the service would answer: those that
# are about what is published, and those about what the key may see.
_NOT_PUBLISHED = frozenset({"data_end_after_available_end", "data_start_after_available_end"})
_NOT_LICENSED = frozenset({"dataset_unavailable_range", "license_not_found_unauthorized"})
_NAMED_END = re.compile(
    r"(?:available up to '|end time before |data after )"
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?)"
)


class HistoryError(StockscanError):
    """A request was not answered.

    Attributes:
        entitled: False where the key may not have this data.
        retry: Whether asking again later can help.
        repeated: Whether this refusal was raised before, and nothing was requested now.
        end_ns: The instant up to which the service says that it would answer, None where it
            names none.
    """

    def __init__(
        self,
        message: str,
        *,
        entitled: bool = True,
        retry: bool = False,
        repeated: bool = False,
        end_ns: int | None = None,
    ) -> None:
        super().__init__(message)
        self.entitled = entitled
        self.retry = retry
        self.repeated = repeated
        self.end_ns = end_ns


@dataclass(frozen=True, slots=True, repr=False)
class Api:
    """The official client's calls, at one base URL."""

    metadata: MetadataHttpAPI
    symbology: SymbologyHttpAPI
    timeseries: TimeseriesHttpAPI
    actions: CorporateActionsHttpAPI
    factors: AdjustmentFactorsHttpAPI


class Caller:
    """Makes calls one by one, and raises what goes wrong with them as `HistoryError`.

    Args:
        key: The API key; it appears in no message.
        url: Base URL of a stand-in; None for Databento's own.
        timeout_s: How long to wait for the connection, and for each piece of an answer.
    """

    def __init__(self, key: str, url: str | None, timeout_s: float) -> None:
        self._key = key
        self._url = url
        self._timeout_s = timeout_s
        self._refused: dict[str, HistoryError] = {}
        self._made: Api | None = None

    def call(self, what: str, subject: str, request: Callable[[Api], _T]) -> _T:
        """Make one request and return what it gives.

        Args:
            what: What is asked for, as it reads after "asked for".
            subject: Whose data it is; what the key may not have is not asked for again.
            request: Makes the call.

        Raises:
            HistoryError: There is no answer, or none that can be read.
        """
        if (refused := self._refused.get(_KEY) or self._refused.get(subject)) is not None:
            raise HistoryError(str(refused), entitled=refused.entitled, repeated=True)
        import databento  # noqa: PLC0415 - needs pandas: replay without a key never loads it
        import databento_dbn as dbn  # noqa: PLC0415 - as above
        import requests  # noqa: PLC0415 - as above

        try:
            return request(self._api())
        except databento.BentoHttpError as error:
            told = self._refusal(what, subject, error)
            if error.http_status == 401:
                self._refused[_KEY] = told
            elif not told.entitled and told.end_ns is None:
                self._refused[subject] = told
            raise told from None
        except requests.Timeout:
            raise HistoryError(
                f"Databento did not answer within {self._timeout_s:g} s when asked for {what}. "
                "It is asked again later.",
                retry=True,
            ) from None
        except requests.RequestException as error:
            raise self._failed(what, "cannot be reached", error) from None
        except databento.BentoError as error:
            raise self._failed(what, "broke off its answer", error) from None
        except (*_UNREADABLE, dbn.DBNError, zstandard.ZstdError) as error:
            raise self._failed(what, "gave an answer that cannot be read", error) from None

    def _failed(self, what: str, happened: str, error: Exception) -> HistoryError:
        reason = self._clean(_cause(error))
        return HistoryError(
            f"Databento {happened} when asked for {what} ({reason}). It is asked again later.",
            retry=True,
        )

    def _refusal(self, what: str, subject: str, error: BentoHttpError) -> HistoryError:
        """Put an HTTP status into words."""
        status, detail = error.http_status, _detail(error)
        said = detail.get("message") or error.message
        reason = self._clean(said if isinstance(said, str) else "it gives no reason")
        end_ns = _named_end_ns(detail)
        if status == 401:
            return HistoryError(
                f"Databento does not accept the API key. Check it on the portal ({reason})."
            )
        if status == 403 or detail.get("case") in _NOT_LICENSED:
            return HistoryError(
                f"This key may not have {what}: {subject} needs a plan or licence of its own "
                f"({reason}).",
                entitled=False,
                end_ns=end_ns,
            )
        if status == 429 or status >= 500:
            why = "is asked too often" if status == 429 else f"has a fault of its own ({status})"
            return HistoryError(
                f"Databento {why}, so there is no answer for {what} ({reason}). "
                "It is asked again later.",
                retry=True,
            )
        return HistoryError(f"Databento refused {what} ({status}: {reason}).", end_ns=end_ns)

    def _clean(self, text: str) -> str:
        text = printable(" ".join(text.split())).removesuffix(".")
        return text.replace(self._key, "…")[:_LONGEST_REASON] if self._key else text

    def _api(self) -> Api:
        """Return the client's calls, made at the first need."""
        _hush()
        if self._made is None:
            self._made = _make_api(self._key, self._url, self._timeout_s)
        return self._made


def _make_api(key: str, url: str | None, timeout_s: float) -> Api:
    from databento.historical.api.metadata import MetadataHttpAPI  # noqa: PLC0415
    from databento.historical.api.symbology import SymbologyHttpAPI  # noqa: PLC0415
    from databento.historical.api.timeseries import TimeseriesHttpAPI  # noqa: PLC0415
    from databento.reference.api.adjustment import AdjustmentFactorsHttpAPI  # noqa: PLC0415
    from databento.reference.api.corporate import CorporateActionsHttpAPI  # noqa: PLC0415

    from stockscan_tui.feed.http_bounds import Bounded  # noqa: PLC0415

    class Metadata(Bounded, MetadataHttpAPI):
        pass

    class Symbols(Bounded, SymbologyHttpAPI):
        pass

    class Series(Bounded, TimeseriesHttpAPI):
        pass

    class Actions(Bounded, CorporateActionsHttpAPI):
        pass

    class Factors(Bounded, AdjustmentFactorsHttpAPI):
        pass

    if url is not None:
        _go_directly(url)
    # `databento.Historical` turns any URL into https; the parts that it is made of do not.
    base = (url or DATABENTO_URL).rstrip("/")
    api = Api(
        metadata=Metadata(key, base),
        symbology=Symbols(key, base),
        timeseries=Series(key, base),
        actions=Actions(key, base),
        factors=Factors(key, base),
    )
    for part in (api.metadata, api.symbology, api.timeseries, api.actions, api.factors):
        part.TIMEOUT = timeout_s  # type: ignore[assignment]  # any number of seconds will do
    return api


def _hush() -> None:
    """Keep what the client logs and warns of from the terminal, which the screen has."""
    from databento.common.error import BentoWarning  # noqa: PLC0415

    logger = logging.getLogger("databento")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    warnings.filterwarnings("ignore", category=BentoWarning)
    warnings.filterwarnings("ignore", module=r"databento\.")


def _go_directly(url: str) -> None:
    """Let no proxy of the environment come between here and a stand-in, which is near."""
    host = urlsplit(url).hostname or ""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if host not in known.split(","):
        os.environ["no_proxy"] = f"{known},{host}".lstrip(",")


def _detail(error: BentoHttpError) -> Mapping[str, Any]:
    body = error.json_body
    detail = body.get("detail") if isinstance(body, Mapping) else None
    if isinstance(detail, Mapping):
        return detail
    return {"message": detail if isinstance(detail, str) else None}


def _named_end_ns(detail: Mapping[str, Any]) -> int | None:
    """Return the end that a refusal names: as a value, or else within its sentence."""
    case, payload = detail.get("case"), detail.get("payload")
    if case not in _NOT_PUBLISHED | _NOT_LICENSED:
        return None
    named = payload.get("available_end") if isinstance(payload, Mapping) else None
    if named is None and (match := _NAMED_END.search(str(detail.get("message")))):
        named = match[1]
    try:
        end_ns = instant_ns(named)
    except _UNREADABLE:
        return None
    # What is licensed ends *before* the instant, which moves on while we ask.
    return end_ns if case in _NOT_PUBLISHED else (end_ns - 1) // MINUTE_NS * MINUTE_NS


def instant_ns(text: Any) -> int:
    """Return an ISO instant (UTC where it names no zone) in ns, cut to microseconds.

    Raises:
        TypeError: It is no text.
        ValueError: It is no instant.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1_000


def _cause(error: Exception) -> str:
    """Return what is at the bottom of a failed connection, without the library's wrapping."""
    inner = getattr(error.args[0], "reason", error) if error.args else error
    return str(inner).rsplit("): ", 1)[-1]
