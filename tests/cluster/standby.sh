#!/usr/bin/env bash
# Corpora on a streaming standby: what COPY loads on the primary arrives, COPY TO and all that reads files works, what
# would write to the database is refused as core's commands are; and after a promotion the standby loads files itself.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster primary 'wal_keep_size = 1GB'
primary=$cluster
standby=$RUN/standby
files_folder
chmod a+rx "$RUN"
there() { cluster_value "$primary" "$1"; }
here() { cluster_value "$standby" "$1"; }

create_extension
cluster_psql "$cluster" -v folder="$files" >/dev/null <<'SQL'
SET client_min_messages = warning;
SELECT tq_create_codec('mine', 48, 2, false, 18446744073709551615, '{-0.2,-0.07,0.07,0.2}');
CREATE TABLE t (id int PRIMARY KEY, e tqvec(48, 4), m tqvec);
INSERT INTO t SELECT i, v, tq_compress(v, 'mine')
FROM (SELECT i, random_vector(i, 48) AS v FROM generate_series(1, 5000) i) s;
CREATE INDEX t_near ON t USING tinyquant (m tqvec_cosine_ops);
CREATE INDEX t_lists ON t USING tinyquant (e tqvec_cosine_ops) WITH (lists = 30);
CREATE TABLE loaded (id int, e tqvec);
CREATE INDEX loaded_near ON loaded USING tinyquant (e tqvec_l2_ops) WITH (refine = table);
CREATE TABLE later (id int, e tqvec);
SELECT tq_create_codec('other', 48);
\set tqcb :folder '/other.tqcb'
\set json :folder '/other.json'
SELECT tq_export_codec('other', :'tqcb', :'json');
SELECT tq_drop_codec('other');
SQL
floats=$(index_of_floats t_floats t 'e::vector(48)' vector_cosine_ops 'WITH (lists = 20)')
# write SERVER SUFFIX: the table's two columns of records, into a file each
write() {
    cluster_psql "$1" -c "COPY (SELECT id, e FROM t ORDER BY id) TO '$files/e$2' (FORMAT tqcv)" \
        -c "COPY (SELECT id, m FROM t ORDER BY id) TO '$files/m$2' (FORMAT tqcv)"
}
write "$primary" ''
there "COPY (SELECT id, e FROM t ORDER BY id) TO '$files/cores' (FORMAT binary)"
standby_of "$primary" "$standby"

# ---- what arrives -----------------------------------------------------------------------------------------------

there "COPY loaded FROM '$files/e' (FORMAT tqcv) WHERE id <= 3000;
       BEGIN;
       CREATE TABLE frozen (id int, e tqvec);
       COPY frozen FROM '$files/m' (FORMAT tqcv, FREEZE);
       COMMIT" >/dev/null
wait_for_replay "$primary" "$standby" || true
is "$(here 'SELECT pg_is_in_recovery()')" t "the standby is one"
is "$(here 'SELECT count(*) FROM loaded JOIN t USING (id) WHERE loaded.e = t.e')" 3000 "what COPY FROM loads arrives"
is "$(here 'SELECT count(*) FROM frozen JOIN t USING (id) WHERE frozen.e = t.m')" 5000 "and what it loads frozen"
probe="
    SELECT string_agg(id || ':' || round(d::numeric, 9), ' ')
    FROM (SELECT id, m <=> (SELECT tq_decompress(e) FROM t WHERE id = 7) AS d FROM t ORDER BY 2, 1 LIMIT 10) s"
is "$(here "$probe")" "$(there "$probe")" "records of a registered codec answer the same"
near="SET enable_seqscan = off; SET enable_sort = off;
    SELECT string_agg(id || ':' || d, ' ' ORDER BY d, id)
    FROM (SELECT id, m <=> (SELECT tq_decompress(e) FROM t WHERE id = 7) AS d FROM t ORDER BY 2 LIMIT 10) s"
is "$(here "$near")" "$(there "$near")" "and by the index"
is "$(here "
    SELECT i, fault FROM unnest(ARRAY['t_near', 't_lists', 'loaded_near', nullif('$floats', '')]) i,
        tq_index_check(i::regclass, true)")" "" \
    "which is sound there"

# ---- files out --------------------------------------------------------------------------------------------------

same_files() { # SUFFIX SUFFIX
    cmp "$files/e$1" "$files/e$2" && cmp "$files/m$1" "$files/m$2" && echo same
}
write "$standby" .standby
is "$(same_files '' .standby)" same "COPY TO writes the same files"
is "$(here "SELECT tq_export('SELECT id, e FROM t ORDER BY id', '$files/e.export')")" 5000 "so does tq_export"
is "$(cmp "$files/e" "$files/e.export" && echo same)" same "so does tq_export: the same bytes"
cluster_psql "$standby" -c "\\copy (SELECT id, e FROM t ORDER BY id) TO '$RUN/client' (FORMAT tqcv)"
is "$(cmp "$files/e" "$RUN/client" && echo same)" same "and COPY TO STDOUT"

export_codec() { # NAME: as an SQL expression
    echo "SELECT tq_export_codec('mine', '$files/$1.tqcb', '$files/$1.json')"
}
is "$(here "$(export_codec mine)") $(stat -c %s "$files/mine.tqcb")" \
    "$(there "$(export_codec mine2)") $(stat -c %s "$files/mine2.tqcb")" "a codec is exported"
for where in here there; do
    $where "SELECT tq_convert('$files/e', '$files/e.$where', '{\"format\": \"burnpack\"}')" >/dev/null
    $where "SELECT tq_merge('$files/m.$where', ARRAY['$files/m', '$files/m'], '{\"ids\": \"drop\"}')" >/dev/null
done
is "$(same_files .here .there)" same "files are converted and merged"

# ---- files in place ---------------------------------------------------------------------------------------------

for sql in "SELECT * FROM tq_corpus_info('$files/m')" \
    "SELECT md5(string_agg(ordinal || embedding::text, ',')) FROM tq_corpus_scan('$files/m')" \
    "SELECT * FROM tq_corpus_search('$files/m', (SELECT tq_decompress(e) FROM t WHERE id = 7), 10)" \
    "SELECT * FROM tq_corpus_search('$files/e', (SELECT tq_decompress(e) FROM t WHERE id = 7), 10, 'l1')" \
    "SELECT count(*) FROM tq_corpus_verify('$files/m')"; do
    is "$(here "$sql")" "$(there "$sql")" "${sql//$RUN/…}"
done

# ---- what writes to the database --------------------------------------------------------------------------------

# state SQL: the SQLSTATE of what the standby says, and its message
state() {
    cluster_psql "$standby" -v VERBOSITY=verbose -c 'SET client_min_messages = error' -c "$1" 2>&1 </dev/null |
        sed -n 's/^.*ERROR:  //p' || true
}
refused() { # NAME SQL CORE'S
    is "$(state "$2")" "25006: cannot execute COPY during recovery" "$1 is refused"
    is "$(state "$3")" "25006: cannot execute COPY during recovery" "$1: as core's"
}
refused "COPY FROM" "COPY later FROM '$files/e' (FORMAT tqcv)" "COPY later FROM '$files/cores' (FORMAT binary)"
refused "COPY FROM STDIN" "COPY later FROM STDIN (FORMAT tqcv)" "COPY later FROM STDIN (FORMAT binary)"
is "$(state "SELECT tq_import('later', '$files/e')")" '25006: cannot execute COPY during recovery' \
    "tq_import is refused"
for sql in "SELECT tq_create_codec('new', 48)" "SELECT tq_drop_codec('mine')" "SELECT tq_enable_pgvector()" \
    "SELECT tq_import_codec('again', '$files/other.tqcb', '$files/other.json')" \
    "CALL tq_compress_column('t', 'e', 'm')"; do
    like "$(state "$sql")" '^25006: cannot execute' "refused: $sql"
done
is "$(find "$files" -name '.*' -type f | wc -l)" 0 "no temporary file is left"
is "$(grep -cE 'PANIC|terminated by signal' "$standby/server.log")" 0 "nothing has died"

# ---- promoted ---------------------------------------------------------------------------------------------------

cluster_stop "$primary"
as_server_user "$PG_BIN/pg_ctl" -D "$standby/data" -w -t 60 promote >/dev/null
here "COPY later FROM '$files/e' (FORMAT tqcv)" >/dev/null
is "$(here 'SELECT count(*) FROM later JOIN t USING (id) WHERE later.e = t.e')" 5000 "a promoted standby loads files"
here "SELECT tq_drop_codec('mine'); COPY later FROM '$files/m' (FORMAT tqcv)" >/dev/null 2>&1
is "$(here 'SELECT count(*) FROM tq_catalog.tq_codec')"$'\n'"$(here "$probe")" $'1\n'"$(here "$probe")" \
    "and registers the codec that a file describes"
cluster_stop "$standby"
done_testing
