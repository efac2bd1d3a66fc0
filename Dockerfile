# The image of the nightly job. Build: docker build -t clv .   Run: docker run --rm clv --help
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements/ requirements/
RUN python -m venv /opt/bootstrap \
 && /opt/bootstrap/bin/pip install --no-cache-dir --require-hashes -r requirements/bootstrap.txt
RUN /opt/bootstrap/bin/uv venv /opt/clv
COPY pyproject.toml setup.py README.md LICENSE ./
COPY clv/ clv/
COPY pipelines/ pipelines/
# The lock's versions and hashes, without the tools that only tests need.
RUN /opt/bootstrap/bin/uv pip install --no-cache --python /opt/clv/bin/python --compile-bytecode \
    --constraint requirements/main.txt ".[pdf,postgres]"

FROM python:3.11-slim-bookworm
# OpenMP for LightGBM; Pango and a font for the PDF.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
    libgomp1 libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home clv && install --directory --owner=clv --mode=0700 /var/lib/clv
COPY --from=build /opt/clv /opt/clv
ENV PATH=/opt/clv/bin:$PATH \
    CLV__WORKSPACE=/var/lib/clv \
    OMP_WAIT_POLICY=PASSIVE
USER 10001
WORKDIR /var/lib/clv
VOLUME /var/lib/clv
ENTRYPOINT ["clv"]
CMD ["--help"]
