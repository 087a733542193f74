# Shared by the scripts that run inside an agent's container; comes before them.

secrets=/consul/secrets
# How nc reaches the agent.
api_at='127.0.0.1 8500'

# The request METHOD /v1/PATH with the token in the file TOKEN.
# In an argument of wget, the token would be in the host's list of processes.
#   request METHOD PATH TOKEN [BODY]
request() {
  token=
  [ ! -r "$secrets/$3" ] || read -r token <"$secrets/$3" || :
  printf '%s /v1/%s HTTP/1.0\r\nX-Consul-Token: %s\r\nContent-Length: %s\r\n\r\n%s' \
    "$1" "$2" "$token" "${#4}" "$4"
}

# Answer of the agent to such a request.
api() {
  request "$@" | nc -w 15 $api_at
}

# The last line of an answer.
body() {
  printf '%s\n' "${1##*
}"
}

# Address of the leader in quotes, as this agent knows it; '""' where there is none.
leader() {
  body "$(api GET status/leader none)"
}

