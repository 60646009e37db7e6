"""CloudTrail: records of calls, delivered as files like those in a trail's bucket.

A record is written when a call is done, waits as long as its delay says, and comes in a file with
the others that are due. A fifth of neighbours come in the wrong order.
"""

import datetime
import gzip
import json
import os
import random
import secrets
import string
import threading
import time
import uuid

from identities import ACCOUNT

REGION = "us-east-1"
SWAPPED_SHARE = 0.2
CIPHER = "TLS_AES_128_GCM_SHA256"
# Seconds until a record is delivered. Measured on public logs: half within 3.3 minutes, nine of ten
# within 7, all within 9.9.
DELAYS = {
    "none": lambda: 0.0,
    "short": lambda: random.uniform(2.0, 5.0),
    "measured": lambda: min(594.0, random.lognormvariate(5.288, 0.587)),
}


def record(identity, source, name, address, agent, host, **more):
    """A record with what all have in common; `more` holds the rest and replaces."""
    is_service = identity["type"] == "AWSService"
    told = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": source,
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": address,
        "userAgent": agent,
        "requestParameters": None,
        "responseElements": None,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    told.update(more)
    if address.startswith(("10.", "172.", "192.168.")):
        told.update(vpcEndpointId="vpce-0c1e37f2a9d0b5e64", vpcEndpointAccountId=ACCOUNT)
    if not is_service:
        told["tlsDetails"] = {"tlsVersion": "TLSv1.3", "cipherSuite": CIPHER, "clientProvidedHostHeader": host}
    return told


class Trail:
    def __init__(self, folder, delay, every=0.5):
        self.folder, self.every = folder, every
        self.delay = DELAYS[delay]
        self.lock = threading.Lock()
        self.waiting = []
        threading.Thread(target=self.deliver, daemon=True).start()

    def write(self, told):
        with self.lock:
            self.waiting.append((time.monotonic() + self.delay(), told))

    def deliver(self):
        while True:
            time.sleep(self.every)
            now = time.monotonic()
            with self.lock:
                due = sorted((one for one in self.waiting if one[0] <= now), key=lambda one: one[0])
                self.waiting = [one for one in self.waiting if one[0] > now]
            if due:
                self.put(disordered([told for _, told in due]))

    def put(self, records):
        now = datetime.datetime.now(datetime.timezone.utc)
        folder = f"{self.folder}/AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{now:%Y/%m/%d}"
        mark = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16))
        name = f"{ACCOUNT}_CloudTrail_{REGION}_{now:%Y%m%dT%H%MZ}_{mark}.json.gz"
        os.makedirs(folder, exist_ok=True)
        # Whoever follows the folder passes over hidden names, so a file is there at once and whole.
        hidden = f"{folder}/.{name}"
        with gzip.open(hidden, "wt") as file:
            json.dump({"Records": records}, file, separators=(",", ":"))
        os.rename(hidden, f"{folder}/{name}")


def disordered(records):
    for at in range(len(records) - 1):
        if random.random() < SWAPPED_SHARE:
            records[at], records[at + 1] = records[at + 1], records[at]
    return records
