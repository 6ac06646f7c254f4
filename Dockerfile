# PostgreSQL, any of 15 to 18, with tinyquant, by way of its Debian package:
#
#   docker build -t tinyquant --build-arg PG_MAJOR=17 .
#   docker run -e POSTGRES_PASSWORD=secret -p 5432:5432 tinyquant
ARG PG_MAJOR=18
FROM postgres:${PG_MAJOR}-bookworm AS build
COPY --from=rust:1.95-bookworm /usr/local/rustup /usr/local/rustup
COPY --from=rust:1.95-bookworm /usr/local/cargo /usr/local/cargo
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:$PATH
# The image knows the archive of PostgreSQL's own packages, and has PG_MAJOR in its environment. Fixed versions would
# vanish from the archives with the next security update.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends \
        build-essential clang-19 git libclang-19-dev pkg-config "postgresql-server-dev-${PG_MAJOR}" \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make package PG_CONFIG="/usr/lib/postgresql/${PG_MAJOR}/bin/pg_config"

FROM postgres:${PG_MAJOR}-bookworm
COPY --from=build /src/dist/*.deb /tmp/
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends /tmp/*.deb \
    && rm -rf /var/lib/apt/lists/* /tmp/*.deb
# Databases that the image's own set-up makes have the extension.
COPY docker/initdb.sql /docker-entrypoint-initdb.d/10_tinyquant.sql
CMD ["postgres", "-c", "shared_preload_libraries=tinyquant"]
