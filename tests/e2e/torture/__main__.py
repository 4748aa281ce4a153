"""The long form: `python -m tests.e2e.torture --kills 500 --disks 100 --races 50 --damages 100`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path

from tests.e2e.torture import places
from tests.e2e.torture.forge import Forge
from tests.e2e.torture.lives import SAY
from tests.e2e.torture.material import Shelf
from tests.e2e.torture.runner import KINDS, Attack, Runner, attack, mixed, planned
from tests.e2e.torture.tally import Tally

SORTS = {"kills": "kill", "disks": "disk", "races": "race", "damages": "damage"}


def main() -> int:
    """Make the attacks that are asked for; returns 1 where something did not hold."""
    given = _parser().parse_args()
    places.inside(sys.argv[1:])
    # The official client's own use of pandas.
    warnings.simplefilter("ignore")
    if given.say:
        os.environ[SAY] = "1"
    attacks = _asked(given)
    tally = Tally(quiet=given.quiet)
    until_s = time.monotonic() + given.minutes * 60
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    (folder / "shelf").mkdir()
    forge = Forge() if given.fork else None
    runner = Runner(folder, Shelf(folder / "shelf", forge), tally, given.seed, given.keep)
    # What was done is told also where it is broken off.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        for each in attacks:
            if time.monotonic() < until_s:
                runner.make(each)
    if forge is not None:
        forge.close()
    if given.keep:
        tally.say(f"what failed is kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stderr.write("" if given.quiet else tally.table())
    if given.json:
        sys.stdout.write(tally.as_json() + "\n")
    return 1 if tally.failures else 0


def _asked(given: argparse.Namespace) -> list[Attack]:
    if given.only:
        return [each for text in given.only for each in _named(text)]
    found = [
        each for option, sort in SORTS.items() for each in planned(sort, getattr(given, option))
    ]
    return mixed(found, given.seed)


def _named(text: str) -> list[Attack]:
    name, _, strikes = text.partition(":")
    sort, kind, *number = name.split("/")
    if not number:
        return list(planned(sort, int(strikes or 1), kind))
    most = {each: most for each, _, most in KINDS[sort]}[kind]
    return [attack(sort, kind, int(number[0]), int(strikes or most))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.torture", description=__doc__)
    add = parser.add_argument
    for option in SORTS:
        add(f"--{option}", type=int, default=0, metavar="N", help=f"how many {option}")
    add("--seed", type=int, default=1, help="decides what is attacked (default: 1)")
    add("--only", action="append", metavar="SORT/KIND[/NUMBER][:STRIKES]", help="these attacks")
    add("--minutes", type=float, default=600.0, help="begin no attack after so long")
    add("--fork", action="store_true", help="fork lives whose start is not attacked")
    add("--keep", action="store_true", help="keep the folders of what failed")
    add("--say", action="store_true", help="print what each life wrote on standard error")
    add("--json", action="store_true", help="the counts as JSON on standard output")
    add("--quiet", action="store_true", help="no progress and no table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
