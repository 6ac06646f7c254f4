#!/usr/bin/env bash
# SQL of the documents, run as it is written there, for tests that need several servers or others at work meanwhile.
# What one session can run, docs.sh runs.
#
#   document_blocks FILE HEADING [LANGUAGE]     how many code blocks the section has
#   document_block FILE HEADING N [LANGUAGE]    the N-th of them, from 1; LANGUAGE is sql unless given

document_block() {
    awk -v heading="$2" -v want="$3" -v language="${4-sql}" '
        /^## / { inside = ($0 == "## " heading); next }
        !inside { next }
        /^ *```/ {
            if (block) { block = 0; next }
            block = 1; shown = ($0 ~ "^ *```" language "$"); if (shown) n++
            match($0, /^ */); indent = RLENGTH
            next
        }
        block && shown && n == want { print substr($0, indent + 1) }' "$REPO/$1"
}

document_blocks() {
    local n=0
    while [ -n "$(document_block "$1" "$2" $((n + 1)) "${3-sql}")" ]; do n=$((n + 1)); done
    echo "$n"
}
