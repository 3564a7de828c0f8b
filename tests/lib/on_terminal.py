#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Runs a command on a terminal of its own and types once it has printed something.

usage: on_terminal.py WAIT-FOR TYPE COMMAND...     (TYPE may hold \\x03 and the like)

Prints what the command printed, the terminal's echo included, then "status N" (128+signal for a signal).
"""
import os
import pty
import signal
import sys

# As of other runs: tests/lib/common.bash.
TIME_LIMIT_S = 60 * int(os.environ.get("EG_SLOW", "1"))


def main():
    wait_for, keys, command = sys.argv[1].encode(), sys.argv[2].encode().decode("unicode_escape").encode(), sys.argv[3:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    printed, typed = b"", False
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            data = b""
        if not data:
            break
        printed += data
        if not typed and wait_for in printed:
            os.write(terminal, keys)
            typed = True
    _, status = os.waitpid(pid, 0)
    print(printed.decode(errors="replace").replace("\r", ""), end="")
    print("status", os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


signal.alarm(TIME_LIMIT_S)
main()
