// A small web application with one hole of each kind; SAFE=1 serves the same pages without them.
//
// Runtime: Node, one event loop: every request in flight shares one thread.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { exec, execFile } = require('node:child_process');

const SAFE = process.env.SAFE === '1';
const FILES = '/srv/files';
const KNOWN_HOSTS = new Set(['127.0.0.1']);

const pages = {
  '/health': (asked, answer) => answer.end('ok\n'),

  '/ping': (asked, answer) => {
    const host = asked.searchParams.get('host') ?? '127.0.0.1';
    const done = (error, output) => answer.end(output);
    if (SAFE) execFile('echo', ['pinging', host], done);
    else exec(`echo pinging ${host}`, done);
  },

  '/fetch': (asked, answer) => {
    const url = asked.searchParams.get('url') ?? 'http://127.0.0.1:8080/health';
    const fail = (status) => { answer.statusCode = status; answer.end('no\n'); };
    if (!URL.canParse(url)) return fail(400);
    if (SAFE && !KNOWN_HOSTS.has(new URL(url).hostname)) return fail(400);
    const inner = http.get(url, { timeout: 2000 }, (got) => got.pipe(answer));
    inner.on('timeout', () => inner.destroy());
    inner.on('error', () => fail(502));
  },

  '/file': (asked, answer) => {
    const name = asked.searchParams.get('name') ?? 'hello.txt';
    fs.readFile(path.join(FILES, SAFE ? path.basename(name) : name), (error, content) => {
      answer.statusCode = error ? 404 : 200;
      answer.end(content ?? 'no\n');
    });
  },

  '/calc': (asked, answer, content) => {
    const { sum = '1+1' } = JSON.parse(content || '{}');
    if (SAFE && !/^[\d+*/(). -]{1,64}$/.test(sum)) {
      answer.statusCode = 400;
      return answer.end('no\n');
    }
    answer.end(`${eval(sum)}\n`);
  },
};

http.createServer((request, answer) => {
  let content = '';
  request.on('data', (piece) => { if (content.length < 65536) content += piece; });
  request.on('end', () => {
    const asked = new URL(request.url, 'http://localhost');
    const page = pages[asked.pathname];
    try {
      if (page) return page(asked, answer, content);
      answer.statusCode = 404;
      answer.end('no\n');
    } catch (error) {
      answer.statusCode = 500;
      answer.end(`${error}\n`);
    }
  });
}).listen(8080);
