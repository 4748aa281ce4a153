"""The process that reads a damaged database, so that what it does to DuckDB ends nothing else.

    python -m stockscan_tui.store.recovery_child probe|read|settle JOB

`JOB` is JSON. Each line on standard output is a JSON object: `{"at": …}` before anything is read
that might end the process, `{"done": …}` for progress, and at last `{"result": …}` or
`{"refused": …}`. It ends with status 4 where it is to be started anew, and by itself once nobody
reads what it says.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from stockscan_tui.errors import StoreError

AGAIN = 4
# Address space; what a damaged length asks for beyond that fails at once.
_MOST_BYTES = 12 << 30


def say(**said: object) -> None:
    """Tell the parent something."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def main(task: str, text: str) -> int:
    """Do one task; returns the exit status."""
    _limit_memory()
    job: dict[str, Any] = json.loads(text)
    # Who has said nothing was never begun.
    say(at=["begin", task, 0])
    try:
        if task == "probe":
            from stockscan_tui.store.recovery_probe import probe  # noqa: PLC0415

            copy = Path(job["copy"]) if job["copy"] else None
            say(result=probe(Path(job["path"]), copy))
        elif task == "read":
            from stockscan_tui.store.recovery_reading import Reading, StartAgain  # noqa: PLC0415

            try:
                say(result=Reading(job, say).run())
            except StartAgain:
                return AGAIN
        else:
            from stockscan_tui.store.recovery_settling import settle  # noqa: PLC0415

            say(result=settle(job))
    except StoreError as error:
        say(refused=str(error))
    return 0


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not on Windows

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = _MOST_BYTES if most == resource.RLIM_INFINITY else min(_MOST_BYTES, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
