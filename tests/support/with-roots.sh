#!/bin/sh
# with-roots.sh DIR COMMAND… - in a mount namespace of its own: DIR holds the certificates that this
# command trusts, and no others
set -e
mount --bind "$1" /etc/ssl/certs
shift
exec "$@"
