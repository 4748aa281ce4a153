"""What stands in rules.toml, key by key: rules, the library, and where alerts are sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from stockscan_tui.config import checks, rule_checks
from stockscan_tui.config.checks import RefusedError, unknown
from stockscan_tui.config.lines import KeyPath, line_in
from stockscan_tui.scan.expression import Names
from stockscan_tui.scan.rules import PRICES, Command, Priority, Rule, Rules, Webhook
from stockscan_tui.scan.rules.library import LIBRARY
from stockscan_tui.scan.rules.message import known_of

CHANNELS = ("toast", "bell", "desktop", "sound")
MOST_RULES = 500
MOST_TARGETS = 100
COOLDOWN_S = 300.0
TOP = ("sound", "library", "rule", "command", "webhook")
RULE = ("name", "when", "move", "price", "filter", "scope", "sessions", "cooldown", "rearm",
        "once_a_day", "priority", "message", "sound", "deliver", "gates", "enabled")  # fmt: skip
COMMAND = ("name", "run", "every", "timeout")
WEBHOOK = ("name", "url", "body", "content_type", "headers", "method", "every", "timeout",
           "retries")  # fmt: skip
_SHIPPED = {rule.name.casefold(): rule for rule in LIBRARY}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads what a rules file says; refuses with the path to what cannot be.

    Attributes:
        names: What expressions may use.
        folder: What relative paths are relative to.
        lines: Where everything stands.
    """

    names: Names
    folder: Path
    lines: Mapping[KeyPath, int]

    def read(self, given: Mapping[str, Any]) -> Rules:
        """Return the rules of a file's content.

        Raises:
            RefusedError: It says what cannot be.
        """
        for key in given:
            if key not in TOP:
                raise RefusedError((key,), unknown(key, TOP, "part of a rules file"))
        commands = self._commands(given.get("command", []))
        webhooks = self._webhooks(given.get("webhook", []))
        known = list(CHANNELS)
        named = [("command", i, command.name) for i, command in enumerate(commands)]
        named += [("webhook", i, webhook.name) for i, webhook in enumerate(webhooks)]
        for kind, index, name in named:
            if name in known:
                raise RefusedError((kind, index, "name"), f"there is another channel {name!r}.")
            known.append(name)
        own = self._rules(given.get("rule", []), known)
        sound = rule_checks.file(given.get("sound", ""), ("sound",), self.folder)
        shipped = self._library(given.get("library", []), {rule.name.casefold() for rule in own})
        return Rules((*own, *shipped), commands, webhooks, sound)

    def _rules(self, value: object, channels: Collection[str]) -> tuple[Rule, ...]:
        entries = checks.tables(value, ("rule",))
        if len(entries) > MOST_RULES:
            raise RefusedError(
                ("rule", MOST_RULES), f"there are more than {MOST_RULES} rules: {len(entries)}."
            )
        found: dict[str, Rule] = {}
        for index, entry in enumerate(entries):
            rule = self._rule(entry, ("rule", index), channels)
            other = found.get(rule.name.casefold())
            if other is not None:
                raise RefusedError(
                    ("rule", index, "name"),
                    f"there is another rule of that name on line {other.line}.",
                )
            found[rule.name.casefold()] = rule
        return tuple(found.values())

    def _rule(self, entry: object, path: KeyPath, channels: Collection[str]) -> Rule:
        given = checks.table(entry, path, RULE)
        base = self._base(given, path)
        at = {key: (*path, key) for key in RULE}
        changed: dict[str, Any] = {"line": line_in(self.lines, path)}
        for key, check in (
            ("filter", lambda v, p: rule_checks.condition(v, p, self.names, empty=True)),
            ("scope", lambda v, p: rule_checks.scope(v, p, self.names)),
            ("sessions", rule_checks.sessions),
            ("sound", lambda v, p: rule_checks.file(v, p, self.folder)),
            ("deliver", lambda v, p: rule_checks.channels(v, p, channels)),
            ("gates", rule_checks.switch),
            ("enabled", rule_checks.switch),
        ):
            if key in given:
                changed[key] = check(given[key], at[key])
        if "price" in given:
            changed["price"] = checks.choice(given["price"], at["price"], PRICES)
            if base.when is not None:
                raise RefusedError(at["price"], "only a move rule has a price.")
        if "priority" in given:
            words = [priority.value for priority in Priority]
            changed["priority"] = Priority(checks.choice(given["priority"], at["priority"], words))
        rule = replace(base, **changed, **self._again(given, path, base))
        if "message" in given:
            said = rule_checks.template(given["message"], at["message"], known_of(rule))
            rule = replace(rule, message=said)
        return rule

    def _base(self, given: Mapping[str, object], path: KeyPath) -> Rule:
        """Return a rule with its condition alone, or the library's that is changed."""
        if "name" not in given:
            raise RefusedError(path, "a [[rule]] has a name.")
        name = checks.title(given["name"], (*path, "name"))
        if "when" in given and "move" in given:
            raise RefusedError((*path, "move"), "a rule has either when or move, not both.")
        if "when" in given:
            return Rule(name, rule_checks.condition(given["when"], (*path, "when"), self.names))
        if "move" in given:
            return Rule(name, move=rule_checks.percent(given["move"], (*path, "move")))
        shipped = _SHIPPED.get(name.casefold())
        if shipped is None:
            raise RefusedError(
                path, "a rule has when or move, unless it changes one of the library."
            )
        return replace(shipped, enabled=True)

    def _again(self, given: Mapping[str, object], path: KeyPath, base: Rule) -> dict[str, Any]:
        """Return what says when it fires again: cooldown, re-arming, once a day."""
        once = base.once_a_day if base.shipped else base.when is None
        if "once_a_day" in given:
            once = rule_checks.switch(given["once_a_day"], (*path, "once_a_day"))
        elif "cooldown" in given or "rearm" in given:
            once = False
        cooldown_s = base.cooldown_s
        if "cooldown" in given:
            cooldown_s = rule_checks.seconds(given["cooldown"], (*path, "cooldown"))
        elif base.when is not None and not (cooldown_s or (base.shipped and once)):
            cooldown_s = COOLDOWN_S
        found: dict[str, Any] = {"cooldown_s": cooldown_s, "once_a_day": once}
        if "rearm" in given:
            found |= self._rearm(given["rearm"], (*path, "rearm"), base)
        return found

    def _rearm(self, value: object, path: KeyPath, base: Rule) -> dict[str, Any]:
        if base.when is not None:
            return {"rearm": rule_checks.condition(value, path, self.names)}
        percent = rule_checks.percent(value, path)
        if percent >= base.move:
            raise RefusedError(path, f"rearm must be under the move, {base.move:g}.")
        return {"rearm_move": percent}

    def _library(self, value: object, own: Collection[str]) -> tuple[Rule, ...]:
        """Return the library's rules that the user has not made their own, those on first."""
        named = rule_checks.texts(value, ("library",), 'a list of rules, as in ["gap up", "halt"]')
        on: dict[str, Rule] = {}
        for index, name in enumerate(named):
            rule = _SHIPPED.get(name.casefold())
            if rule is None:
                known = [each.name for each in LIBRARY]
                raise RefusedError(("library", index), unknown(name, known, "rule of the library"))
            line = line_in(self.lines, ("library", index))
            on[rule.name] = replace(rule, enabled=True, line=line)
        off = (rule for rule in LIBRARY if rule.name not in on)
        return tuple(rule for rule in chain(on.values(), off) if rule.name not in own)

    def _commands(self, value: object) -> tuple[Command, ...]:
        found = []
        for index, entry in enumerate(_few(value, "command")):
            path: KeyPath = ("command", index)
            given = checks.table(entry, path, COMMAND)
            _needs(given, path, "name", "run")
            run = rule_checks.arguments(given["run"], (*path, "run"), self._own)
            found.append(Command(_target(given, path), run, **_pace(given, path)))
        return tuple(found)

    def _webhooks(self, value: object) -> tuple[Webhook, ...]:
        found = []
        for index, entry in enumerate(_few(value, "webhook")):
            path: KeyPath = ("webhook", index)
            given = checks.table(entry, path, WEBHOOK)
            _needs(given, path, "name", "url")
            more: dict[str, Any] = _pace(given, path)
            for key, check in (
                ("body", lambda v, p: rule_checks.outside_template(v, p, self._own)),
                ("content_type", rule_checks.content_type),
                ("headers", rule_checks.headers),
                ("method", lambda v, p: checks.choice(v, p, ("POST", "PUT", "GET"))),
                ("retries", lambda v, p: checks.whole(v, p, range(11))),
            ):
                if key in given:
                    more[key] = check(given[key], (*path, key))
            url = rule_checks.address(given["url"], (*path, "url"), self._own)
            found.append(Webhook(_target(given, path), url, **more))
        return tuple(found)

    @property
    def _own(self) -> tuple[str, ...]:
        return (*self.names.own, *self.names.words)


def _few(value: object, kind: str) -> tuple[Mapping[str, object], ...]:
    entries = checks.tables(value, (kind,))
    if len(entries) > MOST_TARGETS:
        raise RefusedError((kind, MOST_TARGETS), f"there are more than {MOST_TARGETS} {kind}s.")
    return entries


def _needs(given: Mapping[str, object], path: KeyPath, *keys: str) -> None:
    for key in keys:
        if key not in given:
            raise RefusedError(path, f"a [[{path[0]}]] has a {key}.")


def _target(given: Mapping[str, object], path: KeyPath) -> str:
    return checks.title(given["name"], (*path, "name"))


def _pace(given: Mapping[str, object], path: KeyPath) -> dict[str, float]:
    """Return the limits that are given: how often, and how long."""
    found = {}
    if "every" in given:
        found["every_s"] = rule_checks.seconds(given["every"], (*path, "every"))
    if "timeout" in given:
        found["timeout_s"] = rule_checks.seconds(given["timeout"], (*path, "timeout"), 0.1, 300)
    return found
