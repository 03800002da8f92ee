# The server in a container: as its own user, on a read-only root. See docs/deploy.md.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
# PyTorch without CUDA is a tenth of the size. For a GPU: an empty TORCH_INDEX, and EXTRAS=gpu,ocr (compose.gpu.yaml).
# For the built-in models alone, which need no PyTorch: an empty TORCH_INDEX, and EXTRAS=cpu,ocr.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=cpu,torch,ocr
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY retrieval retrieval
RUN python -m venv /opt/retrieval \
 && if [ -n "$TORCH_INDEX" ]; then \
      /opt/retrieval/bin/pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX" "$(grep ^torch== constraints.txt)"; \
    fi \
 && /opt/retrieval/bin/pip install --no-cache-dir --constraint constraints.txt ".[$EXTRAS]"

FROM python:3.11-slim-bookworm
# The user must be able to read the photos: build with the number of their owner if they are not readable by all.
ARG UID=10001
ARG GID=10001
RUN groupadd --gid "$GID" retrieval \
 && useradd --uid "$UID" --gid "$GID" --home-dir /library --shell /usr/sbin/nologin retrieval \
 && install -d -m 0700 -o retrieval -g retrieval /library /models \
 && install -d /photos
COPY --from=build /opt/retrieval /opt/retrieval
ENV PATH=/opt/retrieval/bin:$PATH \
    RETRIEVAL_INDEX=/library/library \
    RETRIEVAL_SERVE_HOST=0.0.0.0 \
    RETRIEVAL_SERVE_ROOT=/photos \
    RETRIEVAL_SERVE_CREATE=1 \
    HF_HOME=/models/hub \
    XDG_CACHE_HOME=/models/cache \
    MALLOC_ARENA_MAX=2
USER retrieval
VOLUME /library /models
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["bash", "-c", \
  "exec 3<>/dev/tcp/127.0.0.1/8000 && printf 'GET /readyz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -1 <&3 | grep -q ' 200 '"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["retrieval"]
CMD ["serve"]
