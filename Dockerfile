# syntax=docker/dockerfile:1
# The controller as a container: no shell needed to run it, no root, nothing written to its own file system.
#   docker build -t controller .
#   docker run --read-only --tmpfs /tmp -v $PWD/specs:/specs:ro -e AWS_REGION controller --once -s /specs
#   docker run --rm --read-only --tmpfs /tmp controller demo
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
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1
COPY LICENSE NOTICE /
COPY --from=build /venv /venv
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "controller"]
CMD ["run", "-s", "/specs"]
