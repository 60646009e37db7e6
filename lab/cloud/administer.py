"""An administrator at work: signs in with a second factor, makes a user for a colleague."""

import sys

import aws

alice = aws.Client.of_environment()
answer = alice.ask("sts", "GetSessionToken", SerialNumber="arn:aws:iam::123456789012:mfa/alice", TokenCode="123456")
session = aws.Client(
    aws.value(answer, "AccessKeyId"), aws.value(answer, "SecretAccessKey"), aws.value(answer, "SessionToken"), agent=alice.agent
)
user = sys.argv[1]
session.ask("iam", "ListUsers")
session.ask("iam", "CreateUser", UserName=user)
session.ask("iam", "AttachUserPolicy", UserName=user, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
print(f"administer: alice made user {user}")
