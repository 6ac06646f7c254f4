"""Statements whose memory is refused: memory.py SOCKET FOLDER LOG STEPS

With FAILING_MALLOC in the environment, the file by which failing_malloc.c in the server is told what to do, allocations are refused one
by one. Else each statement runs with room for less and less beyond what its backend has (RLIMIT_AS), down to none: in a session of its own for
each limit, and again and again in one session. It must succeed or fail with SQLSTATE 53200, and the session must
answer afterwards. A session that was opened first must be there at the end. Every function of the extension must be among
those that the statements say they call.

Prints a line `problem: ...` for each thing that went wrong, and last the counts.
"""

import mmap
import os
import re
import resource
import socket
import struct
import sys
import time

PAGE = resource.getpagesize()
OUT_OF_MEMORY = "53200"
# A statement that doesn't end in this time counts as one that hangs.
PATIENCE = 60


# Statements that start threads or build a rotation. What the C library allocates for a thread's variables, and can't do without, is
# held for it before, which helps against a limit, but not where allocations are refused whatever there is.
HELD = "^(trained|evaluated|column|COPY|import|export|corpus|index|rotation built)| to | merged|of workers"


class Gone(Exception):
    """The session has ended."""


class Session:
    """A connection, as far as these statements need one."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        body = struct.pack(">I", 196608) + b"user\0postgres\0database\0postgres\0\0"
        self.socket.sendall(struct.pack(">I", len(body) + 4) + body)
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

    def send(self, kind, body):
        try:
            self.socket.sendall(kind + struct.pack(">I", len(body) + 4) + body)
        except ConnectionError as problem:
            raise Gone(str(problem)) from problem

    def until_ready(self, data=b""):
        """The SQLSTATE and message of an error, if there is one, and the rows' first columns. `data` is for COPY FROM STDIN."""
        error, rows = None, []
        while True:
            kind, length = struct.unpack(">cI", self.receive(5))
            body = self.receive(length - 4)
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
        self.send(b"Q", sql.encode() + b"\0")
        return self.until_ready(data)

    def must(self, sql):
        error, rows = self.run(sql)
        if error:
            raise SystemExit(f"problem: {sql[:200]}: {error}")
        return rows

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

    def close(self):
        try:
            self.send(b"X", b"")
        except Gone:
            pass
        self.socket.close()


class Statement:
    """What is run, what is run before and after it without a limit, and the functions that it calls."""

    def __init__(self, name, sql, calls=(), before="", after="", data=None, may=()):
        self.name, self.sql, self.calls = name, sql, [calls] if isinstance(calls, str) else list(calls)
        self.before, self.after, self.data, self.may = before, after, data, set(may)


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
                return Session(self.path)
            except (Gone, OSError):
                time.sleep(0.05)
        raise SystemExit("problem: no connection")

    def attempt(self, session, statement, room, first=None, goes_on=False):
        """Whether the statement has succeeded with so much room, or with its `first`-th allocation refused, and the session,
        which may be another one afterwards."""
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
            if session.run("SELECT 41 + 1") != (None, ["42"]):
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
        """Allocations in turn, by themselves and with all after them: of a session's first call, and of those that follow."""
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


def statements(folder):
    """All of them. The tables and files are memory.sh's."""
    vector = "(SELECT v FROM wide)"
    per_record = [
        "tqvec_out(tqvec)",
        "tq_dimension(tqvec)",
        "tq_bit_width(tqvec)",
        "tq_config_hash(tqvec)",
        "tq_has_residual(tqvec)",
        "tq_norm(tqvec)",
        "tq_indices(tqvec)",
        "tq_decompress(tqvec)",
        "tqvec_hash(tqvec)",
        "tqvec_send(tqvec)",
    ]
    for signature in per_record:
        function = signature.split("(")[0]
        for table in ("t", "wide"):
            yield Statement(f"{function} of {table}", f"SELECT {function}(e) FROM {table}", signature)
    yield Statement("hash, extended", "SELECT tqvec_hash_extended(e, 1) FROM t", "tqvec_hash_extended(tqvec,bigint)")
    for function in ("l2_distance", "inner_product", "negative_inner_product", "cosine_distance", "l1_distance"):
        name = f"tq_{function}"
        arguments = {"tqvec,real[]": "e, v", "real[],tqvec": "v, e", "tqvec,tqvec": "e, f"}
        for types, values in arguments.items():
            yield Statement(f"{name}({types})", f"SELECT {name}({values}) FROM wide", f"{name}({types})")
        yield Statement(f"{name}, scan", f"SELECT sum({name}(e, (SELECT v FROM t WHERE id = 1))) FROM t")
        yield Statement(f"{name}, records", f"SELECT sum({name}(a.e, b.e)) FROM t a JOIN t b ON b.id = a.id % 50 + 1")
    for operator in ("eq", "ne", "lt", "le", "gt", "ge", "cmp"):
        name = f"tqvec_{operator}"
        yield Statement(name, f"SELECT count({name}(e, f)) FROM wide", f"{name}(tqvec,tqvec)")
    yield Statement("sorted", "SELECT count(*) FROM (SELECT e FROM t ORDER BY e OFFSET 0) s", "tqvec_sortsupport(internal)")
    floats = "(SELECT v::double precision[] FROM t WHERE id = 1)::real[]"
    once = ["tq_distance_support(internal)", 'tq_once("any")']
    yield Statement("distances from a cast", f"SELECT sum(e <=> {floats}) FROM t", once)
    yield Statement("distances from casts", "SELECT sum(e <=> v::double precision[]::real[]) FROM t")
    yield Statement("distances from decompressed", "SELECT sum(e <-> tq_decompress(e)) FROM t")
    yield Statement("equal to a literal", "SELECT count(*) FROM wide, texts WHERE e = n::text::tqvec", ["tqvec_equality_support(internal)", "tqvec_comparand(tqvec,integer)"])
    # Not a wide one: core has no memory set aside for the report of a long statement. 58P01 is that plpgsql can't be loaded.
    constant = "SELECT translate(v::text, '{}', '[]') FROM t WHERE id = 1"
    equal = f"EXECUTE format('SELECT count(*) FROM t2 WHERE e = %L', ({constant})) INTO n"
    yield Statement("equal to a constant", f"DO $$ DECLARE n int; BEGIN {equal}; END $$", may=["58P01"])
    yield Statement("analyzed", "ANALYZE t (e)", "tqvec_typanalyze(internal)")
    for kind in ("", ", rotation => 'hadamard'"):
        for options in ("4", "8, true"):
            yield Statement(
                f"compress {options}{kind}",
                f"SELECT tq_compress(v, {options}{kind}) FROM wide",
                "tq_compress(real[],integer,boolean,text)",
            )
    yield Statement("compress, codec", "SELECT tq_compress(v, 'docs') FROM t", "tq_compress(real[],text)")
    yield Statement("rotation built", "SELECT tq_compress(v, 4) FROM t LIMIT 1", before="SELECT tq_clear_rotation_cache()")
    yield Statement("rotations cleared", "SELECT tq_clear_rotation_cache()", "tq_clear_rotation_cache()", before="SELECT tq_compress(v, 4) FROM t LIMIT 1")
    yield Statement("rotations", "SELECT * FROM tq_rotation_cache()", "tq_rotation_cache()")
    yield Statement("normalize", f"SELECT tq_normalize({vector})", "tq_normalize(real[])")
    yield Statement("from text", "SELECT n::text::tqvec(1500, 4) FROM texts", ["tqvec_in(cstring,oid,integer)", "tqvec_typmod_in(cstring[])", "tqvec(tqvec,integer,boolean)"])
    yield Statement("from digits", "SELECT d::tqvec FROM texts")
    yield Statement("modifier", "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'wide'::regclass", "tqvec_typmod_out(integer)")
    yield Statement("from real", f"SELECT {vector}::tqvec(1500, 4)", "tqvec(real[],integer,boolean)")
    yield Statement("from double", "SELECT v::double precision[]::tqvec(1500, 8, residual) FROM wide", "tqvec(double precision[],integer,boolean)")
    yield Statement("from bytea", "SELECT e::bytea::tqvec FROM wide", "tqvec(bytea,integer,boolean)")
    sums = ["tqvec_accumulate(internal,tqvec)", "tqvec_sum(internal)", "tqvec_avg(internal)", "sum(tqvec)", "avg(tqvec)"]
    yield Statement("sums", "SELECT sum(e), avg(e) FROM t GROUP BY id % 30", sums)
    parallel = "SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0"
    partial = ["tqvec_combine(internal,internal)", "tqvec_serialize(internal)", "tqvec_deserialize(bytea,internal)"]
    yield Statement("sums of workers", "SELECT sum(e) FROM t", partial, before=parallel)
    types = ["real[],integer", "numeric", "text", "integer", "text"]
    trained = [f"tq_train_codebook({','.join(types[:n])})" for n in range(1, 6)]
    trained += [f"tq_train_accumulate(internal,{','.join(types[:n])})" for n in range(1, 6)]
    for method in ("lloyd", "quantile"):
        yield Statement(f"trained, {method}", f"SELECT tq_train_codebook(v, 4, 7, '{method}', 200, 'haar') FROM t", trained + ["tq_train_finish(internal)"])
    partial = ["tq_train_combine(internal,internal)", "tq_train_serialize(internal)", "tq_train_deserialize(bytea,internal)"]
    yield Statement("trained by workers", "SELECT tq_train_codebook(v, 4) FROM t", partial, before=parallel)
    yield Statement("evaluated", "SELECT * FROM tq_evaluate('SELECT v FROM t LIMIT 60', k => 3, queries => 5)", "tq_evaluate(text,integer,integer)")
    yield Statement("version", "SELECT tq_version()", "tq_version()")
    yield Statement("pgvector", "SELECT tq_enable_pgvector()", "tq_enable_pgvector()", before="BEGIN", after="ROLLBACK", may=["42704"])
    create = "tq_create_codec('new', 300, 4, false, 99)"
    signature = "tq_create_codec(text,integer,integer,boolean,numeric,real[],text)"
    yield Statement("codec made", f"SELECT {create}", [signature, "tq_codec_changed()", "tq_codec_check(text,text,integer,integer,numeric,boolean,text,real[])"], before="BEGIN", after="ROLLBACK")
    yield Statement("codec dropped", "SELECT tq_drop_codec('new')", "tq_drop_codec(text)", before=f"BEGIN; SELECT {create}", after="ROLLBACK")
    files = f"'{folder}/codec.tqcb', '{folder}/codec.json'"
    yield Statement("codec written", f"SELECT tq_export_codec('docs', {files})", "tq_export_codec(text,text,text)")
    yield Statement("codec read", f"SELECT tq_import_codec('docs', {files})", "tq_import_codec(text,text,text)", before="BEGIN; SELECT tq_drop_codec('docs')", after="ROLLBACK")
    yield from column_and_files(folder)


# What files are written with: the query, the options; and what is read with: the columns, the options.
FILES = {
    "tqcv": ("SELECT e FROM t", "FORMAT tqcv", "t2 (e)", "FORMAT tqcv"),
    "ids.tqcv": ("SELECT id, e FROM t", "FORMAT tqcv, METADATA '{\"model\": \"m\"}'", "t2 (id, e)", "FORMAT tqcv"),
    "texts.tqcv": ("SELECT 'n' || id, e FROM t", "FORMAT tqcv", "t2 (name, e)", "FORMAT tqcv"),
    "recompressed": (None, None, "t2 (f)", "FORMAT tqcv, RECOMPRESS true"),
    "qvec": ("SELECT v FROM t", "FORMAT qvec", "t2 (v)", "FORMAT qvec"),
    "ids.qvec": ("SELECT id, v FROM t", "FORMAT qvec", "t2 (id, v)", "FORMAT qvec"),
    "zt": ("SELECT v FROM t", "FORMAT ztensor", "t2 (v)", "FORMAT ztensor"),
    "half.zt": ("SELECT v FROM t", "FORMAT ztensor, DTYPE 'f16', COMPRESSION 'zstd'", "t2 (v)", "FORMAT ztensor"),
    "old.zt": ("SELECT v FROM t", "FORMAT ztensor, VERSION '1', COMPRESSION 'zstd'", "t2 (v)", "FORMAT ztensor"),
    "sparse.zt": ("SELECT v FROM t", "FORMAT ztensor, SPARSE true", "t2 (v)", "FORMAT ztensor"),
    "bpk": ("SELECT v FROM t", "FORMAT burnpack", "t2 (v)", "FORMAT burnpack"),
    "records.zt": ("SELECT e FROM t", "FORMAT ztensor", "t2 (e)", "FORMAT ztensor"),
}


def column_and_files(folder):
    """tq_compress_column, COPY and the functions on files."""
    calls = "tq_compress_column(regclass,text,text,integer,text)"
    yield Statement("column", "CALL tq_compress_column('filled', 'v', 'e', 70)", calls, before="UPDATE filled SET e = NULL")
    for name, (query, to, columns, options) in FILES.items():
        path = f"{folder}/{name}" if query else f"{folder}/tqcv"
        if query:
            yield Statement(f"COPY TO {name}", f"COPY ({query}) TO '{path}' WITH ({to})", "tq_run_copy()")
            yield Statement(f"COPY TO STDOUT {name}", f"COPY ({query}) TO STDOUT WITH ({to})")
        yield Statement(f"COPY FROM {name}", f"COPY {columns} FROM '{path}' WITH ({options})", "tqvec_recv(internal,oid,integer)", before="TRUNCATE t2")
        yield Statement(f"COPY FROM STDIN {name}", f"COPY {columns} FROM STDIN WITH ({options})", before="TRUNCATE t2", data=path)
    for name in ("tqcv", "ids.tqcv", "qvec", "half.zt", "bpk"):
        path = f"{folder}/{name}"
        yield Statement(f"info of {name}", f"SELECT * FROM tq_file_info('{path}')", "tq_file_info(text)")
        for target in ("tqcv", "qvec", "ztensor", "burnpack"):
            yield Statement(f"{name} to {target}", f"SELECT tq_convert('{path}', '{folder}/converted', '{{\"format\": \"{target}\"}}')", "tq_convert(text,text,jsonb)")
    for name in ("ids.tqcv", "half.zt", "sparse.zt", "bpk"):
        other = f"{folder}/other.{name}"
        sources = f"ARRAY['{folder}/{name}', '{other}']"
        yield Statement(f"{name} merged", f"SELECT tq_merge('{folder}/merged', {sources})", "tq_merge(text,text[],jsonb)")
    yield Statement("import", f"SELECT tq_import('t2', '{folder}/tqcv', '{{\"column\": \"e\"}}')", "tq_import(regclass,text,jsonb)", before="TRUNCATE t2")
    yield Statement("export", f"SELECT tq_export('SELECT e FROM t', '{folder}/exported')", "tq_export(text,text,jsonb)")
    corpus = f"'{folder}/ids.tqcv'"
    query = "(SELECT v FROM t WHERE id = 1)"
    yield Statement("corpus", f"SELECT * FROM tq_corpus_info({corpus})", "tq_corpus_info(text)")
    yield Statement("corpus scanned", f"SELECT count(embedding) FROM tq_corpus_scan({corpus})", "tq_corpus_scan(text)")
    yield Statement("corpus verified", f"SELECT * FROM tq_corpus_verify({corpus})", "tq_corpus_verify(text)")
    for metric in ("l2", "l1"):
        yield Statement(f"corpus searched, {metric}", f"SELECT * FROM tq_corpus_search({corpus}, {query}, 10, '{metric}')", "tq_corpus_search(text,real[],integer,text)")
    yield Statement("index searched", f"SELECT * FROM tq_corpus_search('{folder}/qvec', {query}, 10)")


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
        "SELECT p.oid::regprocedure FROM pg_depend d JOIN pg_extension x ON d.refobjid = x.oid JOIN pg_proc p ON d.objid = p.oid"
        " WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND x.extname = 'tinyquant'"
    )
    every = list(statements(folder))
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
