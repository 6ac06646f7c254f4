"""How soon a statement answers a cancel: cancel_latency.py SOCKET MOMENTS SEED STATEMENT

Runs the statement once to its end, then MOMENTS times with a cancel at a random moment of that time, each time in the
same session and with `SELECT 41 + 1` behind it. Prints: cancelled of MOMENTS, worst and median of the milliseconds
between the cancel and the error, and the milliseconds of the whole statement.
"""

import os
import random
import signal
import socket
import statistics
import struct
import sys
import threading
import time


class Session:
    def __init__(self, path):
        self.path = path
        self.socket = self.connect()
        body = struct.pack(">I", 196608) + b"user\0postgres\0database\0postgres\0application_name\0cancelled\0\0"
        self.socket.sendall(struct.pack(">I", len(body) + 4) + body)
        self.key = None
        self.until_ready()

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.path)
        return connection

    def receive(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise SystemExit("the session is gone")
            data += part
        return data

    def until_ready(self):
        """The fields of an error, if there is one before the session is ready, and the first row's first column."""
        error, row = None, None
        while True:
            kind, length = struct.unpack(">cI", self.receive(5))
            body = self.receive(length - 4)
            if kind == b"K":
                self.key = body
            elif kind == b"E":
                error = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
            elif kind == b"D" and row is None:
                row = body[6:]
            elif kind == b"Z":
                return error, row

    def send(self, sql):
        body = sql.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack(">I", len(body) + 4) + body)

    def run(self, sql):
        self.send(sql)
        return self.until_ready()

    def cancel(self):
        """As pg_cancel_backend does it, without the time that a connection takes."""
        os.kill(struct.unpack(">I", self.key[:4])[0], signal.SIGINT)


def main(path, moments, seed, statement):
    session = Session(path)
    started = time.monotonic()
    error, _ = session.run(statement)
    whole = time.monotonic() - started
    if error:
        raise SystemExit(error[b"M"])
    times = []
    moment = random.Random(seed)
    for _ in range(int(moments)):
        at = moment.uniform(0, whole)
        began = []

        def cancel():
            began.append(time.monotonic())
            session.cancel()

        timer = threading.Timer(at, cancel)
        session.send(statement)
        timer.start()
        error, _ = session.until_ready()
        ended = time.monotonic()
        timer.join()
        if error and error[b"C"] == "57014":
            times.append((ended - began[0]) * 1000)
        elif error:
            raise SystemExit(error[b"M"])
        # A cancel that came too late may meet the next statement.
        while session.run("SELECT 41 + 1")[0]:
            pass
        if session.run("SELECT 41 + 1") != (None, b"42"):
            raise SystemExit("the session doesn't go on")
    worst, median = (max(times), statistics.median(times)) if times else (0, 0)
    print(f"{len(times)} of {moments}, worst {worst:.1f}, median {median:.1f} of {whole * 1000:.0f} ms")


main(*sys.argv[1:])
