-- Vectors of any type that clients send: as queries and as values, as constants, parameters and ARRAY[…], on either side.
CREATE TABLE test.any_numbers (id int GENERATED ALWAYS AS IDENTITY, e tqvec(3, 8));
INSERT INTO test.any_numbers (e) VALUES ('[0.6, 0, 0.8]'), ('{0, 0.6, -0.8}'), ('{"1", 0, "0"}');
CREATE TABLE test.numbers (type text);
INSERT INTO test.numbers VALUES ('real[]'), ('double precision[]'), ('numeric[]'), ('integer[]'), ('smallint[]'), ('bigint[]');

-- Each operator and function, with a constant and with a parameter of a generic plan, gives what it gives of real[].
CREATE FUNCTION test.sums(type text) RETURNS TABLE (form text, query text, difference float8) LANGUAGE plpgsql AS $$
DECLARE expected float8; got float8; sides text[]; name text;
BEGIN
    FOREACH name IN ARRAY '{<->,<#>,<=>,<+>,tq_l2_distance,tq_inner_product,tq_negative_inner_product,tq_cosine_distance,tq_l1_distance}'::text[] LOOP
        FOREACH sides SLICE 1 IN ARRAY '{{e,$1},{$1,e}}'::text[][] LOOP
            form := CASE WHEN name LIKE 'tq%' THEN format('%s(%s, %s)', name, sides[1], sides[2]) ELSE format('%s %s %s', sides[1], name, sides[2]) END;
            EXECUTE format('SELECT sum(%s) FROM test.any_numbers', replace(form, '$1', $q$'{2, -1, 3}'::real[]$q$)) INTO expected;
            query := 'constant';
            EXECUTE format('SELECT sum(%s) FROM test.any_numbers', replace(form, '$1', format($q$'{2, -1, 3}'::%s$q$, type))) INTO got;
            difference := abs(got - expected);
            RETURN NEXT;
            query := 'parameter';
            EXECUTE format('PREPARE any_number (%s) AS SELECT sum(%s) FROM test.any_numbers', type, form);
            EXECUTE $q$EXECUTE any_number ('{2, -1, 3}')$q$ INTO got;
            DEALLOCATE any_number;
            difference := abs(got - expected);
            RETURN NEXT;
            query := 'sub-select';
            EXECUTE format('SELECT sum(%s) FROM test.any_numbers', replace(form, '$1', format($q$(SELECT '{2, -1, 3}'::%s OFFSET 0)$q$, type))) INTO got;
            difference := abs(got - expected);
            RETURN NEXT;
        END LOOP;
    END LOOP;
END $$;
SET plan_cache_mode = force_generic_plan;
SELECT type, count(*), count(*) FILTER (WHERE difference <= 1e-6) AS same, max(difference) <= 1e-6 AS all FROM test.numbers, test.sums(type) GROUP BY type ORDER BY type COLLATE "C";

-- Without a type: a literal, a parameter, ARRAY[…] of integers, of decimals, and of both. All are found.
SELECT id, (e <=> '[2, -1, 3]')::numeric(5, 4) AS text, (e <=> '{2, -1, 3}')::numeric(5, 4) AS array_text, (e <=> ARRAY[2, -1, 3])::numeric(5, 4) AS integers,
       (e <=> ARRAY[2.0, -1.0, 3.0])::numeric(5, 4) AS decimals, (e <=> ARRAY[2, -1.0, 3])::numeric(5, 4) AS both,
       (ARRAY[2, -1.0, 3e0] <=> e)::numeric(5, 4) AS doubles, ('[2, -1, 3]' <=> e)::numeric(5, 4) AS turned FROM test.any_numbers ORDER BY id;
PREPARE untyped AS SELECT id FROM test.any_numbers ORDER BY e <=> $1, id LIMIT 2;
EXECUTE untyped ('[2, -1, 3]');
EXECUTE untyped ('{2, -1, 3}');
DEALLOCATE untyped;
PREPARE turned AS SELECT id FROM test.any_numbers ORDER BY tq_cosine_distance($1, e), id LIMIT 1;
EXECUTE turned ('{2, -1, 3}');
DEALLOCATE turned;

-- An index is found for each.
CREATE INDEX ON test.any_numbers USING tinyquant (e tqvec_cosine_ops);
CREATE FUNCTION test.by_index(type text) RETURNS TABLE (plan text, nearest int) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('PREPARE by_index (%s) AS SELECT id FROM test.any_numbers ORDER BY $1 <=> e LIMIT 1', type);
    FOR plan IN EXPLAIN (COSTS OFF) EXECUTE by_index ('{2, -1, 3}') LOOP EXIT WHEN plan LIKE '%Order By%'; END LOOP;
    EXECUTE $q$EXECUTE by_index ('{2, -1, 3}')$q$ INTO nearest;
    DEALLOCATE by_index;
    RETURN NEXT;
END $$;
SET enable_seqscan = off;
SELECT type, found.* FROM test.numbers, test.by_index(type) found ORDER BY type COLLATE "C";
RESET enable_seqscan;
RESET plan_cache_mode;

-- Values: assignments, casts, texts. Each stores what real[] stores.
CREATE TABLE test.any_values (type text, e tqvec(3, 4));
INSERT INTO test.any_values VALUES ('integers', ARRAY[0, 1, 0]), ('decimals', ARRAY[0.0, 1.0, 0.0]), ('both', ARRAY[0, 1.0, 0]), ('doubles', ARRAY[0, 1e0, 0]::float8[]),
    ('smallint', '{0, 1, 0}'::smallint[]), ('bigint', '{0, 1, 0}'::bigint[]), ('text', '[0, 1, 0]'), ('array text', '{0, 1, 0}'), ('real', '{0, 1, 0}'::real[]);
UPDATE test.any_values SET e = ARRAY[0, 1, 0] WHERE type = 'both';
SELECT count(DISTINCT e), bool_and(e = '{0, 1, 0}'::real[]::tqvec(3, 4)) AS same FROM test.any_values;
SELECT e::double precision[] = e::real[]::double precision[] AS doubles, pg_typeof(e::double precision[]) FROM test.any_values LIMIT 1;

-- What they refuse, as the old ways do.
CREATE TABLE test.refused (way text, given text);
INSERT INTO test.refused VALUES ('query', $$ARRAY['NaN', 1, 2]::numeric[]$$), ('query', 'ARRAY[1, NULL, 2]'), ('query', 'ARRAY[[1, 2, 3]]'), ('query', 'ARRAY[1, 2]'),
    ('query', $$'{}'::int[]$$), ('query', $$'{a, b, c}'::text[]$$), ('query', $$'{1, NULL, 2}'$$),
    ('value', $$ARRAY['NaN', 1, 2]::numeric[]$$), ('value', $$ARRAY[1e400, 1, 2]$$), ('value', $$ARRAY['Infinity', 1, 2]::numeric[]$$), ('value', 'ARRAY[1, NULL, 2]'),
    ('value', 'ARRAY[[1, 2, 3]]'), ('value', 'ARRAY[1, 2]'), ('value', $$'{}'::int[]$$), ('value', 'ARRAY[0, 0, 0]'), ('value', 'ARRAY[3, 4, 0]'),
    ('value', $$'{a, b, c}'::text[]$$), ('value', $$'{1, NULL, 2}'$$), ('value', $$'{{1, 2, 3}}'$$), ('value', $$'{}'$$), ('value', $$'{1, 2'$$), ('value', $$'{1e39, 1, 2}'$$),
    ('value', $$'{NaN, 1, 2}'$$), ('value', $$'[0:2]={1, 2, 3}'$$), ('value', $$array_fill(1::int, ARRAY[16385])$$);
SELECT way, given, f.code, left(f.message, 70) AS message FROM test.refused,
    test.failure(CASE way WHEN 'query' THEN format('SELECT e <=> %s FROM test.any_numbers', given)
                          ELSE format('INSERT INTO test.any_numbers (e) VALUES (%s)', given) END) f;

-- Floats as text, and who gets records all the same.
SET tinyquant.output = 'floats';
SELECT e, e::text FROM test.any_values LIMIT 1;
SELECT array_agg(e) FROM (SELECT e FROM test.any_values LIMIT 2) s;
SELECT to_jsonb(s) FROM (SELECT e FROM test.any_values LIMIT 1) s;
COPY (SELECT e FROM test.any_values LIMIT 1) TO STDOUT;
-- What nobody here can decode is a record.
SELECT left(set_byte(e::bytea, 1, 120)::tqvec::text, 6) FROM test.any_values LIMIT 1;
SELECT left(e::text, 5) FROM test.any_values LIMIT 1;
SET extra_float_digits = 3;
SELECT left(e::text, 5) FROM test.any_values LIMIT 1;
RESET extra_float_digits;
SET synchronize_seqscans = off;
SELECT left(e::text, 5) FROM test.any_values LIMIT 1;
RESET synchronize_seqscans;
SET tinyquant.output = 'neither';
RESET tinyquant.output;
SELECT left(e::text, 5) FROM test.any_values LIMIT 1;
DROP TABLE test.any_numbers, test.numbers, test.any_values, test.refused;
DROP FUNCTION test.sums, test.by_index;
