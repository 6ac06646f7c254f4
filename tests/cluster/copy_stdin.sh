#!/usr/bin/env bash
# COPY FROM STDIN and TO STDOUT: corpora of the client's, whole, cut, wrong, too large, and given up.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster stdin
create_extension
sql <<'SQL'
CREATE TABLE t (id bigint, e tqvec(48, 4));
INSERT INTO t SELECT i, random_vector(i, 48) FROM generate_series(1, 3000) i;
CREATE TABLE back (LIKE t);
-- Text ids are UTF-8 in a client's file as well, whatever the client's encoding is.
CREATE TABLE named (id text, e tqvec(48, 4));
INSERT INTO named SELECT U&'\00A5 \65E5\672C \005C \00FC' || id, e FROM t;
CREATE TABLE named_back (LIKE named);
CREATE ROLE nobody_special LOGIN;
GRANT ALL ON t, back, named, named_back TO nobody_special;
SQL
file=$RUN/client.tqcv
# As a role that may touch no file of the server.
client() { "$PG_BIN/psql" -X -q -h "$cluster" -U nobody_special -d postgres "$@"; }

client -c "COPY (SELECT id, e FROM t ORDER BY id DESC) TO STDOUT WITH (FORMAT tqcv, METADATA '{\"a\": 1}')" >"$file"
is "$(head -c 4 "$file")" TQCV "TO STDOUT gives a finished corpus"
is "$(client -c "COPY back (e, id) FROM STDIN WITH (FORMAT tqcv)" <"$file" 2>&1)" "" \
    "FROM STDIN has nothing to complain of"
is "$(value 'SELECT count(*) FROM back JOIN t USING (id) WHERE back.e = t.e')" 3000 "FROM STDIN loads it, ids and all"
value 'TRUNCATE back' >/dev/null
client -c "\\copy back (id, e) FROM '$file' WITH (FORMAT tqcv)"
is "$(value 'SELECT count(*) FROM back JOIN t USING (id) WHERE back.e = t.e')" 3000 "so does psql's copy"
client -c "\\copy (SELECT id, e FROM named ORDER BY id) TO '$RUN/named.utf8' WITH (FORMAT tqcv)"
for encoding in SJIS LATIN1 EUC_JP; do
    PGCLIENTENCODING=$encoding client \
        -c "\\copy (SELECT id, e FROM named ORDER BY id) TO '$RUN/named' WITH (FORMAT tqcv)" \
        -c "\\copy named_back (e, id) FROM '$RUN/named' WITH (FORMAT tqcv)"
    is "$(cmp "$RUN/named" "$RUN/named.utf8" 2>&1)" "" "a client of $encoding gets the same bytes"
    is "$(value 'SELECT count(*) FROM named_back JOIN named USING (id) WHERE named_back.e = named.e')" 3000 \
        "and a client of $encoding gives the same ids"
    execute 'TRUNCATE named_back'
done
client -c "\\copy (SELECT e FROM back) TO '$RUN/other.tqcv' WITH (FORMAT tqcv)"
is "$(head -c 4 "$RUN/other.tqcv")" TQCV "which writes one as well"
value 'TRUNCATE back' >/dev/null

refused() { # NAME REGEX INPUT [SETTING]
    like "$(client -c "${4:-SET client_min_messages = notice}" -c "COPY back (e) FROM STDIN WITH (FORMAT tqcv)" \
        <"$3" 2>&1)" "$2" "$1"
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
PYTHONPATH=$(dirname "$0") python3 - "$cluster/.s.PGSQL.5432" >"$RUN/raw.out" <<'PY'
import sys

from wire import Session

session = Session(sys.argv[1], user="nobody_special")
session.query("COPY back (e) FROM STDIN WITH (FORMAT tqcv)")
kind, body = session.until(b"GE")
print("asked", kind.decode(), body.hex())
session.send(b"d", b"TQCV" * 1000)
session.send(b"f", b"enough\0")
error, _ = session.until_ready()
print("failed", *error)
print("then", session.run("SELECT 41 + 1"))
session.query("COPY back (e) FROM STDIN WITH (FORMAT tqcv)")
session.until(b"G")
session.send(b"d", b"TQCV" * 1000)
session.socket.close()
PY
like "$(cat "$RUN/raw.out")" 'asked G 0100010001' "the client is asked for binary data of one column"
like "$(cat "$RUN/raw.out")" "failed 57014 COPY from stdin failed: enough" \
    "a client's failure is the statement's error"
like "$(cat "$RUN/raw.out")" "then \(None, \['42'\]\)" "and the session goes on"
wait_for "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'nobody_special'" || true
is "$(value "SELECT count(*) FROM pg_stat_activity WHERE usename = 'nobody_special'")" 0 \
    "a client that goes away is noticed"
no_temporary_files "no temporary file is left"
is "$(value 'SELECT count(*) FROM back')" 0 "nor a row"

done_testing
