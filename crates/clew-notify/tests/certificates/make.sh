#!/usr/bin/env bash
# Makes the certificates anew, valid for a hundred years. The keys are for tests alone and public.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
days=36500
curve=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

for ca in authority stranger; do
	openssl req -x509 "${curve[@]}" -days $days -subj "/CN=clew test $ca" -keyout $ca.key -out $ca.pem \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
done
openssl req "${curve[@]}" -subj "/CN=clew test server" -keyout server.key -out server.csr
openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -set_serial 2 -days $days \
	-out server.pem -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1')
rm -f server.csr authority.key stranger.key
