# Healthy means: this server is a voter of a cluster with a leader, and autopilot finds it in order.
# Before the first election there is nothing to be part of yet: then it is enough that every peer that runs has been
# joined, as long as one is still to come. A server that lost its data is therefore not healthy before the cluster has
# taken it in again.
# A healthy server says whether it leads, and what autopilot finds of all: a rolling change waits for that.
#   server-health.sh NODE
node=$1

if [ "$leader" = '""' ]; then
  [ "$(body "$(api GET status/peers none)")" = '[]' ] || { echo 'no leader'; exit 1; }
  members=$(api GET agent/members recovery-token)
  read -r peers <"$secrets/peers"
  missing=
  for peer in $peers; do
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
case $state in *' 403 '*) echo 'access control has not begun'; exit 1 ;; esac
case $state in *"\"Name\":\"$node\""*) own=${state##*"\"Name\":\"$node\""} ;; *) own= ;; esac
# Up to the end of the metadata, which come after all that is looked for.
own=${own%%\}*}
case $own in
  *'"Healthy":true'*) ;;
  *) echo 'autopilot does not call this server a healthy voter'; exit 1 ;;
esac
case $own in *"\"Address\":$leader"*) role=leader ;; *) role=follower ;; esac
case $state in *'{"Healthy":true'*) all='all servers healthy' ;; *) all='not all servers healthy' ;; esac
echo "$role, $all"
