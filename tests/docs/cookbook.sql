\ir packages.sql
-- Packages with what searches filter by: one large tenant and many small ones, an hour between rows. Their vectors are
-- compressed from those of `floats`, which embed() gives out as a model would.
SET client_min_messages = warning;
UPDATE packages p SET embedding = f.v FROM floats f WHERE f.id = p.id;
ALTER TABLE packages ADD section text, ADD tenant integer, ADD added timestamptz;
UPDATE packages SET section = split_part(name, '-', 1), tenant = CASE WHEN id % 2 = 0 THEN 1 ELSE 2 + id % 99 END,
    added = timestamptz '2026-01-01 00:00+00' + id * interval '1 hour';
CREATE INDEX packages_tenant ON packages (tenant);
CREATE INDEX packages_words ON packages USING gin (to_tsvector('simple', replace(name, '-', ' ')));
VACUUM FULL packages;
VACUUM ANALYZE packages;
CREATE FUNCTION embed(asked text) RETURNS real[] STABLE LANGUAGE sql AS 'SELECT v FROM floats WHERE name = asked';
RESET client_min_messages;
