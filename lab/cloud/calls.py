"""What CloudTrail writes of a call: its name, what was asked for, and what was answered."""

import json
import re
import urllib.parse
import xml.etree.ElementTree as xml

from identities import ACCOUNT

# Members that leave no cloud: CloudTrail writes none of them.
SECRET = {"SecretAccessKey", "Password", "TokenCode", "WebIdentityToken"}
NUMBERS = {"DurationSeconds", "MaxItems"}
S3_HOST = "s3.us-east-1.amazonaws.com"
BUCKET_CALLS = {"location": "BucketLocation", "acl": "BucketAcl", "policy": "BucketPolicy", "versioning": "BucketVersioning"}


def camel(name):
    return name[:1].lower() + name[1:]


def is_read_only(source, name):
    return name.startswith(("Get", "List", "Head", "Describe")) or source == "sts.amazonaws.com"


def of_form(source, form):
    """A call of a service that takes forms: IAM, STS."""
    name = form.get("Action", "")
    asked = {}
    for member, value in form.items():
        if member not in SECRET and member not in ("Action", "Version") and "." not in member:
            asked[camel(member)] = int(value) if member in NUMBERS else value
    return {"name": name, "requestParameters": asked or None, "readOnly": is_read_only(source, name)}


def of_json(target, asked):
    """A call of a service that takes JSON: CloudTrail. What it answers is empty."""
    name = target.rpartition(".")[2]
    return {
        "name": name,
        "requestParameters": {camel(member): value for member, value in asked.items()} or None,
        "readOnly": is_read_only("", name),
        "responseElements": None,
    }


def answered(name, read_only, answer):
    """`responseElements` of an answer in XML: calls that only look have none, but those that hand out keys."""
    if read_only and not name.startswith(("AssumeRole", "GetSessionToken", "GetFederationToken")):
        return None
    try:
        root = xml.fromstring(answer)
    except xml.ParseError:
        return None
    result = next((part for part in root if tag(part).endswith("Result")), None)
    return members(result) or None if result is not None else None


def tag(element):
    return element.tag.rpartition("}")[2]


def members(element):
    told = {}
    for part in element:
        name = tag(part)
        if name in SECRET:
            continue
        told[camel(name)] = members(part) if len(part) else spelled(name, part.text or "")
    return told


MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def spelled(name, text):
    """Moments are written as in `Jul 10, 2023, 12:09:47 PM`."""
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?Z", text)
    if not found or name not in ("CreateDate", "Expiration", "UpdateDate"):
        return text
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    half = "AM" if hour < 12 else "PM"
    return f"{MONTHS[month - 1]} {day}, {year}, {hour % 12 or 12}:{minute:02}:{second:02} {half}"


def failure(answer):
    """Code and message of an error, in XML or JSON."""
    if answer.startswith("{"):
        told = json.loads(answer)
        return {"errorCode": told.get("__type", "InternalFailure").rpartition("#")[2], "errorMessage": told.get("message", "")}
    code = re.search(r"<Code>(.*?)</Code>", answer)
    message = re.search(r"<Message>(.*?)</Message>", answer, re.DOTALL)
    code = code[1] if code else "InternalFailure"
    code = {"NoSuchEntity": "NoSuchEntityException"}.get(code, code)
    return {"errorCode": code, "errorMessage": message[1] if message else ""}


def of_s3(method, path, query, sent, received):
    """A call of S3, whose name is told by method, path and query."""
    bucket, _, key = urllib.parse.unquote(path).lstrip("/").partition("/")
    asked = {"Host": S3_HOST}
    if bucket:
        asked = {"bucketName": bucket, **asked}
    special = next((BUCKET_CALLS[name] for name in BUCKET_CALLS if name in query), None)
    if not bucket:
        name = "ListBuckets"
    elif key:
        name = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}.get(method, method)
        asked["key"] = key
    elif special:
        name = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}.get(method, "Get") + special
    else:
        name = {"GET": "ListObjects", "PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket"}.get(method, method)
        asked.update((part, values[0]) for part, values in query.items())
    is_data = bool(key) or name == "ListObjects"
    call = {
        "name": name,
        "requestParameters": asked,
        "readOnly": method in ("GET", "HEAD"),
        "managementEvent": not is_data,
        "eventCategory": "Data" if is_data else "Management",
        "additionalEventData": {
            "SignatureVersion": "SigV4",
            "CipherSuite": "TLS_AES_128_GCM_SHA256",
            "bytesTransferredIn": sent,
            "AuthenticationMethod": "AuthHeader",
            "bytesTransferredOut": received,
        },
    }
    if bucket:
        resources = [{"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"}]
        if is_data:
            object_of = {"ARN": f"arn:aws:s3:::{bucket}/{key}"} if key else {"ARNPrefix": f"arn:aws:s3:::{bucket}/"}
            resources.insert(0, {"type": "AWS::S3::Object", **object_of})
        call["resources"] = resources
    return call
