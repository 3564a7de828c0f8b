#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Takes every inotify instance or watch that this user may have, and keeps them.

usage: inotify_hog.py instances|watches

Prints "full" once there are none left, and gives all back when it is killed. The limits are a user's own: nobody else on the machine is short of anything.
For watches it makes files in the working directory.
"""
import ctypes
import errno
import signal
import sys

IN_OPEN = 0x20
libc = ctypes.CDLL(None, use_errno=True)


def instances(count):
    """At most `count` new descriptors; fewer when the limit comes first."""
    fds = []
    while len(fds) < count:
        fd = libc.inotify_init1(0)
        if fd < 0:
            if ctypes.get_errno() != errno.EMFILE:
                sys.exit("inotify_init1: errno %d" % ctypes.get_errno())
            break
        fds.append(fd)
    return fds


def fill(fds, names):
    """One watch of each descriptor on each file, until none is left."""
    for name in names:
        for fd in fds:
            if libc.inotify_add_watch(fd, name, IN_OPEN) < 0:
                if ctypes.get_errno() != errno.ENOSPC:
                    sys.exit("inotify_add_watch: errno %d" % ctypes.get_errno())
                return
    sys.exit("watches are left")


def files(count):
    for i in range(count):
        name = "watched%d" % i
        open(name, "w").close()
        yield name.encode()


if sys.argv[1] == "instances":
    instances(1 << 20)
else:
    limit = int(open("/proc/sys/fs/inotify/max_user_watches").read())
    held = instances(64)
    fill(held, files(limit // len(held) + 1))
print("full", flush=True)
signal.pause()
