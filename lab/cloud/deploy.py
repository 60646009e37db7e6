"""A pipeline: takes the role that it deploys with, and writes a page."""

import aws

ROLE = "arn:aws:iam::123456789012:role/deploy-staging"
answer = aws.Client.of_environment().ask("sts", "AssumeRole", RoleArn=ROLE, RoleSessionName="pipeline-1841")
session = aws.Client(aws.value(answer, "AccessKeyId"), aws.value(answer, "SecretAccessKey"), aws.value(answer, "SessionToken"))
session.send("s3", "PUT", "/shop-static/index.html", b"<title>The shop</title>")
print("deploy: a page was written")
