# Caroni Edge in a container. README.md has the walk-through with compose, docs/operations.md the rest; by hand:
#
#   docker build --tag caroni-edge .
#   docker run --volume ./my:/etc/caroni-edge:ro --volume m1:/var/lib/caroni-edge caroni-edge \
#       manager --config /etc/caroni-edge/manager.yaml
#
# Any Debian 12 or newer, or Ubuntu 24.04 or newer, will do as the base.
ARG BASE_IMAGE=debian:bookworm-slim


# The broker of the walk-through: a mosquitto, which makes its password file of the logins that it is given.
FROM ${BASE_IMAGE} AS broker
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends mosquitto \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
USER mosquitto
VOLUME /var/lib/mosquitto
EXPOSE 1883 1884
HEALTHCHECK --interval=5s --timeout=5s --start-period=15s CMD ["bash", "-c", "</dev/tcp/127.0.0.1/1883"]
CMD ["sh", "-euc", "umask 077; cp /etc/caroni-edge/logins /tmp/passwd; mosquitto_passwd -U /tmp/passwd; exec mosquitto -c /etc/caroni-edge/mosquitto.conf"]


FROM ${BASE_IMAGE} AS base
# tini is process 1: it passes signals on, and takes in the orphans of jobs.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3 tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*


FROM base AS build
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv
WORKDIR /src
COPY requirements-dist.lock ./
# The lock of the program in one file: it leaves out what others would bring along. What it is made with goes again below.
RUN python3 -m venv /opt/caroni-edge \
    && /opt/caroni-edge/bin/pip install --no-cache-dir --no-deps --require-hashes --requirement requirements-dist.lock
COPY . .
RUN /opt/caroni-edge/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/caroni-edge/bin/pip uninstall --yes altgraph packaging pyinstaller pyinstaller-hooks-contrib setuptools pip


FROM base
COPY --from=build /opt/caroni-edge /opt/caroni-edge
COPY packaging/containers/healthcheck.py /opt/caroni-edge/
RUN useradd --uid 990 --no-log-init --home-dir /var/lib/caroni-edge --create-home caroni
# The state is on the volume whatever a configuration says: the health check looks for the node there.
ENV PATH=/opt/caroni-edge/bin:$PATH LANG=C.UTF-8 CARONI_EDGE_STATE_DIR=/var/lib/caroni-edge/state
# By numbers, for those who must see without a look inside that it is not root.
USER 990:990
WORKDIR /var/lib/caroni-edge
VOLUME /var/lib/caroni-edge
EXPOSE 8000 8001
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["python3", "-IS", "/opt/caroni-edge/healthcheck.py"]
ENTRYPOINT ["tini", "--", "caroni-edge"]
CMD ["--help"]
