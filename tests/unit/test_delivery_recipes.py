"""The README's recipes are read as they stand, and send what their services take."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from stockscan_tui.config.rules import parse_rules
from stockscan_tui.delivery.command import variables
from stockscan_tui.delivery.parcel import Parcel
from stockscan_tui.delivery.webhook import body_of
from stockscan_tui.scan.rules import Rule, Rules
from tests.unit.test_delivery import fired

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SECTION = README[README.index("## Delivery") : README.index("## Keys")]
PARCEL = Parcel(Rule("move", move=3.0, message='{symbol} "{chg}"'), fired())


@pytest.fixture(scope="module")
def rules() -> Rules:
    toml = SECTION.partition("```toml\n")[2].partition("```")[0]
    return parse_rules(toml, Path("rules.toml"))


def test_each_webhook_sends_what_its_service_takes(rules: Rules) -> None:
    sent = {hook.name: body_of(hook, PARCEL).decode("utf-8") for hook in rules.webhooks}
    said = 'NVDA "+3.4 %"'
    assert sent["ntfy"] == said
    assert json.loads(sent["telegram"]) == {"chat_id": "987654321", "text": said}
    assert json.loads(sent["discord"])["content"] == said
    assert parse_qs(sent["sms"])["Body"] == [said]
    assert parse_qs(sent["sms"])["To"] == ["+15550199"]


def test_the_mails_script_hands_a_whole_mail_over(rules: Rules, tmp_path: Path) -> None:
    script, outbox = tmp_path / "mail", tmp_path / "sendmail"
    script.write_text(SECTION.partition("```sh\n")[2].partition("```")[0], "utf-8")
    outbox.write_text(f'#!/bin/sh\ncat > "{tmp_path}/mailed"\n', "utf-8")
    outbox.chmod(0o755)
    script.chmod(0o755)
    environ = variables(PARCEL) | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    arguments = [PARCEL.fill(text) for text in rules.commands[0].run[1:]]
    subprocess.run([script, *arguments], env=environ, check=True, timeout=20)
    assert (tmp_path / "mailed").read_text("utf-8") == (
        'To: me@example.com\nSubject: stockscan: move\n\nNVDA "+3.4 %"\n'
    )
