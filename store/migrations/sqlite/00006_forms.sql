-- +goose Up

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
