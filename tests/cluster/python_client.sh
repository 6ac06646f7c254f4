#!/usr/bin/env bash
# The Python package in clients/python: made into a wheel and installed beside the drivers and frameworks that it is
# for, from PyPI; its tests against a server, each of them a test here; ruff and mypy. Without PyPI all is skipped, and
# said to be.
# shellcheck source-path=SCRIPTDIR source=helpers.bash source=client_packages.bash
. "$(dirname "$0")/helpers.bash"
. "$(dirname "$0")/client_packages.bash"

source=$REPO/clients/python
python=$BUILD/clients/bin/python
if ! python_clients; then
    echo "# SKIPPED: the Python package (its drivers can't be had)"
    done_testing
    exit
fi

# The wheel is made of a copy: nothing is written into the tree.
cp -rL "$source" "$RUN/package"
if "$python" -m pip -q wheel --no-deps --no-build-isolation -w "$RUN/wheel" "$RUN/package" >"$RUN/pip.log" 2>&1 &&
    "$python" -m pip -q install --no-deps --force-reinstall "$RUN"/wheel/tqvec-*.whl >>"$RUN/pip.log" 2>&1; then
    ok "a wheel is made and installed"
else
    not_ok "a wheel is made and installed" "$(cat "$RUN/pip.log")"
fi
is "$(python3 -m zipfile -l "$RUN"/wheel/tqvec-*.whl | grep -cE 'py.typed|LICENSE|__init__.py')" 4 \
    "the wheel has its licence, its types and its packages"
is "$("$python" -c 'import sys, tqvec; print([m for m in sys.modules if m in ("numpy", "psycopg")])')" '[]' \
    "the package by itself imports neither NumPy nor a driver"

# checks NAME COMMAND...: a program that has nothing to say
checks() {
    local name=$1 output
    shift
    if output=$(cd "$RUN/package" && "$@" 2>&1); then ok "$name"; else not_ok "$name" "$output"; fi
}
checks "ruff: rules" "$python" -m ruff check --no-cache .
checks "ruff: format" "$python" -m ruff format --no-cache --check .
checks "mypy: strict" "$python" -m mypy --cache-dir "$RUN/mypy"

one_cluster python
execute 'CREATE DATABASE python'
results=$RUN/results.xml
(cd "$RUN/package/tests" && PGHOST=$cluster PGUSER=postgres PGDATABASE=python \
    "$python" -m pytest -q -p no:cacheprovider --tb=short --junitxml="$results" >"$RUN/pytest.log" 2>&1) || true
said=
while IFS=$'\t' read -r kind name why; do
    said=1
    case $kind in
    pass) ok "$name" ;;
    skip) echo "# SKIPPED: $name: $why" ;;
    *) not_ok "$name" "$(printf '%b' "$why")" ;;
    esac
done < <(python3 - "$results" <<'PYTHON'
import sys
from collections import Counter
from xml.etree import ElementTree

skipped = Counter()
for case in ElementTree.parse(sys.argv[1]).iter("testcase"):
    name = f"{case.get('classname')}: {case.get('name')}".replace("\t", " ").replace("\n", " ")
    bad = [child for child in case if child.tag in ("failure", "error", "skipped")]
    if bad and bad[0].tag == "skipped":
        skipped[case.get("classname"), bad[0].get("message")] += 1
        continue
    why = "".join(child.text or child.get("message", "") for child in bad)
    why = why.replace("\\", "\\\\").replace("\t", " ").replace("\n", "\\n")
    print("fail" if bad else "pass", name, why, sep="\t")
for (where, why), count in skipped.items():
    print("skip", f"{where}: {count} tests", why, sep="\t")
PYTHON
)
[ -n "$said" ] || not_ok "pytest has results" "$(tail -n 40 "$RUN/pytest.log")"

cluster_stop "$cluster"
done_testing
