# shellcheck shell=bash
# SQL of the README, run as it is written there.
#
#   readme_blocks HEADING [LANGUAGE]     how many code blocks the section has
#   readme_block HEADING N [LANGUAGE]    the N-th of them, from 1; LANGUAGE is sql unless given, '' for output

readme_block() {
    awk -v heading="$1" -v want="$2" -v language="${3-sql}" '
        /^## / { inside = ($0 == "## " heading); next }
        !inside { next }
        /^ *```/ {
            if (block) { block = 0 } else { block = 1; shown = ($0 ~ "^ *```" language "$"); if (shown) n++; match($0, /^ */); indent = RLENGTH }
            next
        }
        block && shown && n == want { print substr($0, indent + 1) }' "$REPO/README.md"
}

readme_blocks() {
    local n=0
    while [ -n "$(readme_block "$1" $((n + 1)) "${2-sql}")" ]; do n=$((n + 1)); done
    echo "$n"
}
