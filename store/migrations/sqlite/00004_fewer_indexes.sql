-- +goose Up

-- Who reads these knows the key: a table in the order of its key needs no
-- index beside it, which each new row would change as well.
CREATE TABLE budget_new (
    name  TEXT PRIMARY KEY,
    began INTEGER NOT NULL,
    count INTEGER NOT NULL,
    ref   INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO budget_new (name, began, count, ref) SELECT name, began, count, ref FROM budget ORDER BY name;
DROP TABLE budget;
ALTER TABLE budget_new RENAME TO budget;

CREATE TABLE counter_new (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counter_new (name, value) SELECT name, value FROM counter ORDER BY name;
DROP TABLE counter;
ALTER TABLE counter_new RENAME TO counter;

CREATE TABLE address_new (
    address   TEXT PRIMARY KEY,                -- lower case
    person_id INTEGER NOT NULL REFERENCES person (id),
    verified  INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO address_new (address, person_id, verified) SELECT address, person_id, verified FROM address ORDER BY address;
DROP TABLE address;
ALTER TABLE address_new RENAME TO address;

CREATE TABLE anchor_new (
    hash       BLOB NOT NULL,
    ticket_id  INTEGER NOT NULL REFERENCES ticket (id),
    message_id INTEGER NOT NULL,                 -- the message that brought it
    own        INTEGER NOT NULL,                 -- 1: that message's own id; 0: one that it refers to
    PRIMARY KEY (hash, ticket_id)
) WITHOUT ROWID;
INSERT INTO anchor_new (hash, ticket_id, message_id, own) SELECT hash, ticket_id, message_id, own FROM anchor ORDER BY hash, ticket_id;
DROP TABLE anchor;
ALTER TABLE anchor_new RENAME TO anchor;
CREATE INDEX anchor_message ON anchor (message_id);

-- The same mail has the same copy hash, too, if it has one.
DROP INDEX delivery_content;
CREATE INDEX delivery_content ON delivery (content_hash, id) WHERE content_hash IS NOT NULL AND copy_hash IS NULL;

-- A row that is leased as it is added is in one index on its way, and was in
-- two. Leased are few: those whose lease has run out are found among them.
DROP INDEX outbox_lane;
DROP INDEX outbox_leased;
CREATE INDEX outbox_lane ON outbox (lane, id) WHERE state = 'queued';
CREATE INDEX outbox_sending ON outbox (lane, id) WHERE state = 'sending';
