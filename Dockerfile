# PostgreSQL 15 with tinyquant, by way of its Debian package:
#
#   docker build -t tinyquant .
#   docker run -e POSTGRES_PASSWORD=secret -p 5432:5432 tinyquant
FROM rust:1.95-bookworm AS build
# Fixed versions would vanish from the archive with the next security update.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends \
        clang libclang-dev libssl-dev pkg-config postgresql-15 postgresql-server-dev-15 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make package

FROM postgres:15-bookworm
COPY --from=build /src/dist/*.deb /tmp/
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends /tmp/*.deb \
    && rm -rf /var/lib/apt/lists/* /tmp/*.deb
# Databases that the image's own set-up makes have the extension.
COPY docker/initdb.sql /docker-entrypoint-initdb.d/10_tinyquant.sql
CMD ["postgres", "-c", "shared_preload_libraries=tinyquant"]
