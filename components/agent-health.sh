# Shared by the health checks of servers and clients, which follow below it.

secrets=/consul/secrets

# Answer of the agent to a GET of /v1/$1 with the token in the file $2.
# In an argument of wget, the token would be in the host's list of processes.
get() {
  printf 'GET /v1/%s HTTP/1.0\r\nX-Consul-Token: %s\r\n\r\n' "$1" "$(cat "$secrets/$2" 2>/dev/null)" |
    nc 127.0.0.1 8500
}

leader=$(get status/leader none | tail -n 1)
case $leader in
  '"'*) ;;
  *) echo 'the agent does not answer'; exit 1 ;;
esac

# Changed keys and tokens are taken over here: Consul reads its files again when told to.
known=/tmp/secrets.sum
sum=$(cat "$secrets"/* 2>/dev/null | sha256sum)
if [ "$sum" != "$(cat "$known" 2>/dev/null)" ]; then
  echo "$sum" >"$known"
  kill -HUP 1
fi

