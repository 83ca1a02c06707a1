# The images of Holdfast: docker build --target operator|service|postgres|redis . (scripts/build_images.sh builds all of them).
#
#   BASE      Debian 12; the stages that install packages start from it
#   APT_SOURCES  when given: what sources.list holds in place of what BASE brings, such as the lines of an archive of packages as
#             of one moment ([check-valid-until=no]), so that two builds install the same versions.
#             /usr/share/holdfast/packages.txt in each image lists them.
#   VERSION, REVISION, CREATED  for the labels
#
# What ships starts from nothing and takes over files only: no compiler, no package manager, no setuid program; it runs as the
# numeric user 10001 and writes nothing outside volumes, so that the root file system can be read-only.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS debian
ARG APT_SOURCES=""
ENV DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
RUN if [ -n "$APT_SOURCES" ]; then \
      rm -f /etc/apt/sources.list.d/*; \
      printf '%s\n' "$APT_SOURCES" >/etc/apt/sources.list; \
    fi \
    && printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \
    && apt-get --quiet update

FROM debian AS build
WORKDIR /src
# Before the sources: a change of these installs nothing anew.
COPY scripts/install_packages.sh scripts/
COPY scripts/packages scripts/packages
RUN apt-get install --yes --no-install-recommends ca-certificates && scripts/install_packages.sh build
COPY . .
RUN scripts/build.sh release holdfast holdfast-operator

FROM build AS roots
RUN scripts/image_root.sh /roots/service build/release/bin/holdfast \
    && scripts/image_root.sh /roots/operator build/release/bin/holdfast-operator

FROM scratch AS operator
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="holdfast-operator" \
      org.opencontainers.image.description="Watches StorageClusters and makes the cluster match them" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=roots /roots/operator/ /
ENV PATH=/usr/bin
USER 10001:10001
EXPOSE 8081
ENTRYPOINT ["/usr/bin/holdfast-operator"]
CMD ["run"]

FROM scratch AS service
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="holdfast" \
      org.opencontainers.image.description="State for applications over HTTP: the storage service and its command line" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=roots /roots/service/ /
ENV PATH=/usr/bin HOLDFAST_DATA_DIR=/var/lib/holdfast
USER 10001:10001
EXPOSE 8080 9090
ENTRYPOINT ["/usr/bin/holdfast"]
CMD ["serve"]

# PostgreSQL 15 with Patroni, pgBackRest and PgBouncer, each started by name from a pod's command.
FROM debian AS postgres-root
RUN mkdir -p /etc/postgresql-common/createcluster.d \
    && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/holdfast.conf \
    && apt-get install --yes --no-install-recommends ca-certificates patroni pgbackrest pgbouncer postgresql-15
# LLVM is half of the image, and only the JIT loads it: without llvmjit.so the server goes without.
RUN mkdir -p /usr/share/holdfast \
    && dpkg-query --show --showformat '${Package} ${Version}\n' >/usr/share/holdfast/packages.txt \
    && rm -f /usr/lib/postgresql/15/lib/llvmjit* /usr/lib/x86_64-linux-gnu/libLLVM* \
    && rm -rf /usr/lib/llvm-14 /usr/lib/postgresql/15/lib/bitcode \
    && echo 'holdfast:x:10001:10001::/var/lib/postgresql:/usr/sbin/nologin' >>/etc/passwd \
    && echo 'holdfast:x:10001:' >>/etc/group \
    && rm -rf /var/lib/postgresql /run/postgresql && install -d -o 10001 -g 10001 /var/lib/postgresql /run/postgresql \
    && rm -rf /etc/apt /etc/dpkg /usr/lib/apt /usr/lib/dpkg /usr/bin/apt* /usr/bin/dpkg* /usr/sbin/policy-rc.d \
              /var/lib/apt /var/lib/dpkg /var/cache/* /var/log/* /var/backups/* \
              /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +

FROM scratch AS postgres
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="holdfast-postgres" \
      org.opencontainers.image.description="PostgreSQL 15 with Patroni, pgBackRest and PgBouncer" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=postgres-root / /
ENV PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8 HOME=/var/lib/postgresql
USER 10001:10001
EXPOSE 5432 6432 8008
CMD ["patroni", "/etc/patroni"]

# Redis 7 with redis-cli, started by name from a pod's command.
FROM debian AS redis-root
RUN apt-get install --yes --no-install-recommends redis-server
RUN mkdir -p /usr/share/holdfast \
    && dpkg-query --show --showformat '${Package} ${Version}\n' >/usr/share/holdfast/packages.txt \
    && echo 'holdfast:x:10001:10001::/var/lib/redis:/usr/sbin/nologin' >>/etc/passwd \
    && echo 'holdfast:x:10001:' >>/etc/group \
    && rm -rf /var/lib/redis /etc/redis && install -d -o 10001 -g 10001 /var/lib/redis \
    && rm -rf /etc/apt /etc/dpkg /usr/lib/apt /usr/lib/dpkg /usr/bin/apt* /usr/bin/dpkg* /usr/sbin/policy-rc.d \
              /var/lib/apt /var/lib/dpkg /var/cache/* /var/log/* /var/backups/* \
              /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +

FROM scratch AS redis
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="holdfast-redis" \
      org.opencontainers.image.description="Redis 7" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=redis-root / /
ENV PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 HOME=/var/lib/redis
USER 10001:10001
EXPOSE 6379
CMD ["redis-server", "/etc/redis/redis.conf"]
