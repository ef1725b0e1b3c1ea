# syntax=docker/dockerfile:1
# One instance of Coscribe with its data in /data. Built from the same lock files as everything else.

FROM node:22-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --loglevel error
COPY web/ ./
RUN npm run build -- --logLevel warn

FROM python:3.13-slim AS wheel
WORKDIR /src
COPY requirements-build.txt ./
RUN python -m venv /build && /build/bin/pip install --quiet --require-hashes -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY migrations/ migrations/
COPY server/ server/
COPY --from=web /src/server/coscribe/web/ server/coscribe/web/
RUN /build/bin/pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir /dist .

FROM python:3.13-slim AS install
COPY requirements.txt ./
RUN python -m venv /opt/coscribe && /opt/coscribe/bin/pip install --quiet --require-hashes -r requirements.txt
COPY --from=wheel /dist/ /dist/
RUN /opt/coscribe/bin/pip install --quiet --no-deps --no-index /dist/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent coscribe \
  && install -d -o coscribe -g coscribe -m 0700 /data
COPY --from=install /opt/coscribe/ /opt/coscribe/
ENV PATH=/opt/coscribe/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    COSCRIBE_HOST=0.0.0.0 \
    COSCRIBE_PORT=8000 \
    COSCRIBE_DATA_DIR=/data
USER coscribe
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=8s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['COSCRIBE_PORT']}/health/ready\", timeout=7)"]
CMD ["coscribe", "serve"]
