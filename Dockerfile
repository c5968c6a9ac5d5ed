# One image for the shop's storefront and payment provider and for the `doorbuster` command.
#   docker build -t doorbuster:0.1.0 .
# Behind a mirror: add `--build-arg PIP_INDEX_URL=...`. It stays out of the image that is kept.
ARG BASE_IMAGE=python:3.11.13-slim-bookworm

FROM ${BASE_IMAGE} AS dependencies
ARG PIP_INDEX_URL
ARG PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/doorbuster
COPY requirements.lock ./
RUN /opt/doorbuster/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM dependencies AS wheel
WORKDIR /src
COPY . ./
RUN /opt/doorbuster/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheel .

# The dependencies come apart from our packages, so that a change of ours copies little.
FROM ${BASE_IMAGE}
RUN useradd --create-home --uid 10001 doorbuster
COPY --from=dependencies /opt/doorbuster /opt/doorbuster
COPY --from=wheel /wheel /wheel
ENV PATH=/opt/doorbuster/bin:$PATH PYTHONUNBUFFERED=1
RUN pip install --no-cache-dir --no-index --no-deps /wheel/*.whl
USER doorbuster
WORKDIR /home/doorbuster
CMD ["doorbuster", "--help"]
