"""How soon a statement answers a cancel: cancel_latency.py SOCKET MOMENTS SEED STATEMENT

Runs the statement once to its end, then MOMENTS times with a cancel at a random moment of that time, each time in the
same session and with `SELECT 41 + 1` behind it. Prints: cancelled of MOMENTS, worst and median of the milliseconds
between the cancel and the error, and the milliseconds of the whole statement.
"""

import random
import statistics
import sys
import threading
import time

from wire import Session


def main(path, moments, seed, statement):
    session = Session(path, name="cancelled")
    started = time.monotonic()
    error, _ = session.run(statement)
    whole = time.monotonic() - started
    if error:
        raise SystemExit(error[1])
    times = []
    moment = random.Random(seed)
    for _ in range(int(moments)):
        at = moment.uniform(0, whole)
        began = []

        def cancel():
            began.append(time.monotonic())
            session.cancel()

        timer = threading.Timer(at, cancel)
        session.query(statement)
        timer.start()
        error, _ = session.until_ready()
        ended = time.monotonic()
        timer.join()
        if error and error[0] == "57014":
            times.append((ended - began[0]) * 1000)
        elif error:
            raise SystemExit(error[1])
        # A cancel that came too late may meet the next statement.
        while session.run("SELECT 41 + 1")[0]:
            pass
        if not session.goes_on():
            raise SystemExit("the session doesn't go on")
    worst, median = (max(times), statistics.median(times)) if times else (0, 0)
    print(f"{len(times)} of {moments}, worst {worst:.1f}, median {median:.1f} of {whole * 1000:.0f} ms")


main(*sys.argv[1:])
