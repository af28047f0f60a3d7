# Caroni Edge in a container; what runs is said behind the image's name:
#
#   docker build -t caroni-edge .
#   docker run --rm --network host -v ./manager:/etc/caroni-edge -v caroni-manager:/var/lib/caroni-edge \
#       caroni-edge manager --config /etc/caroni-edge/manager.yaml
#
# An agent in a container runs its jobs in there too, and they end with the container: build an image FROM this one with
# what the jobs need, or install the agent on the host.

FROM python:3.13-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/caroni-edge
COPY requirements.lock ./
RUN /opt/caroni-edge/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY . .
RUN /opt/caroni-edge/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim-bookworm
# tini is process 1: it passes signals on, and takes in the orphans of jobs.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 990 --home-dir /var/lib/caroni-edge --create-home caroni
COPY --from=build /opt/caroni-edge /opt/caroni-edge
ENV PATH=/opt/caroni-edge/bin:$PATH LANG=C.UTF-8
USER caroni
VOLUME /var/lib/caroni-edge
ENTRYPOINT ["tini", "--", "caroni-edge"]
CMD ["--help"]
