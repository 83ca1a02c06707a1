#!/usr/bin/env bash
# install_packages.sh SET...: installs what is missing of the Debian packages in scripts/packages/SET.txt, as root or
# through sudo, without recommended extras. Does nothing, quickly, when all are there. A line is a package name, or
# `name unless-command=a,b`: not needed when any of these commands is on PATH.
set -euo pipefail
cd "$(dirname "$0")/packages"

fail() {
  printf 'error: %s\n' "$@" >&2
  exit 1
}

declare -A listed=()
wanted=()
for set in "$@"; do
  [ -f "$set.txt" ] || fail "no package set '$set' (there are: $(printf '%s ' *.txt))"
  while read -r package condition; do
    case "$package" in '' | '#'*) continue ;; esac
    case "$condition" in
      unless-command=*)
        IFS=, read -ra commands <<<"${condition#unless-command=}"
        for command in "${commands[@]}"; do
          # Daemons live in sbin, which is not on everybody's PATH.
          if PATH="$PATH:/usr/sbin:/sbin" command -v "$command" >/dev/null; then continue 2; fi
        done
        ;;
      '') ;;
      *) fail "$set.txt: '$condition' behind $package is not understood" ;;
    esac
    if [ -z "${listed[$package]:-}" ]; then wanted+=("$package"); fi
    listed[$package]=1
  done <"$set.txt"
done
[ ${#wanted[@]} -gt 0 ] || exit 0

command -v dpkg-query >/dev/null ||
  fail "this is not a Debian system; install the equivalents of: ${wanted[*]}"

declare -A installed=()
while IFS=$'\t' read -r name state; do
  if [ "$state" = installed ]; then installed[$name]=1; fi
done < <(dpkg-query --show --showformat '${Package}\t${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
  [ -n "${installed[$package]:-}" ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

install="apt-get install --yes --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
  as_root=(sudo)
else
  fail "these Debian packages are missing, and this user is neither root nor allowed to use sudo: ${missing[*]}" \
    "install them as root: apt-get update && $install"
fi

echo "== installing Debian packages: ${missing[*]}"
started=$SECONDS

# Servers in these sets are run by us on ports of our own; Debian would also start its own instance of each, and make a
# database cluster for PostgreSQL. policy-rc.d is Debian's way to say no to the one, createcluster.d to the other; both
# for the length of this installation.
policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/holdfast.conf
made=()
trap '[ ${#made[@]} -eq 0 ] || "${as_root[@]}" rm -f "${made[@]}"' EXIT
if ! [ -e "$policy" ]; then
  made+=("$policy")
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi
if [[ " ${missing[*]} " == *" postgresql-"* ]] && ! [ -e "$no_cluster" ]; then
  made+=("$no_cluster")
  "${as_root[@]}" mkdir -p "$(dirname "$no_cluster")"
  echo 'create_main_cluster = false' | "${as_root[@]}" tee "$no_cluster" >/dev/null
fi

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes LC_ALL=C.UTF-8 \
    apt-get --quiet --quiet -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}
lists=(/var/lib/apt/lists/*_Packages*)
if ! [ -e "${lists[0]}" ]; then
  apt update
fi
# A list that is older than the mirror names versions that are gone: refresh once, and try again.
if ! apt install --yes --no-install-recommends "${missing[@]}" >/dev/null; then
  apt update
  apt install --yes --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "apt-get could not install: ${missing[*]}" "its own message is above; try: $install"
fi
echo "== packages installed in $((SECONDS - started)) s"
