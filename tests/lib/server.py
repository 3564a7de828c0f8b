#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Servers of one test, all in one process.

usage: server.py LOG PROTOCOL:ADDRESS:PORT...     (protocol tcp, mptcp or udp)

A stream gets an HTTP answer after its first bytes; a datagram gets itself. LOG
gets "ready" once every socket is bound, then a line for each accepted
connection and each datagram: "PROTOCOL ADDRESS PORT PEER".
"""
import selectors
import socket
import sys

IPPROTO_MPTCP = 262
PROTOCOLS = {
    "tcp": (socket.SOCK_STREAM, 0),
    "mptcp": (socket.SOCK_STREAM, IPPROTO_MPTCP),
    "udp": (socket.SOCK_DGRAM, 0),
}


def open_socket(spec):
    protocol, rest = spec.split(":", 1)
    address, port = rest.rsplit(":", 1)
    kind, number = PROTOCOLS[protocol]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind, number)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, int(port)))
    if kind == socket.SOCK_STREAM:
        if protocol == "tcp":
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 128)
        sock.listen(4096)
    sock.setblocking(False)
    return sock, (protocol, address, port)


def answer(connection, name):
    """One read, one HTTP answer. What the client does wrong is its own business."""
    try:
        if connection.recv(65536):
            body = "hello from %s port %s\n" % name[1:]
            connection.send(("HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)).encode())
    except OSError:
        pass
    connection.close()


def serve(selector, log):
    def accept(sock, name):
        try:
            connection, peer = sock.accept()
        except BlockingIOError:
            return
        print(*name, peer[0], file=log)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, ("stream", name))

    def echo(sock, name):
        data, peer = sock.recvfrom(65536)
        print(*name, peer[0], file=log)
        sock.sendto(data, peer)

    while True:
        for key, _ in selector.select():
            role, name = key.data
            if role == "stream":
                selector.unregister(key.fileobj)
                answer(key.fileobj, name)
            elif role == "udp":
                echo(key.fileobj, name)
            else:
                accept(key.fileobj, name)


def main():
    selector = selectors.DefaultSelector()
    log = open(sys.argv[1], "a", buffering=1)
    for spec in sys.argv[2:]:
        sock, name = open_socket(spec)
        selector.register(sock, selectors.EVENT_READ, (name[0], name))
    print("ready", file=log)
    serve(selector, log)


main()
