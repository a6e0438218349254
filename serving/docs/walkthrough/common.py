"""What both exercises share: the bike-rental model, packed as SageMaker's XGBoost container stores models, and S3."""

import gzip
import io
import os
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
# Read when sagemaker is imported: without it, the SDK reports its use to AWS.
os.environ.setdefault("SAGEMAKER_USER_CONFIG_OVERRIDE", os.path.join(HERE, "sagemaker.yaml"))

import boto3  # noqa: E402

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
BIKE = os.path.join(PROJECT, "fixtures", "bike")
BUCKET = "sagemaker-us-east-1-000000000000"
ROLE = "arn:aws:iam::000000000000:role/sagemaker"
ENDPOINT = "xgboost-bikerental"
# As endpointd was started: a minute of auto-scaling takes a second at 60.
CLOCK_RATE = float(os.environ.get("CLOCK_RATE", "60"))
CALLS = int(os.environ.get("CALLS", "10000"))


def image(tag: str) -> str:
    """The image of AWS's XGBoost container; its tag chooses how answers are written."""
    return f"683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:{tag}"


def rows() -> list[list[str]]:
    """Hours of the data, without the header."""
    with open(os.path.join(BIKE, "rows.csv")) as f:
        return [line.split(",") for line in f.read().split()[1:]]


def predictions() -> list[float]:
    """What XGBoost itself predicts for them."""
    with open(os.path.join(BIKE, "predictions.csv")) as f:
        return [float(line) for line in f.read().split()[1:]]


def upload(*keys: str) -> None:
    """Puts the model into S3, as model.tar.gz with one file, under each key."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(os.path.join(BIKE, "model.json"), arcname="xgboost-model")
    # Without the time, the same model is the same bytes, and is compiled once.
    packed = gzip.compress(archive.getvalue(), mtime=0)
    s3 = boto3.client("s3")
    try:
        s3.create_bucket(Bucket=BUCKET)
    except s3.exceptions.ClientError as e:
        if e.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=packed)


def check(what: str, ok: bool) -> None:
    """Prints what was seen; ends the script where it is wrong."""
    print(("ok   " if ok else "WRONG ") + what, flush=True)
    if not ok:
        raise SystemExit(1)


def near(share: float, expected: float) -> bool:
    """Whether a share of CALLS random choices is within four standard deviations of what is expected."""
    return abs(share - expected) <= 4 * (expected * (1 - expected) / CALLS) ** 0.5


def close(a: list[float], b: list[float]) -> bool:
    return len(a) == len(b) and all(abs(x - y) <= 1e-4 * max(1, abs(y)) for x, y in zip(a, b))
