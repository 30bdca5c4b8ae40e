"""Messages between processes, over a socket alone and with memory that both share."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys

import orjson
import pytest

from pancommons.nexus.serving import room, wire

SIZE = 1 << 20


@pytest.mark.parametrize("shared", [False, True])
def test_what_is_sent_is_received(shared: bool) -> None:
    fd = room.make(SIZE) if shared else None
    memory = room.enter(fd)
    if shared and memory is None:
        pytest.skip("this system has no memory whose size can be sealed")
    one, other = socket.socketpair()
    with one, other:
        for body in (b"", b"x", os.urandom(100_000), b"y"):
            wire.send(one, {"n": len(body)}, body, memory)
            assert wire.receive(other, SIZE, room=memory) == ({"n": len(body)}, body)
        one.sendall(struct.pack("!II", 2, SIZE + 1) + orjson.dumps({}))
        with pytest.raises(wire.Closed):
            wire.receive(other, SIZE, room=memory)


def test_more_than_the_room_holds_is_not_received() -> None:
    memory = room.enter(room.make(4096))
    if memory is None:
        pytest.skip("this system has no memory whose size can be sealed")
    one, other = socket.socketpair()
    with one, other:
        one.sendall(struct.pack("!II", 2, 5000) + orjson.dumps({}))
        with pytest.raises(wire.Closed):
            wire.receive(other, SIZE, room=memory)


_SHRINK = """
import os, sys
for change in (lambda fd: os.ftruncate(fd, 0), lambda fd: os.ftruncate(fd, 1 << 30)):
    try:
        change(int(sys.argv[1]))
        print("changed")
    except PermissionError:
        print("sealed")
"""


def test_the_other_side_cannot_take_the_room_away() -> None:
    """Reading what is no more there would end the server."""
    fd = room.make(SIZE)
    if fd is None:
        pytest.skip("this system has no memory whose size can be sealed")
    seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    assert seals & fcntl.F_SEAL_SHRINK and seals & fcntl.F_SEAL_SEAL
    done = subprocess.run(
        [sys.executable, "-c", _SHRINK, str(fd)], pass_fds=[fd], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["sealed", "sealed"]
    memory = room.enter(fd)
    assert memory is not None and memory[:] == bytes(SIZE)
