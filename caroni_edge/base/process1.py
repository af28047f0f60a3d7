"""Process 1 of a container: it takes in processes that have lost their parent, and passes on what it is told.

The kernel gives it every orphan of its namespace (pid_namespaces(7)), for it alone to wait for, and ends all others
with it. A program that has children of its own cannot wait for just any; so it runs as the child of one that can.
"""

import os
import signal
import sys

PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


def be_child_of_process_1() -> None:
    """Go on as the child of process 1 where this is process 1, which waits for all, and ends as its child has ended."""
    if os.getpid() != 1:
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    child = os.fork()
    if child:
        for number in PASSED_ON:
            signal.signal(number, lambda number, _: os.kill(child, number))
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if child:
        sys.exit(_wait_for_all(child))


def _wait_for_all(child: int) -> int:
    """Wait for whatever ends until the child has; return its exit status, as a shell would."""
    while True:
        pid, waited = os.wait()
        if pid == child:
            status = os.waitstatus_to_exitcode(waited)
            return status if status >= 0 else 128 - status
