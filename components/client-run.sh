# Runs a client agent.
#   client-run.sh COMMAND...
follow_secrets &
exec docker-entrypoint.sh "$@"
