"""A small client of AWS's interfaces, for containers that have Python and nothing else.

    aws.py SERVICE ACTION [NAME=VALUE]...     iam, sts: prints the answer
    aws.py s3 METHOD /BUCKET[/KEY][?QUERY]    prints the object

Credentials, endpoint and agent are found as AWS's own tools find them, in AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL; the agent is AWS_USER_AGENT.
"""

import datetime
import hashlib
import hmac
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

REGION = "us-east-1"
VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15"}
FORM = "application/x-www-form-urlencoded; charset=utf-8"
JSON = "application/x-amz-json-1.1"
# Services that take JSON, by the name that goes before an action.
TARGETS = {"cloudtrail": "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"}


class Client:
    def __init__(self, key, secret, token=None, endpoint=None, agent="Boto3/1.35.10 md/Botocore#1.35.10"):
        self.key, self.secret, self.token = key, secret, token
        self.endpoint = endpoint or os.environ["AWS_ENDPOINT_URL"]
        self.agent = agent

    @classmethod
    def of_environment(cls):
        get = os.environ.get
        agent = get("AWS_USER_AGENT", "aws-cli/2.17.44 md/awscrt#0.21.2 ua/2.0 os/linux lang/python#3.11.9")
        return cls(get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY", ""), get("AWS_SESSION_TOKEN"), agent=agent)

    @classmethod
    def of_metadata(cls, answer, **more):
        """From what a metadata service answers, or AssumeRole."""
        return cls(answer["AccessKeyId"], answer["SecretAccessKey"], answer["Token"], **more)

    def ask(self, service, action, **parameters):
        """One action of a service that takes forms or JSON; the answer as text."""
        if service in TARGETS:
            more = {"Content-Type": JSON, "X-Amz-Target": f"{TARGETS[service]}.{action}"}
            return self.send(service, "POST", "/", json.dumps(parameters).encode(), more).decode()
        form = {"Action": action, "Version": VERSIONS[service], **parameters}
        return self.send(service, "POST", "/", urllib.parse.urlencode(form).encode(), {"Content-Type": FORM}).decode()

    def send(self, service, method, target, body=b"", more=None):
        request = urllib.request.Request(self.endpoint + target, data=body or None, method=method)
        for name, value in {**self.signed(service, method, target, body), **(more or {})}.items():
            request.add_header(name, value)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def signed(self, service, method, target, body):
        """The headers of a request with Signature Version 4."""
        moment = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        address = urllib.parse.urlsplit(self.endpoint + target)
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": address.netloc, "x-amz-content-sha256": digest, "x-amz-date": moment}
        if self.token:
            headers["x-amz-security-token"] = self.token
        names = ";".join(sorted(headers))
        query = "&".join(sorted(part if "=" in part else part + "=" for part in address.query.split("&") if part))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = "\n".join([method, address.path, query, lines, names, digest])
        scope = f"{moment[:8]}/{REGION}/{service}/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{self.secret}".encode()
        for part in (moment[:8], REGION, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        authorization = f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**headers, "authorization": authorization, "user-agent": self.agent}


def value(answer, name):
    """The text of the first element of that name."""
    return answer.partition(f"<{name}>")[2].partition(f"</{name}>")[0]


def values(answer, name):
    return [part.partition(f"</{name}>")[0] for part in answer.split(f"<{name}>")[1:]]


def main(words):
    client = Client.of_environment()
    try:
        if words[0] == "s3":
            sys.stdout.buffer.write(client.send("s3", words[1], words[2]))
        else:
            print(client.ask(words[0], words[1], **dict(word.split("=", 1) for word in words[2:])))
    except urllib.error.HTTPError as error:
        sys.exit(f"aws: {words}: {error.read().decode(errors='replace')}")


if __name__ == "__main__":
    main(sys.argv[1:])
