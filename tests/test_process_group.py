"""Processes that one leads: they meet, answer in order, and one that is gone is named."""

import contextlib
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from allotrope.errors import TrainingError, UsageError
from allotrope.process.group import ProcessGroup
from allotrope.process.joining import join
from allotrope.process.link import Link, free_port

ECHO = "echo_member"


@pytest.fixture(autouse=True)
def members_find_their_module(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def test_members_answer_in_order_and_an_error_names_rank_and_task():
    with ProcessGroup(ECHO, 2, {}) as group:
        for rank in (0, 1):
            group.ask(rank, "echo", [b"x" * 10**6], text="one")
            group.ask(rank, "echo", text="two")
        for rank in (1, 0):
            assert group.answer(rank) == ({"text": "one"}, [b"x" * 10**6])
            assert group.answer(rank) == ({"text": "two"}, [])
        group.ask(1, "fail", saying="step 3")
        with pytest.raises(TrainingError, match=r"^rank 1 \(.*\) failed in step 3: ValueError: no"):
            group.answer(0)


@pytest.mark.parametrize(
    ("end", "silence", "message"),
    [
        (signal.SIGKILL, 10.0, "was killed by signal 9, in step 7"),
        (signal.SIGSTOP, 2.5, "gave no sign of life for 2.5 s, in step 7"),
    ],
)
def test_a_member_that_is_gone_is_named_while_another_works(end, silence, message):
    told = f"^rank 1 .*{re.escape(message)}.*Go on with this"
    # The error ends the group, which so waits for no member that is stopped.
    with (
        pytest.raises(TrainingError, match=told),
        ProcessGroup(ECHO, 2, {}, silence=silence) as group,
    ):
        group.remedy = "Go on with this"
        group.ask(0, "sleep")
        group.ask(1, "sleep", saying="step 7")
        group.ask(1, "sleep", saying="step 8")
        os.kill(group.members[1].pid, end)
        began = time.monotonic()
        group.answer(0)
    assert time.monotonic() - began < silence + 5


def test_members_end_if_who_leads_is_gone():
    group = ProcessGroup(ECHO, 1, {})
    group.ask(0, "sleep")
    group.members[0].link.close()
    assert group._started[0].wait(10) == 1
    group.close()


def test_one_from_elsewhere_takes_part_and_hears_the_end():
    address, results = f"127.0.0.1:{free_port()}", []

    def take_part():
        results.append(join(ECHO, 1, 0, address, {"data": "a"}))

    thread = threading.Thread(target=take_part)
    thread.start()
    with ProcessGroup(ECHO, 2, {"data": "a", "epochs": 3}, address) as group:
        group.ask(1, "echo", text="one")
        assert group.answer(1) == ({"text": "one"}, [])
        group.close(result={"folder": "runs/a-1"})
    thread.join(10)
    assert results == [{"folder": "runs/a-1"}]


def test_processes_bring_several_members_or_none():
    address, results = f"127.0.0.1:{free_port()}", {}

    def take_part(process):
        results[process] = join(ECHO, process, 0, address, {})

    threads = [threading.Thread(target=take_part, args=(process,)) for process in (1, 2)]
    for thread in threads:
        thread.start()
    brought = [range(0, 1), range(1, 3), range(3, 3)]
    with ProcessGroup(ECHO, 3, {}, address, threads=1, brought=brought) as group:
        pids = {member.pid for member in group.members.values()}
        assert len(pids) == 3
        for rank in range(3):
            group.ask(rank, "echo", rank=rank)
        assert [group.answer(rank)[0]["rank"] for rank in range(3)] == [0, 1, 2]
        group.close(result={"folder": "runs/a-1"})
    for thread in threads:
        thread.join(10)
    assert results == {process: {"folder": "runs/a-1"} for process in (1, 2)}


def test_a_member_that_dies_elsewhere_ends_those_beside_it():
    address, reasons = f"127.0.0.1:{free_port()}", {}

    def take_part(process):
        with pytest.raises(TrainingError) as caught:
            join(ECHO, process, 0, address, {})
        reasons[process] = str(caught.value)

    threads = [threading.Thread(target=take_part, args=(process,)) for process in (1, 2)]
    for thread in threads:
        thread.start()
    brought = [range(0, 1), range(1, 3), range(3, 3)]
    with (
        pytest.raises(TrainingError, match=r"^rank 2 .* its connection is closed, in step 7"),
        ProcessGroup(ECHO, 3, {}, address, brought=brought) as group,
    ):
        for rank in range(3):
            group.ask(rank, "sleep", saying="step 7")
        os.kill(group.members[2].pid, signal.SIGKILL)
        group.answer(0)
    for thread in threads:
        thread.join(10)
    assert "was killed by signal 9" in reasons[1]
    assert "rank 2" in reasons[2] and "step 7" in reasons[2]


@pytest.mark.parametrize(
    ("rank", "size", "card", "message"),
    [
        (1, 2, {"data": "b", "version": 1}, "rank 1 differs: data is b there and a on rank 0"),
        (2, 2, {}, "rank 2 of 2 came, and these are 2 processes: ranks 0 to 1"),
        (1, 3, {}, "rank 1 of 3 came"),
    ],
)
def test_one_that_differs_is_told_why(rank, size, card, message):
    address, reasons = f"127.0.0.1:{free_port()}", []

    def take_part():
        with pytest.raises(TrainingError) as caught:
            join(ECHO, rank, size, address, card)
        reasons.append(str(caught.value))

    thread = threading.Thread(target=take_part)
    thread.start()
    with pytest.raises(UsageError, match=re.escape(message)):
        ProcessGroup(ECHO, 2, {"data": "a", "version": 1}, address)
    thread.join(10)
    assert message in reasons[0]


def connected(port):
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            return Link(socket.create_connection(("127.0.0.1", port)))
        time.sleep(0.05)


def test_one_that_fits_hears_that_another_differs():
    port, heard = free_port(), []

    def take_part():
        links = [connected(port), connected(port)]
        for rank, link in enumerate(links, start=1):
            link.send({"rank": rank, "size": 3, "pid": 0, "card": {"rows": rank}})
        heard.extend(link.receive()[0]["reason"] for link in links)
        for link in links:
            link.close()

    thread = threading.Thread(target=take_part)
    thread.start()
    with pytest.raises(UsageError, match="rank 2 differs: rows is 2 there and 1 on rank 0"):
        ProcessGroup(ECHO, 3, {"rows": 1}, f"127.0.0.1:{port}")
    thread.join(10)
    first, second = heard
    assert first == second and "rank 2 differs" in first


def test_nobody_waits_for_ever():
    address = f"127.0.0.1:{free_port()}"
    message = f"of 2 processes rank 1 did not come to {address} within 0.5 s.*--rank 1 --address"
    with pytest.raises(TrainingError, match=message):
        ProcessGroup(ECHO, 2, {}, address, patience=0.5)
    with pytest.raises(TrainingError, match=f"nobody answered at {address} within 0.3 s"):
        join(ECHO, 1, 2, address, {}, patience=0.3)
    with pytest.raises(TrainingError, match=r"rank 0 could not begin: .*No module named no_module"):
        ProcessGroup("no_module", 1, {})
    with pytest.raises(UsageError, match=r"nothing can listen at 203\.0\.113\.1:9"):
        ProcessGroup(ECHO, 2, {}, "203.0.113.1:9")
