#!/bin/sh
# Healthy means: this server is a voter of a cluster with a leader, and autopilot finds it in order.
# Before the first election there is nothing to be part of yet: then an answer from the agent is enough,
# as long as no peer knows of a leader either. A server that lost its data is therefore not healthy
# before the cluster has taken it in again.
#   server-health.sh NODE PEER...
node=$1
shift
get() { wget -q -O - "http://$1:8500/v1/$2"; }

leader=$(get 127.0.0.1 status/leader) || exit 1
if [ "$leader" = '""' ]; then
  [ "$(get 127.0.0.1 status/peers)" = '[]' ] || { echo 'no leader'; exit 1; }
  for peer; do
    case $(get "$peer" status/leader 2>/dev/null) in
      '' | '""') ;;
      *) echo "$peer has a leader, this server has not joined it yet"; exit 1 ;;
    esac
  done
  echo 'before the first election'
  exit 0
fi
get 127.0.0.1 operator/autopilot/state | tr -d ' \n' | tr '{}' '\n\n' | grep "\"Name\":\"$node\"" | grep -q '"Healthy":true' ||
  { echo 'autopilot does not call this server a healthy voter'; exit 1; }
