"""What a machine gives too little of, told in words before a library breaks off without any."""

from __future__ import annotations

from stockscan_tui.errors import StockscanError

# LLVM and DuckDB end the process without a word where they are given less address space.
NEEDED_MB = 3_000
NO_THREAD = "can't start new thread"


def check_limits() -> None:
    """Refuse to begin where the process may not use the memory that it needs.

    Raises:
        StockscanError: It may not.
    """
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY and allowed < NEEDED_MB * 1_000_000:
        raise StockscanError(
            f"This process may use {allowed / 1e6:,.0f} MB of address space, and needs "
            f"{NEEDED_MB:,} MB (a tenth of it in memory). Raise the limit: ulimit -v."
        )


def shortage(error: BaseException) -> str:
    """Return in words what there was too little of, empty where an error is another one."""
    if isinstance(error, MemoryError):
        return "There is not enough memory. Close other programs, or raise the limit."
    if isinstance(error, RuntimeError) and NO_THREAD in str(error):
        return "The system starts no more threads: ulimit -u, or too little memory."
    return ""
