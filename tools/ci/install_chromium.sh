#!/bin/sh
# Install the headless browser and a font for the tests which open a report.
#   tools/ci/install_chromium.sh
# Debian or Ubuntu; as root, or with sudo. Quiet, and does nothing when both are there already.
set -eu

have_browser() { command -v chromium >/dev/null 2>&1; }
have_font() { ls /usr/share/fonts/truetype/liberation* >/dev/null 2>&1; }

if have_browser && have_font; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "install_chromium.sh: apt-get not found; install chromium and the Liberation fonts with your package manager" >&2
    exit 2
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1; then
    as_root="sudo"
else
    echo "install_chromium.sh: needs root; run it as root, or install sudo" >&2
    exit 2
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }; }

quietly $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 update -qq
quietly $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 install -y -qq \
    --no-install-recommends chromium fonts-liberation
have_browser || { echo "install_chromium.sh: chromium was installed but is not on PATH" >&2; exit 1; }
