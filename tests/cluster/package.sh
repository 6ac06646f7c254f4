#!/usr/bin/env bash
# What `make package` makes, on servers that have never seen the extension: the tarball installs, works and goes without
# a trace; and where the server is Debian's, the steps of the Dockerfile give a Debian package that does the same.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"
version=$(sed -nE "s/^default_version = '(.*)'/\1/p" "$("$PG_CONFIG" --sharedir)/extension/tinyquant.control")

listing() { (cd "$1" && find . ! -type d | sort); }
# smoke NAME CLUSTER SETTING...: with the server of $PG_BIN
smoke() {
    local name=$1
    shift
    one_cluster "$@"
    cluster_psql "$cluster" -f "$REPO/docker/initdb.sql"
    is "$(value "SELECT extversion FROM pg_extension WHERE extname = 'tinyquant'")" "$version" "$name: CREATE EXTENSION"
    like "$(value 'SELECT tq_version()')" "$version" "$name: the library is of this version, too"
    sql <<SQL
CREATE TABLE items (id bigint PRIMARY KEY, embedding tqvec(64, 4));
INSERT INTO items
SELECT i, tq_normalize(array_agg(sin(i * j)::real ORDER BY j))
FROM generate_series(1, 100) i, generate_series(1, 64) j GROUP BY i;
COPY (SELECT id, embedding FROM items ORDER BY id) TO '$cluster/items.tqcv' WITH (FORMAT tqcv);
CREATE TABLE loaded (LIKE items);
COPY loaded (id, embedding) FROM '$cluster/items.tqcv' WITH (FORMAT tqcv);
SQL
    is "$(value 'SELECT count(*) FROM items JOIN loaded USING (id, embedding)')" 100 \
        "$name: rows go into a corpus and back"
    is "$(value '
        SELECT id FROM items ORDER BY embedding <=> (SELECT embedding FROM loaded WHERE id = 42) LIMIT 1')" 42 \
        "$name: a search"
    is "$(value "
        SELECT count(*) FROM pg_extension_update_paths('tinyquant') WHERE target = '$version' AND path IS NULL")" 0 \
        "$name: upgrades"
    cluster_stop "$cluster"
}
gone() { # NAME: the server of the last smoke
    sed -i "s/^shared_preload_libraries.*//" "$cluster/data/postgresql.conf"
    cluster_start "$cluster"
    execute 'CREATE DATABASE other'
    like "$(value 'CREATE EXTENSION tinyquant' other 2>&1)" \
        'extension "tinyquant" is not available|could not open extension control file' "$1: it is gone"
    cluster_stop "$cluster"
}

# ---- the tarball ------------------------------------------------------------------------------------------------

PG_CONFIG=$PG_CONFIG "$ROOT/scripts/package" --installed "$RUN/dist" >"$RUN/package.log" 2>&1 || cat "$RUN/package.log"
PG_CONFIG=$PG_CONFIG "$ROOT/scripts/package" --installed "$RUN/again" >"$RUN/package.log" 2>&1 || cat "$RUN/package.log"
tarball=$(cd "$RUN/dist" && ls)
is "$tarball" "tinyquant-$version-pg$PG_MAJOR-linux-$(uname -m).tar.gz" "the tarball's name"
is "$(cmp "$RUN/dist/$tarball" "$RUN/again/$tarball" 2>&1)" '' "packed again, it is the same"
mkdir "$RUN/unpacked"
tar -C "$RUN/unpacked" -xzf "$RUN/dist/$tarball"
release=$RUN/unpacked/${tarball%.tar.gz}
holds=(README.md CHANGELOG.md LICENSE LICENSES-OF-CRATES install extension/tinyquant.control
    "extension/tinyquant--$version.sql")
is "$(cd "$release" && stat -c %n "${holds[@]}" 2>&1)" "$(printf '%s\n' "${holds[@]}")" "what it holds"
is "$(find "$release" -name 'tinyquant--*.sql' | grep -vc -e '--.*--' || true)" 1 \
    "of installation scripts, the present one alone"
is "$(grep -cE '^(pgrx|faer|zstd-sys) v[0-9].*: [A-Z]' "$release/LICENSES-OF-CRATES")" 3 \
    "the licences of what is in the library"

server_copy "$PG_MAJOR" "$RUN/clean"
# A machine on which somebody has installed the extension is as good.
rm -f "$("$PG_CONFIG" --pkglibdir)/tinyquant.so" "$("$PG_CONFIG" --sharedir)/extension/tinyquant"*
before=$(listing "$RUN/clean")
is "$(grep -c tinyquant <<<"$before" || true)" 0 "a server that has never seen the extension"
like "$(PG_CONFIG=$PG_CONFIG "$release/install" 2>&1)" 'installed into .*shared_preload_libraries' \
    "the tarball's installer"
smoke tarball c
"$release/install" remove >/dev/null
is "$(diff <(listing "$RUN/clean") - <<<"$before")" '' "tarball: install remove leaves nothing"
gone tarball
DESTDIR=$RUN/elsewhere "$release/install" >/dev/null
is "$(listing "$RUN/elsewhere" | wc -l)" "$(find "$release/lib" "$release/extension" -type f | wc -l)" "DESTDIR"
echo 14 >"$release/major"
like "$("$release/install" 2>&1)" "error: this is a build for PostgreSQL 14, and .* is of version $PG_MAJOR" \
    "another server is refused"

# ---- the Dockerfile, and its Debian package ---------------------------------------------------------------------

if [ ! -x "/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" ] || [ "$(debian_pg)" != "$PG_MAJOR" ] ||
    ! command -v dpkg-deb >/dev/null; then
    echo "# SKIPPED: the Debian package, which is for a server of Debian's"
    done_testing
    exit
fi
# instructions STAGE NAME: the arguments of a stage's instructions of that name, one a line
instructions() {
    sed -e ':a; /\\$/ { N; s/\\\n */ /; ba }' "$ROOT/Dockerfile" |
        awk -v stage="$1" -v name="$2" '$1 == "FROM" { n++ } n == stage && $1 == name { sub(/^[A-Z]+ */, ""); print }'
}
# What apt and the base images bring is here already, so apt is only asked for the names.
for stage in 1 2; do
    like "$(instructions $stage RUN | head -n 1)" '^apt-get update && apt-get install -y --no-install-recommends ' \
        "stage $stage begins with apt"
done
known() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }
if known bash; then
    names=$(instructions 1 RUN | sed -nE 's/.*--no-install-recommends +([^&]*).*/\1/p' | sed 's/"//g')
    # shellcheck disable=SC2016 # as it stands in the Dockerfile
    for name in ${names//'${PG_MAJOR}'/$PG_MAJOR}; do
        if known "$name"; then ok "stage 1: apt knows $name"; else not_ok "stage 1: apt knows $name"; fi
    done
else
    echo "# SKIPPED: the names of Debian's packages (apt has no lists here)"
fi
is "$(sed -nE 's/^COPY --from=rust:([0-9.]+)-.*/\1/p' "$ROOT/Dockerfile" | sort -u)" \
    "$(sed -nE 's/^rust-version = "([0-9.]+)"/\1/p' "$ROOT/Cargo.toml" | head -n 1)" \
    "stage 1: the Rust that the sources ask for"
# shellcheck disable=SC2016 # as it stands in the Dockerfile
is "$(sed -nE 's/^FROM ([^ ]*).*/\1/p' "$ROOT/Dockerfile" | sort -u)" 'postgres:${PG_MAJOR}-bookworm' \
    "both stages: the server that the package is for"
like "$(sed -nE 's/^ARG PG_MAJOR=(.*)/\1/p' "$ROOT/Dockerfile")" '^1[5-8]$' "which is one of the servers that there are"

# COPY . .
is "$(instructions 1 COPY | grep -v -- --from)" '. .' "stage 1: the sources are copied"
# In the same folder each time, so that what is built from it is built once for all runs.
image=$BUILD/image
rm -rf "$image"
mkdir -p "$image/src"
exclude=()
while read -r name; do exclude+=("--exclude=./$name"); done <"$ROOT/.dockerignore"
tar -C "$ROOT" "${exclude[@]}" -cf - . | tar -C "$image/src" -xf -
is "$(cd "$image/src" && ls -d .git target .build dist 2>/dev/null)" '' "stage 1: without what is built"
like "$(instructions 1 RUN | sed 1d)" '^make package PG_CONFIG=' "stage 1: make package"
# The image builds all crates, the tests only what isn't built yet.
make_package() (
    cd "$image/src" || exit
    unset PG_CONFIG
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target} PATH=$BUILD/tools/bin:$PATH
    bash -c "$(instructions 1 RUN | sed 1d)"
)
if make_package >"$RUN/make.log" 2>&1; then
    ok "make package"
else
    not_ok "make package" "$(tail -n 20 "$RUN/make.log")"
fi
read -r from pattern target <<<"$(instructions 2 COPY | grep -- --from)"
is "$from $target" '--from=build /tmp/' "stage 2: the package is copied"
# shellcheck disable=SC2206 # a pattern
deb=("$image"${pattern%\*.deb}*.deb)
is "${#deb[@]} $(basename "${deb[0]}")" \
    "1 postgresql-${PG_MAJOR}-tinyquant_$version-1_$(dpkg --print-architecture).deb" "stage 2: which is this"
for file in $(instructions 2 COPY | sed -n '/--from/!s/ .*//p'); do
    is "$(stat -c %n "$image/src/$file")" "$image/src/$file" "stage 2: $file is there"
done

# A machine with Debian's server and its dependencies, as dpkg sees it.
machine=$RUN/m
mkdir -p "$machine"/usr/{lib,share}/postgresql "$machine"/var/lib/dpkg/{info,updates,triggers}
chmod 755 "$machine"
cp -a "/usr/lib/postgresql/$PG_MAJOR" "$machine/usr/lib/postgresql/"
cp -a "/usr/share/postgresql/$PG_MAJOR" "$machine/usr/share/postgresql/"
# A machine on which somebody has installed the extension is as good.
rm -f "$machine/usr/lib/postgresql/$PG_MAJOR/lib/tinyquant.so" \
    "$machine/usr/share/postgresql/$PG_MAJOR/extension/tinyquant"*
for name in "postgresql-$PG_MAJOR" libc6 libgcc-s1; do
    dpkg-query -s "$name" | sed '/^Conffiles:/,/^[^ ]/ { /^Conffiles:/d; /^ /d }'
    echo
    touch "$machine/var/lib/dpkg/info/$name.list"
    touch "$machine/var/lib/dpkg/info/$name:$(dpkg --print-architecture).list"
done >"$machine/var/lib/dpkg/status"
on_machine() { dpkg --root="$machine" --force-not-root --force-script-chrootless --log=/dev/null "$@" 2>&1; }
before=$(listing "$machine/usr")
like "$(on_machine -i "${deb[0]}")" "Setting up postgresql-$PG_MAJOR-tinyquant \($version-1\)" \
    "dpkg -i, whose dependencies are met"
is "$(on_machine --verify "postgresql-$PG_MAJOR-tinyquant")" '' "dpkg --verify"
is "$(find "$machine/usr" -name '*tinyquant*' ! -user "$(id -un)")" '' "its files are root's"
use_server "$machine/usr/lib/postgresql/$PG_MAJOR/bin"
setting=$(instructions 2 CMD | sed -nE 's/^\["postgres", "-c", "(.*)=(.*)"\]$/\1 = \x27\2\x27/p')
is "$setting" "shared_preload_libraries = 'tinyquant'" "stage 2: how the server is started"
smoke deb d "$setting"
like "$(on_machine -r "postgresql-$PG_MAJOR-tinyquant")" 'Removing' "dpkg -r"
is "$(diff <(listing "$machine/usr") - <<<"$before")" '' "dpkg -r leaves nothing"
gone deb

done_testing
