"""The user's files: config, table, rules, watchlists, and the programs that rules deliver by."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stockscan_tui.config import read_settings, rules_path, watchlists_folder
from stockscan_tui.config.rules import read_rules
from stockscan_tui.config.settings import Config
from stockscan_tui.delivery.desktop import desktop_arguments, desktop_sequence
from stockscan_tui.delivery.sound import player_arguments
from stockscan_tui.doctor.finding import Finding, Once, fail, ok, skipped, warn
from stockscan_tui.errors import UsageError
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.rules import Rules
from stockscan_tui.scan.watchlists import Watchlists

Which = Callable[[str], str | None]


class Files:
    """The files that a run reads, each once.

    Args:
        config: The config file, None for the default one.
        rules: The rules file, None for the default one.
        names_of: Returns what the user's expressions may use besides metrics.
    """

    def __init__(
        self, config: Path | None, rules: Path | None, names_of: Callable[[Config], Names]
    ) -> None:
        self._config_path = config
        self._rules_path = rules
        self._reading = Once(lambda: read_settings(config))
        self._names = Once(lambda: names_of(self._reading.get().config))
        self._rules = Once(lambda: read_rules(rules, self._names.get()))

    def config(self) -> Sequence[Finding]:
        """Say whether the config can be read, and the user's own table."""
        name = "config"
        try:
            reading = self._reading.get()
        except UsageError as error:
            return (_refused(name, error, "see `stockscan config`"),)
        found = str(reading.path)
        if reading.text is None:
            found += " is not there: all defaults"
        if reading.variables:
            said = ", ".join(sorted(f"STOCKSCAN_{each.upper()}" for each in reading.variables))
            found += f"; set by the environment: {said}"
        try:
            names = self._names.get()
        except UsageError as error:
            return (ok(name, found), _refused("table", error, "`table` in config.toml names it"))
        if reading.config.table is None:
            return (ok(name, found),)
        columns = len(names.own) + len(names.words)
        return (ok(name, found), ok("table", f"{reading.config.table}, {columns} columns"))

    def rules(self) -> Sequence[Finding]:
        """Say whether the rules can be read, and whether others can read their addresses."""
        name, where = "rules", self._rules_path or rules_path()
        try:
            self._names.get()
        except UsageError:
            return (skipped(name, "config or table have to be mended first"),)
        try:
            rules = self._rules.get()
        except UsageError as error:
            return (_refused(name, error, "see `stockscan rules check`"),)
        if not where.exists():
            return (ok(name, f"{where} is not there: no rule is on"),)
        count = sum(rule.line > 0 for rule in rules.rules)
        findings = [ok(name, f"{where}: {count} rules, {len(rules.watched)} on")]
        if rules.webhooks and os.name == "posix" and where.stat().st_mode & 0o077:
            found = f"others can read {where}, and addresses of webhooks hold secrets"
            findings.append(warn(name, found, f"Run: chmod 600 '{where}'."))
        return findings

    def watchlists(self) -> Sequence[Finding]:
        """Say whether the watchlists can be read."""
        name = "watchlists"
        lists = Watchlists(watchlists_folder())
        try:
            counts = {each: len(lists.symbols(each)) for each in lists.names()}
        except UsageError as error:
            return (_refused(name, error, "mend or remove it"),)
        if not counts:
            return (ok(name, "none yet: w on the board begins one"),)
        return (ok(name, ", ".join(f"{each} ({count})" for each, count in counts.items())),)

    def notifiers(
        self, environ: Mapping[str, str], which: Which = shutil.which
    ) -> Sequence[Finding]:
        """Say whether what rules deliver by is there.

        Args:
            environ: The environment that tells which terminal this is.
            which: Finds a program.
        """
        name = "notifiers"
        try:
            rules = self._rules.get()
        except UsageError:
            return (skipped(name, "the rules have to be mended first"),)
        wanted = {channel for rule in rules.watched for channel in rule.deliver}
        findings = [*_desktop(environ, which)] if "desktop" in wanted else []
        if "sound" in wanted:
            findings += _sounds(rules, which)
        for command in rules.commands:
            if command.name not in wanted:
                continue
            program = str(Path(command.run[0]).expanduser())
            if which(program) is None:
                found = f"the command {command.name!r} starts {program}, which is not there"
                do = "Install it, or write its whole path in rules.toml."
                findings.append(warn(name, found, do))
        used = ", ".join(sorted(wanted)) or "nothing"
        return findings or (ok(name, f"rules deliver by {used}; all of it is there"),)


def _desktop(environ: Mapping[str, str], which: Which) -> Sequence[Finding]:
    if desktop_sequence("a", "b", environ):
        return ()
    if desktop_arguments("a", "b", urgent=False, which=which):
        return ()
    found = "neither this terminal nor a program notifies the desktop"
    return (warn("notifiers", found, "Install notify-send (libnotify)."),)


def _sounds(rules: Rules, which: Which) -> Sequence[Finding]:
    files = {rule.sound or rules.sound for rule in rules.watched if "sound" in rule.deliver}
    findings = []
    for said in sorted(files - {""}):
        file = Path(said).expanduser()
        if not file.is_file():
            do = "Name another one in rules.toml; the bell rings instead."
            findings.append(warn("notifiers", f"there is no sound file {file}", do))
        elif not player_arguments(file.absolute(), which):
            found = f"no program here plays {file.name}"
            do = "Install paplay, pw-play, ffplay or mpv; the bell rings instead."
            findings.append(warn("notifiers", found, do))
    return findings


def _refused(name: str, error: UsageError, more: str) -> Finding:
    return fail(name, str(error), f"Mend that place; {more}.")
