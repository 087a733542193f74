# Shared by the scripts that run an agent; comes before them.

# Nobody writes to it, so that a shell which waits for a line sleeps without another process.
never=/tmp/never
mkfifo "$never" 2>/dev/null
# When the folder with the secrets was changed, as far as the agent knows.
known=/tmp/secrets-known

# Sleeps for whole seconds.
nap() {
  if [ -p "$never" ]; then
    read -r -t "$1" _ 2>/dev/null <>"$never"
    # Another status says that this shell cannot do it.
    [ $? != 1 ] || return 0
  fi
  sleep "$1"
}

# The engine gives a new file to its reader last.
secrets_are_complete() {
  for file in "$secrets"/*; do
    [ -r "$file" ] || return 1
  done
}

agent_answers() {
  case $(leader 2>/dev/null) in '"'*) ;; *) return 1 ;; esac
}

# Changed keys and tokens are taken over while the agent runs: Consul reads its files again when told to. They are
# replaced one by one, and each time the folder's own time changes.
follow_secrets() {
  while :; do
    touch -r "$secrets" "$known"
    # Shells compare whole seconds. What else changes within this one is read as well.
    nap 1
    until secrets_are_complete && agent_answers; do nap 1; done
    kill -HUP $$
    until [ "$secrets" -nt "$known" ] || [ "$secrets" -ot "$known" ]; do nap 1; done
  done
}

