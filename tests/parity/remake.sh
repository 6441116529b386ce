#!/bin/sh
# Remakes every golden file that depends on the shipped model: remake.sh DATA [PYTHON]. DATA and the
# packages that PYTHON (python3) must have are described in the three scripts.
set -eu
folder=$(dirname "$0")
for script in make_parity make_score_parity make_lm_eval; do
    "${2:-python3}" "$folder/$script.py" --data "$1"
done
