#!/usr/bin/env bash
# Large corpora: the memory of the session stays flat whatever is done with one, pg_stat_progress_copy moves, and a
# cancel is answered soon at any moment. Half a gigabyte; CANCEL_MB=2048 makes it two. CANCELS=100 looks at more
# moments.
# Times are printed, and asserted only so far that no work can be uninterruptible.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster cancel 'shared_buffers = 16MB' 'autovacuum = off' 'max_wal_size = 8GB' 'checkpoint_timeout = 1h'
files_folder
chmod a+rx "$RUN"
create_extension
# A thousand records of 839 bytes, and 4 of length in a file.
sql <<SQL
CREATE TABLE few AS SELECT i AS id, tq_compress(random_vector(i, 1536), 4) AS e FROM generate_series(1, 1000) i;
CREATE UNLOGGED TABLE t (id bigint, e tqvec);
CREATE UNLOGGED TABLE narrow (e tqvec(1536, 2));
COPY few TO '$files/few' (FORMAT tqcv);
COPY few TO '$files/few.cores' (FORMAT binary);
SQL
large=$files/large
rows() { echo $(($1 * 1000 * 1000 / 843 / 1000)); }
many="SELECT e FROM generate_series(1, $(rows "${CANCEL_MB:-512}")), few"
numbered="SELECT row_number() OVER (), e FROM generate_series(1, $(rows "${CANCEL_MB:-512}")), few"
query="(SELECT tq_decompress(e) FROM few WHERE id = 7)"

# ---- memory -----------------------------------------------------------------------------------------------------

# grown STATEMENT: by how many kB the session's peak grows, shared buffers and mapped files included, and by how many
# its own memory, once small ones of the kind are done. The promise of 64 MB is about the latter; the former has the
# query's, too.
grown() {
    local status="SELECT substring(s from 'VmHWM:\s*(\d+)'), substring(s from 'RssAnon:\s*(\d+)')
FROM pg_read_file('/proc/self/status') s;"
    cluster_psql "$cluster" -At -F ' ' >"$RUN/grown.out" 2>&1 <<SQL
CREATE TEMPORARY TABLE w (LIKE t);
COPY w FROM '$files/few' (FORMAT tqcv);
COPY w TO '$files/small' (FORMAT tqcv);
SELECT sum(tq_bit_width(embedding)) FROM tq_corpus_scan('$files/few') \g /dev/null
SELECT count(*) FROM tq_corpus_search('$files/few', $query, 10) \g /dev/null
SELECT count(*) FROM tq_corpus_verify('$files/few') \g /dev/null
SELECT count(tq_bit_width(e)) FROM w \g /dev/null
$status
$1
$status
SQL
    awk 'NF == 2 && /^[0-9]+ [0-9]+$/ { if (n++) print $1 - a, $2 - b; a = $1; b = $2 }' "$RUN/grown.out"
}
flat() { # NAME STATEMENT
    local peak own
    read -r peak own < <(grown "$2") || true
    # A system without /proc tells nothing.
    if [ -n "${peak:-}" ] && [ "$peak" -lt 131072 ] && [ "$own" -lt 65536 ]; then
        ok "memory, $1: the peak grows by $((peak / 1024)) MB, what is the session's own by $((own / 1024)) MB"
    else
        not_ok "memory, $1: the peak grows by ${peak:-?} kB, what is the session's own by ${own:-?} kB" \
            "$(tail -n 5 "$RUN/grown.out")"
    fi
}
flat "COPY TO" "COPY ($many) TO '$large' (FORMAT tqcv);"
echo "# a corpus of $(stat -c %s "$large") bytes, $(value "SELECT records FROM tq_corpus_info('$large')") records"
flat "tq_corpus_scan" "
    SELECT sum(tq_bit_width((s).embedding)) FROM (SELECT tq_corpus_scan('$large') AS s OFFSET 0) x \g /dev/null"
flat "tq_corpus_scan in FROM" "SELECT sum(tq_bit_width(embedding)) FROM tq_corpus_scan('$large') \g /dev/null"
flat "tq_corpus_search" "SELECT count(*) FROM tq_corpus_search('$large', $query, 10) \g /dev/null"
flat "tq_corpus_verify" "SELECT count(*) FROM tq_corpus_verify('$large') \g /dev/null"
flat "COPY FROM" "COPY t (e) FROM '$large' (FORMAT tqcv);"
flat "COPY FROM, every row refused" "COPY t (e) FROM '$large' (FORMAT tqcv) WHERE e IS NULL;"
flat "COPY TO STDOUT" "COPY (SELECT e FROM t) TO STDOUT (FORMAT tqcv) \g $files/client"
is "$(cmp "$large" "$RUN/files/client" && echo same)" same "what was loaded is what was written"
value 'TRUNCATE t' >/dev/null
flat "COPY FROM STDIN" "\\copy t (e) FROM '$files/client' (FORMAT tqcv)"
value 'TRUNCATE t' >/dev/null
rm "$files/client"
flat "COPY TO, with ids" "COPY ($numbered) TO '$large' (FORMAT tqcv);"
# Ids in ranges are expanded, eight bytes each.
flat "COPY FROM, with ids" "COPY t FROM '$large' (FORMAT tqcv) WHERE id % 10 = 0;"
value 'TRUNCATE t' >/dev/null

# ---- progress ---------------------------------------------------------------------------------------------------

# watched STATEMENT: what pg_stat_progress_copy shows while it runs: bytes, rows, the total in bytes
watched() {
    cluster_session "$cluster" watched "$1"
    local watched=$!
    while kill -0 "$watched" 2>/dev/null; do
        value "SELECT bytes_processed, tuples_processed, bytes_total FROM pg_stat_progress_copy"
        sleep 0.02
    done | awk -F '|' 'NF == 3 && $0 != last { print; last = $0 }' >"$RUN/watched"
}
progress() { # NAME
    is "$(awk -F '|' '$1 < b || $2 < r || $1 > $3 { print "wrong: " $0 } { b = $1; r = $2 }' "$RUN/watched")" '' \
        "progress, $1: bytes and rows grow, and the total is never less"
    is "$(awk -F '|' '$1 > 0 && $2 > 0 && $3 > 0' "$RUN/watched" | wc -l | awk '{ print ($1 >= 3) }')" 1 \
        "progress, $1: it moves ($(wc -l <"$RUN/watched") times seen)"
}
watched "COPY ($many) TO '$large' (FORMAT tqcv)"
progress "COPY TO"
watched "COPY t (e) FROM '$large' (FORMAT tqcv)"
progress "COPY FROM"
# Core counts what it reads: two bytes more for each row than the file has.
is "$(cut -d '|' -f 3 "$RUN/watched" | grep -v '^0$' | sort -u |
    awk -v size="$(stat -c %s "$large")" '{ print ($1 >= size && $1 < 1.02 * size) }')" 1 \
    "progress, COPY FROM: the total is one, and hardly more than the file's size"
value 'ANALYZE t' >/dev/null
watched "COPY (SELECT e FROM t) TO '$files/other' (FORMAT tqcv)"
progress "COPY TO, from a table"
last=$(tail -n 1 "$RUN/watched" | cut -d '|' -f 3)
is "$((last * 10 > $(stat -c %s "$large") * 9 && last * 10 < $(stat -c %s "$large") * 11))" 1 \
    "progress, COPY TO, from a table: a total of $last for $(stat -c %s "$large") bytes"
rm -f "$files/other"
value 'TRUNCATE t' >/dev/null

# ---- cancels ----------------------------------------------------------------------------------------------------

medium=$files/medium
sql <<SQL
COPY (SELECT e FROM generate_series(1, $(rows 128)), few) TO '$medium' (FORMAT tqcv);
COPY (SELECT row_number() OVER (), e FROM generate_series(1, $(rows 128)), few) TO '$medium.ids' (FORMAT tqcv);
COPY t (e) FROM '$medium' (FORMAT tqcv);
ALTER TABLE t RENAME TO source;
CREATE UNLOGGED TABLE t (id bigint, e tqvec);
SQL
seed=0
soon() { # NAME STATEMENT
    local said worst=
    seed=$((seed + 1))
    said=$(python3 "$(dirname "$0")/cancel_latency.py" "$cluster/.s.PGSQL.5432" "${CANCELS:-10}" $seed "$2" 2>&1) ||
        true
    echo "# $1: cancelled $said"
    if [[ $said =~ ^[1-9][0-9]*\ of\ .*worst\ ([0-9]+)\. ]]; then worst=${BASH_REMATCH[1]}; fi
    # Nothing here takes seconds without looking up, even on a machine with much else to do.
    if [ -n "$worst" ] && [ "$worst" -lt 2000 ]; then
        ok "a cancel is answered: $1"
    else
        not_ok "a cancel is answered: $1" "$said"
    fi
}
soon "pg_sleep, for comparison" "SELECT pg_sleep(0.5)"
soon "core's COPY TO" "COPY source TO '$files/other' (FORMAT binary)"
soon "COPY TO" "COPY (SELECT e FROM source) TO '$files/other' (FORMAT tqcv)"
soon "COPY TO, with ids" "COPY (SELECT row_number() OVER (), e FROM source) TO '$files/other' (FORMAT tqcv)"
soon "COPY TO STDOUT" "COPY (SELECT e FROM source) TO STDOUT (FORMAT tqcv)"
soon "COPY FROM" "COPY t (e) FROM '$medium' (FORMAT tqcv)"
soon "COPY FROM, with ids" "COPY t FROM '$medium.ids' (FORMAT tqcv) WHERE id % 10 = 0"
soon "COPY FROM, recompressing" "COPY narrow FROM '$files/few' (FORMAT tqcv, RECOMPRESS)"
soon "tq_corpus_scan" "SELECT count(*) FROM (SELECT tq_corpus_scan('$medium') OFFSET 0) x"
soon "tq_corpus_scan in FROM" "SELECT count(*) FROM tq_corpus_scan('$medium')"
soon "tq_corpus_search" "
    SELECT count(*) FROM generate_series(1, 10) i, LATERAL tq_corpus_search('$medium', $query, 10 + i * 0)"
soon "tq_corpus_search, L1" "SELECT count(*) FROM tq_corpus_search('$files/few', $query, 10, 'l1')"
soon "tq_corpus_verify" "
    SELECT count(*) FROM generate_series(1, 10) i, LATERAL tq_corpus_verify('$medium' || left(i::text, 0))"
is "$(find "$files" -name '.*' -type f | wc -l)" 0 "no temporary file is left"
no_temporary_files "nor one of PostgreSQL's"
is "$(value 'SELECT count(*) FROM narrow')" "$(value "SELECT count(*) / 1000 * 1000 FROM narrow")" \
    "a cancelled COPY FROM has left no row"

cluster_stop "$cluster"
done_testing
