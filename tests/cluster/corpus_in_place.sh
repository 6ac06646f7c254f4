#!/usr/bin/env bash
# Corpora in their files: a file that is cut off, grows or is rewritten during a scan, a search or a check is the error
# of that statement and of nothing else; a cancel is answered at once; what is not read to its end is closed.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster corpus
create_extension
corpus=$cluster/large.tqcv

# 400,000 records of 256 dimensions at 8 bits, 332 MB with their lengths: the same few hundred over and over.
cluster_psql "$cluster" -At >"$RUN/records" <<'SQL'
SELECT encode(tq_compress(tq_normalize(array_agg(hashint8extended(i, s)::real)), 8)::bytea, 'hex')
FROM generate_series(1, 400) s, generate_series(1, 256) i GROUP BY s ORDER BY s;
SQL
write_corpus() {
    python3 - "$corpus" "$RUN/records" <<'PY'
import struct, sys
records = [bytes.fromhex(line) for line in open(sys.argv[2])]
config_hash, times = records[0][1:65], 1000
header = b"TQCV\x01\0\0\0" + struct.pack("<QIBBH", len(records) * times, 256, 8, 0, 64)
header += config_hash + struct.pack("<I", 0)
header += b"\0" * (-len(header) % 8)
body = b"".join(struct.pack("<I", len(record)) + record for record in records)
with open(sys.argv[1], "wb") as f:
    f.write(header)
    for _ in range(times):
        f.write(body)
PY
    chmod a+r "$corpus"
}
write_corpus
query="(SELECT tq_normalize(array_agg(i::real)) FROM generate_series(1, 256) i)"
is "$(value "SELECT records FROM tq_corpus_info('$corpus')")" 400000 "the corpus is there"

# ---- another session works all the time, and so does a backend that has the file mapped, too
{
    while [ ! -e "$RUN/stop" ]; do
        value "SELECT count(*) FROM generate_series(1, 1000)" || echo broken
    done
} >"$RUN/other.out" 2>&1 &
other=$!

# has_it_mapped: whether the session `changed` has the corpus mapped
has_it_mapped() {
    local pid
    pid=$(value "SELECT pid FROM pg_stat_activity
        WHERE application_name = 'changed' AND state = 'active' AND query LIKE '%large%'")
    [ -n "$pid" ] && as_server_user grep -q large.tqcv "/proc/$pid/maps" 2>/dev/null
}
# during STATEMENT CHANGE...: runs the statement in a session that goes on, and the change as soon as the statement has
# begun; prints what the session said. The statement runs for seconds, as often as it takes.
during() {
    local session
    surviving_session changed "$1"
    session=$!
    shift
    wait_until has_it_mapped || true
    sleep 0.1
    "$@"
    wait "$session" || true
    cat "$RUN/changed.out"
}
append() { printf x >>"$corpus"; }

# A search of L1 rotates every record back: this one takes long enough to be met in the middle.
search="SELECT count(*) FROM tq_corpus_search('$corpus', $query, 10, 'l1')"
scan="SELECT count(pg_sleep(0.00005)) FROM (SELECT tq_corpus_scan('$corpus') OFFSET 0) s"
# A check is over too soon to be met: so one after the other, until one fails or finds something.
verify="DO \$\$ BEGIN
    LOOP
        ASSERT NOT EXISTS (SELECT FROM tq_corpus_verify('$corpus')), 'faults were found';
    END LOOP;
END \$\$"
for what in scan search verify; do
    for size in 0 40000000; do
        out=$(during "${!what}" truncate -s "$size" "$corpus")
        like "$out" '58030.*large.tqcv" was truncated while it was being read|faults were found' \
            "$what, truncate -s $size: an error"
        like "$out" '42$' "$what, truncate -s $size: the session goes on"
        write_corpus
    done
done
for what in scan search; do
    out=$(during "${!what}" append)
    like "$out" '58030.*large.tqcv" was modified while it was being read' "$what: a file that grows is an error"
    write_corpus
    out=$(during "${!what}" write_corpus)
    like "$out" '58030.*large.tqcv" was (modified|truncated) while it was being read' \
        "$what: a file that is rewritten is an error"
    like "$out" '42$' "$what: the session goes on"
done

# ---- a cancel
cancelled() { # NAME STATEMENT
    local session started ended
    surviving_session cancelled "$2"
    session=$!
    wait_until is_active cancelled || true
    sleep 0.2
    # From before the cancelling session connects: an upper bound.
    started=$(date +%s%N)
    cancel cancelled
    wait "$session" || true
    ended=$(date +%s%N)
    like "$(cat "$RUN/cancelled.out")" "canceling statement due to user request" "$1 is cancelled"
    echo "# $1: psql ended $(((ended - started) / 1000000)) ms after the cancel was begun"
    like "$(cat "$RUN/cancelled.out")" '42$' "$1: the session goes on"
}
cancelled "a search by L1" "$search"
cancelled "a search" "
    SELECT sum(n) FROM generate_series(1, 1000) i,
        LATERAL (SELECT count(*) AS n FROM tq_corpus_search('$corpus', $query, 10 + i * 0)) s"
cancelled "a scan" "$scan"
cancelled "a scan in FROM" "SELECT count(*) FROM tq_corpus_scan('$corpus'), generate_series(1, 100)"
cancelled "a check" "$verify"

# ---- what is not read to its end is unmapped and closed, also after an error
left=$(cluster_psql "$cluster" -At 2>/dev/null -v ON_ERROR_STOP=0 <<SQL
SELECT count(*) FROM (SELECT tq_corpus_scan('$corpus') LIMIT 3) s;
SELECT 1 / (ordinal - 2) FROM (SELECT (tq_corpus_scan('$corpus')).ordinal) s;
BEGIN; SELECT 1 / (ordinal - 2) FROM (SELECT (tq_corpus_scan('$corpus')).ordinal) s; ROLLBACK;
SELECT 'mapped ' || (pg_read_file('/proc/self/maps', 0, 4000000) LIKE '%large.tqcv%');
SQL
)
like "$left" 'mapped false' "nothing stays mapped"

touch "$RUN/stop"
wait "$other" || true
is "$(sort -u "$RUN/other.out")" 1000 "the other session noticed nothing"
is "$(grep -c 'terminated by signal' "$cluster/server.log" || true)" 0 "no backend died"
cluster_stop "$cluster"
done_testing
