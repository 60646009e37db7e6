-- What the application's database holds.
CREATE ROLE shop LOGIN;
CREATE DATABASE shop OWNER shop;
\c shop
CREATE TABLE people (name text, mail text, password_hash text);
INSERT INTO people VALUES ('alice', 'alice@shop.test', '5f4dcc3b'), ('bob', 'bob@shop.test', '7c6a180b');
GRANT SELECT ON people TO shop;
