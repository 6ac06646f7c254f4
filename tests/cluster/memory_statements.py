"""What memory.py runs: every function of the extension and every COPY. The tables and files are memory.sh's."""


class Statement:
    """What is run, what is run before and after it without a limit, and the functions that it calls."""

    def __init__(self, name, sql, calls=(), before="", after="", data=None, may=()):
        self.name, self.sql, self.calls = name, sql, [calls] if isinstance(calls, str) else list(calls)
        self.before, self.after, self.data, self.may = before, after, data, set(may)


# Arrays that are taken where `real[]` is.
NUMBERS = ["double precision[]", "numeric[]", "integer[]", "smallint[]", "bigint[]"]


def statements(folder):
    """All of them. The tables and files are memory.sh's."""
    vector = "(SELECT v FROM wide)"
    per_record = [
        "tqvec_out(tqvec)",
        "tq_dimension(tqvec)",
        "tq_bit_width(tqvec)",
        "tq_config_hash(tqvec)",
        "tq_has_residual(tqvec)",
        "tq_norm(tqvec)",
        "tq_indices(tqvec)",
        "tq_decompress(tqvec)",
        "tqvec_hash(tqvec)",
        "tqvec_send(tqvec)",
    ]
    for signature in per_record:
        function = signature.split("(")[0]
        for table in ("t", "wide"):
            yield Statement(f"{function} of {table}", f"SELECT {function}(e) FROM {table}", signature)
    yield Statement("hash, extended", "SELECT tqvec_hash_extended(e, 1) FROM t", "tqvec_hash_extended(tqvec,bigint)")
    for function in ("l2_distance", "inner_product", "negative_inner_product", "cosine_distance", "l1_distance"):
        name = f"tq_{function}"
        arguments = {"tqvec,real[]": "e, v", "real[],tqvec": "v, e", "tqvec,tqvec": "e, f"}
        for types, values in arguments.items():
            yield Statement(f"{name}({types})", f"SELECT {name}({values}) FROM wide", f"{name}({types})")
        for numbers in NUMBERS:
            pairs = {f"tqvec,{numbers}": f"e, v::{numbers}", f"{numbers},tqvec": f"v::{numbers}, e"}
            for types, values in pairs.items():
                yield Statement(f"{name}({types})", f"SELECT {name}({values}) FROM wide", f"{name}({types})")
        yield Statement(f"{name}, scan", f"SELECT sum({name}(e, (SELECT v FROM t WHERE id = 1))) FROM t")
        yield Statement(f"{name}, records", f"SELECT sum({name}(a.e, b.e)) FROM t a JOIN t b ON b.id = a.id % 50 + 1")
    for numbers in NUMBERS[1:]:
        values = f"array_fill(1::{numbers.removesuffix('[]')}, ARRAY[500])"
        yield Statement(f"tqvec from {numbers}", f"SELECT {values}::tqvec", f"tqvec({numbers},integer,boolean)")
    yield Statement("doubles", "SELECT e::double precision[] FROM wide", "tq_decompress_double(tqvec)")
    floats_out = {"before": "SET tinyquant.output = 'floats'", "after": "RESET tinyquant.output"}
    yield Statement("as floats", "SELECT e FROM wide", **floats_out)
    yield Statement("distances from a text", "SELECT count(e <=> (SELECT n::text FROM texts)::tqvec) FROM wide")
    for operator in ("eq", "ne", "lt", "le", "gt", "ge", "cmp"):
        name = f"tqvec_{operator}"
        yield Statement(name, f"SELECT count({name}(e, f)) FROM wide", f"{name}(tqvec,tqvec)")
    yield Statement(
        "sorted", "SELECT count(*) FROM (SELECT e FROM t ORDER BY e OFFSET 0) s", "tqvec_sortsupport(internal)"
    )
    floats = "(SELECT v::double precision[] FROM t WHERE id = 1)::real[]"
    once = ["tq_distance_support(internal)", 'tq_once("any")']
    yield Statement("distances from a cast", f"SELECT sum(e <=> {floats}) FROM t", once)
    yield Statement("distances from casts", "SELECT sum(e <=> v::double precision[]::real[]) FROM t")
    yield Statement("distances from decompressed", "SELECT sum(e <-> tq_decompress(e)) FROM t")
    yield Statement(
        "equal to a literal",
        "SELECT count(*) FROM wide, texts WHERE e = n::text::tqvec",
        ["tqvec_equality_support(internal)", "tqvec_comparand(tqvec,integer)"],
    )
    # Not a wide one: core has no memory set aside for the report of a long statement. 58P01 is that plpgsql can't be
    # loaded.
    constant = "SELECT translate(v::text, '{}', '[]') FROM t WHERE id = 1"
    equal = f"EXECUTE format('SELECT count(*) FROM t2 WHERE e = %L', ({constant})) INTO n"
    yield Statement("equal to a constant", f"DO $$ DECLARE n int; BEGIN {equal}; END $$", may=["58P01"])
    yield Statement("analyzed", "ANALYZE t (e)", "tqvec_typanalyze(internal)")
    for kind in ("", ", rotation => 'hadamard'"):
        for options in ("4", "8, true"):
            yield Statement(
                f"compress {options}{kind}",
                f"SELECT tq_compress(v, {options}{kind}) FROM wide",
                "tq_compress(real[],integer,boolean,text)",
            )
    for kind in ("2, trellis", "4, trellis, residual", "4, trellis, hadamard"):
        yield Statement(f"one of {kind}", f"SELECT v::tqvec(1500, {kind}) FROM wide")
        yield Statement(f"distance of {kind}", f"SELECT v::tqvec(1500, {kind}) <=> v FROM wide")
    trellis = "SELECT tq_train_codec('mine', 'SELECT v FROM t', 2, codes => 'trellis')"
    yield Statement("trained, a trellis", trellis, before="BEGIN", after="ROLLBACK")
    yield Statement("compress, codec", "SELECT tq_compress(v, 'docs') FROM t", "tq_compress(real[],text)")
    yield Statement(
        "rotation built", "SELECT tq_compress(v, 4) FROM t LIMIT 1", before="SELECT tq_clear_rotation_cache()"
    )
    yield Statement(
        "rotations cleared",
        "SELECT tq_clear_rotation_cache()",
        "tq_clear_rotation_cache()",
        before="SELECT tq_compress(v, 4) FROM t LIMIT 1",
    )
    yield Statement("rotations", "SELECT * FROM tq_rotation_cache()", "tq_rotation_cache()")
    yield Statement("normalize", f"SELECT tq_normalize({vector})", "tq_normalize(real[])")
    yield Statement(
        "from text",
        "SELECT n::text::tqvec(1500, 4) FROM texts",
        ["tqvec_in(cstring,oid,integer)", "tqvec_typmod_in(cstring[])", "tqvec(tqvec,integer,boolean)"],
    )
    yield Statement("from digits", "SELECT d::tqvec FROM texts")
    yield Statement(
        "modifier",
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'wide'::regclass",
        "tqvec_typmod_out(integer)",
    )
    yield Statement("from real", f"SELECT {vector}::tqvec(1500, 4)", "tqvec(real[],integer,boolean)")
    yield Statement(
        "from double",
        "SELECT v::double precision[]::tqvec(1500, 8, residual) FROM wide",
        "tqvec(double precision[],integer,boolean)",
    )
    yield Statement("from bytea", "SELECT e::bytea::tqvec FROM wide", "tqvec(bytea,integer,boolean)")
    sums = [
        "tqvec_accumulate(internal,tqvec)",
        "tqvec_sum(internal)",
        "tqvec_avg(internal)",
        "sum(tqvec)",
        "avg(tqvec)",
    ]
    yield Statement("sums", "SELECT sum(e), avg(e) FROM t GROUP BY id % 30", sums)
    parallel = (
        "SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;"
        " SET min_parallel_table_scan_size = 0"
    )
    partial = ["tqvec_combine(internal,internal)", "tqvec_serialize(internal)", "tqvec_deserialize(bytea,internal)"]
    yield Statement("sums of workers", "SELECT sum(e) FROM t", partial, before=parallel)
    types = ["real[],integer", "numeric", "text", "integer", "text"]
    trained = [f"tq_train_codebook({','.join(types[:n])})" for n in range(1, 6)]
    trained += [f"tq_train_accumulate(internal,{','.join(types[:n])})" for n in range(1, 6)]
    for method in ("lloyd", "quantile"):
        yield Statement(
            f"trained, {method}",
            f"SELECT tq_train_codebook(v, 4, 7, '{method}', 200, 'haar') FROM t",
            trained + ["tq_train_finish(internal)"],
        )
    partial = [
        "tq_train_combine(internal,internal)",
        "tq_train_serialize(internal)",
        "tq_train_deserialize(bytea,internal)",
    ]
    yield Statement("trained by workers", "SELECT tq_train_codebook(v, 4) FROM t", partial, before=parallel)
    yield Statement(
        "evaluated",
        "SELECT * FROM tq_evaluate('SELECT v FROM t LIMIT 60', k => 3, queries => 5)",
        "tq_evaluate(text,integer,integer)",
    )
    index = "CREATE INDEX t_near ON t USING tinyquant (e tqvec_cosine_ops)"
    by_index = "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"
    inside = {"before": f"BEGIN; {index}; {by_index}", "after": "ROLLBACK"}
    by_table = {"before": f"BEGIN; {index} WITH (refine = table); {by_index}", "after": "ROLLBACK"}
    yield Statement("index built", index, "tq_index_handler(internal)", before="BEGIN", after="ROLLBACK")
    for where, how in (("index", inside), ("table", by_table)):
        yield Statement(f"index filled, codes in the {where}", "INSERT INTO t SELECT * FROM t", **how)
        for query in ("v", "e"):
            nearest = f"SELECT id FROM t ORDER BY e <=> (SELECT {query} FROM t WHERE id = 1) LIMIT 100"
            yield Statement(f"neighbours by index, {query}, codes in the {where}", nearest, **how)
    yield Statement("index told", "SELECT * FROM tq_index_info('t_near')", "tq_index_info(regclass)", **inside)
    yield Statement(
        "index checked", "SELECT * FROM tq_index_check('t_near', true)", "tq_index_check(regclass,boolean)", **inside
    )
    yield Statement(
        "index measured",
        "SELECT * FROM tq_index_recall('t_near', 20, 10)",
        "tq_index_recall(regclass,integer,integer)",
        **inside,
    )
    yield Statement("version", "SELECT tq_version()", "tq_version()")
    yield Statement(
        "pgvector",
        "SELECT tq_enable_pgvector()",
        "tq_enable_pgvector()",
        before="BEGIN",
        after="ROLLBACK",
        may=["42704"],
    )
    fit = "SELECT tq_codec_fit('docs', 'SELECT v FROM t')"
    # With threads; and without any, and what the C library takes for the first use of a pool taken, so that each
    # allocation can be refused.
    alone = {"before": f"BEGIN; SET LOCAL tinyquant.threads = 1; {fit}", "after": "ROLLBACK"}
    train = "SELECT tq_train_codec('mine', 'SELECT v FROM t')"
    yield Statement("trained, a codec", train, before="BEGIN", after="ROLLBACK")
    yield Statement(
        "codec trained", train, "tq_train_codec(text,text,integer,boolean,text,boolean,numeric,text)", **alone
    )
    yield Statement("codec's fit", fit, "tq_codec_fit(text,text)", **alone)
    create = "tq_create_codec('new', 300, 4, false, 99)"
    signature = "tq_create_codec(text,integer,integer,boolean,numeric,real[],text,real[],text)"
    yield Statement(
        "codec made",
        f"SELECT {create}",
        [
            signature,
            "tq_codec_changed()",
            "tq_codec_check(text,text,integer,integer,numeric,boolean,text,real[],real[])",
        ],
        before="BEGIN",
        after="ROLLBACK",
    )
    yield Statement(
        "codec dropped",
        "SELECT tq_drop_codec('new')",
        "tq_drop_codec(text)",
        before=f"BEGIN; SELECT {create}",
        after="ROLLBACK",
    )
    files = f"'{folder}/codec.tqcb', '{folder}/codec.json'"
    yield Statement("codec written", f"SELECT tq_export_codec('docs', {files})", "tq_export_codec(text,text,text)")
    yield Statement(
        "codec read",
        f"SELECT tq_import_codec('docs', {files})",
        "tq_import_codec(text,text,text)",
        before="BEGIN; SELECT tq_drop_codec('docs')",
        after="ROLLBACK",
    )
    yield from column_and_files(folder)


# A vector, or one that no codec takes.
BAD = "CASE WHEN id % 7 = 0 THEN array_fill(0::real, ARRAY[296]) ELSE v END"
# What files are written with: the query, the options; and what is read with: the columns, the options.
FILES = {
    "tqcv": ("SELECT e FROM t", "FORMAT tqcv", "t2 (e)", "FORMAT tqcv"),
    "ids.tqcv": ("SELECT id, e FROM t", 'FORMAT tqcv, METADATA \'{"model": "m"}\'', "t2 (id, e)", "FORMAT tqcv"),
    "texts.tqcv": ("SELECT 'n' || id, e FROM t", "FORMAT tqcv", "t2 (name, e)", "FORMAT tqcv"),
    "recompressed": (None, None, "t2 (f)", "FORMAT tqcv, RECOMPRESS true"),
    "qvec": ("SELECT v FROM t", "FORMAT qvec", "t2 (v)", "FORMAT qvec"),
    "ids.qvec": ("SELECT id, v FROM t", "FORMAT qvec", "t2 (id, v)", "FORMAT qvec"),
    "zt": ("SELECT v FROM t", "FORMAT ztensor", "t2 (v)", "FORMAT ztensor"),
    "half.zt": ("SELECT v FROM t", "FORMAT ztensor, DTYPE 'f16', COMPRESSION 'zstd'", "t2 (v)", "FORMAT ztensor"),
    "old.zt": ("SELECT v FROM t", "FORMAT ztensor, VERSION '1', COMPRESSION 'zstd'", "t2 (v)", "FORMAT ztensor"),
    "sparse.zt": ("SELECT v FROM t", "FORMAT ztensor, SPARSE true", "t2 (v)", "FORMAT ztensor"),
    "bpk": ("SELECT v FROM t", "FORMAT burnpack", "t2 (v)", "FORMAT burnpack"),
    "bad.bpk": (f"SELECT {BAD} FROM t", "FORMAT burnpack", "t2 (e)", "FORMAT burnpack, ON_ERROR 'ignore'"),
    "bad.zt": (f"SELECT {BAD} FROM t", "FORMAT ztensor", "t2 (e)", "FORMAT ztensor, ON_ERROR 'null'"),
    "tolerant": (None, None, "t2 (f)", "FORMAT tqcv, RECOMPRESS true, ON_ERROR 'ignore'"),
    "records.zt": ("SELECT e FROM t", "FORMAT ztensor", "t2 (e)", "FORMAT ztensor"),
}


def column_and_files(folder):
    """tq_compress_column, COPY and the functions on files."""
    calls = "tq_compress_column(regclass,text,text,integer,text,text,bigint)"
    for name, options in (("column", ""), ("column, rejects", ", on_error => 'ignore'")):
        table = "filled" if not options else "filled_in_part"
        call = f"CALL tq_compress_column('{table}', 'v', 'e', 70{options})"
        yield Statement(name, call, calls, before=f"UPDATE {table} SET e = NULL")
    yield Statement("progress", "SELECT * FROM tq_compress_progress()", "tq_compress_progress()")
    for name, (query, to, columns, options) in FILES.items():
        path = f"{folder}/{name}" if query else f"{folder}/tqcv"
        if query:
            yield Statement(f"COPY TO {name}", f"COPY ({query}) TO '{path}' WITH ({to})", "tq_run_copy()")
            yield Statement(f"COPY TO STDOUT {name}", f"COPY ({query}) TO STDOUT WITH ({to})")
        yield Statement(
            f"COPY FROM {name}",
            f"COPY {columns} FROM '{path}' WITH ({options})",
            "tqvec_recv(internal,oid,integer)",
            before="TRUNCATE t2",
        )
        yield Statement(
            f"COPY FROM STDIN {name}", f"COPY {columns} FROM STDIN WITH ({options})", before="TRUNCATE t2", data=path
        )
    for name in ("tqcv", "ids.tqcv", "qvec", "half.zt", "bpk"):
        path = f"{folder}/{name}"
        yield Statement(f"info of {name}", f"SELECT * FROM tq_file_info('{path}')", "tq_file_info(text)")
        for target in ("tqcv", "qvec", "ztensor", "burnpack"):
            yield Statement(
                f"{name} to {target}",
                f"SELECT tq_convert('{path}', '{folder}/converted', '{{\"format\": \"{target}\"}}')",
                "tq_convert(text,text,jsonb)",
            )
    for name in ("ids.tqcv", "half.zt", "sparse.zt", "bpk"):
        other = f"{folder}/other.{name}"
        sources = f"ARRAY['{folder}/{name}', '{other}']"
        yield Statement(
            f"{name} merged", f"SELECT tq_merge('{folder}/merged', {sources})", "tq_merge(text,text[],jsonb)"
        )
    yield Statement(
        "import",
        f"SELECT tq_import('t2', '{folder}/tqcv', '{{\"column\": \"e\"}}')",
        "tq_import(regclass,text,jsonb)",
        before="TRUNCATE t2",
    )
    yield Statement("export", f"SELECT tq_export('SELECT e FROM t', '{folder}/exported')", "tq_export(text,text,jsonb)")
    corpus = f"'{folder}/ids.tqcv'"
    query = "(SELECT v FROM t WHERE id = 1)"
    yield Statement("corpus", f"SELECT * FROM tq_corpus_info({corpus})", "tq_corpus_info(text)")
    yield Statement("corpus scanned", f"SELECT count(embedding) FROM tq_corpus_scan({corpus})", "tq_corpus_scan(text)")
    yield Statement("corpus verified", f"SELECT * FROM tq_corpus_verify({corpus})", "tq_corpus_verify(text)")
    for metric in ("l2", "l1"):
        yield Statement(
            f"corpus searched, {metric}",
            f"SELECT * FROM tq_corpus_search({corpus}, {query}, 10, '{metric}')",
            "tq_corpus_search(text,real[],integer,text)",
        )
    yield Statement("index searched", f"SELECT * FROM tq_corpus_search('{folder}/qvec', {query}, 10)")


def statements_of_floats():
    """Of indexes over pgvector's columns, where there is pgvector."""
    # pgvector's library is loaded before: that it can't be is another error, and core's.
    by_index = "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SELECT '[1]'::vector <-> '[1]'"
    for column, what, options in (("v", "vector", ""), ("h", "halfvec", "WITH (bits = 4, lists = 5)")):
        index = f"CREATE INDEX floats_near ON floats USING tinyquant ({column} {what}_l2_ops) {options}"
        inside = {"before": f"BEGIN; {index}; {by_index}", "after": "ROLLBACK"}
        nearest = f"SELECT id FROM floats ORDER BY {column} <-> (SELECT {column} FROM floats WHERE id = 1) LIMIT 100"
        yield Statement(f"index of {what} built", index, before="BEGIN", after="ROLLBACK")
        yield Statement(f"index of {what} filled", "INSERT INTO floats SELECT * FROM floats", **inside)
        yield Statement(f"neighbours by index of {what}", nearest, **inside)
        yield Statement(f"index of {what} checked", "SELECT * FROM tq_index_check('floats_near', true)", **inside)
