#!/usr/bin/env bash
# Builds the object stores of tests into .tools/: versitygw (S3), fake-gcs-server
# (Google Cloud Storage) and azurite (Azure Blob), at the versions that
# tools/cloud pins. It takes minutes the first time; after that, a moment.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p .tools
if ! cmp -s tools/cloud/go.sum .tools/cloud.sum || [ ! -x .tools/versitygw ] || [ ! -x .tools/fake-gcs-server ]; then
  echo "setup: building the object stores of tests (once; this takes minutes)"
  (cd tools/cloud && go build -o ../../.tools/ -ldflags '-s -w' github.com/versity/versitygw/cmd/versitygw github.com/fsouza/fake-gcs-server)
  cp tools/cloud/go.sum .tools/cloud.sum
fi
if ! cmp -s tools/cloud/package-lock.json .tools/azurite/package-lock.json || [ ! -d .tools/azurite/node_modules/azurite ]; then
  rm -rf .tools/azurite
  mkdir .tools/azurite
  cp tools/cloud/package.json tools/cloud/.npmrc tools/cloud/package-lock.json .tools/azurite/
  (cd .tools/azurite && npm ci --ignore-scripts --no-progress --loglevel=error)
fi
