#!/usr/bin/env bash
# Makes anew the certificate with which the tests play SNS and Google, valid for a hundred years.
# The key is for tests alone and public. `signature-v1` is that of `signed-v1`, by SHA-1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj "/CN=sns.amazonaws.com" \
	-addext subjectAltName=DNS:sns.amazonaws.com -keyout sender.key -out sender.pem
openssl dgst -sha1 -sign sender.key signed-v1 | base64 -w 0 >signature-v1
