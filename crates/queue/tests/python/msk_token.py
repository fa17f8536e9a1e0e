"""The token for Amazon MSK that AWS's own signer makes: TIME<tab>REGION<tab>SESSION TOKEN in, the token out."""

import datetime
import sys

import botocore.auth
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider as signer
from botocore.credentials import Credentials

for line in sys.stdin:
    seconds, region, session = line.rstrip("\n").split("\t")
    now = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
    # The signer reads the clock by this function alone.
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: now.replace(tzinfo=None)
    keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfi", session or None)
    construct = getattr(signer, "__construct_auth_token")
    token, _ = construct(region, keys)
    print(token, flush=True)
