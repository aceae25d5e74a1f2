# An image for jobs that run in one: rolecall, and what the workflows of `rolecall init` call beside it.
# Its context is a folder that holds the static program, as an archive of a release has it.
# BASE may be named by its digest, so that the same image is built each time.
ARG BASE=debian:13-slim
FROM ${BASE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bash ca-certificates curl git jq \
    && rm -rf /var/lib/apt/lists/*
COPY --chmod=0755 rolecall /usr/local/bin/rolecall
RUN useradd --uid 10001 --create-home rolecall && rolecall --version
USER 10001
WORKDIR /home/rolecall
ENTRYPOINT ["rolecall"]
