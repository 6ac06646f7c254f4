#!/usr/bin/env bash
# What the test `index` does, on indexes with lists.
# shellcheck source-path=SCRIPTDIR source=index.sh
INDEX_LISTS=100 . "$(dirname "$0")/index.sh"
