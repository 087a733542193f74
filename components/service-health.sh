# Whether the service in this container has started, as it says itself within five seconds. Node.js, the one program sure
# to be there, takes a tenth of a second to ask: images have something that takes a hundredth of that.
#   service-health.sh PORT
url=http://127.0.0.1:$1/startup

if command -v wget >/dev/null; then
  exec wget -q -T 5 -O /dev/null "$url"
fi

if command -v bash >/dev/null; then
  exec bash -c '
    exec 3<>"/dev/tcp/127.0.0.1/$0" || exit 1
    printf "GET /startup HTTP/1.0\r\n\r\n" >&3
    read -r -t 5 version status reason <&3
    [ "$status" = 200 ]' "$1"
fi

exec node -e '
  require("node:http")
    .get(process.argv[1], { timeout: 5000 }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))
    .on("timeout", () => process.exit(1))
    .on("error", () => process.exit(1));' "$url"
