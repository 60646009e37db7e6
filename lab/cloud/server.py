"""The lab's cloud: AWS's interfaces (by moto), a trail of what is called, and a metadata service.

    server.py [--trail FOLDER] [--delay none|short|measured] [--rotate SECONDS]

The interfaces listen on port 4566 of every address; whoever calls is known by the access key alone,
for moto checks no signature. The metadata service listens on 169.254.169.254 where the machine has
that address, and knows instances by theirs.
"""

import argparse
import io
import json
import os
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"  # read when moto is imported

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

import account
import aws
import calls
import identities
import trail

API_PORT = 4566
SERVICE_ADDRESS = "169.254.169.254"
KEY_LIFE_SECONDS = 6 * 3600
FORMS = "application/x-www-form-urlencoded"
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'


class Cloud:
    """moto, with a registry of keys beside it and a trail behind it."""

    def __init__(self, written_to):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.inside = Client(self.moto, Response)
        self.keys = identities.Registry()
        self.trail = written_to

    # --- calls from outside ---------------------------------------------------------------------

    def __call__(self, environment, start):
        request = Request(environment)
        body = request.get_data(cache=True)
        key, service = credential(request)
        answer = self.answer(request, body, key, service)
        try:
            self.tell(request, body, key, service, answer)
        except (KeyError, ValueError) as error:
            print(f"cloud: a call was not recorded: {error!r}", flush=True)
        return answer(environment, start)

    def answer(self, request, body, key, service):
        form = dict(urllib.parse.parse_qsl(body.decode(errors="replace"))) if service != "s3" else {}
        if form.get("Action") == "GetCallerIdentity":
            return caller(self.keys.of(key))
        # moto tells services and buckets by the host; here all have one.
        host = calls.S3_HOST if service == "s3" else f"{service}.amazonaws.com"
        environment = {**request.environ, "HTTP_HOST": host, "wsgi.input": io.BytesIO(body)}
        return Response.from_app(self.moto, environment, buffered=True)

    def tell(self, request, body, key, service, answer):
        source = f"{service}.amazonaws.com"
        identity = self.keys.of(key)
        text = answer.get_data(as_text=True) if service != "s3" or answer.status_code >= 400 else ""
        if service == "s3":
            query = urllib.parse.parse_qs(request.query_string.decode(), keep_blank_values=True)
            call = calls.of_s3(request.method, request.path, query, len(body), len(answer.get_data()))
        elif target := request.headers.get("X-Amz-Target"):
            call = calls.of_json(target, json.loads(body))
        else:
            form = dict(urllib.parse.parse_qsl(body.decode(errors="replace")))
            call = calls.of_form(source, form)
            call["responseElements"] = calls.answered(call["name"], call["readOnly"], text)
        name = call.pop("name")
        if answer.status_code >= 400:
            call.update(calls.failure(text), responseElements=None)
        else:
            self.note(name, identity, call)
        agent = request.headers.get("User-Agent", "-")
        agent = f"[{agent}]" if service == "s3" else agent
        host = calls.S3_HOST if service == "s3" else f"{service}.amazonaws.com"
        self.trail.write(trail.record(identity, source, name, request.remote_addr, agent, host, **call))

    def note(self, name, by, call):
        """Learns whose the keys are that an answer hands out."""
        told = call.get("responseElements") or {}
        if name == "CreateUser":
            told["user"]["userId"] = self.keys.id_of("AIDA", told["user"]["userName"])
        elif name == "CreateAccessKey":
            user = told["accessKey"]["userName"]
            self.keys.add(identities.user(user, self.keys.id_of("AIDA", user), told["accessKey"]["accessKeyId"]))
        elif name == "GetSessionToken":
            self.keys.add(identities.user_session(by, told["credentials"]["accessKeyId"]))
        elif name.startswith("AssumeRole"):
            asked = call["requestParameters"]
            role = asked["roleArn"].rpartition("/")[2]
            role_id = self.keys.id_of("AROA", role)
            told["assumedRoleUser"]["assumedRoleId"] = f"{role_id}:{asked['roleSessionName']}"
            key = told["credentials"]["accessKeyId"]
            self.keys.add(identities.role_session(role, role_id, asked["roleSessionName"], key))

    # --- what the cloud itself does -------------------------------------------------------------

    def ask(self, service, action, **parameters):
        form = urllib.parse.urlencode({"Action": action, "Version": aws.VERSIONS[service], **parameters})
        return self.inside.post("/", data=form, headers={**scope(service), "Content-Type": FORMS}).get_data(as_text=True)

    def settle(self):
        """Makes what the account holds; of that no trail tells."""
        for user, key in account.USERS.items():
            self.ask("iam", "CreateUser", UserName=user)
            self.keys.add(identities.user(user, self.keys.id_of("AIDA", user), key))
        for role in account.ROLES:
            self.ask("iam", "CreateRole", RoleName=role, AssumeRolePolicyDocument=TRUST)
        for bucket, objects in account.BUCKETS.items():
            self.inside.put(f"/{bucket}", headers=scope("s3"))
            for key, content in objects.items():
                self.inside.put(f"/{bucket}/{key}", data=content, headers=scope("s3"))
        target = {"X-Amz-Target": f"{aws.TARGETS['cloudtrail']}.CreateTrail", "Content-Type": aws.JSON}
        asked = {"Name": account.TRAIL, "S3BucketName": account.TRAIL_BUCKET}
        self.inside.post("/", data=json.dumps(asked), headers={**scope("cloudtrail"), **target})

    def issue(self, instance, role, delivery):
        """The credential that an instance is given, and the record of the service that gave it."""
        arn = f"arn:aws:iam::{identities.ACCOUNT}:role/{role}"
        text = self.ask("sts", "AssumeRole", RoleArn=arn, RoleSessionName=instance, DurationSeconds=KEY_LIFE_SECONDS)
        role_id = self.keys.id_of("AROA", role)
        key = aws.value(text, "AccessKeyId")
        self.keys.add(identities.role_session(role, role_id, instance, key, delivery))
        told = calls.answered("AssumeRole", True, text)
        told["assumedRoleUser"]["assumedRoleId"] = f"{role_id}:{instance}"
        service = {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
        self.trail.write(
            trail.record(
                service, "sts.amazonaws.com", "AssumeRole", "ec2.amazonaws.com", "ec2.amazonaws.com", "",
                requestParameters={"roleArn": arn, "roleSessionName": instance, "durationSeconds": KEY_LIFE_SECONDS},
                responseElements=told,
                resources=[{"accountId": identities.ACCOUNT, "type": "AWS::IAM::Role", "ARN": arn}],
                sharedEventID=str(uuid.uuid4()),
            )
        )
        return {
            "Code": "Success",
            "LastUpdated": identities.moment(),
            "Type": "AWS-HMAC",
            "AccessKeyId": key,
            "SecretAccessKey": aws.value(text, "SecretAccessKey"),
            "Token": aws.value(text, "SessionToken"),
            "Expiration": identities.moment(KEY_LIFE_SECONDS),
        }


def scope(service):
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential=AKIACLEWLABINSIDEXAM/20260101/{aws.REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"}


def credential(request):
    """The access key and the service of a request, as its signature names them."""
    parts = request.headers.get("Authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
    return (parts[0], parts[3]) if len(parts) == 5 else ("", "s3")


def caller(identity):
    """The answer of GetCallerIdentity."""
    arn, principal = identity.get("arn", ""), identity.get("principalId", "")
    return Response(
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{arn}</Arn><UserId>{principal}</UserId><Account>{identities.ACCOUNT}</Account></GetCallerIdentityResult>"
        "</GetCallerIdentityResponse>",
        content_type="text/xml",
    )


class Metadata(BaseHTTPRequestHandler):
    """The instance metadata service, version 1 and 2."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "EC2ws", ""
    cloud, rotate, lock = None, 0, threading.Lock()
    tokens, issued = set(), {}

    def do_PUT(self):
        if self.path != "/latest/api/token" or not self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
            return self.say(400, "")
        # Whoever forwards a request for another adds this field; the service refuses them.
        if self.headers.get("X-Forwarded-For"):
            return self.say(403, "")
        token = identities.new_id("AQAE") + "=="
        self.tokens.add(token)
        return self.say(200, token, {"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": "21600"})

    def do_GET(self):
        token = self.headers.get("X-aws-ec2-metadata-token")
        found = account.INSTANCES.get(self.client_address[0])
        if token is not None and token not in self.tokens:
            return self.say(401, "")
        if found is None:
            return self.say(404, "")
        instance, role = found
        roles = "/latest/meta-data/iam/security-credentials"
        pages = {
            "/latest/meta-data/": "iam/\ninstance-id\nlocal-ipv4",
            "/latest/meta-data/instance-id": instance,
            "/latest/meta-data/iam/": "info\nsecurity-credentials/",
            roles: role,
            roles + "/": role,
        }
        if self.path == f"{roles}/{role}":
            version = "2.0" if token else "1.0"
            return self.say(200, json.dumps(self.credential(instance, role, version), indent=2))
        return self.say(200, pages[self.path]) if self.path in pages else self.say(404, "")

    def credential(self, instance, role, version):
        """The same for as long as it is young; each version of the service has its own."""
        with self.lock:
            made, told = self.issued.get((instance, version), (0, None))
            if told is None or time.monotonic() - made > self.rotate:
                told = self.cloud.issue(instance, role, version)
                self.issued[instance, version] = (time.monotonic(), told)
            return told

    def say(self, status, text, fields=None):
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", "Content-Length": str(len(body)), **(fields or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing: the trail tells."""


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--trail", default="/trail")
    options.add_argument("--delay", default="short", choices=trail.DELAYS)
    options.add_argument("--rotate", type=float, default=3600)
    options = options.parse_args()
    cloud = Cloud(trail.Trail(options.trail, options.delay))
    cloud.settle()
    Metadata.cloud, Metadata.rotate = cloud, options.rotate
    try:
        service = ThreadingHTTPServer((SERVICE_ADDRESS, 80), Metadata)
        threading.Thread(target=service.serve_forever, daemon=True).start()
    except OSError:
        print("cloud: no metadata service, for this is not its address", flush=True)
    server = make_server("0.0.0.0", API_PORT, cloud, threaded=True)
    print("cloud: ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
