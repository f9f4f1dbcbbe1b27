#!/usr/bin/env bash
# Chromium for the browser tests, from Debian or Ubuntu; needs root. Without a Chromium these tests are skipped and say so.
set -euo pipefail

if command -v chromium > /dev/null; then
  exit 0
fi
apt-get update -q > /dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium > /dev/null
