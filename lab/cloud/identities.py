"""Who holds which access key, as CloudTrail writes it into `userIdentity`."""

import datetime
import secrets
import threading

ACCOUNT = "123456789012"
# The letters of ids that AWS hands out.
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_id(kind):
    """`AKIA…`, `ASIA…`, `AIDA…`, `AROA…`: four letters of the kind and sixteen more."""
    return kind + "".join(secrets.choice(LETTERS) for _ in range(16))


def moment(seconds_from_now=0):
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_from_now)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def user(name, principal, key):
    return {
        "type": "IAMUser",
        "principalId": principal,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "userName": name,
    }


def user_session(of, key):
    """A session that a user took with a second factor."""
    attributes = {"creationDate": moment(), "mfaAuthenticated": "true"}
    return {**of, "accessKeyId": key, "sessionContext": {"attributes": attributes}}


def role_session(role, role_id, session, key, delivery=None):
    """A session of a role; `delivery` is the version of the metadata service that handed it out."""
    identity = {
        "type": "AssumedRole",
        "principalId": f"{role_id}:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role_id,
                "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
                "accountId": ACCOUNT,
                "userName": role,
            },
            "attributes": {"creationDate": moment(), "mfaAuthenticated": "false"},
        },
    }
    if delivery:
        identity["sessionContext"]["ec2RoleDelivery"] = delivery
    return identity


class Registry:
    """The keys of the account, and the ids of those who hold them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.by_key = {}
        self.ids = {}

    def id_of(self, kind, name):
        """The lasting id of a user (`AIDA`) or a role (`AROA`)."""
        with self.lock:
            return self.ids.setdefault((kind, name), new_id(kind))

    def add(self, identity):
        with self.lock:
            self.by_key[identity["accessKeyId"]] = identity

    def of(self, key):
        """Who calls with a key; one that nobody holds is named and nothing else, as AWS does."""
        with self.lock:
            return self.by_key.get(key) or {"type": "Unknown", "accountId": ACCOUNT, "accessKeyId": key}
