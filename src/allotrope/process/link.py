"""Messages over a connection between machines, with a sign of life between them.

A message is a JSON object and parts of bytes, framed as in `messages.py`; one without parts is the
sign of life. So an end that is gone is told from one that works for long: of the first either the
connection closes, or nothing comes for `SILENCE` seconds.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from allotrope.errors import TrainingError
from allotrope.process.messages import pack

BEAT = 1.0
"""Seconds between signs of life."""
SILENCE = 10.0
"""Seconds without a sign of life after which the other end is taken for gone."""
BEGINNING = 300.0
"""The same while the other end may import, compile or wait in code that lets no thread speak."""
FOR_EVER = 7 * 24 * 3600.0
"""The same for what may be silent as long as it likes, such as one that races settings."""

Part = Any
"""Anything of which `bytes` makes bytes, such as an array of them."""


class Gone(Exception):
    """The other end is not there any more; the text says how that is known."""


class Link:
    """One end of a connection. One thread may read while others send."""

    def __init__(self, connection: socket.socket, silence: float = SILENCE) -> None:
        """Begins to give signs of life."""
        self.silence = silence
        _watched(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection, self._sending = connection, threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._live, name="signs of life", daemon=True).start()

    def send(self, header: Mapping[str, Any], parts: Sequence[Part] = ()) -> None:
        """Sends a message. Raises: Gone."""
        self._write(pack([json.dumps(header).encode(), *map(bytes, parts)]))

    def receive(self) -> tuple[dict[str, Any], list[bytearray]]:
        """The next message, waited for as long as the other end lives. Raises: Gone."""
        while True:
            (count,) = struct.unpack("<I", self._read(4))
            parts = [self._read(*struct.unpack("<Q", self._read(8))) for _ in range(count)]
            if parts:
                return json.loads(parts[0]), parts[1:]

    def close(self) -> None:
        """Ends the connection; who waits at the other end is told."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _live(self) -> None:
        with contextlib.suppress(Gone):
            while not self._closed.wait(BEAT):
                self._write(pack([]))

    def _write(self, content: bytes) -> None:
        try:
            with self._sending:
                self._connection.sendall(content)
        except OSError as error:
            raise Gone("its connection is closed") from error

    def _read(self, count: int) -> bytearray:
        content = bytearray(count)
        view = memoryview(content)
        while view:
            try:
                # Said anew each time, because it may change; signs of life come every second.
                self._connection.settimeout(self.silence)
                read = self._connection.recv_into(view)
            except TimeoutError as error:
                raise Gone(f"gave no sign of life for {self.silence:g} s") from error
            except OSError as error:
                raise Gone("its connection is closed") from error
            if not read:
                raise Gone("its connection is closed")
            view = view[read:]
        return content


def _watched(connection: socket.socket) -> None:
    """A machine that is gone is known after about ten seconds, whatever its processes do."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    seconds = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}
    for name, value in seconds.items():
        if hasattr(socket, name):  # which some systems call otherwise
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def host_and_port(address: str) -> tuple[str, int]:
    """Of HOST:PORT; a host of IPv6 may stand in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def connected(address: str, patience: float) -> socket.socket:
    """A connection to HOST:PORT, tried for `patience` seconds. Raises: TrainingError."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return socket.create_connection(host_and_port(address), timeout=5)
        except OSError as error:
            if time.monotonic() > deadline:
                raise TrainingError(
                    f"nobody answered at {address} within {patience:g} s ({error}). Start rank 0 "
                    "there in that time, with the same --address."
                ) from error
        time.sleep(0.2)


def free_port() -> int:
    """A port of this machine that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
    return port
