#!/usr/bin/env bash
# build_images.sh [--push] [TARGET...]: builds the images operator, service, postgres and redis of the Dockerfile (or those named),
# tagged ${REGISTRY}/holdfast-operator:<version>, ${REGISTRY}/holdfast:<version>, ${REGISTRY}/holdfast-postgres:15-<version> and
# ${REGISTRY}/holdfast-redis:7-<version> (without the slash when REGISTRY is empty), says how large they are, and with --push
# pushes them there. DOCKER names another builder (podman), BUILD_ARGS more arguments; APT_SOURCES, when set, is the sources.list
# that packages come from (APT_SOURCES="$(cat archive.list)").
set -euo pipefail
cd "$(dirname "$0")/.."
docker=${DOCKER:-docker}
registry=${REGISTRY:-}
registry=${registry:+${registry%/}/}
push=
if [ "${1:-}" = --push ]; then
  push=yes
  shift
  [ -n "$registry" ] || {
    echo "error: --push needs a registry: REGISTRY=registry.example/team scripts/build_images.sh --push" >&2
    exit 2
  }
fi
version=$(sed -n 's/^project(Holdfast VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# The commit's time rather than now: the same sources give the same labels.
created=$(git show --no-patch --format=%cI HEAD 2>/dev/null || echo 1970-01-01T00:00:00Z)
command -v "$docker" >/dev/null || {
  echo "error: there is no $docker; install Debian's docker.io or podman, and name it in DOCKER" >&2
  exit 1
}
read -ra more <<<"${BUILD_ARGS:-}"
export APT_SOURCES=${APT_SOURCES:-}

[ $# -gt 0 ] || set -- operator service postgres redis
for target in "$@"; do
  case $target in
    operator) image=${registry}holdfast-operator:$version ;;
    service) image=${registry}holdfast:$version ;;
    postgres) image=${registry}holdfast-postgres:15-$version ;;
    redis) image=${registry}holdfast-redis:7-$version ;;
    *)
      echo "error: there is no image '$target' (there are: operator service postgres redis)" >&2
      exit 2
      ;;
  esac
  started=$SECONDS
  "$docker" build --target "$target" --tag "$image" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
    --build-arg "CREATED=$created" --build-arg APT_SOURCES ${more[@]+"${more[@]}"} .
  size=$("$docker" image inspect --format '{{.Size}}' "$image")
  echo "== $image: $((size / 1000000)) MB, built in $((SECONDS - started)) s"
  [ -z "$push" ] || "$docker" push "$image"
done
