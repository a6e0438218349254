"""Many models behind one endpoint, loaded from S3 when they are asked for: boto3 and the SageMaker Python SDK (< 3)."""

import datetime

from common import BUCKET, ROLE, check, close, image, predictions, rows, upload

import boto3
import sagemaker
from sagemaker.deserializers import JSONDeserializer
from sagemaker.multidatamodel import MultiDataModel
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer


ENDPOINT = "bikerental-multi"
PREFIX = "bikerental-hyper/model"
client = boto3.client("sagemaker")
runtime = boto3.client("sagemaker-runtime")
watch = boto3.client("cloudwatch")


def archive(name: str) -> str:
    return f"{name}/output/model.tar.gz"


# 1. Two archives under one prefix, and an endpoint on the prefix.
upload(*(f"{PREFIX}/{archive(n)}" for n in ("depth-3", "depth-6")))
boto3.client("s3").delete_object(Bucket=BUCKET, Key=f"{PREFIX}/{archive('depth-9')}")
session = sagemaker.Session(
    sagemaker_client=client, sagemaker_runtime_client=runtime, default_bucket=BUCKET, boto_session=boto3.Session()
)
models = MultiDataModel(
    name="bikerental-hyper",
    model_data_prefix=f"s3://{BUCKET}/{PREFIX}/",
    image_uri=image("1.2-1"),
    role=ROLE,
    sagemaker_session=session,
)
models.deploy(initial_instance_count=1, instance_type="ml.m5.large", endpoint_name=ENDPOINT, wait=False)
client.get_waiter("endpoint_in_service").wait(EndpointName=ENDPOINT, WaiterConfig=dict(Delay=1, MaxAttempts=120))
check("the SDK lists both archives", sorted(models.list_models()) == [archive("depth-3"), archive("depth-6")])

# 2. Each request names its model. The first one loads it.
predictor = Predictor(
    endpoint_name=ENDPOINT, sagemaker_session=session, serializer=CSVSerializer(), deserializer=JSONDeserializer()
)
five = rows()[:5]


def hits() -> tuple[float, float]:
    """How many requests found their model loaded, of how many."""
    now = datetime.datetime.now(datetime.timezone.utc)
    data = watch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="ModelCacheHit",
        Dimensions=[dict(Name="EndpointName", Value=ENDPOINT), dict(Name="VariantName", Value="AllTraffic")],
        StartTime=now - datetime.timedelta(hours=24),
        EndTime=now + datetime.timedelta(hours=24),
        Period=60,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    return sum(d["Sum"] for d in data), sum(d["SampleCount"] for d in data)


for n, name in enumerate(("depth-3", "depth-6")):
    answer = predictor.predict(five, target_model=archive(name))
    check(f"{name} answers a JSON list of what XGBoost predicts", close(answer, predictions()[:5]))
    check("it had to be loaded", hits() == (0, n + 1))
predictor.predict(five, target_model=archive("depth-3"))
check("the second time it was there", hits() == (1, 3))

# 3. A third archive is served as soon as it is in S3; one that is not there is an error of the caller.
try:
    predictor.predict(five, target_model=archive("depth-9"))
    check("an archive that is missing is refused", False)
except runtime.exceptions.ClientError as e:
    check("an archive that is missing is refused", "Failed to download model data" in str(e))
upload(f"{PREFIX}/{archive('depth-9')}")
check("a third archive works without a change of the endpoint", close(predictor.predict(five, target_model=archive("depth-9")), predictions()[:5]))

# 4. The end.
predictor.delete_endpoint()
client.get_waiter("endpoint_deleted").wait(EndpointName=ENDPOINT, WaiterConfig=dict(Delay=1, MaxAttempts=120))
models.delete_model()
check("nothing is left", client.list_endpoints()["Endpoints"] == [] and client.list_models()["Models"] == [])
