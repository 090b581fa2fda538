"""Code that nobody vouches for crashes, hangs and fills memory in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from allotrope.process.isolation import Crashed, IsolatedProcess, Refused, bare
from allotrope.process.script import run_script
from allotrope.process.worker import WorkerError

HOSTILE = """
    import os, sys
    sys.path.insert(0, {package!r})
    from allotrope.process.serve import serve

    class Hostile:
        def echo(self, *parts):
            print("chatter")
            return list(parts)

        def refuse(self):
            raise ValueError("no, two\\nlines")

        def die(self):
            os.kill(os.getpid(), 11)

        def fill(self):
            return [bytes(2**31)]

        def hang(self):
            while True:
                pass

    serve(Hostile(), memory=2**30, seconds=0.2, seconds_a_byte=1e-6)
"""


def hostile_process():
    from allotrope.process.channel import PACKAGE

    program = textwrap.dedent(HOSTILE.format(package=PACKAGE))
    return IsolatedProcess("-I", "-S", "-c", program)


@pytest.fixture
def hostile():
    process = hostile_process()
    yield process
    process.end()


@pytest.mark.parametrize("parts", [(), (b"",), (b"one", b"", b"\0" * 3_000_000)])
def test_parts_come_back_whole_whatever_is_printed(hostile, parts):
    assert hostile.ask("echo", *parts) == list(parts)


def test_a_refusal_is_its_text_and_the_process_lives_on(hostile):
    hostile.ask("echo")
    first = hostile._channel.pid
    with pytest.raises(Refused, match="ValueError: no, two\nlines"):
        hostile.ask("refuse")
    with pytest.raises(Refused, match="MemoryError"):
        hostile.ask("fill")
    assert hostile.ask("echo", b"x") == [b"x"]
    assert hostile._channel.pid == first


@pytest.mark.parametrize("command", ["die", "hang"])
def test_a_crash_is_said_and_the_next_gets_a_fresh_process(hostile, command):
    with pytest.raises(Crashed):
        hostile.ask(command)
    assert hostile.ask("echo", b"x") == [b"x"]


def test_a_process_that_was_killed_between_requests_is_started_again(hostile):
    hostile.ask("echo")
    os.kill(hostile._channel.pid, signal.SIGKILL)
    hostile._channel._process.wait()
    assert hostile.ask("echo", b"x") == [b"x"]


FORKED = """
import os, sys
sys.path.insert(0, {tests!r})
from test_process_isolated import hostile_process
process = hostile_process()
process.ask("echo")
parents = process._channel.pid
child = os.fork()
if child == 0:
    answered = process.ask("echo", b"x") == [b"x"] and process._channel.pid != parents
    process.end()
    os._exit(0 if answered else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert process.ask("echo", b"y") == [b"y"]
assert process._channel.pid == parents
process.end()
"""


def test_a_child_that_was_forked_has_a_process_of_its_own():
    # In a Python of its own: what other tests have loaded here may not be forked.
    program = FORKED.format(tests=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_bare_python_finds_nothing_that_is_installed():
    process = bare("numpy")
    with pytest.raises(Crashed):
        process.ask("echo")
    process.end()


def test_a_script_that_fails_or_never_ends_is_a_reason(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys, json; print('x'); print(json.dumps({'said': sys.argv[1:]}))")
    assert run_script(script, "a", "b", patience=60) == {"said": ["a", "b"]}
    script.write_text("import allotrope_that_is_not_there")
    with pytest.raises(WorkerError, match="No module named 'allotrope_that_is_not_there'"):
        run_script(script, patience=60)
    script.write_text("while True: pass")
    with pytest.raises(WorkerError, match=r"did not end within 0\.5 s"):
        run_script(script, patience=0.5)
    script.write_text("")
    with pytest.raises(WorkerError, match="it said nothing"):
        run_script(script, patience=60)
