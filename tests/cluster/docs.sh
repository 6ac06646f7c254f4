#!/usr/bin/env bash
# The documents: every block of SQL in README.md and docs/ is run, each document in a fresh database; its transcripts
# print what they show; the reference and the tables of options list what is there, and nothing else. docs.py has the
# rules. tests/docs/NAME.sql prepares the database of docs/NAME.md, and puts files into its /data.
# shellcheck source-path=SCRIPTDIR source=helpers.bash source=client_packages.bash
. "$(dirname "$0")/helpers.bash"
. "$(dirname "$0")/client_packages.bash"

one_cluster docs 'autovacuum = off' 'max_parallel_workers_per_gather = 0' 'wal_level = logical'
execute 'CREATE EXTENSION tinyquant'
export PGHOST=$cluster PGUSER=postgres DOCS_DATA=$RUN/data
export DOCS_PYTHON='' DOCS_NODE=''
as_server_user mkdir "$DOCS_DATA"

# Clients in Python and JavaScript; without them their blocks are skipped, and said to be.
if python_clients; then DOCS_PYTHON=$BUILD/clients/bin/python; fi
export PYTHONPATH=$REPO/clients/python/src
if node_packages node_clients pg@8.23.1 pg-copy-streams@7.0.0 postgres@3.4.9 drizzle-orm@0.45.4 knex@3.3.0 \
    pgvector@0.2.1; then
    DOCS_NODE=$BUILD/node_clients
fi

documents=()
for document in "$REPO"/README.md "$REPO"/docs/*.md; do
    document=${document#"$REPO/"}
    name=$(basename "$document" .md)
    name=${name,,}
    as_server_user mkdir -m 777 "$DOCS_DATA/${name//-/_}"
    documents+=("$document")
done
[ -z "${DOCUMENTS:-}" ] || read -ra documents <<<"$DOCUMENTS"

# take NAME ARGUMENT...: the results of a part of docs.py, as tests
take() {
    local kind name why said=
    while IFS=$'\t' read -r kind name why; do
        said=1
        case $kind in
        pass) ok "$name" ;;
        fail) not_ok "$name" "$(printf '%b' "${why//\\n/$'\n'}")" ;;
        note) echo "# $name" ;;
        *) not_ok "docs.py $1 says what it should" "$kind $name $why" ;;
        esac
    done < <(python3 "$REPO/tests/cluster/docs.py" "$@" 2>&1)
    [ -n "$said" ] || not_ok "docs.py $1 has results"
}
take pages
take reference
take options
take run "${documents[@]}"

# Each rule can fail: a document in which every block breaks one.
as_server_user mkdir -m 777 "$DOCS_DATA/broken"
broken=$(python3 "$REPO/tests/cluster/docs.py" run tests/docs/broken.md)
fails=11 notes=1
for interpreter in "$DOCS_PYTHON" "$DOCS_NODE"; do
    if [ -n "$interpreter" ]; then fails=$((fails + 2)); else notes=$((notes + 2)); fi
done
is "$(cut -f 1 <<<"$broken" | sort | uniq -c | xargs)" "$fails fail $notes note" \
    "every block of tests/docs/broken.md fails"

cluster_stop "$cluster"
done_testing
