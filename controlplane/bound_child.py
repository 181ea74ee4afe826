"""A program that ends with its parent: `python bound_child.py PARENT_PID PROGRAM [ARGUMENT...]`.

The kernel sends the program SIGTERM when the thread that started it ends, in whatever way (prctl(2),
PR_SET_PDEATHSIG). That is Linux; elsewhere the program is run and nothing more.

A program of its own and no `preexec_fn`: Python between fork and exec may deadlock where there are threads, and gRPC
has threads. It becomes PROGRAM by exec, so the process that was started is the one that gets the signals.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):
            sys.exit("the parent ended before its child began")
    try:
        os.execv(command[0], command)  # noqa: S606  no shell, on purpose
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main()
