# Healthy means: this client is part of a cluster with a leader.
case $leader in
  *:*) ;;
  *) echo 'no leader'; exit 1 ;;
esac
