# Runs a consul-esm, of which several divide the catalog's external nodes among themselves, and sees to it that no check
# stands still for longer than it must, whatever ends the one that runs it.
#   monitor-run.sh ID NODE OPTION...
# ID is the monitor's entry in Consul. NODE is the node of the agent that it works through; `-` where it is not alone.
id=$1
node=$2
shift 2
secrets=/run/consul
api_at=local:/run/agent/http.sock
lock=consul-esm/leader

# value NAME: what the JSON on standard input has under the name.
value() {
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

# Takes back what this monitor, or the one that ran here before it, has in Consul. A consul-esm refuses to start while its
# entry is there, and the others wait for its lock as long as the session lasts. That session is known by its node.
forget() {
  api PUT "agent/service/deregister/$id" token >/dev/null
  [ "$node" != - ] || return
  session=$(api GET "kv/$lock" token | value Session)
  [ -n "$session" ] && [ "$(api GET "session/info/$session" token | value Node)" = "$node" ] || return
  # Released, not destroyed with its session: that would keep the lock from everyone for 15 s. The flags are those by which
  # Consul's own library knows its locks.
  api PUT "kv/$lock?release=$session&flags=3304740253564472344" token >/dev/null
  api PUT "session/destroy/$session" token >/dev/null
}

# consul-esm hears that other nodes are its own when its question for changed checks is answered: after 45 s in version
# 0.10, after five minutes in 0.9, or when any check changes. So one comes and goes: once when consul-esm has seen its new
# nodes, and once more when it has in case that it had looked just before, since it looks every 10 s.
rouse() {
  sleep 1
  flash
  sleep 10
  flash
}

flash() {
  api PUT agent/check/register token \
    "{\"ID\":\"$id:share\",\"Name\":\"Other nodes\",\"ServiceID\":\"$id\",\"TTL\":\"1h\",\"Status\":\"passing\"}" >/dev/null
  api PUT "agent/check/deregister/$id:share" token >/dev/null
}

# Waits for other nodes. The answer is the same nodes when they were divided anew without a change.
follow() {
  index=0
  nodes=
  mkfifo /tmp/question
  # Open for as long as the agent may take: it gives up on who has nothing more to say.
  exec 3<>/tmp/question
  while :; do
    request GET "kv/consul-esm/agents/$id?index=$index&wait=10m" token >&3
    answer=$(nc $api_at <&3)
    index=$(printf '%s' "$answer" | sed -n 's/^X-Consul-Index: \([0-9]*\).*/\1/p')
    if [ -z "$index" ]; then
      index=0
      sleep 2
      # An agent that was replaced knows nothing of this monitor, as consul-esm would see half a minute later.
      case $(api GET "agent/service/$id" token | head -n 1) in *' 404 '*) kill -KILL "$esm" ;; esac
      continue
    fi
    latest=$(printf '%s' "$answer" | value Value)
    [ -z "$latest" ] || [ -z "$nodes" ] || [ "$latest" = "$nodes" ] || rouse
    nodes=${latest:-$nodes}
    sleep 1
  done
}

others() {
  api GET 'health/service/consul-esm?passing' token | grep -o '"ID":"consul-esm:[^"]*"' | grep -qvF "\"$id\""
}

# An orderly end takes consul-esm 10 s, in which nobody runs its checks. Here the others have its nodes first.
stop() {
  api PUT "agent/service/deregister/$id" token >/dev/null
  if others; then sleep 3; fi
  kill -KILL "$esm" 2>/dev/null
  wait "$esm"
  forget
  exit 0
}

# consul-esm itself would ask again after 10 s.
until leader | grep -q ':'; do
  echo 'waiting for the client agent, and for it to know a leader'
  sleep 1 &
  wait $!
done
forget
printf %s "$CONFIG" >/tmp/consul-esm.json
consul-esm -config-file=/tmp/consul-esm.json "$@" &
esm=$!
trap stop TERM INT
follow &
wait "$esm"
