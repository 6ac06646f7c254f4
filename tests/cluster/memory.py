"""Statements whose memory is refused: memory.py SOCKET FOLDER LOG STEPS

With FAILING_MALLOC in the environment, the file by which failing_malloc.c in the server is told what to do,
allocations are refused one by one. Else each statement runs with room for less and less beyond what its backend has
(RLIMIT_AS), down to none: in a session of its own for each limit, and again and again in one session. It must succeed
or fail with SQLSTATE 53200, and the session must answer afterwards. A session that was opened first must be there at
the end. Every function of the extension must be among those that the statements say they call.

Prints a line `problem: ...` for each thing that went wrong, and last the counts.
"""

import mmap
import os
import re
import resource
import struct
import sys
import time

from memory_statements import statements, statements_of_floats
from wire import Gone, Session

PAGE = resource.getpagesize()
OUT_OF_MEMORY = "53200"
# A statement that doesn't end in this time counts as one that hangs.
PATIENCE = 60

# Statements that start threads or build a rotation. What the C library allocates for a thread's variables, and can't
# do without, is held for it before, which helps against a limit, but not where allocations are refused whatever there
# is.
HELD = "^(trained|evaluated|column|COPY|import|export|corpus|index|rotation built)| to | merged|of workers"


class Limited(Session):
    """A session whose process can be refused memory."""

    def limit(self, room):
        """Lets the backend have so many bytes more than it has; None: as many as it wants."""
        limit = resource.RLIM_INFINITY
        if room is not None:
            try:
                with open(f"/proc/{self.process}/statm", encoding="ascii") as file:
                    limit = int(file.read().split()[0]) * PAGE + room
            except OSError as problem:
                raise Gone(str(problem)) from problem
        try:
            resource.prlimit(self.process, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        except ProcessLookupError as problem:
            raise Gone(str(problem)) from problem


class Allocations:
    """What failing_malloc.c is told, and what it has counted."""

    FORMAT = "@4l"

    def __init__(self, path):
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), struct.calcsize(self.FORMAT))

    def fail(self, process, first, goes_on=False):
        struct.pack_into(self.FORMAT, self.memory, 0, process, first, goes_on, 0)

    def stop(self):
        """The number of allocations since `fail`."""
        seen = struct.unpack_from(self.FORMAT, self.memory, 0)[3]
        struct.pack_into(self.FORMAT, self.memory, 0, 0, 0, 0, 0)
        return seen


class Trial:
    def __init__(self, path, steps):
        self.path, self.steps = path, steps
        self.allocations = Allocations(os.environ["FAILING_MALLOC"]) if "FAILING_MALLOC" in os.environ else None
        self.counts = {"statements": 0, "limits": 0, "allocations": 0, "errors": 0, "successes": 0, "deaths": 0}
        # Allocations of the attempt before.
        self.seen = 0
        self.problems = []

    def connect(self):
        for _ in range(600):
            try:
                return Limited(self.path, patience=PATIENCE)
            except (Gone, OSError):
                time.sleep(0.05)
        raise SystemExit("problem: no connection")

    def attempt(self, session, statement, room, first=None, goes_on=False):
        """Whether the statement has succeeded with so much room, or with its `first`-th allocation refused, and the
        session, which may be another one afterwards."""
        limit = f"{room} bytes" if first is None else f"allocation {first}{' and all after it' if goes_on else ''}"
        data = b""
        if statement.data:
            with open(statement.data, "rb") as file:
                data = file.read()
        try:
            if statement.before:
                session.must(statement.before)
            if first is None:
                session.limit(room)
                error, _ = session.run(statement.sql, data)
                session.limit(None)
            else:
                self.seen = 0
                self.allocations.fail(session.process, first, goes_on)
                error, _ = session.run(statement.sql, data)
                self.seen = self.allocations.stop()
            # The session lives, and its transaction with it.
            if statement.after:
                session.must(statement.after)
            if not session.goes_on():
                self.problems.append(f"{statement.name}, {limit}: the session doesn't answer")
        except Gone as gone:
            self.counts["deaths"] += 1
            if self.allocations:
                self.seen = self.allocations.stop()
            self.problems.append(f"{statement.name}, {limit}: the session is gone: {gone}")
            return False, self.connect()
        if error is None or error[0] in statement.may:
            self.counts["successes"] += room is not None or first is not None
            return True, session
        self.counts["errors"] += 1
        if error[0] != OUT_OF_MEMORY:
            self.problems.append(f"{statement.name}, {limit}: {error}")
        return False, session

    def rooms(self, needed):
        """What to try: the whole way down, and every page or two near its end."""
        rooms = {needed * i // self.steps // PAGE * PAGE for i in range(self.steps)}
        return sorted(rooms | {PAGE * i for i in range(0, 2 * self.steps, 3)}, reverse=True)

    def fresh(self, statement):
        def once(room):
            session = self.connect()
            succeeded, session = self.attempt(session, statement, room)
            session.close()
            return succeeded

        self.fall(once)

    def warmed(self, statement):
        session = self.connect()
        succeeded, session = self.attempt(session, statement, None)
        if not succeeded:
            self.problems.append(f"{statement.name}: fails without a limit")

        def once(room):
            nonlocal session
            succeeded, session = self.attempt(session, statement, room)
            return succeeded

        self.fall(once)
        session.close()

    def each(self, statement):
        """Allocations in turn, by themselves and with all after them: of a session's first call, and of those that
        follow."""
        for fresh in (True, False):
            for goes_on in (False, True):
                session = self.connect()
                if not fresh:
                    _, session = self.attempt(session, statement, None)
                first = 1
                while True:
                    self.counts["allocations"] += 1
                    _, session = self.attempt(session, statement, None, first, goes_on)
                    if self.seen < first:
                        break
                    # Every one of the first, and then fewer, since loops come back to the same places.
                    first += 1 + first // (2 * self.steps if fresh else 4 * self.steps)
                    if fresh:
                        session.close()
                        session = self.connect()
                session.close()

    def fall(self, once):
        needed = 1 << 16
        while not once(needed):
            self.counts["limits"] += 1
            needed *= 2
            if needed > 1 << 34:
                self.problems.append("a statement that no memory is enough for")
                return
        for room in self.rooms(needed):
            self.counts["limits"] += 1
            once(room)


def ended_badly(line):
    """Whether a line of the server's log says that a process has."""
    if " LOG: " not in line:
        return False
    return re.search(r"terminated by signal|exited with exit code (?!1\b)\d+|terminating any other active", line)


def main(path, folder, log, steps):
    trial = Trial(path, int(steps))
    witness = trial.connect()
    process = witness.process
    catalogue = witness.must(
        "SELECT p.oid::regprocedure"
        " FROM pg_depend d JOIN pg_extension x ON d.refobjid = x.oid JOIN pg_proc p ON d.objid = p.oid"
        " WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND x.extname = 'tinyquant'"
    )
    has_floats = witness.must("SELECT count(*) FROM pg_class WHERE relname = 'floats'") == ["1"]
    every = list(statements(folder)) + (list(statements_of_floats()) if has_floats else [])
    only = os.environ.get("MEMORY_ONLY")
    called = {call for statement in every for call in statement.calls}
    missing = [name for name in catalogue if name.replace(" ", "") not in {call.replace(" ", "") for call in called}]
    if missing:
        trial.problems.append(f"no statement calls {', '.join(sorted(missing))}")
    for statement in every:
        if only and not re.search(only, statement.name):
            continue
        trial.counts["statements"] += 1
        started = time.monotonic()
        if trial.allocations:
            if not re.search(HELD, statement.name):
                trial.each(statement)
        else:
            trial.warmed(statement)
            trial.fresh(statement)
        if os.environ.get("MEMORY_TIMES"):
            print(f"{time.monotonic() - started:.1f} s {statement.name} {trial.counts}", flush=True)
    try:
        alive = witness.run("SELECT pg_backend_pid()")
        if alive != (None, [str(process)]):
            trial.problems.append(f"the first session has changed: {alive}")
    except Gone:
        trial.problems.append("the first session is gone")
    with open(log, encoding="utf-8", errors="replace") as file:
        ended = [line for line in file if ended_badly(line)]
    trial.problems += [line.strip() for line in ended[:5]]
    for problem in trial.problems:
        print(f"problem: {problem}")
    print(", ".join(f"{name} {count}" for name, count in trial.counts.items()))


main(*sys.argv[1:])
