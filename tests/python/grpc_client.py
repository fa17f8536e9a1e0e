"""A gRPC client that knows nothing of the service but its address: every method and message comes by reflection.

Answers each line of standard input, a JSON object with address, token, service, method and request, by one line: a JSON object
with the responses, or with the error's code and message.
"""

import json
import sys

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

channels = {}


def pool_of(address):
    if address not in channels:
        channel = grpc.insecure_channel(address)
        channels[address] = (channel, DescriptorPool(ProtoReflectionDescriptorDatabase(channel)))
    return channels[address]


def call(question):
    channel, pool = pool_of(question["address"])
    service = pool.FindServiceByName(question["service"])
    method = service.methods_by_name[question["method"]]
    request = message_factory.GetMessageClass(method.input_type)()
    json_format.ParseDict(question["request"], request)
    response = message_factory.GetMessageClass(method.output_type)
    stream = channel.unary_stream(
        f"/{service.full_name}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
    metadata = [("authorization", f"Bearer {question['token']}")]
    answers = [
        json_format.MessageToDict(message, preserving_proto_field_name=True)
        for message in stream(request, metadata=metadata, timeout=120)
    ]
    return {"responses": answers}


for line in sys.stdin:
    try:
        answer = call(json.loads(line))
    except grpc.RpcError as error:
        answer = {"error": {"code": error.code().name, "message": error.details()}}
    print(json.dumps(answer), flush=True)
