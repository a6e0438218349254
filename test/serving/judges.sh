#!/usr/bin/env bash
# Makes out/judges, an environment of Python with the clients that judge serving.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 -m venv out/judges
pip=(out/judges/bin/pip install --quiet --disable-pip-version-check --no-compile)
"${pip[@]}" -r test/serving/judges.txt
"${pip[@]}" -r test/serving/judges-aws.txt
"${pip[@]}" --no-deps -r test/serving/judges-alone.txt
# Compiles what is imported, which is a fifth of what was installed, and shows that it is there.
imported() {
  env -u PYTHONDONTWRITEBYTECODE SAGEMAKER_SUPPRESS_V2_WARNING=1 SAGEMAKER_USER_CONFIG_OVERRIDE=serving/docs/walkthrough/sagemaker.yaml \
    out/judges/bin/python -c "import $1" >/dev/null
}
imported 'boto3, moto.server, sagemaker'
imported 'tritonclient.grpc, tritonclient.http'
imported kserve
