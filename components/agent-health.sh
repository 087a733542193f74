# Shared by the health checks of servers and clients, which follow below it.

leader=$(leader)
case $leader in
  '"'*) ;;
  *) echo 'the agent does not answer'; exit 1 ;;
esac

