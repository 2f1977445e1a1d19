#!/bin/sh
# Installs the packages of packages.txt (and of files named as arguments) that are missing. Debian 12, root or sudo.
set -eu
here=$(dirname "$0")
missing=
for package in $(cat "$here/packages.txt" "$@"); do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing
