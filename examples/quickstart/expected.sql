-- What the tables have to hold after the last change, worked out by the server that was recorded: the chain of
-- sluice.toml as SQL. One JSON object a row; every value as text.
SELECT JSON_OBJECT('target', CONCAT('shop/customers_', country), 'row', JSON_OBJECT(
  'id', CAST(id AS CHAR), 'email', SHA2(CONCAT('quickstart', CHAR(0), email), 256), 'full_name', '(hidden)', 'phone', NULL,
  'country', country, 'newsletter', CAST(newsletter AS CHAR), 'joined_at', CAST(CAST(joined_at AS DATETIME(6)) AS CHAR)))
FROM customers ORDER BY id;
SELECT JSON_OBJECT('target', 'shop/orders', 'row', JSON_OBJECT(
  'id', CAST(id AS CHAR), 'customer_id', CAST(customer_id AS CHAR), 'status', CAST(status AS CHAR), 'total', CAST(total AS CHAR),
  'placed_at', CAST(CAST(placed_at AS DATETIME(6)) AS CHAR), 'note', note))
FROM orders WHERE status <> 'cart' ORDER BY id;
SELECT JSON_OBJECT('target', 'shop/order_lines', 'row', JSON_OBJECT(
  'order_id', CAST(order_id AS CHAR), 'line_no', CAST(line_no AS CHAR), 'sku', sku, 'quantity', CAST(quantity AS CHAR),
  'unit_price', CAST(unit_price AS CHAR), 'options', CAST(options AS CHAR)))
FROM order_lines ORDER BY order_id, line_no;
