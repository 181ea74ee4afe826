"""A program with a descriptor for each stream, and on one core: `python pinned_child.py CORE PROGRAM [ARGUMENT...]`.

CORE is a number, or "any". It becomes PROGRAM by exec, so the process that was started is the one that is measured. A
program of its own and no `preexec_fn`: Python between fork and exec may abort where gRPC has threads.
"""

import os
import resource
import sys


def main() -> None:
    core, *command = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if core != "any":
        os.sched_setaffinity(0, {int(core)})
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main()
