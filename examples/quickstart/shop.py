#!/usr/bin/env python3
"""Ten days of a small shop as SQL on standard output: the same text for the same seed, no clock, no network.

`record.sh` feeds it to a real server and keeps the binlog. The shop only writes what its own state allows, so every
statement hits the rows that it means to hit.
"""

import random
import sys

SEED = 20_260
STEPS = 1_150
START = 1_767_225_600  # 2026-01-01T00:00:00Z

SCHEMA = """
CREATE DATABASE shop CHARACTER SET utf8mb4;
USE shop;
CREATE TABLE customers (
  id INT UNSIGNED NOT NULL PRIMARY KEY,
  email VARCHAR(120) NOT NULL,
  full_name VARCHAR(80) NOT NULL,
  phone VARCHAR(24),
  country CHAR(2) NOT NULL,
  newsletter BOOLEAN NOT NULL,
  joined_at TIMESTAMP(3) NOT NULL
);
CREATE TABLE orders (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  customer_id INT UNSIGNED NOT NULL,
  status ENUM('cart','placed','paid','shipped','returned','cancelled') NOT NULL,
  total DECIMAL(10,2) NOT NULL,
  placed_at DATETIME,
  note VARCHAR(200)
);
CREATE TABLE order_lines (
  order_id BIGINT UNSIGNED NOT NULL,
  line_no SMALLINT UNSIGNED NOT NULL,
  sku VARCHAR(24) NOT NULL,
  quantity INT NOT NULL,
  unit_price DECIMAL(8,2) NOT NULL,
  options JSON,
  PRIMARY KEY (order_id, line_no)
);
"""

FIRST = "Ada Bo Chloé Dmitri Elif Femi Grace Hugo Inês Jürgen Kaito Lena Mateo Noor Oskar Priya Quinn Rosa Søren Tariq".split()
LAST = "Almeida Berg Costa Dubois Eriksen Fischer García Haddad Ivanova Jensen Kowalski Lindqvist Müller Novák Okafor".split()
COUNTRIES = ["DE", "FR", "NL", "PT", "SE", "US"]
GOODS = [("TEA-GREEN-100", 640), ("TEA-BLACK-250", 1190), ("MUG-BLUE", 1450), ("MUG-WHITE", 1250), ("KETTLE-1L", 4900),
         ("SPOON-OAK", 380), ("TIN-ROUND", 720), ("FILTER-PAPER-80", 450), ("HONEY-500", 890), ("GIFT-BOX", 300)]
NEXT_STATUS = {"placed": ["paid", "paid", "cancelled"], "paid": ["shipped"], "shipped": ["shipped", "shipped", "returned"]}


def text(value):
    """A string as an SQL literal."""
    return "NULL" if value is None else "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def money(cents):
    """Cents as a decimal literal."""
    return f"{cents // 100}.{cents % 100:02d}"


class Shop:
    """What the shop knows; every method is one thing that happens, as one transaction."""

    def __init__(self, rng, out):
        self.rng, self.out = rng, out
        self.now = START
        self.customers, self.orders = {}, {}  # order: {"customer", "status", "lines": [cents]}
        self.last_customer, self.last_order = 0, 10_000_000_000

    def say(self, *statements):
        """One transaction at the shop's own time."""
        self.now += self.rng.randint(60, 1500)
        self.out.write(f"SET TIMESTAMP={self.now};\n")
        if len(statements) == 1:
            self.out.write(f"{statements[0]};\n")
        else:
            self.out.write("BEGIN;\n" + "".join(f"{s};\n" for s in statements) + "COMMIT;\n")

    def pick_order(self, *status):
        """An order in one of the states, or none."""
        found = [i for i, o in self.orders.items() if o["status"] in status]
        return self.rng.choice(found) if found else None

    def total(self, order):
        """The statement that sets an order's total to the sum of its lines."""
        return f"UPDATE orders SET total={money(sum(self.orders[order]['lines']))} WHERE id={order}"

    def line(self, order, number):
        """The statement that adds a line; remembers what it costs."""
        sku, price = self.rng.choice(GOODS)
        quantity = self.rng.randint(1, 4)
        self.orders[order]["lines"].append(price * quantity)
        options = '{"engraving": "für Oma", "wrap": true}' if sku == "GIFT-BOX" else None
        return f"INSERT INTO order_lines VALUES ({order},{number},{text(sku)},{quantity},{money(price)},{text(options)})"

    def register(self):
        """A customer signs up."""
        self.last_customer += 1
        key, first, last = self.last_customer, self.rng.choice(FIRST), self.rng.choice(LAST)
        phone = f"+49 30 {self.rng.randint(100000, 999999)}" if self.rng.random() < 0.6 else None
        mail = f"{first}.{last}.{key}@example.com".lower()
        self.customers[key] = self.rng.choice(COUNTRIES)
        self.say(f"INSERT INTO customers VALUES ({key},{text(mail)},{text(first + ' ' + last)},{text(phone)},"
                 f"'{self.customers[key]}',{self.rng.randint(0, 1)},FROM_UNIXTIME({self.now}.{self.rng.randint(0, 999):03d}))")

    def fill_cart(self):
        """A cart with its first lines: two tables in one transaction."""
        self.last_order += self.rng.randint(1, 40)
        order, customer = self.last_order, self.rng.choice(list(self.customers))
        self.orders[order] = {"customer": customer, "status": "cart", "lines": []}
        lines = [self.line(order, n + 1) for n in range(self.rng.randint(1, 4))]
        note = "please ring twice, don't leave it outside" if self.rng.random() < 0.1 else None
        self.say(f"INSERT INTO orders VALUES ({order},{customer},'cart',0,NULL,{text(note)})", *lines, self.total(order))

    def add_line(self):
        """One more line in a cart."""
        if order := self.pick_order("cart"):
            self.say(self.line(order, len(self.orders[order]["lines"]) + 1), self.total(order))

    def drop_line(self):
        """A line goes and those behind it move up: their keys change."""
        order = self.pick_order("cart")
        if not order or len(self.orders[order]["lines"]) < 2:
            return
        gone = self.rng.randint(1, len(self.orders[order]["lines"]))
        del self.orders[order]["lines"][gone - 1]
        self.say(f"DELETE FROM order_lines WHERE order_id={order} AND line_no={gone}",
                 f"UPDATE order_lines SET line_no=line_no-1 WHERE order_id={order} AND line_no>{gone} ORDER BY line_no",
                 self.total(order))

    def place(self):
        """A cart becomes an order."""
        if order := self.pick_order("cart"):
            self.orders[order]["status"] = "placed"
            self.say(f"UPDATE orders SET status='placed', placed_at=FROM_UNIXTIME({self.now}) WHERE id={order}")

    def advance(self):
        """An order goes its way."""
        if order := self.pick_order(*NEXT_STATUS):
            status = self.rng.choice(NEXT_STATUS[self.orders[order]["status"]])
            self.orders[order]["status"] = status
            self.say(f"UPDATE orders SET status='{status}' WHERE id={order}")

    def abandon(self):
        """A cart is cleared away with its lines."""
        if order := self.pick_order("cart"):
            del self.orders[order]
            self.say(f"DELETE FROM order_lines WHERE order_id={order}", f"DELETE FROM orders WHERE id={order}")

    def reissue(self):
        """An order gets another number: its key and those of all its lines change."""
        if order := self.pick_order("placed", "paid"):
            self.last_order += 1
            new = self.last_order
            self.orders[new] = self.orders.pop(order)
            self.say(f"UPDATE orders SET id={new} WHERE id={order}", f"UPDATE order_lines SET order_id={new} WHERE order_id={order}")

    def move(self):
        """A customer moves to another country, or takes another address."""
        key = self.rng.choice(list(self.customers))
        self.customers[key] = self.rng.choice(COUNTRIES)
        self.say(f"UPDATE customers SET country='{self.customers[key]}', phone=NULL WHERE id={key}")

    def forget(self):
        """A customer asks to be forgotten: everything of theirs goes at once."""
        key = self.rng.choice(list(self.customers))
        mine = [i for i, o in self.orders.items() if o["customer"] == key]
        del self.customers[key]
        for order in mine:
            del self.orders[order]
        ids = ",".join(map(str, mine)) or "0"
        self.say(f"DELETE FROM order_lines WHERE order_id IN ({ids})", f"DELETE FROM orders WHERE id IN ({ids})",
                 f"DELETE FROM customers WHERE id={key}")

    def think_again(self):
        """A checkout that is rolled back: the log must not show it."""
        if order := self.pick_order("cart"):
            self.out.write(f"BEGIN;\nUPDATE orders SET status='placed' WHERE id={order};\n"
                           f"DELETE FROM order_lines WHERE order_id={order};\nROLLBACK;\n")

    def campaign(self):
        """A gift note on every line of one article in all carts: many rows of one statement."""
        sku, _ = self.rng.choice(GOODS)
        self.say(f"UPDATE order_lines SET options='{{\"wrap\": true, \"campaign\": {self.now % 7}}}' "
                 f"WHERE sku={text(sku)} AND order_id IN (SELECT id FROM orders WHERE status='cart')")


def main():
    rng = random.Random(SEED)
    shop = Shop(rng, sys.stdout)
    sys.stdout.write(SCHEMA)
    for _ in range(60):
        shop.register()
    happenings = {shop.register: 10, shop.fill_cart: 24, shop.add_line: 16, shop.drop_line: 9, shop.place: 16, shop.advance: 26,
                  shop.abandon: 3, shop.reissue: 3, shop.move: 8, shop.forget: 1, shop.think_again: 2, shop.campaign: 2}
    for step in range(STEPS):
        rng.choices(list(happenings), happenings.values())[0]()
        if step == STEPS // 2:
            sys.stdout.write("FLUSH BINARY LOGS;\n")


if __name__ == "__main__":
    main()
