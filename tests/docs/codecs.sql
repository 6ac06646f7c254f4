\ir packages.sql
-- A corpus of TinyQuant's and its codec.
\set from :repo '/tests/pg_regress/data/d100_b8_nores'
\set to :data '/rows'
\setenv FROM :from
\setenv TO :to
\! for end in tqcv tqcb config.json; do cp "$FROM.$end" "$TO.$end"; done; chmod a+r "$TO".*
