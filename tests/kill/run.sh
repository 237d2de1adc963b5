#!/usr/bin/env bash
# Kills real clients and servers for so many minutes: worlds of cli/tests with ever new seeds, each with its account
# at the end. One line per world, one last line over all; fails if a world found anything.
# usage: tests/kill/run.sh MINUTES [SEED]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

minutes=${1:?minutes}
first=${2:-1}
seed=$first
clients=0 servers=0 worlds=0 violations=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

while [ "$worlds" = 0 ] || [ $((SECONDS / 60)) -lt "$minutes" ]; do
  # Both worlds: clients that are killed and one whose server is.
  if ! TURNSTONE_KILL_SEED=$seed "${CARGO:-cargo}" test --quiet --locked --profile ci --package turnstone-cli --tests \
    hundreds_of -- --nocapture >"$log" 2>&1; then
    violations=$((violations + 1))
    cat "$log"
    printf 'again: tests/kill/run.sh 0 %s\n' "$seed"
  fi
  read -r more_clients more_servers more_worlds < <(
    awk '/ client kills, / { c += $1; s += $4; n += 1 } END { print c + 0, s + 0, n + 0 }' "$log"
  )
  printf 'seed %s: %s kills of clients, %s of the server\n' "$seed" "$more_clients" "$more_servers"
  clients=$((clients + more_clients)) servers=$((servers + more_servers)) worlds=$((worlds + more_worlds))
  if [ "$more_worlds" = 0 ]; then
    violations=$((violations + 1))
    break
  fi
  seed=$((seed + 1))
done
printf 'kill: %s kills (%s of clients, %s of the server), %s worlds, %s violations, seeds %s to %s, %s s\n' \
  $((clients + servers)) "$clients" "$servers" "$worlds" "$violations" "$first" $((seed - 1)) "$SECONDS"
[ "$violations" = 0 ]
