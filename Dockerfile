# syntax=docker/dockerfile:1
# One image for every part of the fleet; docker-compose.yml says which command runs where.

FROM python:3.13.16-slim-trixie AS build
ENV UV_PROJECT_ENVIRONMENT=/opt/ssc-ingest \
    UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1
WORKDIR /src

COPY scripts/uv.txt scripts/uv.txt
RUN pip install --no-cache-dir --require-hashes -r scripts/uv.txt

# The dependencies are a layer of their own: they change less often than the code.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-install-project

COPY LICENSE README.md beat_schedule.py ./
COPY ssc_ingest ssc_ingest
COPY workers workers
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-editable


FROM python:3.13.16-slim-trixie
LABEL org.opencontainers.image.title="SSC Ingest" \
      org.opencontainers.image.description="Keeps a supply-chain graph of package registries current" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/ssc-ingest ssc-ingest && \
    install --directory --owner 10001 /var/lib/ssc-ingest/tmp
COPY --from=build /opt/ssc-ingest /opt/ssc-ingest
ENV PATH=/opt/ssc-ingest/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/var/lib/ssc-ingest/data \
    CACHE_DIR=/var/lib/ssc-ingest/cache \
    LOG_FORMAT=json
USER 10001
WORKDIR /var/lib/ssc-ingest

# No entrypoint: the command is `celery -A workers ...` or `ssc-ingest ...` in full.
CMD ["ssc-ingest", "--help"]
