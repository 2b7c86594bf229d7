# syntax=docker/dockerfile:1
# The server as an image: built by our own scripts on Debian 12, run on Debian 12 as a user without rights.
#
#   docker build -t latchkey .
#
# No secret is in it: packaging/container/make-secrets makes files, with-secrets reads them (docs/operating/packages.md).
ARG DEBIAN=bookworm-slim

FROM debian:${DEBIAN} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
# The compiler is installed once, and again only if these change.
COPY Cargo.toml rust-toolchain.toml ./
COPY scripts/bootstrap.sh scripts/env.sh scripts/
RUN scripts/bootstrap.sh base
COPY . .
RUN scripts/build.sh

FROM debian:${DEBIAN}
# Certificates of GitHub, upstreams and databases are checked against the system's authorities.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
# A number of our own, so that a volume keeps its owner from image to image.
RUN groupadd --gid 10001 latchkey \
    && useradd --uid 10001 --gid latchkey --no-create-home --home-dir /var/lib/latchkey --shell /usr/sbin/nologin latchkey \
    && install -d -o latchkey -g latchkey -m 0700 /var/lib/latchkey
COPY --chmod=755 packaging/with-secrets packaging/container/healthcheck /usr/lib/latchkey/
COPY --from=build /src/target/release/latchkey /usr/bin/latchkey
USER 10001:10001
WORKDIR /var/lib/latchkey
VOLUME /var/lib/latchkey
# All addresses of the container; what is published is for `docker run -p` to say.
ENV LATCHKEY_LISTEN=0.0.0.0:3000 LATCHKEY_DATA_DIR=/var/lib/latchkey
EXPOSE 3000
# Requests in progress may take 25 seconds after this, and the last counters 90.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/lib/latchkey/healthcheck"]
ENTRYPOINT ["/usr/lib/latchkey/with-secrets", "/usr/bin/latchkey"]
CMD ["serve"]
