# The demo: docker build -t dgqc . && docker run --rm -v "$PWD/demo:/demo" dgqc
# Pictures, bundles and the table that is printed lie in ./demo afterwards. Other commands: docker run --rm dgqc dgqc --help
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/*

# PyTorch's CPU build, at the version that the Makefile has; what PyPI has brings gigabytes of CUDA.
RUN pip install --no-cache-dir torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu

WORKDIR /dgqc
COPY . .
RUN pip install --no-cache-dir .

CMD ["dgqc", "demo", "-o", "/demo"]
