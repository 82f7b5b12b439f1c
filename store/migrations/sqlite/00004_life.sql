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

-- The form: who is to fill it, when its link was last mailed, and whether an
-- agent had it sent.
ALTER TABLE ticket ADD COLUMN form_for TEXT NOT NULL DEFAULT '';
ALTER TABLE ticket ADD COLUMN form_at INTEGER;
ALTER TABLE ticket ADD COLUMN invited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ticket ADD COLUMN escalated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ticket ADD COLUMN spent INTEGER NOT NULL DEFAULT 0;   -- microseconds
-- The clock: a delay has put it off once; the step that waits until somebody
-- can be reached.
ALTER TABLE ticket ADD COLUMN postponed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ticket ADD COLUMN stuck TEXT NOT NULL DEFAULT '';
CREATE INDEX ticket_form ON ticket (form_for, desk) WHERE form_for <> '';

-- An address that only a form has named is not written to yet.
ALTER TABLE party ADD COLUMN untold INTEGER NOT NULL DEFAULT 0;
-- The few who cannot be reached are looked for after every mail that left.
CREATE INDEX party_lost ON party (ticket_id, ordinal) WHERE reachable = 0;

-- A file that came with a form. It is kept while its form was refused, so that
-- nobody sends it twice; taken, it is a part of its message.
CREATE TABLE upload (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    party_id     INTEGER NOT NULL REFERENCES party (id),
    token        TEXT NOT NULL UNIQUE,         -- how the page names it
    raw_id       INTEGER NOT NULL REFERENCES raw (id),
    name         TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size         INTEGER NOT NULL,
    sum          TEXT NOT NULL,                -- SHA-256, hexadecimal
    created      INTEGER NOT NULL,
    message_id   INTEGER                         -- that has taken it
);
CREATE INDEX upload_party ON upload (party_id, id);
CREATE INDEX upload_created ON upload (created);

-- Where a part is not in its message's mail: an upload of its own.
ALTER TABLE part ADD COLUMN raw_id INTEGER;

-- The answers of one form, as codes; what people read is its message.
CREATE TABLE submission (
    message_id INTEGER PRIMARY KEY REFERENCES message (id),
    ticket_id  INTEGER NOT NULL REFERENCES ticket (id),
    party      INTEGER NOT NULL,                 -- the ordinal
    form       TEXT NOT NULL,
    sum        TEXT NOT NULL,                  -- of answers and files: the same again adds nothing
    answers    TEXT NOT NULL,                  -- JSON
    refused    TEXT NOT NULL                   -- files that were not taken, JSON
);
CREATE INDEX submission_ticket ON submission (ticket_id, message_id);
