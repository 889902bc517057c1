#!/usr/bin/env bash
# The page of a finished run, for people: one HTML file that needs no network.
#   bash examples/report.sh FOLDER [PAGE]      (default: FOLDER/report.html)
# FOLDER holds what examples/quickstart.sh, examples/cifar10.sh or `nascli compare` left there; their logs and side files
# are found. Needs the extra: pip install 'nascli[report]'.
set -euo pipefail
folder=$(realpath "${1:?the folder of a run}")
nascli report "$folder" -o "${2:-$folder/report.html}" --title "Search of $(basename "$folder")" --force
