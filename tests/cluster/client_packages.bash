# shellcheck shell=bash
# Clients and tools from PyPI and npm, of the versions that the tests name, kept below $BUILD. Each fails if it can't
# have them: no network, no Python, no Node. Tests are then skipped, and say so.
#
#   python_packages FOLDER PACKAGE==VERSION...     a virtual environment; $BUILD/FOLDER/bin/python
#   python_clients                                 what clients/python is tested with, in $BUILD/clients
#   node_packages FOLDER PACKAGE@VERSION...        for scripts that run in $BUILD/FOLDER

# kept FOLDER PACKAGE...: whether that is what is there
kept() { [ "$(cat "$BUILD/$1/done" 2>/dev/null)" = "${*:2}" ]; }

# one_at_a_time COMMAND...: tests of two servers may ask for the same folder at once
one_at_a_time() {
    (
        flock 9
        "$@"
    ) 9>"$BUILD/client_packages.lock"
}

python_packages() { one_at_a_time make_python_packages "$@"; }
node_packages() { one_at_a_time make_node_packages "$@"; }

make_python_packages() {
    local folder=$BUILD/$1
    if kept "$@"; then return 0; fi
    rm -rf "$folder"
    python3 -m venv "$folder" >/dev/null 2>&1 || return 1
    "$folder/bin/pip" -q install "${@:2}" >"$RUN/pip.log" 2>&1 || return 1
    echo "${*:2}" >"$folder/done"
}

python_clients() {
    local wanted
    mapfile -t wanted < <(grep -v '^#' "$REPO/clients/python/tests/requirements.txt")
    python_packages clients "${wanted[@]}"
}

make_node_packages() {
    local folder=$BUILD/$1
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then return 1; fi
    if kept "$@"; then return 0; fi
    rm -rf "$folder"
    mkdir -p "$folder"
    # A project of its own, or npm would take the next one up for it.
    echo '{ "private": true }' >"$folder/package.json"
    (cd "$folder" && npm install --no-audit --no-fund --no-update-notifier \
        --fetch-retries=1 --fetch-retry-mintimeout=2000 \
        "${@:2}") >"$RUN/npm.log" 2>&1 || return 1
    echo "${*:2}" >"$folder/done"
}
