"""What was tried, what was hit, and what failed; as it goes, and as a table at the end."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts of one run of the torture.

    Attributes:
        done: (attack, kind) to how often it was tried.
        hits: (attack, what was under way as it struck) to how often.
        failures: What did not hold, each with how to repeat it.
        spent_s: Seconds by attack.
    """

    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    hits: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    spent_s: dict[str, float] = field(default_factory=dict)
    quiet: bool = False
    _began_s: float = field(default_factory=time.monotonic)

    def count(self, attack: str, kind: str, hit: str = "") -> None:
        """Count one attack, and what it hit."""
        self.done[attack, kind] += 1
        if hit:
            self.hits[attack, hit] += 1

    def of(self, attack: str) -> int:
        """Return how many attacks of one sort there were."""
        return sum(count for (each, _), count in self.done.items() if each == attack)

    def fail(self, attack: str, number: str, why: str, repeat: str) -> None:
        """Note what did not hold."""
        self.failures.append(f"{attack} {number}: {why}\n    repeat: {repeat}")
        self.say(f"FAILED {self.failures[-1]}")

    def say(self, text: str) -> None:
        """Tell how it goes."""
        if not self.quiet:
            passed = time.monotonic() - self._began_s
            sys.stderr.write(f"{passed:7.1f} s  {text}\n")
            sys.stderr.flush()

    def table(self) -> str:
        """Return all of it as text."""
        lines = [f"{'attack':<10}{'state':<16}{'tried':>7}"]
        for (attack, kind), count in sorted(self.done.items()):
            lines.append(f"{attack:<10}{kind:<16}{count:>7}")
        lines.append("")
        lines.append(f"{'attack':<10}{'struck':<48}{'times':>7}")
        for (attack, hit), count in sorted(self.hits.items()):
            lines.append(f"{attack:<10}{hit:<48}{count:>7}")
        lines.append("")
        for attack in sorted(self.spent_s):
            minutes = self.spent_s[attack] / 60
            lines.append(f"{attack:<10}{self.of(attack):>7} in {minutes:.1f} min")
        lines.append(f"failures: {len(self.failures)}")
        return "\n".join(lines + self.failures) + "\n"

    def as_json(self) -> str:
        """Return all of it as one JSON object."""
        told = {
            "tried": {f"{attack}: {kind}": n for (attack, kind), n in sorted(self.done.items())},
            "struck": {f"{attack}: {hit}": n for (attack, hit), n in sorted(self.hits.items())},
            "minutes": {each: round(s / 60, 1) for each, s in self.spent_s.items()},
            "failures": self.failures,
        }
        return json.dumps(told)
