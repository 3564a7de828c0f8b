# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""
Connections over which a known number of bytes goes each way, and which stay open.

usage: exchange.py serve ADDRESS PORT            "ready" once it listens
       exchange.py connect ADDRESS PORT OUT IN   sends OUT bytes and gets IN; "exchanged" once both are done.
                                                 Holds it until standard input ends; a line there exchanges again.
"""
import socket
import struct
import sys
import threading


def read_exactly(connection, count):
    while count > 0:
        data = connection.recv(min(count, 1 << 20))
        if not data:
            raise EOFError
        count -= len(data)


# The first eight bytes of each exchange are part of what is sent: how much that is, and how much is wanted.
def answer(connection):
    try:
        while True:
            header = connection.recv(8, socket.MSG_WAITALL)
            if len(header) < 8:
                return
            sent, wanted = struct.unpack("!II", header)
            read_exactly(connection, sent - 8)
            connection.sendall(bytes(wanted))
    except (EOFError, OSError):
        pass
    finally:
        connection.close()


def serve(address, port):
    listener = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    print("ready", flush=True)
    while True:
        threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()


def connect(address, port, out, wanted):
    with socket.create_connection((address, port)) as connection:
        while True:
            connection.sendall(struct.pack("!II", out, wanted) + bytes(out - 8))
            read_exactly(connection, wanted)
            print("exchanged", flush=True)
            if not sys.stdin.readline():
                return


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    connect(sys.argv[2], *map(int, sys.argv[3:6]))
