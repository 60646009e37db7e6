-- What the application's database holds.
FLUSH PRIVILEGES;
CREATE USER 'shop'@'%';
CREATE DATABASE shop;
CREATE TABLE shop.people (name text, mail text, password_hash text);
INSERT INTO shop.people VALUES ('alice', 'alice@shop.test', '5f4dcc3b'), ('bob', 'bob@shop.test', '7c6a180b');
GRANT SELECT ON shop.people TO 'shop'@'%';
