# shellcheck shell=bash disable=SC2034 # used by those who source it
# A database with something of everything that the extension can be in: columns of all kinds, generated ones, indexes on
# bytes and on functions, views, codecs. It must come back whole from dumps and upgrades.
#
#   populate CLUSTER DATABASE      makes it; names go by the search path, so it serves whatever schema the extension is
#                                  in
#   $rows $codecs $answers $means  queries, each with one digest: of stored bytes, of codecs, of distances, of a
#                                  materialized view
#   digests_of CLUSTER DATABASE    all of them
#   indexed CLUSTER DATABASE       rows that are found by indexes alone, and what the indexes are
#   used CLUSTER DATABASE          what a user does next: new rows, updates, codecs, files (in $RUN/files)

populate() { # CLUSTER DATABASE
    cluster_psql "$1" -d "$2" >/dev/null <<'SQL'
SET client_min_messages = warning;
SELECT tq_create_codec('trained', 48, 4, false, 7,
    (SELECT array_agg(((i - 8.3) / 3)::real ORDER BY i) FROM generate_series(1, 16) i));
SELECT tq_create_codec('spare', 48, 2, false, 8);
CREATE FUNCTION unit(seed int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg((x / sqrt(n))::real ORDER BY i)
    FROM (
        SELECT i, x, sum(x * x) OVER () AS n
        FROM generate_series(1, 48) i, LATERAL (SELECT sin(i * seed)::float8 AS x) s) t
$$;
-- Wherever the table is, which was in the extension's schema up to 0.2.0.
CREATE FUNCTION codecs_digest() RETURNS text LANGUAGE plpgsql AS $$
DECLARE digest text;
BEGIN
    EXECUTE format('SELECT md5(string_agg(jsonb_strip_nulls(to_jsonb(t))::text, %L ORDER BY name)) FROM %s t', ',',
        (SELECT c.oid::regclass FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass
            WHERE relname = 'tq_codec' AND relkind = 'r' AND deptype = 'e')) INTO STRICT digest;
    RETURN digest;
END $$;
CREATE TABLE items (
    id int PRIMARY KEY,
    v real[] NOT NULL,
    small tqvec(48, 2),
    made tqvec(48, 4) GENERATED ALWAYS AS (v::tqvec(48, 4)) STORED,
    exact tqvec(48, 8, residual),
    trained tqvec,
    dimension int GENERATED ALWAYS AS (tq_dimension(trained)) STORED
);
INSERT INTO items (id, v, small, exact, trained)
SELECT i, unit(i), unit(i)::tqvec(48, 2), unit(i)::tqvec(48, 8, residual), tq_compress(unit(i), 'trained')
FROM generate_series(1, 400) i;
CREATE INDEX items_by_bytes ON items (exact);
CREATE INDEX items_by_hash ON items USING hash (small);
CREATE INDEX items_by_codec ON items (tq_config_hash(trained));
CREATE INDEX items_by_norm ON items (tq_norm(made)) WHERE tq_bit_width(made) = 4;
CREATE UNIQUE INDEX items_once ON items (made);
CREATE VIEW nearest AS SELECT id, made <=> (SELECT exact FROM items WHERE id = 7) AS distance FROM items;
CREATE MATERIALIZED VIEW means AS SELECT id % 3 AS third, avg(made) AS mean FROM items GROUP BY 1;
CREATE TABLE plain (id int, v real[]);
INSERT INTO plain SELECT id, v FROM items;
CREATE INDEX plain_by_code ON plain ((tq_compress(v)));
SQL
}
rows="
    SELECT md5(string_agg(md5(small::bytea) || md5(made::bytea) || md5(exact::bytea) || md5(trained::bytea)
        || dimension, ',' ORDER BY id))
    FROM items"
codecs='SELECT codecs_digest()'
answers="
    SELECT md5(string_agg(format('%s %s %s', n.distance, trained <-> unit(9), exact <#> unit(9)), ',' ORDER BY i.id))
    FROM items i JOIN nearest n USING (id)"
means="SELECT md5(string_agg(third || mean::text, ',' ORDER BY third)) FROM means"

digests_of() { # CLUSTER DATABASE
    cluster_psql "$1" -d "$2" -At -c "$rows" -c "$codecs" -c "$answers" -c "$means"
}
indexed() { # CLUSTER DATABASE
    cluster_psql "$1" -d "$2" -At <<'SQL'
SET enable_seqscan = off;
SELECT count(*) FROM items i
    WHERE exact = i.v::tqvec(48, 8, residual) AND id = (SELECT id FROM items m WHERE m.made = i.made);
SELECT count(*) FROM items i WHERE EXISTS (SELECT FROM items s WHERE s.small = i.small AND s.id = i.id);
SELECT count(*) FROM items WHERE tq_config_hash(trained) = tq_config_hash(tq_compress(unit(1), 'trained'));
SELECT count(*) FROM plain p WHERE tq_compress(v) = (SELECT made FROM items i WHERE i.id = p.id);
SELECT indexdef FROM pg_indexes WHERE tablename IN ('items', 'plain') ORDER BY indexname;
SQL
}
used() { # CLUSTER DATABASE
    cluster_psql "$1" -d "$2" -At 2>&1 <<SQL
SET client_min_messages = warning;
BEGIN;
INSERT INTO items (id, v, trained) SELECT i, unit(i), tq_compress(unit(i), 'spare') FROM generate_series(401, 420) i;
UPDATE items SET small = v::tqvec(48, 2), exact = v::tqvec(48, 8, residual);
SELECT count(*), sum(tq_bit_width(trained)) FROM items WHERE made = v::tqvec(48, 4);
SELECT tq_create_codec('later', 48, 4, false, 11) IS NOT NULL;
SELECT tq_export('SELECT id, made FROM items', '$RUN/files/made.tqcv', '{}');
SELECT records, codec FROM tq_corpus_info('$RUN/files/made.tqcv');
REFRESH MATERIALIZED VIEW means;
ROLLBACK;
VACUUM (FREEZE, ANALYZE) items;
REINDEX TABLE items;
SQL
}
