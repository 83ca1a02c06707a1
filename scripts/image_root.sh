#!/usr/bin/env bash
# image_root.sh FOLDER PROGRAM...: makes FOLDER the root of an image that holds the programs, the shared libraries they load, the
# authorities that TLS trusts, the rules of time zones, and the user 10001; no shell, no package manager. Run in the Dockerfile's build stage.
set -euo pipefail
root=$1
shift

# Debian's layout: /lib and /lib64 are symbolic links.
mkdir -p "$root"/{etc/ssl/certs,usr/bin,usr/lib64,usr/share/holdfast,tmp,var/lib/holdfast}
ln -s usr/bin "$root/bin"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
mkdir -p "$root/usr/lib"
chmod 1777 "$root/tmp"
chown 10001:10001 "$root/var/lib/holdfast"

libraries=()
for program in "$@"; do
  install --strip --mode=755 "$program" "$root/usr/bin/"
  while read -r library; do
    libraries+=("$library")
  done < <(ldd "$program" | grep -oE '/[^ ]+\.so[^ ]*' | sort -u)
done
for library in "${libraries[@]}"; do
  mkdir -p "$root$(dirname "$library")"
  cp --dereference "$library" "$root$library"
done

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
# But for the copies that count leap seconds, and for this machine's own zone.
zones=/usr/share/zoneinfo
cp --archive "$zones" "$root/usr/share/"
rm --recursive --force "$root$zones"/{localtime,posix,posixrules,right}
echo 'holdfast:x:10001:10001::/var/lib/holdfast:/usr/sbin/nologin' >"$root/etc/passwd"
echo 'holdfast:x:10001:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"

# What is in the image, for people and scanners. dpkg knows files of /usr/lib by either name, and its format has no variables.
format="\${Package} \${Version}\\n"
owned=("$zones/Etc/UTC")
for library in "${libraries[@]}"; do
  real=$(readlink --canonicalize "$library")
  owned+=("$real" "${real#/usr}")
done
# One question about all of them, since each reads dpkg's whole list; it fails when a file is not found under one of its names.
{ dpkg-query --search "${owned[@]}" 2>/dev/null || true; } | cut --delimiter=: --fields=1 | sort -u |
  xargs dpkg-query --show --showformat "$format" >"$root/usr/share/holdfast/packages.txt"
