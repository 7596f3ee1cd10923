# syntax=docker/dockerfile:1
# The image of podstamp, for people who have Docker: the same files as those of `cargo xtask package`, which needs none.
#
#     docker build --tag podstamp:0.1.0 .
#
# Add @sha256:... to the tag below to hold the compiler to the byte.
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /podstamp
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/podstamp/target \
    cargo xtask package podstamp && cp --recursive --preserve=mode target/package/podstamp.rootfs /rootfs

FROM scratch
COPY --from=build /rootfs/ /
LABEL org.opencontainers.image.title="podstamp" \
      org.opencontainers.image.description="Receives OTLP, stamps app.host.ip, the IP of the pod, and forwards to deepflow-agent" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/
WORKDIR /
USER 65532:65532
EXPOSE 4317 4318 8888
STOPSIGNAL SIGTERM
ENTRYPOINT ["/podstamp"]
CMD ["serve"]
