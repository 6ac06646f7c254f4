#!/usr/bin/env bash
# COPY FROM STDIN and TO STDOUT: corpora of the client's, whole, cut, wrong, too large, and given up.
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "${HELPERS:?}"
use_server "${PG_BIN:?}"

cluster=$RUN/stdin
cluster_create "$cluster"
cluster_start "$cluster"
value() { cluster_value "$cluster" "$1"; }
value "CREATE EXTENSION tinyquant; CREATE TABLE t (id bigint, e tqvec(48, 4));
       INSERT INTO t SELECT i, tq_normalize((SELECT array_agg((hashint8extended(j, i) % 1000)::real) FROM generate_series(1, 48) j))
       FROM generate_series(1, 3000) i; CREATE ROLE nobody_special LOGIN; GRANT ALL ON t TO nobody_special;
       CREATE TABLE back (LIKE t); GRANT ALL ON back TO nobody_special" >/dev/null
file=$RUN/client.tqcv
# As a role that may touch no file of the server.
client() { "$PG_BIN/psql" -X -q -h "$cluster" -U nobody_special -d postgres "$@"; }

client -c "COPY (SELECT id, e FROM t ORDER BY id DESC) TO STDOUT WITH (FORMAT tqcv, METADATA '{\"a\": 1}')" >"$file"
is "$(head -c 4 "$file")" TQCV "TO STDOUT gives a finished corpus"
is "$(client -c "COPY back (e, id) FROM STDIN WITH (FORMAT tqcv)" <"$file" 2>&1)" "" "FROM STDIN has nothing to complain of"
is "$(value 'SELECT count(*) FROM back JOIN t USING (id) WHERE back.e = t.e')" 3000 "FROM STDIN loads it, ids and all"
value 'TRUNCATE back' >/dev/null
client -c "\\copy back (id, e) FROM '$file' WITH (FORMAT tqcv)"
is "$(value 'SELECT count(*) FROM back JOIN t USING (id) WHERE back.e = t.e')" 3000 "so does psql's copy"
# Text ids are UTF-8 in a client's file as well, whatever the client's encoding is.
value "CREATE TABLE named (id text, e tqvec(48, 4)); GRANT ALL ON named TO nobody_special;
       INSERT INTO named SELECT U&'\\00A5 \\65E5\\672C \\005C \\00FC' || id, e FROM t; CREATE TABLE named_back (LIKE named); GRANT ALL ON named_back TO nobody_special" >/dev/null
client -c "\\copy (SELECT id, e FROM named ORDER BY id) TO '$RUN/named.utf8' WITH (FORMAT tqcv)"
for encoding in SJIS LATIN1 EUC_JP; do
    PGCLIENTENCODING=$encoding client -c "\\copy (SELECT id, e FROM named ORDER BY id) TO '$RUN/named' WITH (FORMAT tqcv)" \
        -c "\\copy named_back (e, id) FROM '$RUN/named' WITH (FORMAT tqcv)"
    is "$(cmp "$RUN/named" "$RUN/named.utf8" 2>&1)" "" "a client of $encoding gets the same bytes"
    is "$(value 'SELECT count(*) FROM named_back JOIN named USING (id) WHERE named_back.e = named.e; TRUNCATE named_back')" 3000 \
        "and a client of $encoding gives the same ids"
done
client -c "\\copy (SELECT e FROM back) TO '$RUN/other.tqcv' WITH (FORMAT tqcv)"
is "$(head -c 4 "$RUN/other.tqcv")" TQCV "which writes one as well"
value 'TRUNCATE back' >/dev/null

refused() { # NAME REGEX INPUT [SETTING]
    like "$(client -c "${4:-SET client_min_messages = notice}" -c "COPY back (e) FROM STDIN WITH (FORMAT tqcv)" <"$3" 2>&1)" "$2" "$1"
}
head -c 100000 "$file" >"$RUN/cut"
refused "a cut corpus is refused" 'invalid TQCV file "STDIN"' "$RUN/cut"
refused "nothing is refused" 'invalid TQCV file "STDIN"' /dev/null
refused "anything else is refused" 'invalid TQCV file "STDIN"' "$0"
value 'ALTER ROLE nobody_special SET temp_file_limit = 64' >/dev/null
refused "temp_file_limit holds" 'temporary file size exceeds temp_file_limit' "$file"
value 'ALTER ROLE nobody_special RESET temp_file_limit' >/dev/null
is "$(value 'SELECT count(*) FROM back')" 0 "nothing of these is in the table"

# A client that gives up in the middle, by its own word and by going away.
python3 - "$cluster" >"$RUN/raw.out" <<'PY'
import socket, struct, sys

def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1] + "/.s.PGSQL.5432")
    body = struct.pack(">I", 196608) + b"user\0nobody_special\0database\0postgres\0\0"
    s.sendall(struct.pack(">I", len(body) + 4) + body)
    return s

def message(s):
    head = b""
    while len(head) < 5:
        head += s.recv(5 - len(head))
    length = struct.unpack(">I", head[1:])[0] - 4
    body = b""
    while len(body) < length:
        body += s.recv(length - len(body))
    return head[:1], body

def until(s, kinds):
    while True:
        kind, body = message(s)
        if kind in kinds:
            return kind, body

def send(s, kind, body):
    s.sendall(kind + struct.pack(">I", len(body) + 4) + body)

s = connect()
until(s, b"Z")
send(s, b"Q", b"COPY back (e) FROM STDIN WITH (FORMAT tqcv)\0")
kind, body = until(s, b"GE")
print("asked", kind.decode(), body.hex())
send(s, b"d", b"TQCV" * 1000)
send(s, b"f", b"enough\0")
kind, body = until(s, b"E")
print("failed", [part.decode() for part in body.split(b"\0") if part[:1] in (b"C", b"M")])
until(s, b"Z")
send(s, b"Q", b"SELECT 41 + 1\0")
print("then", until(s, b"D")[1][-2:].decode())
until(s, b"Z")
send(s, b"Q", b"COPY back (e) FROM STDIN WITH (FORMAT tqcv)\0")
until(s, b"G")
send(s, b"d", b"TQCV" * 1000)
s.close()
PY
like "$(cat "$RUN/raw.out")" 'asked G 0100010001' "the client is asked for binary data of one column"
like "$(cat "$RUN/raw.out")" "failed .*C57014.*COPY from stdin failed: enough" "a client's failure is the statement's error"
like "$(cat "$RUN/raw.out")" 'then 42' "and the session goes on"
for ((i = 0; i < 100; i++)); do
    if [ "$(value "SELECT count(*) FROM pg_stat_activity WHERE usename = 'nobody_special'")" = 0 ]; then break; fi
    sleep 0.1
done
is "$(value "SELECT count(*) FROM pg_stat_activity WHERE usename = 'nobody_special'")" 0 "a client that goes away is noticed"
is "$(find "$cluster/data/base/pgsql_tmp" -type f 2>/dev/null | wc -l)" 0 "no temporary file is left"
is "$(value 'SELECT count(*) FROM back')" 0 "nor a row"

done_testing
