"""A batch job: reads all of a bucket with the credential of its own role, and counts lines."""

import re

import aws
import preview

client = aws.Client.of_metadata(preview.fresh_credential())
names = re.findall("<Key>(.*?)</Key>", client.send("s3", "GET", "/shop-customers?list-type=2").decode())
lines = sum(client.send("s3", "GET", f"/shop-customers/{name}").count(b"\n") for name in names)
print(f"report: {lines} lines in {len(names)} objects")
