# Healthy means: this server is a voter of a cluster with a leader, and autopilot finds it in order.
# Before the first election there is nothing to be part of yet: then it is enough that every peer that runs has been
# joined, as long as one is still to come. A server that lost its data is therefore not healthy before the cluster has
# taken it in again.
# A healthy server says whether it leads, and what autopilot finds of all: a rolling change waits for that.
#   server-health.sh NODE ADDRESS
node=$1
address=$2

if [ "$leader" = '""' ]; then
  [ "$(api GET status/peers none | tail -n 1)" = '[]' ] || { echo 'no leader'; exit 1; }
  members=$(api GET agent/members recovery-token)
  missing=
  for peer in $(cat "$secrets/peers"); do
    case $members in *"\"Name\":\"$peer\""*) continue ;; esac
    if nslookup "$peer" >/dev/null 2>&1; then
      echo "$peer runs, but this server has not joined it yet"
      exit 1
    fi
    missing=$peer
  done
  [ -n "$missing" ] || { echo 'no leader'; exit 1; }
  echo 'before the first election'
  exit 0
fi

state=$(api GET operator/autopilot/state management-token)
case $state in
  *' 403 '*)
    # Consul lets the management token be set once, before it has any other.
    consul acl bootstrap "$secrets/management-token" >/dev/null 2>&1
    echo 'access control begins'
    exit 1
    ;;
esac
state=$(echo "$state" | tr -d ' \n' | tr '{}' '\n\n')
echo "$state" | grep "\"Name\":\"$node\"" | grep -q '"Healthy":true' ||
  { echo 'autopilot does not call this server a healthy voter'; exit 1; }
[ "$leader" = "\"$address:8300\"" ] && role=leader || role=follower
echo "$state" | grep -q '^"Healthy":true' && all='all servers healthy' || all='not all servers healthy'
echo "$role, $all"
