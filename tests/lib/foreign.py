# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""
Sockets that are used elsewhere than they were made. "made" once there is one; for each
line on standard input it sends a byte and says "ok", or "errno NAME".

usage: foreign.py hold KIND ADDRESS PORT         makes one: tcp and udp are connected, packet is of the loopback
       foreign.py give PATH KIND ADDRESS PORT    makes one for whoever connects to the Unix socket PATH, and ends
       foreign.py take PATH                      uses what it is given
       foreign.py fork PROCS KIND ADDRESS PORT   makes one and lets a child use it, which joins that cgroup.procs
"""
import errno
import os
import socket
import sys

LOOPBACK = ("lo", 0x88B5, 0, 0, b"\0" * 6)


def make(kind, address=None, port=None):
    if kind == "packet":
        return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    made.connect((address, int(port)))
    return made


def send(used):
    try:
        if used.family == socket.AF_PACKET:
            used.sendto(b"x", LOOPBACK)
        else:
            used.send(b"x")
        return "ok"
    except OSError as error:
        return "errno " + errno.errorcode[error.errno]


def use(used):
    print("made", flush=True)
    for _ in sys.stdin:
        print(send(used), flush=True)


def give(path, *what):
    made = make(*what)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        taker, _ = listener.accept()
        socket.send_fds(taker, [b"x"], [made.fileno()])


def take(path):
    with socket.socket(socket.AF_UNIX) as giver:
        giver.connect(path)
        _, descriptors, _, _ = socket.recv_fds(giver, 1, 1)
    return socket.socket(fileno=descriptors[0])


def fork(procs, *what):
    made = make(*what)
    child = os.fork()
    if child:
        made.close()
        os.waitpid(child, 0)
        return
    with open(procs, "w", encoding="ascii") as file:
        file.write("0")
    use(made)


if sys.argv[1] == "hold":
    use(make(*sys.argv[2:]))
elif sys.argv[1] == "give":
    give(*sys.argv[2:])
elif sys.argv[1] == "take":
    use(take(sys.argv[2]))
else:
    fork(*sys.argv[2:])
