# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""
One client of a server (tests/lib/server.c), from an address of its own choice.

usage: knock.py tcp|udp SOURCE ADDRESS PORT [SECONDS]

Prints what it saw: "answered", "refused" (a reset, or port unreachable), or "silent" after
SECONDS, 1 unless said.
"""
import socket
import sys


def knock(protocol, source, address, port, seconds):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(family, kind) as client:
        client.settimeout(seconds)
        try:
            client.bind((source, 0))
            client.connect((address, port))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return "answered" if client.recv(4096) else "closed"
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            return "silent"


print(knock(*sys.argv[1:4], int(sys.argv[4]), float((sys.argv[5:] or [1])[0])))
