#!/usr/bin/env bash
# A minor upgrade: the same data directory under a newer release of the same PostgreSQL, with the same library, which
# was built with the older one's headers. Rows, indexes and codecs are what they were, and are used and changed on.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"
# shellcheck source=fixtures.bash
. "$(dirname "$0")/fixtures.bash"
if [ -z "${NEWER_PG_BIN:-}" ]; then
    echo "# SKIPPED: no newer release of PostgreSQL $PG_MAJOR is here"
    done_testing
    exit
fi
as_server_user mkdir "$RUN/files"
release() { cluster_value "$cluster" 'SHOW server_version'; }

one_cluster minor
before=$(release)
execute 'CREATE DATABASE work'
cluster_psql "$cluster" -d work -c 'CREATE EXTENSION tinyquant'
populate "$cluster" work
cluster_psql "$cluster" -d work >/dev/null <<'SQL'
CREATE TABLE many AS SELECT i AS id, unit(i)::tqvec(48, 4) AS e FROM generate_series(1, 3000) i;
CREATE INDEX many_flat ON many USING tinyquant (e tqvec_cosine_ops);
CREATE INDEX many_lists ON many USING tinyquant (e tqvec_l2_ops) WITH (lists = 20);
DELETE FROM many WHERE id % 7 = 0;
SQL
neighbours="
    SET enable_seqscan = off; SET enable_sort = off;
    SELECT string_agg(n.ids, ' ' ORDER BY q) FROM generate_series(1, 40) q, LATERAL (
        SELECT (SELECT string_agg(id::text, ',') FROM (SELECT id FROM many ORDER BY e <=> unit(q) LIMIT 10) t)
            || '/' || (SELECT string_agg(id::text, ',') FROM (SELECT id FROM many ORDER BY e <-> unit(q) LIMIT 10) t)
            AS ids) n"
faults="
    SELECT count(*) FROM unnest(ARRAY['many_flat', 'many_lists']) i, tq_index_check(i::regclass, true)"
digest=$(digests_of "$cluster" work)
index=$(indexed "$cluster" work)
found=$(cluster_value "$cluster" "$neighbours" work)
want_used=$(used "$cluster" work)
like "$found" '^[0-9]+(,[0-9]+){9}/[0-9]' "PostgreSQL $before: searches by both indexes"
# What it has last written is in its log alone: the newer release replays the older one's records.
cluster_psql "$cluster" -d work -c 'CHECKPOINT' -c 'DELETE FROM many WHERE id % 11 = 0' \
    -c 'INSERT INTO many SELECT i, unit(i) FROM generate_series(3001, 3200) i'
found=$(cluster_value "$cluster" "$neighbours" work)
cluster_stop "$cluster" immediate

use_server "$NEWER_PG_BIN"
echo "$PG_BIN" >"$cluster/bin-dir"
cluster_start "$cluster"
after=$(release)
is "$([ "$after" != "$before" ] && echo newer)" newer "a minor upgrade, after a crash: $before to $after"
is "$(digests_of "$cluster" work)" "$digest" "equal rows, codecs, answers"
is "$(indexed "$cluster" work)" "$index" "equal indexes, which find every row"
is "$(cluster_value "$cluster" "$neighbours" work)" "$found" "indexes of vectors find what they found"
is "$(cluster_value "$cluster" "$faults" work)" 0 "and are sound"
is "$(used "$cluster" work)" "$want_used" "new rows, updates, codecs and files"
cluster_psql "$cluster" -d work -c 'VACUUM many' \
    -c 'INSERT INTO many SELECT i, unit(i) FROM generate_series(3201, 3300) i'
is "$(cluster_value "$cluster" "$faults" work)" 0 "indexes are sound after a vacuum and new rows"
is "$(cluster_value "$cluster" 'REINDEX INDEX many_lists' work && cluster_value "$cluster" "$faults" work)" 0 \
    "and built again"
like "$(cluster_value "$cluster" 'ALTER EXTENSION tinyquant UPDATE' work 2>&1)" \
    '^NOTICE:  version "[0-9.]+" of extension "tinyquant" is already installed$' \
    "the extension is of its version"
cluster_stop "$cluster"
done_testing
