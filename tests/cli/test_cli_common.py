"""What all commands share: help, version, schemas, colour, completion, and what they load."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import jsonschema
import pytest
from check_cases import TINY
from cli_cases import STRANGE_LINK, WRONG, call, command, environment, finished, process

import skipsched
from skipsched.topology.shipped import shipped_names

COMMANDS = ["solve", "check", "validate", "show", "generate", "bench", "schema"]
#: Seconds each of these takes to import, or a good part of one.
HEAVY = {"ortools", "numpy", "networkx", "pandas"}


def test_version() -> None:
    ran = call("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"skipsched {skipsched.__version__}\n", "")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(flag: str) -> None:
    ran = call(flag)
    assert (ran.code, ran.err) == (0, "")
    assert all(f"  {name} " in ran.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_examples(name: str) -> None:
    ran = call(name, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert "Examples:" in ran.out
    assert f"skipsched {name}" in ran.out


@pytest.mark.parametrize("name", ["solve", "check", "validate", "bench"])
def test_help_tells_the_exit_codes(name: str) -> None:
    assert "Exit codes: 0 " in call(name, "--help").out


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["schema"], ["schema", "x"], ["check"]])
def test_bad_usage(arguments: list[str]) -> None:
    ran = call(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err


def test_no_command_at_all_is_bad_usage() -> None:
    assert call().code == 2


@pytest.mark.parametrize("name", ["topology", "schedule"])
def test_schemas_are_schemas(name: str) -> None:
    ran = call("schema", name)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("}\n")
    schema = json.loads(ran.out)
    jsonschema.validators.validator_for(schema).check_schema(schema)


def test_the_installed_command_is_the_module() -> None:
    ran = finished([sys.executable, "-m", "skipsched_cli", "--version"])
    assert (ran.code, ran.out) == (0, process("--version").out)


def test_a_pipe_between_two_processes() -> None:
    with subprocess.Popen(
        command("solve", "geo-20", "--gap", "1", "--quiet"), stdout=subprocess.PIPE, env=environment()
    ) as solving:
        validating = subprocess.run(
            command("validate", "-"), stdin=solving.stdout, capture_output=True, check=False
        )
    assert (solving.returncode, validating.returncode) == (0, 0)
    assert validating.stdout.startswith(b"valid: geo-20")


def test_text_beyond_ascii_in_any_locale() -> None:
    named = TINY.replace("name: tiny", "name: Zürich 東")
    poor = environment(PYTHONIOENCODING="ascii", LC_ALL="C")
    ran = process("solve", "-", "--quiet", stdin=named, env=poor)
    assert json.loads(ran.out)["topology"]["name"] == "Zürich 東"
    assert process("check", "-", stdin=named, env=poor).out.startswith("Zürich 東: ")


ESCAPE = "\x1b["


def test_color_is_for_terminals() -> None:
    assert ESCAPE not in call("check", "-", stdin=STRANGE_LINK).err


def test_color_can_be_asked_for() -> None:
    assert ESCAPE in call("check", "-", "--color", "always", stdin=STRANGE_LINK).err
    assert ESCAPE in call("check", "-", "--color", "always", stdin=WRONG).err
    assert ESCAPE not in call("check", "-", "--color", "never", stdin=WRONG).err


def test_no_color_is_honoured_on_a_terminal() -> None:
    pty = pytest.importorskip("pty")

    def errors(*flags: str, **changes: str) -> str:
        """What goes to a terminal that is the standard error."""
        ours, theirs = pty.openpty()
        finished(
            command("check", "-", *flags),
            STRANGE_LINK,
            env=environment(**changes),
            capture_output=False,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            return terminal.read(10_000).decode()

    assert ESCAPE in errors()
    assert ESCAPE not in errors(NO_COLOR="1")
    assert ESCAPE not in errors("--color", "never")
    assert ESCAPE in errors("--color", "always", NO_COLOR="1")


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    ran = call("check", "-", stdin=TINY.replace("name: tiny", 'name: "\\e[31mred"').replace("3 s", "3"))
    assert ESCAPE not in ran.out + ran.err


def loaded(*arguments: str) -> set[str]:
    """The modules a run has loaded at its end."""
    code = (
        "import sys; sys.argv[0] = 'skipsched'\n"
        "from skipsched_cli.main import run\n"
        "run(); print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    ran = finished([sys.executable, "-c", code, *arguments])
    assert ran.code == 0
    return set(ran.err.split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["schema", "topology"], ["generate"], ["bench", "--help"]]
)
def test_small_commands_load_nothing_heavy(arguments: list[str]) -> None:
    assert not loaded(*arguments) & HEAVY


def test_check_of_a_feasible_topology_does_without_the_exact_solver() -> None:
    for name in ("small-8", "uneven-24", "bytes-16"):
        assert not loaded("check", name) & {"ortools", "pandas"}


def test_importing_the_package_loads_nothing_heavy() -> None:
    ran = finished([sys.executable, "-c", "import skipsched, sys; print(*sys.modules)"])
    assert not set(ran.out.split()) & HEAVY


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    ran = process(env=environment(_SKIPSCHED_COMPLETE=f"{shell}_source"))
    assert (ran.code, ran.err) == (0, "")
    assert "_SKIPSCHED_COMPLETE" in ran.out


def completed(shell: str, words: str, incomplete: str) -> list[str]:
    """What a shell is offered at the end of a line."""
    position = incomplete if shell == "fish" else str(len(words.split()))
    line = words if shell == "fish" else f"{words} {incomplete}"
    changes = {"_SKIPSCHED_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": position}
    ran = process(env=environment(**changes))
    assert (ran.code, ran.err) == (0, "")
    return ran.out.replace(",", "\n").split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_shipped_names(shell: str) -> None:
    offered = completed(shell, "skipsched solve", "")
    assert set(shipped_names()) <= set(offered)
    assert "file" in offered
    assert {"geo-20"} == set(completed(shell, "skipsched check", "ge")) & set(shipped_names())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_commands_and_options(shell: str) -> None:
    assert set(COMMANDS) <= set(completed(shell, "skipsched", ""))
    assert "--time-limit" in completed(shell, "skipsched solve", "--ti")
