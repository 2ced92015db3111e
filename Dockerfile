# syntax=docker/dockerfile:1
# The server in an image that holds nothing else: no shell, no package manager,
# no user but its own. docs/ops/README.md says how to run it.

# The web app and the browser SDK that it is built on.
FROM --platform=$BUILDPLATFORM node:20-bookworm-slim AS web
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY sdk/js/client/package.json sdk/js/client/
COPY sdk/js/server/package.json sdk/js/server/
COPY web/chat/package.json web/chat/
COPY test/e2e/package.json test/e2e/
COPY test/files/package.json test/files/
RUN npm ci --no-progress --loglevel=error
COPY scripts/web.sh scripts/
COPY sdk sdk
COPY web web
COPY proto proto
RUN scripts/web.sh

# The server: one static binary with the app inside.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY internal internal
COPY proto proto
COPY sdk/go sdk/go
COPY web web
COPY --from=web /src/web/chat/dist web/chat/dist
ARG TARGETOS TARGETARCH VERSION=dev
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$VERSION" -o /out/skein ./cmd/skein
# What a bare file system lacks: certificates of authorities, time zones, a
# user, a folder for temporary files, one for data.
RUN mkdir -p /out/data /out/tmp \
    && cp /etc/ssl/certs/ca-certificates.crt /out/ca-certificates.crt \
    && cp "$(go env GOROOT)/lib/time/zoneinfo.zip" /out/zoneinfo.zip \
    && echo 'skein:x:65532:65532:Skein:/var/lib/skein:/nologin' >/out/passwd

FROM scratch
COPY --from=build /out/passwd /etc/passwd
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/zoneinfo.zip /usr/share/zoneinfo.zip
COPY --from=build --chown=65532:65532 /out/tmp /tmp
COPY --from=build --chown=65532:65532 /out/data /var/lib/skein
COPY --from=build /out/skein /skein
ENV SKEIN_DATA=/var/lib/skein SKEIN_LISTEN=0.0.0.0:8080 ZONEINFO=/usr/share/zoneinfo.zip
USER 65532:65532
VOLUME /var/lib/skein
EXPOSE 8080
# The media of calls: docs/ops/calls.md says how to publish it.
EXPOSE 7882/udp 7882/tcp
# It starts in well under a second; migrating a large database takes longer.
HEALTHCHECK --interval=10s --timeout=6s --start-period=120s --retries=3 CMD ["/skein", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/skein"]
CMD ["serve"]
