# The server in a container: as its own user, on a read-only root. See docs/deploy.md.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY retrieval retrieval
RUN python -m venv /opt/retrieval \
 && /opt/retrieval/bin/pip install --no-cache-dir --constraint constraints.txt '.[cpu,ocr]'

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /library --shell /usr/sbin/nologin retrieval \
 && install -d -o retrieval -g retrieval /library /photos
COPY --from=build /opt/retrieval /opt/retrieval
ENV PATH=/opt/retrieval/bin:$PATH \
    RETRIEVAL_INDEX=/library/library \
    XDG_CACHE_HOME=/tmp/cache \
    HF_HUB_OFFLINE=1
USER retrieval
VOLUME /library
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["retrieval"]
CMD ["serve", "--create", "--host", "0.0.0.0", "--root", "/photos"]
