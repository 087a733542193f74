# Healthy means: the monitor's own entry passes, since its heartbeat arrives in Consul.
#   monitor-health.sh ID
secrets=/run/consul
api_at=local:/run/agent/http.sock
api GET "agent/health/service/id/$1?format=text" token | head -n 1 | grep -q ' 200 '
