// The service whose rates and pictures the shop takes.
//
// `/control?note=…` sets what its rates say from then on: what somebody does who has broken into it.
'use strict';
const http = require('node:http');

let note = 'mid-market';

http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === '/control') note = url.searchParams.get('note');
  const body = url.pathname.startsWith('/pictures/') ? { picture: 'x'.repeat(200) }
    : { currency: url.searchParams.get('currency'), rate: 1.08, note };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}).listen(8080);
