FROM python:3.11-slim

# git serves large clones several times faster than the pure Python fall-back.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home hubtalk \
    && mkdir /data && chown hubtalk /data

WORKDIR /srv/hubtalk
COPY requirements.lock ./
RUN pip install --no-cache-dir --requirement requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . && python -m compileall -q .

USER hubtalk
ENV HUB_DATA_DIR=/data HUB_HOST=0.0.0.0 HUB_PORT=8000 PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000 2222
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["hubtalk", "serve"]
