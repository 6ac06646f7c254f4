"""A connection to a server by PostgreSQL's own protocol, as far as these tests need one."""

import os
import signal
import socket
import struct


class Gone(Exception):
    """The session has ended."""


class Session:
    """A session over the server's socket. What doesn't come within `patience` seconds, if it has any, never comes."""

    def __init__(self, path, user="postgres", name="wire", patience=None):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience)
        self.socket.connect(path)
        settings = f"user\0{user}\0database\0postgres\0application_name\0{name}\0\0".encode()
        self.socket.sendall(struct.pack(">II", len(settings) + 8, 196608) + settings)
        self.process = None
        error, _ = self.until_ready()
        if error:
            raise Gone(error)

    def receive(self, length):
        data = bytearray()
        while len(data) < length:
            try:
                part = self.socket.recv(length - len(data))
            except (ConnectionError, socket.timeout) as problem:
                raise Gone(str(problem)) from problem
            if not part:
                raise Gone("closed")
            data += part
        return bytes(data)

    def message(self):
        """The kind and the body of the next one."""
        kind, length = struct.unpack(">cI", self.receive(5))
        return kind, self.receive(length - 4)

    def until(self, kinds):
        """The next message that is of one of these kinds."""
        while True:
            kind, body = self.message()
            if kind in kinds:
                return kind, body

    def send(self, kind, body):
        try:
            self.socket.sendall(kind + struct.pack(">I", len(body) + 4) + body)
        except ConnectionError as problem:
            raise Gone(str(problem)) from problem

    def query(self, sql):
        self.send(b"Q", sql.encode() + b"\0")

    def until_ready(self, data=b""):
        """The SQLSTATE and message of an error, if there is one, and the rows' first columns. `data` is for COPY FROM
        STDIN."""
        error, rows = None, []
        while True:
            kind, body = self.message()
            if kind == b"K":
                self.process = struct.unpack(">I", body[:4])[0]
            elif kind == b"E":
                fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
                error = (fields[b"C"], fields[b"M"] + " | " + fields.get(b"D", ""))
                if fields[b"S"] in ("FATAL", "PANIC"):
                    raise Gone(error)
            elif kind == b"D":
                length = struct.unpack(">i", body[2:6])[0]
                rows.append(body[6 : 6 + length].decode() if length >= 0 else None)
            elif kind == b"G":
                for start in range(0, len(data), 60000):
                    self.send(b"d", data[start : start + 60000])
                self.send(b"c", b"")
            elif kind == b"Z":
                return error, rows

    def run(self, sql, data=b""):
        self.query(sql)
        return self.until_ready(data)

    def must(self, sql):
        error, rows = self.run(sql)
        if error:
            raise SystemExit(f"problem: {sql[:200]}: {error}")
        return rows

    def goes_on(self):
        return self.run("SELECT 41 + 1") == (None, ["42"])

    def cancel(self):
        """As pg_cancel_backend does it, without the time that a connection takes."""
        os.kill(self.process, signal.SIGINT)

    def close(self):
        try:
            self.send(b"X", b"")
        except Gone:
            pass
        self.socket.close()
