"""Makes the calls to AWS that standard input names, one JSON object a line, and answers each by one line."""

import base64
import json
import sys
import urllib.request

import boto3

endpoint = sys.argv[1]
keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nobody"}


def answer(question):
    if "enforce" in question:
        # From here on moto checks keys and policies, with no call left that it lets through unchecked.
        url = endpoint + "/moto-api/reset-auth"
        request = urllib.request.Request(url, data=b"0", headers={"Content-Type": "text/plain"})
        urllib.request.urlopen(request).read()
        admin = question["enforce"]
        keys.update(aws_access_key_id=admin["access_key"], aws_secret_access_key=admin["secret_key"])
        return None
    region = question.get("region") or "us-east-1"
    client = boto3.client(question["service"], endpoint_url=endpoint, region_name=region, **keys)
    arguments = question["arguments"]
    if "body" in question:
        arguments["Body"] = base64.b64decode(question["body"])
    return getattr(client, question["call"])(**arguments)


for line in sys.stdin:
    try:
        told = {"answer": answer(json.loads(line))}
    except Exception as error:
        told = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(told, default=str), flush=True)
