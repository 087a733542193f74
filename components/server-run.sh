# Runs a server, and takes it out of use before it stops, since what it holds then would fail: leadership goes to another
# server first, then all requests do. A server that the datacenter is to do without leaves its peers for good.
#   server-run.sh NODE ADDRESS COMMAND...
node=$1
address=$2
shift 2

# Raft's ID of a server.
id_of() {
  api GET operator/raft/configuration management-token | tr '{' '\n' | grep "\"Node\":\"$1\"" |
    sed 's/.*"ID":"\([^"]*\)".*/\1/'
}

# Makes another server the leader, where this one is: the one with the ID given, or any. It is tried again, since raft
# gives up when it comes upon a connection from before a peer's restart, of which it may keep several. Not by `api`: nc
# ends its half of the connection too early, and Consul takes that for a caller who gave up.
hand_over() {
  [ ! -e "$secrets/management-token" ] || export CONSUL_HTTP_TOKEN_FILE="$secrets/management-token"
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    case $(leader) in
      "\"$address:8300\"") consul operator raft transfer-leader ${1:+"-id=$1"} >/dev/null 2>&1 ;;
      '""') ;;
      *) return 0 ;;
    esac
    sleep 0.1
  done
  echo 'leadership could not be handed over'
  return 1
}

# A client takes a request that a server has no room for to the next one; one that has begun here would be lost.
drain() {
  echo '{"limits":{"request_limits":{"mode":"enforcing","read_rate":0,"write_rate":0}}}' >/consul/config/drain.json
  kill -HUP "$agent"
  sleep 1
}

# Whether the management token is good. Consul lets it be set once, before it has any other, by whoever comes first.
access_control_has_begun() {
  [ -e "$secrets/management-token" ] || return 0
  case $(api GET acl/token/self management-token 2>/dev/null) in
    HTTP/1.?' 200 '*) return 0 ;;
    HTTP/1.?' 403 '*) consul acl bootstrap "$secrets/management-token" >/dev/null 2>&1 ;;
  esac
  return 1
}

# Whether the catalog has this server under its name. A server that lost its data comes back as another node. The catalog
# keeps the name for the one before, unless that one is known to have failed, and it never will be where the new one was
# there sooner: then nothing is registered of it.
name_is_claimed() {
  own=$(cat /consul/data/node-id 2>/dev/null)
  [ -n "$own" ] || return 1
  registered=$(api GET "catalog/node/$node?stale" management-token 2>/dev/null | tr -d ' \n' |
    sed -n 's/.*"Node":{"ID":"\([^"]*\)".*/\1/p')
  [ "$own" != "$registered" ] || return 0
  [ -n "$registered" ] || return 1
  echo "the name $node was that of the node $registered"
  api PUT catalog/deregister management-token "{\"Node\":\"$node\"}" >/dev/null
  return 1
}

# What a server does once in its life, as soon as the others let it.
settle_in() {
  tries=0
  until access_control_has_begun && name_is_claimed; do
    tries=$((tries + 1))
    nap $((tries < 60 ? 1 : 5))
  done
}

stop() {
  # It may come before the line that follows the agent's start, or before the start.
  agent=${agent:-$!}
  [ -n "$agent" ] || exit 143
  if [ "$(leader)" != '""' ]; then
    staying=$(api GET 'kv/consul-docker/servers?raw' management-token | tail -n 1)
    case " $staying " in
      *" $node "*) hand_over && drain ;;
      ' server-'*) hand_over "$(id_of "${staying%% *}")"; api PUT agent/leave management-token >/dev/null ;;
      *) hand_over ;;
    esac
  fi
  kill -TERM "$agent" 2>/dev/null
}

trap 'kill -HUP "$agent"' HUP
trap stop TERM INT
docker-entrypoint.sh "$@" &
agent=$!
settle_in &
beside=$!
follow_secrets &
beside="$beside $!"
# A signal ends the wait, too.
while kill -0 "$agent" 2>/dev/null; do
  wait "$agent"
  status=$?
done
# Those that have ended are no longer there.
kill $beside 2>/dev/null
exit "$status"
