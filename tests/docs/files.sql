\ir packages.sql
\setenv TO :data
\! cp "$TO/packages.tqcv" "$TO/other.tqcv"
-- A version that there isn't in record 42, and 40 bytes less.
\! head -c -40 "$TO/packages.tqcv" >"$TO/damaged.tqcv"
\! printf '\002' | dd of="$TO/damaged.tqcv" bs=1 seek=11047 conv=notrunc status=none
\! chmod a+r "$TO"/*
\set sample 'SELECT v FROM floats ORDER BY id LIMIT 100'
\set one :data '/one.zt'
\set two :data '/two.zt'
\set model :data '/model.zt'
\set index :data '/index.qvec'
SELECT tq_export(:'sample', :'one', '{"format": "ztensor", "tensor": "embeddings"}'),
    tq_export(:'sample', :'two', '{"format": "ztensor", "tensor": "small", "dtype": "f16", "compression": "zstd"}')
    \g /dev/null
SELECT tq_merge(:'model', ARRAY[:'one', :'two']),
    tq_export('SELECT name, v FROM floats ORDER BY id LIMIT 100', :'index', '{"format": "qvec"}') \g /dev/null
