"""An A/B test of two versions of a model behind one endpoint: boto3 and the SageMaker Python SDK (< 3), only the endpoint URL is ours.

AWS_ENDPOINT_URL is endpointd (started with --clock-rate 60, so that a minute of auto-scaling takes a second; CLOCK_RATE says so where it is another), AWS_ENDPOINT_URL_S3 any S3.
"""

import threading
import time
from collections import Counter

from common import BUCKET, CALLS, CLOCK_RATE, ENDPOINT, ROLE, check, close, image, near, predictions, rows, upload

import boto3
import sagemaker
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer


OLD, NEW = "version-0-90-2", "version-1-2-2"
VARIANT = dict(
    ServiceNamespace="sagemaker",
    ResourceId=f"endpoint/{ENDPOINT}/variant/{NEW}",
    ScalableDimension="sagemaker:variant:DesiredInstanceCount",
)
client = boto3.client("sagemaker")
runtime = boto3.client("sagemaker-runtime")
scaling = boto3.client("application-autoscaling")

# 1. Two models, one endpoint configuration with a variant for each, one endpoint.
upload("bike/model.tar.gz")
for name, tag in (("bike-old", "0.90-2-cpu-py3"), ("bike-new", "1.2-2")):
    container = dict(Image=image(tag), ModelDataUrl=f"s3://{BUCKET}/bike/model.tar.gz")
    client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
variants = [
    dict(VariantName=v, ModelName=m, InstanceType="ml.m5.large", InitialInstanceCount=1, InitialVariantWeight=1)
    for v, m in ((OLD, "bike-old"), (NEW, "bike-new"))
]
client.create_endpoint_config(EndpointConfigName=ENDPOINT, ProductionVariants=variants)
client.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=ENDPOINT)
client.get_waiter("endpoint_in_service").wait(EndpointName=ENDPOINT, WaiterConfig=dict(Delay=1, MaxAttempts=120))

# 2. Predictions through the SageMaker Python SDK, and from each variant.
session = sagemaker.Session(sagemaker_client=client, sagemaker_runtime_client=runtime, default_bucket=BUCKET)
predictor = Predictor(endpoint_name=ENDPOINT, sagemaker_session=session, serializer=CSVSerializer())
five = rows()[:5]


def numbers(answer: bytes) -> list[float]:
    return [float(x) for x in answer.decode().replace("\n", ",").strip(",").split(",")]


for variant in (OLD, NEW):
    answer = predictor.predict(five, initial_args={"TargetVariant": variant})
    check(f"{variant} predicts what XGBoost does", close(numbers(answer), predictions()[:5]))
old = predictor.predict(five, initial_args={"TargetVariant": OLD}).decode()
check("version 0.90-2 joins its answers by commas", old.count(",") == 4 and "\n" not in old.strip())

# 3. Traffic is divided by the weights.
row = ",".join(five[0])


def share() -> float:
    """The share of calls that the old version answers."""
    seen: Counter[str] = Counter()
    for _ in range(CALLS):
        r = runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="text/csv", Body=row)
        seen[r["InvokedProductionVariant"]] += 1
    return seen[OLD] / CALLS


equal = share()
check(f"weights 1:1 give the old version {equal:.1%} of {CALLS} calls", near(equal, 0.5))
client.update_endpoint_weights_and_capacities(
    EndpointName=ENDPOINT,
    DesiredWeightsAndCapacities=[dict(VariantName=OLD, DesiredWeight=9), dict(VariantName=NEW, DesiredWeight=1)],
)
client.get_waiter("endpoint_in_service").wait(EndpointName=ENDPOINT, WaiterConfig=dict(Delay=1, MaxAttempts=120))
most = share()
check(f"weights 9:1 give the old version {most:.1%}", near(most, 0.9))

# 4. Auto-scaling by target tracking, with the target as documented: requests a second that an instance can do x 0.5 x 60.
scaling.register_scalable_target(**VARIANT, MinCapacity=1, MaxCapacity=4)
TARGET = 3600 / CLOCK_RATE
scaling.put_scaling_policy(
    **VARIANT,
    PolicyName="invocations",
    PolicyType="TargetTrackingScaling",
    TargetTrackingScalingPolicyConfiguration=dict(
        TargetValue=TARGET,
        PredefinedMetricSpecification=dict(PredefinedMetricType="SageMakerVariantInvocationsPerInstance"),
        ScaleInCooldown=60,
        ScaleOutCooldown=60,
    ),
)
busy = threading.Event()


def traffic() -> None:
    # 2.2 times the target in each minute of the control plane: 132 calls a second.
    begun, sent = time.monotonic(), 0
    while not busy.is_set():
        sent += 1
        time.sleep(max(0, begun + sent / (TARGET * 2.2 * CLOCK_RATE / 60) - time.monotonic()))
        runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="text/csv", Body=row, TargetVariant=NEW)


def instances() -> int:
    found = client.describe_endpoint(EndpointName=ENDPOINT)["ProductionVariants"]
    return next(v["CurrentInstanceCount"] for v in found if v["VariantName"] == NEW)


def wait_for(count: int, seconds: int) -> bool:
    until = time.monotonic() + seconds
    while instances() != count and time.monotonic() < until:
        time.sleep(0.2)
    return instances() == count


load = threading.Thread(target=traffic)
load.start()
check("3 instances at 2.2 times the target", wait_for(3, 60))
busy.set()
load.join()
check("1 instance when idle", wait_for(1, 90))

# 5. Everything is deleted; the scalable target goes with the endpoint.
client.get_waiter("endpoint_in_service").wait(EndpointName=ENDPOINT, WaiterConfig=dict(Delay=1, MaxAttempts=120))
predictor.delete_endpoint(delete_endpoint_config=True)
client.get_waiter("endpoint_deleted").wait(EndpointName=ENDPOINT, WaiterConfig=dict(Delay=1, MaxAttempts=120))
try:
    client.describe_endpoint(EndpointName=ENDPOINT)
    check("the endpoint is gone", False)
except client.exceptions.ClientError as e:
    check(f"the endpoint is gone: {e.response['Error']['Message']}", "Could not find endpoint" in str(e))
left = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
check("no scalable target is left", left == [])
for name in ("bike-old", "bike-new"):
    client.delete_model(ModelName=name)
