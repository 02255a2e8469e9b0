# syntax=docker/dockerfile:1
# The controller as a container: not root, and nothing is written but below /tmp.
#   docker build -t controller .
#   docker run --rm --read-only --tmpfs /tmp controller demo
#   docker run --rm --read-only --tmpfs /tmp -v $PWD/specs:/specs:ro -e AWS_REGION controller --once -s /specs
#   docker run --read-only --tmpfs /tmp -v $PWD/specs:/specs:ro -v history:/tmp/state -e AWS_REGION controller
# Probes and metrics listen inside the container only; -e CONTROLLER_HTTP=0.0.0.0:8080 opens them to its network.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
# Dependencies first: they change less often than the code. Every one is pinned by hash.
COPY requirements.lock /build/
RUN /venv/bin/python -m pip install --require-hashes -r /build/requirements.lock
COPY controller /build/controller
RUN cp -r /build/controller "$(/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && /venv/bin/python -m compileall -q /venv/lib \
 && /venv/bin/python -m pip uninstall -q -y pip

FROM python:${PYTHON}-slim-trixie
LABEL org.opencontainers.image.title="controller" \
      org.opencontainers.image.description="Keeps ECS services on DL1 (Habana Gaudi) in line with YAML specs" \
      org.opencontainers.image.licenses="Apache-2.0"
# git and ssh read git sources; ssh wants its user to have a name.
RUN apt-get update \
 && apt-get install -y --no-install-recommends git openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 65532 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin controller
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1 \
    HOME=/tmp XDG_CACHE_HOME=/tmp/cache XDG_STATE_HOME=/tmp/state
COPY LICENSE NOTICE /
COPY --from=build /venv /venv
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "controller"]
CMD ["run", "-s", "/specs"]
