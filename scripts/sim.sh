#!/bin/sh
# The simulation in full: SEEDS worlds (1,000), how much of the packages they
# run, a seed ten times, and a bug planted in each package.
set -eu
cd "$(dirname "$0")/.."
SEEDS=${SEEDS:-1000}
FIRST=${FIRST:-1}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

go test -c -o "$out/sim.test" ./test/sim
(cd test/sim && "$out/sim.test" -test.v -seeds="$SEEDS" -first="$FIRST") # the worlds, and that seeds repeat
go run ./test/sim/cover -seeds=100
go run ./test/sim/plant
