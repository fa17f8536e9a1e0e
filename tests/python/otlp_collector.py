"""An OTLP collector on the OpenTelemetry project's own contracts for Python: keeps every span that it is sent.

Answers each line of standard input by one line: `address` by where it listens, `spans` by all spans so far, as JSON.
"""

import json
import sys
import threading
from concurrent import futures

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

kept = []
lock = threading.Lock()


def value_of(any_value):
    kind = any_value.WhichOneof("value")
    return getattr(any_value, kind) if kind in ("string_value", "int_value", "bool_value", "double_value") else str(any_value)


def attributes_of(attributes):
    return {one.key: value_of(one.value) for one in attributes}


def span_of(resource, span):
    return {
        "resource": resource,
        "name": span.name,
        "kind": type(span).SpanKind.Name(span.kind),
        "trace": span.trace_id.hex(),
        "span": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "links": [{"trace": link.trace_id.hex(), "span": link.span_id.hex()} for link in span.links],
        "attributes": attributes_of(span.attributes),
        "failed": span.status.code == span.status.STATUS_CODE_ERROR,
    }


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def Export(self, request, context):
        with lock:
            for sent in request.resource_spans:
                resource = attributes_of(sent.resource.attributes)
                kept.extend(span_of(resource, span) for scope in sent.scope_spans for span in scope.spans)
        return trace_service_pb2.ExportTraceServiceResponse()


server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Collector(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()

for line in sys.stdin:
    if line.strip() == "address":
        print(f"http://127.0.0.1:{port}", flush=True)
    else:
        with lock:
            print(json.dumps(kept), flush=True)
