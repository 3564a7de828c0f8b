# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Destinations that say who they are, and clients that check whom they reached.

    redirect.py serve PORT...                   on every address; prints "ready"
    redirect.py storm COUNT tcp|http PORT ADDRESS...
        COUNT connections to these addresses in turn, several at a time and each soon
        closed; prints "COUNT reached, N astray, M failed" and, of those, the first
"""
import itertools
import socket
import sys
import threading

WORKERS = 8
TIMEOUT_S = 60


def name_of(address, port):
    return f"{address.removeprefix('::ffff:')} {port}\n".encode()


def read_all(connection):
    parts = []
    while part := connection.recv(4096):
        parts.append(part)
    return b"".join(parts)


def answer(connection):
    """HTTP is a request; what is not is a line, or nothing at all."""
    with connection:
        connection.settimeout(TIMEOUT_S)
        local = connection.getsockname()
        body = name_of(local[0], local[1])
        try:
            request = connection.recv(4096)
            if request.startswith(b"GET "):
                body = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            connection.sendall(body)
        except OSError:
            pass


def accept(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def serve(ports):
    threads = []
    for port in ports:
        listener = socket.create_server(("", int(port)), family=socket.AF_INET6, backlog=4096, dualstack_ipv6=True)
        threads.append(threading.Thread(target=accept, args=(listener,), daemon=True))
        threads[-1].start()
    print("ready", flush=True)
    threads[0].join()


def reach(kind, address, port):
    with socket.create_connection((address, port), timeout=TIMEOUT_S) as connection:
        peer = connection.getpeername()
        if (peer[0], peer[1]) != (address, port):
            return b"getpeername says %r" % (peer,)
        host = f"[{address}]" if ":" in address else address
        request = b"hello\n" if kind == "tcp" else f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
        connection.sendall(request)
        reply = read_all(connection)
    return reply if kind == "tcp" else reply.rpartition(b"\r\n\r\n")[2]


class Storm:
    def __init__(self, count, kind, port, addresses):
        self.kind, self.port = kind, port
        self.targets = iter(list(itertools.islice(itertools.cycle(addresses), count)))
        self.lock = threading.Lock()
        self.reached, self.astray, self.failed = 0, [], []

    def next_target(self):
        with self.lock:
            return next(self.targets, None)

    def work(self):
        while address := self.next_target():
            try:
                reply, error = reach(self.kind, address, self.port), None
            except OSError as exception:
                reply, error = b"", exception
            with self.lock:
                if error:
                    self.failed.append((address, error))
                elif reply == name_of(address, self.port):
                    self.reached += 1
                else:
                    self.astray.append((address, reply))

    def run(self):
        workers = [threading.Thread(target=self.work) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        print(f"{self.reached} reached, {len(self.astray)} astray, {len(self.failed)} failed")
        for problem in self.astray[:1] + self.failed[:1]:
            print(*problem)


if sys.argv[1] == "serve":
    serve(sys.argv[2:])
else:
    Storm(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5:]).run()
