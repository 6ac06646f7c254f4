-- Float matrices in QVEC, zTensor and Burnpack files, and core's own binary COPY of the same floats as real[], in turn. The
-- variable `rows` names a file of (id int, v vector) in core's binary format, `folder` a folder that the server may write.
-- Medians of five.

\ir timed.sql
CREATE EXTENSION vector;
CREATE EXTENSION tinyquant;
CREATE TABLE given (id int, v vector(384));
SELECT format('COPY given FROM %L (FORMAT binary)', :'rows') \gexec
CREATE TABLE arrays AS SELECT v::real[] AS v FROM given;
CREATE TABLE into_arrays (v real[]);
CREATE TABLE into_tqvec (v tqvec(384, 4));
VACUUM ANALYZE;
CHECKPOINT;

DO $$
DECLARE f record;
BEGIN
    FOR i IN 1..5 LOOP
        CALL time_file('COPY TO, core''s binary, and sync of the file', 1, 1,
            'COPY arrays TO ''%/core.bin'' (FORMAT binary); COPY (SELECT) TO PROGRAM ''sync %/core.bin''');
        FOR f IN SELECT * FROM (VALUES (2, 'ztensor', ''), (3, 'ztensor', ', COMPRESSION zstd'), (4, 'burnpack', ''), (5, 'qvec', ''))
                 v(place, format, options) LOOP
            CALL time_file(format('COPY TO, %s%s (durable, renamed)', f.format, f.options), f.place, 1,
                format('COPY arrays TO ''%%/%s.out'' (FORMAT %s%s)', f.place, f.format, f.options));
        END LOOP;
        TRUNCATE into_arrays;
        COMMIT;
        CALL time_file('COPY FROM, core''s binary, into real[]', 6, 6, 'COPY into_arrays FROM ''%/core.bin'' (FORMAT binary)');
        FOR f IN SELECT * FROM (VALUES (2, 'ztensor', ''), (3, 'ztensor', ', zstd'), (4, 'burnpack', ''), (5, 'qvec', ''))
                 v(place, format, remark) LOOP
            TRUNCATE into_arrays, into_tqvec;
            COMMIT;
            CALL time_file(format('COPY FROM, %s%s, into real[]', f.format, f.remark), 5 + f.place, 6,
                format('COPY into_arrays FROM ''%%/%s.out'' (FORMAT %s)', f.place, f.format));
            COMMIT;
            CALL time_file(format('COPY FROM, %s%s, into tqvec(384, 4)', f.format, f.remark), 10 + f.place, 6,
                format('COPY into_tqvec FROM ''%%/%s.out'' (FORMAT %s)', f.place, f.format));
            COMMIT;
        END LOOP;
    END LOOP;
END $$;
SELECT what, round((rows / ms * 1000)::numeric) AS "rows/s", round(times::numeric, 2) AS "times core's"
FROM timed, (SELECT count(*) AS rows FROM arrays) count ORDER BY position;
