#!/bin/sh
# Installs what is missing of the packages in packages.txt and of those named as arguments.
# Debian 12, as root or with sudo.
set -eu
missing=
for package in $(cat "$(dirname "$0")/packages.txt") "$@"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "installing:$missing"
apt_get() {
  set -- env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"
  [ "$(id -u)" = 0 ] || set -- sudo "$@"
  "$@" </dev/null
}
apt_get update
# shellcheck disable=SC2086  # a list of words
apt_get install -y --no-install-recommends $missing
