// A small shop's API for many users, with one hole for each item of the OWASP API Security Top 10.
//
// Runtime: Node, one event loop. Tokens are JSON web tokens (HS256). PARTNER is the service whose
// rates and pictures it takes. Which line is which hole is said beside it.
'use strict';
const crypto = require('node:crypto');
const http = require('node:http');

const PARTNER = process.env.PARTNER ?? 'http://partner.example:8080';
const SECRET = 'lab';
const DAY_S = 86400;
const PRODUCTS = 40;

const users = new Map();
for (let id = 1; id <= 24; id++) users.set(`user${id}`, { id, name: `user${id}`, role: 'user', avatar: 'none' });
for (let id = 101; id <= 103; id++) users.set(`admin${id}`, { id, name: `admin${id}`, role: 'admin', avatar: 'none' });
const orders = new Map();
let nextOrder = 10001;

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const sign = (text) => crypto.createHmac('sha256', SECRET).update(text).digest('base64url');
const tokenOf = (user) => {
  const text = `${encode({ alg: 'HS256' })}.${encode({ sub: user.name, exp: Math.floor(Date.now() / 1000) + DAY_S })}`;
  return `${text}.${sign(text)}`;
};

class Refused extends Error {
  constructor(status, why) { super(why); this.status = status; }
}

function principalOf(request) {
  const [head, claims, mark] = (request.headers.authorization ?? '').replace('Bearer ', '').split('.');
  if (!claims) throw new Refused(401, 'who are you?');
  const { alg } = JSON.parse(Buffer.from(head, 'base64url'));
  // API2: the token itself says whether it has to be signed.
  if (alg !== 'none' && mark !== sign(`${head}.${claims}`)) throw new Refused(401, 'bad token');
  return users.get(JSON.parse(Buffer.from(claims, 'base64url')).sub);
}

const ask = (url) => new Promise((resolve) => {
  const inner = http.get(url, { timeout: 2000, agent: false }, (got) => {
    let content = '';
    got.on('data', (piece) => { content += piece; });
    got.on('end', () => resolve({ status: got.statusCode, content }));
  });
  inner.on('timeout', () => inner.destroy());
  inner.on('error', () => resolve({ status: 502, content: '' }));
});

const shoe = (number) => ({ slug: `shoe-${number}`, price: 20 + number, text: 'A shoe for every day' });
const ordersOf = (user) => [...orders.values()].filter((order) => order.by === user.id).slice(-10);
const seen = ({ id, total, status }) => ({ id, total, status });

// METHOD /path of parts, `*` stands for one; each takes the user and { parts, query, sent }.
const pages = {
  'GET /api/v2/products': (user, { query }) => {
    const page = Number(query.get('page') ?? 0);
    // API4: as many as are asked for.
    const limit = Number(query.get('limit') ?? 20);
    const length = Math.min(limit, 5000);
    return { items: Array.from({ length }, (_, place) => shoe(page * limit + place)) };
  },
  'GET /api/v2/products/*': async (user, { parts }) => {
    const number = Number(parts[3].replace('shoe-', ''));
    if (!(number < PRODUCTS * 100)) throw new Refused(404, 'no such shoe');
    // API10: whatever the partner says is handed on.
    const { rate, note } = JSON.parse((await ask(`${PARTNER}/rates?currency=EUR`)).content || '{}');
    return { ...shoe(number), rate, note };
  },
  'POST /api/v2/cart': (user, { sent }) => {
    const { product, quantity } = sent;
    if (typeof quantity !== 'number') throw new Refused(400, 'quantity has to be a number');
    return { items: quantity, product };
  },
  'POST /api/v2/checkout': (user, { sent }) => {
    const order = { id: nextOrder, by: user.id, total: 30, status: 'open', address: sent.address };
    nextOrder += 1 + crypto.randomInt(3);
    orders.set(order.id, order);
    if (20000 < orders.size) orders.delete(orders.keys().next().value);
    return { order_id: order.id };
  },
  // API6: paid without a checkout before it.
  'POST /api/v2/payments': (user, { sent }) => ({ status: 'paid', amount: sent.amount }),
  'GET /api/v2/orders': (user) => ({ items: ordersOf(user).map(seen) }),
  'GET /api/v2/orders/*': (user, { parts }) => {
    // API1: anybody's.
    const order = orders.get(Number(parts[3]));
    if (!order) throw new Refused(404, 'no such order');
    return seen(order);
  },
  'GET /api/v2/profile': (user) => user,
  // API3: every field of the user may be written.
  'PATCH /api/v2/profile': (user, { sent }) => Object.assign(user, sent),
  'POST /api/v2/avatar': async (user, { sent }) => {
    // API7: from wherever.
    const { status, content } = await ask(sent.url);
    return { status, size: content.length };
  },
  'GET /api/v2/admin/users': () => ({ items: [...users.values()].map(({ id, name }) => ({ id, name })) }),
  'GET /api/v2/admin/reports': () => ({ orders: orders.size }),
  // API5: any user may.
  'DELETE /api/v2/admin/users/*': () => ({ done: true }),
  // API9: the version before, which nobody has switched off.
  'GET /api/v1/orders': () => ({ items: [...orders.values()].slice(-10) }),
};

function pageOf(method, parts) {
  const path = (last) => `${method} /${[...parts.slice(0, -1), last].join('/')}`;
  return pages[path(parts.at(-1))] ?? pages[path('*')];
}

async function answer(request, content) {
  const url = new URL(request.url, 'http://localhost');
  const parts = url.pathname.split('/').filter(Boolean);
  if (url.pathname === '/health') return { ok: true };
  if (request.method === 'POST' && url.pathname === '/api/v2/login') {
    const { username, password } = JSON.parse(content);
    if (!users.has(username) || password !== `pw-${username}`) throw new Refused(401, 'wrong');
    return { token: tokenOf(users.get(username)) };
  }
  const page = pageOf(request.method, parts);
  if (!page) throw new Refused(404, 'no such page');
  const user = principalOf(request);
  if (!user) throw new Refused(401, 'who are you?');
  return page(user, { parts, query: url.searchParams, sent: content ? JSON.parse(content) : {} });
}

const server = http.createServer((request, response) => {
  let content = '';
  request.on('data', (piece) => { if (content.length < 65536) content += piece; });
  request.on('end', async () => {
    const say = (status, body) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    try {
      say(200, await answer(request, content));
    } catch (error) {
      if (error instanceof Refused) say(error.status, { error: error.message });
      // API8: where it broke, for everybody to read.
      else say(500, { error: error.stack });
    }
  });
});
// A connection that is closed just when it is used again would be a request without an answer.
server.keepAliveTimeout = 0;
server.listen(8080);
