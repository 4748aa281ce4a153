"""What `--help`, completion and the README say is what the parser takes."""

from __future__ import annotations

import argparse
import errno
import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stockscan_tui.cli import main
from stockscan_tui.cli.completion import actions, script
from stockscan_tui.cli.help_text import OF, WIDTH
from stockscan_tui.cli.parser import SHELLS, check, make_parser
from stockscan_tui.cli.streams import is_gone
from stockscan_tui.cli.version import version_text

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
PAGES = ("", *OF)


def _parsers(
    parser: argparse.ArgumentParser, name: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below, of in action.choices.items():
                yield from _parsers(of, f"{name} {below}".strip())


def _page(name: str) -> str:
    return dict(_parsers(make_parser()))[name].format_help()


def _lines_of_commands() -> dict[str, str]:
    (commands,) = (
        action
        for action in make_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return {choice.dest: choice.help or "" for choice in commands._choices_actions}


def _examples(text: str) -> list[str]:
    return re.findall(r"(?m)^ {2}(stockscan [a-z].*)$", text)


def _arguments(example: str) -> list[str]:
    """Return what a shell hands over of a line, which may have a remark behind two spaces."""
    said = re.split(r"\s{3,}| (?:>>?|[#|]) (?=[^']*(?:'[^']*'[^']*)*$)", example)[0]
    return shlex.split(said)[1:]


@pytest.mark.parametrize("name", PAGES)
def test_help_is_a_page_of_eighty_columns_with_examples(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    page = _page(name)
    assert max(map(len, page.splitlines())) <= WIDTH
    assert _examples(page)
    assert "Exit status:" in page or " " in name or name == "completion"


def test_every_command_has_a_page_and_every_page_a_command() -> None:
    assert {name for name, _ in _parsers(make_parser())} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_every_example_of_the_help_is_understood(name: str) -> None:
    for example in _examples(_page(name)):
        arguments = _arguments(example)
        if arguments[0] == "COMMAND":
            continue
        given = make_parser().parse_args(arguments)
        check(given)
        assert not name or arguments[: len(name.split())] == name.split(), example


def test_the_readme_has_every_command_with_the_line_of_the_help() -> None:
    table = re.findall(r"(?m)^\| `stockscan ([a-z]+)` \| (.+) \|$", README)
    assert dict(table) == _lines_of_commands()


def test_the_commands_of_the_readme_are_understood() -> None:
    blocks = re.findall(r"(?m)(?:^ {4}\S.*\n)+", README)
    lines = [
        line.strip() for block in blocks for line in block.splitlines() if "stockscan " in line
    ]
    commands = [line for line in lines if re.match(r"stockscan [a-z]", line)]
    assert len(commands) >= 10
    for line in commands:
        make_parser().parse_args(_arguments(re.sub(r"\[.*?\]", "", line)))


@pytest.mark.parametrize("shell", SHELLS)
def test_a_completion_knows_every_command_option_and_choice(shell: str) -> None:
    text = script(shell)
    for name, parser in _parsers(make_parser()):
        assert all(word in text for word in name.split())
        for action in parser._actions:
            for option in action.option_strings:
                sign = f"-l {option[2:]}" if shell == "fish" and len(option) > 2 else option
                assert sign in text or option[1:] in text, f"{name} {option}"
            for choice in action.choices or ():
                assert str(choice) in text, f"{name} {choice}"


def _completed(words: list[str], folder: Path) -> list[str]:
    """Return what Bash offers for the last of some words."""
    asked = " ".join(map(shlex.quote, words))
    program = f"""
source {shlex.quote(str(folder / "completion"))}
COMP_WORDS=({asked}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
COMP_LINE="${{COMP_WORDS[*]}}"; COMP_POINT=${{#COMP_LINE}}
_shtab_stockscan stockscan "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    run = subprocess.run(
        ["bash", "--norc", "-c", program], cwd=folder, capture_output=True, text=True, check=True
    )
    return run.stdout.split()


@pytest.mark.skipif(sys.platform == "win32", reason="Bash is not there")
def test_bash_completes_commands_options_choices_and_files(tmp_path: Path) -> None:
    (tmp_path / "completion").write_text(script("bash"), "utf-8")
    (tmp_path / "day.dbn.zst").touch()
    assert _completed(["stockscan", "re"], tmp_path) == ["replay", "report"]
    assert _completed(["stockscan", "live", "--sch"], tmp_path) == ["--schema"]
    assert "dual" in _completed(["stockscan", "live", "--schema", ""], tmp_path)
    assert _completed(["stockscan", "rules", "ch"], tmp_path) == ["check"]
    assert _completed(["stockscan", "replay", "da"], tmp_path) == ["day.dbn.zst"]
    assert "day.dbn.zst" in _completed(["stockscan", "demo", "--db", "da"], tmp_path)


def test_every_option_that_takes_a_file_is_known_by_its_sign() -> None:
    for action in actions(make_parser()):
        if action.type is Path:
            assert action.metavar in {"FILE", "PATH", "RULES", "DIR"}, action.dest


def test_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    said = capsys.readouterr().out
    assert said == f"{version_text()}\n"
    assert re.fullmatch(r"stockscan \d+\.\d+\.\d+ \(Python 3\.\d+\.\d+\S*, .*DuckDB .*\)\n", said)


def test_help_version_and_completion_import_nothing_heavy() -> None:
    program = """
import sys
from stockscan_tui.cli import main
for arguments in (["--version"], ["completion", "bash"], ["completion", "fish"]):
    assert main(arguments) == 0
heavy = {"numpy", "numba", "pandas", "duckdb", "textual", "rich", "databento"}
sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--for", "0"],
        ["demo", "--json"],
        ["demo", "--seed", "-1"],
        ["live", "--save-every", "0", "--headless"],
        ["live", "--tape-volume", "--dataset", "XNAS.ITCH"],
        ["live", "--headless", "--gateway", "nowhere"],
        ["replay", "no.dbn", "--speed", "fast", "--headless"],
        ["report", "--top", "0"],
        ["export", "bars", "--symbols", ","],
        ["why", "A", "--db", "/nowhere/at/all.duckdb"],
        ["why"],
        ["nothing"],
        ["live", "--schema", "mbp-10"],
        ["live", "--schem"],
        ["report", "--date", "soon"],
        ["bench", "--only", "a\x1b[2Jb"],
    ],
    ids=" ".join,
)
def test_a_refusal_is_one_sentence_that_names_the_program(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        sys.exit(main(arguments))
    assert left.value.code in (1, 2)
    said = capsys.readouterr().err
    assert re.fullmatch(r"stockscan: [A-Z\-/\"'].*\.\n", said), said


def test_a_disk_that_fails_is_not_taken_for_a_terminal_that_has_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither names a file; the one is to be told, the other is the end."""
    failed = OSError(errno.EIO, os.strerror(errno.EIO))
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal, Path(os.devnull).open("w") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        assert not is_gone(failed)
        monkeypatch.setattr(sys, "stdout", terminal)
        assert not is_gone(failed)
        os.close(master)
        assert is_gone(failed)
